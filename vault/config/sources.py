"""What ``vault.yaml`` may say about sources: a folder, a share, an SFTP host, a command.

Rule 1: a source is of exactly one kind, and a key of another kind beside it is a mistake.
Rule 2: no option can make a share writable, and none can carry a secret.
Source: design, section 5.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    StrictInt,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from vault.config.fields import (
    Argv,
    Duration,
    Line,
    Model,
    Name,
    Path,
    SecretRef,
    Unlawful,
    absolute,
    one_of,
)

# What may be tuned on a share; read-only and the rest of the safety is not up for tuning.
_OPTIONS = frozenset(
    {"iocharset", "noserverino", "port", "proto", "retrans", "seal", "sec", "timeo", "vers"}
)


def _option(value: str) -> str:
    name, _, setting = value.partition("=")
    if name not in _OPTIONS or not re.fullmatch(r"[A-Za-z0-9_.-]*", setting):
        raise Unlawful(
            "must be one of {known}, as name or name=value", known=", ".join(sorted(_OPTIONS))
        )
    return value


def _folder(value: str, info: ValidationInfo) -> str:
    """Place a folder: on this host, or inside the share that is to be mounted."""
    if info.data.get("mount") is None:
        return absolute(value, info)
    inside = [part for part in value.split("/") if part not in ("", ".")]
    if ".." in inside or "\0" in value or "\n" in value:
        raise Unlawful("must be a folder inside the share")
    return "/".join(inside) or "."


class Mount(Model):
    """A share, mounted read-only in a private namespace for the pull only."""

    type: Literal["cifs", "nfs"] = Field(description="the kind of share")
    what: Line = Field(description="//server/share for cifs, server:/export for nfs")
    credentials: SecretRef | None = Field(
        default=None, description="cifs: username=, password=, domain= lines; none for nfs"
    )

    options: tuple[Annotated[StrictStr, AfterValidator(_option)], ...] = Field(
        default=(), description="what the server needs, like vers=2.1 or sec=krb5"
    )

    @model_validator(mode="after")
    def _fits(self) -> Mount:
        if "," in self.what:  # it would end the name and begin an option
            raise Unlawful("what: a comma cannot stand in the name of a share")
        if self.type == "cifs" and not re.fullmatch(r"//[^/]+/[^/].*", self.what):
            raise Unlawful("what: a cifs share is written //server/share")
        if self.type == "nfs" and not re.fullmatch(r"[^/].*:/.*", self.what):
            raise Unlawful("what: an nfs export is written server:/export")
        if self.type == "nfs" and self.credentials is not None:
            raise Unlawful("nfs takes no credentials")
        return self


class Sftp(Model):
    """A host from which exports are pulled by SFTP."""

    host: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$")] = Field(
        description="name or address"
    )
    port: Annotated[StrictInt, Field(ge=1, le=65535)] = Field(default=22, description="TCP port")
    user: Annotated[StrictStr, Field(pattern=r"^[^\s:@/\x00]{1,64}$")] = Field(
        description="the account there; read-only is enough"
    )
    path: Annotated[StrictStr, Field(pattern=r"^[^\x00\n]{1,1024}$")] = Field(
        description="the folder there"
    )
    key: SecretRef | None = Field(default=None, description="the private key, without passphrase")
    password: SecretRef | None = Field(default=None, description="instead of a key")
    known_hosts: Path = Field(
        default="secrets/known_hosts",
        validate_default=True,
        description="the confirmed host keys, written by `coffre source trust`",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Sftp:
        one_of({"key": self.key, "password": self.password}, "key, password")
        return self


class SourceSettings(Model):
    """Something that exports are pulled from: a folder, an SFTP host or a command."""

    policy: Name = Field(description="the class of data, a policy's name")
    mount: Mount | None = Field(default=None, description="a share, mounted for the pull only")
    folder: (
        Annotated[StrictStr, AfterValidator(_folder), WithJsonSchema({"type": "string"})] | None
    ) = Field(
        default=None,
        description="the folder that holds the exports; with mount, the folder inside the share",
    )
    sftp: Sftp | None = Field(default=None, description="an SFTP host that holds the exports")
    command: Argv | None = Field(default=None, description="a program that prints one export")
    output: Line | None = Field(default=None, description="the file name for `command`'s output")
    timeout: Annotated[Duration, Field(ge=1)] | None = Field(
        default=None, description="how long `command` may take (default 1h)"
    )
    done_file: Line | None = Field(
        default=None, description="the name (* and ? allowed) that says an export is complete"
    )
    stable_for: Duration | None = Field(
        default=None,
        description="without done_file: unchanged for this long is complete (default 60s)",
    )

    canaries: tuple[Line, ...] = Field(
        default=(), description="files of the export that nobody ever touches, as paths in it"
    )

    @property
    def kind(self) -> Literal["folder", "sftp", "command"]:
        """Which of the three it is."""
        if self.folder is not None:
            return "folder"
        return "sftp" if self.sftp is not None else "command"

    @property
    def local_folder(self) -> str | None:
        """The folder on this host, absolute; None for a share, an SFTP host or a command."""
        return self.folder if self.mount is None else None

    @property
    def timeout_s(self) -> int:
        """How long the command may take."""
        assert self.timeout is not None, "a source without a command"
        return self.timeout

    @property
    def stable_for_s(self) -> int:
        """How long a file must stay unchanged to count as complete; 0 for a command."""
        return self.stable_for or 0

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_kind(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        default = {"timeout": "1h"} if "command" in value else {"stable_for": "60s"}
        if "mount" in value and not {"sftp", "command"} & set(value):
            default["folder"] = "."
        return default | value

    @model_validator(mode="after")
    def _fits(self) -> SourceSettings:
        kind = one_of(
            {"folder": self.folder, "sftp": self.sftp, "command": self.command},
            "folder, sftp, command",
        )
        if kind != "folder" and self.mount is not None:
            raise Unlawful("mount goes with folder only")
        if kind == "command":
            if self.output is None:
                raise Unlawful("command needs output: the name of the file it makes")
            if self.done_file is not None or self.stable_for is not None:
                raise Unlawful("done_file and stable_for do not go with command")
        elif self.output is not None or self.timeout is not None:
            raise Unlawful("output and timeout go with command only")
        for path in self.canaries:
            if path.startswith("/") or {"", ".", ".."} & set(path.split("/")):
                raise Unlawful("canaries: paths inside the export, without / before them")
        for name in (self.output, self.done_file):
            if name is not None and ("/" in name or name in (".", "..")):
                raise Unlawful("output and done_file are file names, without /")
        return self
