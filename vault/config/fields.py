"""The kinds of value that a configuration holds: names, paths, durations, times, secrets' places.

Rule 1: a value is what its text says, or refused; a number is never guessed into a unit.
Rule 2: a relative path is relative to the file it stands in; inside, every path is absolute.
Rule 3: a secret never stands in the configuration, only where to find it.
"""

from __future__ import annotations

import os
import re
from datetime import time
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from vault.config.problems import shown
from vault.duration import PATTERN as DURATION_PATTERN
from vault.duration import format_duration, parse_duration
from vault.errors import UsageError

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,40}$"


class Unlawful(ValueError):
    """A value that is not lawful, as a template with its values."""

    def __init__(self, template: str, **values: object) -> None:
        self.template = template
        self.values = values
        super().__init__(template.format(**values))


class Model(BaseModel):
    """What every mapping of the configuration is: frozen, and closed to unknown keys.

    A model is built when it is first used: most commands use few of them.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


def one_of(given: dict[str, object], wanted: str) -> str:
    """Give the name of the only member that is set; Unlawful when there is none or several."""
    said = [name for name, value in given.items() if value is not None]
    if len(said) != 1:
        raise Unlawful(
            "say exactly one of {wanted}; found {said}",
            wanted=wanted,
            said=" and ".join(said) or "none",
        )
    return said[0]


def or_word(schema: dict[str, Any], *words: str) -> dict[str, Any]:
    """Let a JSON Schema also take one of some words."""
    return {"anyOf": [{"enum": list(words)}, schema]}


def _read_duration(value: object) -> int:
    if value == 0 and not isinstance(value, bool):
        return 0
    if not isinstance(value, str):
        raise Unlawful("must be a duration with its unit, like 20m, 2h, 1h30m or 90d")
    try:
        return parse_duration(value)
    except UsageError as error:
        raise Unlawful(
            "{text}: write a duration like 20m, 2h, 1h30m or 90d", **error.values
        ) from None


Duration = Annotated[
    int,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]


def _read_time(value: object) -> time:
    match = (
        re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value) if isinstance(value, str) else None
    )
    if match is None:
        raise Unlawful('must be a time of day like "01:00"')
    return time(int(match[1]), int(match[2]))


TimeOfDay = Annotated[
    time,
    BeforeValidator(_read_time),
    PlainSerializer(lambda at: at.strftime("%H:%M"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]


def _name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value, re.ASCII) or "\n" in value:
        raise Unlawful(
            "{name} is not a lawful name: small letters a-z, digits and -, at most 41 characters",
            name=shown(value),
        )
    return value


Name = Annotated[
    StrictStr, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
]


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > 200:
        raise Unlawful("must be one line of text, at most 200 characters")
    return value


Line = Annotated[StrictStr, AfterValidator(_line)]


def absolute(value: str, info: ValidationInfo) -> str:
    """Make a path absolute, from the folder of the file it stands in."""
    if not value or "\0" in value or "\n" in value:
        raise Unlawful("must be a path on one line")
    if value.startswith("~"):
        raise Unlawful("~ is not expanded here; write the whole path")
    folder = (info.context or {}).get("folder")
    if folder is None:
        return value
    whole = os.path.join(folder, value)
    # After a symbolic link, ".." is not what the text suggests: such a path is left as it stands.
    return whole if ".." in whole.split("/") else os.path.normpath(whole)


Path = Annotated[
    StrictStr, AfterValidator(absolute), WithJsonSchema({"type": "string", "minLength": 1})
]


def _argv(value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if not value or not value[0] or any("\0" in word for word in value):
        raise Unlawful("must be a list of words: the program, then its arguments")
    program = value[0]
    if "/" in program:
        program = absolute(program, info)
    return (program, *value[1:])


Argv = Annotated[
    tuple[StrictStr, ...],
    AfterValidator(_argv),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 1}),
]


class SecretRef(Model):
    """Where a secret is found; never the secret."""

    file: Path | None = Field(default=None, description="a file of mode 0600")
    command: Argv | None = Field(default=None, description="a program that prints it")
    credential: (
        Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}$")] | None
    ) = Field(default=None, description="a systemd credential of this name")

    @model_validator(mode="before")
    @classmethod
    def _no_secret_here(cls, value: object) -> object:
        if not isinstance(value, dict):
            raise Unlawful(
                "a secret never stands here; say where it is: "
                "file: PATH, or command: [PROGRAM, ...], or credential: NAME"
            )
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> SecretRef:
        one_of(
            {"file": self.file, "command": self.command, "credential": self.credential},
            "file, command, credential",
        )
        return self


__all__ = [
    "Argv",
    "Duration",
    "GetJsonSchemaHandler",
    "Line",
    "Model",
    "Name",
    "Path",
    "SecretRef",
    "TimeOfDay",
    "Unlawful",
    "absolute",
    "one_of",
    "or_word",
]
