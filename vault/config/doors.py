"""What ``vault.yaml`` may say about doors and stores.

Rule 1: a door is one word (``disk``, ``none``) or a mapping of one key (``folder: trial``).
Rule 2: kinds that the design names and that are not built yet are refused by name.
Source: design, section 5.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    StrictStr,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from vault.config.fields import Model, Path, Unlawful, one_of, or_word

_DOORS_TO_COME = ("ssh", "script")
_STORES_TO_COME = ("sftp", "s3")


def _refuse_to_come(word: object, to_come: tuple[str, ...], built: str) -> None:
    words = list(word) if isinstance(word, dict) else [word]
    for name in words:
        if name in to_come:
            raise Unlawful("{name} is not built yet; there is: {built}", name=name, built=built)


class DiskDoor(Model):
    """A disk that is formatted for the vault alone."""

    detach: Literal["auto", "none", "usb", "scsi"] = Field(
        default="auto", description="how the disk is taken off its bus after it was unmounted"
    )


class DoorSettings(Model):
    """What connects and disconnects one target."""

    disk: DiskDoor | None = Field(default=None, description="a disk, found by its own identity")
    folder: Path | None = Field(default=None, description="no door at all, for trying out")

    @property
    def kind(self) -> Literal["disk", "folder"]:
        """Which of the two it is."""
        return "disk" if self.disk is not None else "folder"

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        _refuse_to_come(value, _DOORS_TO_COME, "disk, folder")
        if value == "disk":
            return {"disk": {}}
        if not isinstance(value, dict):
            raise Unlawful("must be disk, or folder: PATH")
        return {**value, "disk": {}} if value.get("disk", 0) is None else value

    @model_validator(mode="after")
    def _exactly_one(self) -> DoorSettings:
        one_of({"disk": self.disk, "folder": self.folder}, "disk, folder")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return or_word(handler(core), "disk")


def _interface(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.@-]{1,15}", value) or value in ("lo", ".", ".."):
        raise Unlawful("must be a network interface of this host, like eth1")
    return value


def _probe(value: str) -> str:
    address, _, port = value.rpartition(":")
    try:
        ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
        lawful = 0 < int(port) < 65536
    except ValueError:
        lawful = False
    if not lawful:  # a name would need a name server, whose silence proves nothing
        raise Unlawful("must be ADDRESS:PORT, the address in digits")
    return value


class LinkDoor(Model):
    """A network interface that is down except during the pull."""

    interface: Annotated[StrictStr, AfterValidator(_interface)] = Field(
        description="the interface that leads to the hospital network"
    )
    probe: Annotated[StrictStr, AfterValidator(_probe)] | None = Field(
        default=None, description="ADDRESS:PORT behind it that must not answer when it is shut"
    )

    @property
    def probe_address(self) -> tuple[str, int] | None:
        """The address and port of the probe."""
        if self.probe is None:
            return None
        address, _, port = self.probe.rpartition(":")
        return address.removeprefix("[").removesuffix("]"), int(port)

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        return {"interface": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(core)]}


class ProductionDoor(Model):
    """What connects and disconnects the hospital network."""

    link: LinkDoor | None = Field(default=None, description="an interface, down when shut")

    @property
    def kind(self) -> Literal["none", "link"]:
        """Which of the two it is."""
        return "none" if self.link is None else "link"

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        _refuse_to_come(value, ("nft",), "none, link")
        if value == "none":
            return {}
        if not isinstance(value, dict) or not value:
            raise Unlawful("must be none, or link: INTERFACE")
        return value

    @model_serializer
    def _written(self) -> object:
        return "none" if self.link is None else {"link": self.link.model_dump(exclude_none=True)}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return or_word(handler(core), "none")


class Production(Model):
    """The side of the hospital network."""

    door: ProductionDoor = Field(
        default=ProductionDoor.model_validate("none"), description="none, or link: INTERFACE"
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        """Take ``{link: eth1}`` for ``{door: {link: eth1}}``."""
        if isinstance(value, dict) and value and set(value) <= {"link", "nft"}:
            return {"door": value}
        return value


def _store(value: object) -> object:
    _refuse_to_come(value, _STORES_TO_COME, "files")
    return value


Store = Annotated[Literal["files"], BeforeValidator(_store)]
