"""What ``vault.yaml`` may say, as frozen models; what they yield is ready for use.

Rule 1: every key has one meaning, a description here and a paragraph in docs/configuration.md.
Rule 2: paths are absolute, durations seconds, windows and policies domain values.
Rule 3: what the design names and is not built yet is recognised and refused by name.
Source: the contract of vault.yaml; design, section 5.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from vault.config.doors import DoorSettings, Production, Store
from vault.config.fields import (
    Duration,
    Line,
    Model,
    Name,
    Path,
    SecretRef,
    TimeOfDay,
    Unlawful,
)
from vault.config.nodes import Loc
from vault.config.sources import SourceSettings
from vault.policy import Policy
from vault.window import ALL_DAYS, LONGEST_S, WEEKDAYS, Window

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ALL_WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OWN_SOURCE = "coffre"  # catalogue and ledger are snapshotted under this name
OWN_DOOR = "production"  # doors are told by the names of their targets
OWN_TARGET = "landing"  # what `restore --from landing` means


def _finess(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"[0-9][0-9AB][0-9]{7}", text):
        raise Unlawful('must be a FINESS number of 9 characters, like "990000010"')
    return text


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        if not available_timezones():
            raise Unlawful(
                "no time zones on this host: install the package tzdata, then check this key"
            ) from None
        raise Unlawful("must be a time zone like Europe/Paris") from None
    return value


class Site(Model):
    """The establishment."""

    name: Line = Field(description="the establishment's name, for reports")
    finess: Annotated[
        str,
        BeforeValidator(_finess),
        WithJsonSchema({"type": ["string", "integer"]}),
    ] = Field(description="its FINESS number, 9 characters")
    time_zone: Annotated[StrictStr, AfterValidator(_time_zone)] = Field(
        default="Europe/Paris", description="of windows, calendars and reports"
    )
    language: Literal["fr", "en"] = Field(default="fr", description="of messages and reports")


class Landing(Model):
    """The repository on the vault host."""

    password: SecretRef = Field(description="where the landing repository's password is")


def _days(value: object) -> object:
    if value == "all":
        return list(WEEKDAYS)
    return [value] if isinstance(value, str) else value


class WindowSettings(Model):
    """When a vault door may be open."""

    start: TimeOfDay = Field(description="on the wall clock of the site")
    for_s: Annotated[Duration, Field(ge=60, le=LONGEST_S)] = Field(
        alias="for", description="how long, in real time: 1 minute to 24 hours"
    )
    days: Annotated[
        tuple[Weekday, ...],
        BeforeValidator(_days),
        Field(min_length=1),
        WithJsonSchema(
            {
                "anyOf": [
                    {"enum": ["all", *WEEKDAYS]},
                    {"type": "array", "items": {"enum": list(WEEKDAYS)}, "minItems": 1},
                ]
            }
        ),
    ] = Field(default=ALL_WEEK, description="the days on which it starts: all, a day, or a list")

    def to_window(self, name: str) -> Window:
        """Give the domain's window."""
        days = frozenset(WEEKDAYS.index(day) for day in self.days)
        return Window(name=name, start=self.start, for_s=self.for_s, days=days or ALL_DAYS)


class TargetRetention(Model):
    """How long a target keeps the views of past cycles; without it, for ever."""

    nightly_days: Annotated[StrictInt, Field(ge=1)] = Field(description="days of every view")
    monthlies: Annotated[StrictInt, Field(ge=0)] = Field(description="last views of a month")
    yearlies: Annotated[StrictInt, Field(ge=0)] = Field(description="last views of a year")


def _not_yet(value: int) -> int:
    if value:
        raise Unlawful("reading back old files is not built yet: leave it out, or 0")
    return value


class TargetSettings(Model):
    """An offline copy: a door, a store, and when the door may open."""

    door: DoorSettings = Field(description="how it connects: disk, or folder: PATH")
    store: Store = Field(default="files", description="how files are put there: files")
    window: Name | None = Field(
        default=None, description="when its door may open; without it, at any run"
    )
    read_back_old: Annotated[Duration, AfterValidator(_not_yet)] = Field(
        default=0, description="per opening, time to read back what crossed in earlier nights"
    )
    retention: TargetRetention | None = Field(
        default=None, description="which views it keeps; never less than the landing"
    )


def _group(value: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value):
        raise Unlawful("must be the name of a group of this host")
    return value


class Settings(Model):
    """The whole of vault.yaml."""

    site: Site = Field(description="the establishment")
    state: Path = Field(description="catalogue, ledger, landing, receptions, scratch, reports")
    state_group: Annotated[StrictStr, AfterValidator(_group)] | None = Field(
        default=None, description="members may read status, gaps, pmsi and report without root"
    )
    landing: Landing = Field(description="the repository on the vault host")
    production: Production = Field(
        default_factory=Production, description="the door to the hospital network"
    )
    policies: Path | None = Field(
        default=None, description="a folder of policies that go before the package's"
    )
    windows: dict[Name, WindowSettings] = Field(
        default_factory=dict, description="when vault doors may be open, by name"
    )
    sources: dict[Name, SourceSettings] = Field(
        default_factory=dict, description="what is pulled, by name"
    )
    targets: dict[Name, TargetSettings] = Field(
        default_factory=dict, description="where it is carried, by name"
    )

    _file: str = PrivateAttr(default="")
    _policies: Mapping[str, Policy] = PrivateAttr(default_factory=dict)
    _policy_files: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def file(self) -> str:
        """The absolute path of the file this was read from."""
        return self._file

    @property
    def base(self) -> str:
        """The folder of that file."""
        return os.path.dirname(self._file)

    @property
    def time_zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.site.time_zone)

    @property
    def loaded_policies(self) -> Mapping[str, Policy]:
        """Every policy that a source names, and the site's own, by name."""
        return self._policies

    @property
    def policy_files(self) -> Mapping[str, str]:
        """Where each of those policies was read from."""
        return self._policy_files

    def policy_of(self, source: str) -> Policy:
        """Give the policy of a source."""
        return self._policies[self.sources[source].policy]

    def window_of(self, target: str) -> Window | None:
        """Give the window of a target, or None when it has none."""
        name = self.targets[target].window
        return None if name is None else self.windows[name].to_window(name)

    def bind(
        self, file: str, policies: Mapping[str, Policy], policy_files: Mapping[str, str]
    ) -> Settings:
        """Remember the file and the policies that belong to it; for ``load`` only."""
        self._file, self._policies, self._policy_files = file, policies, policy_files
        return self


def secret_refs(settings: Settings) -> dict[Loc, SecretRef]:
    """Give every place of a secret, by its place in the file."""
    found: dict[Loc, SecretRef | None] = {("landing", "password"): settings.landing.password}
    for name, source in settings.sources.items():
        if source.sftp is not None:
            found["sources", name, "sftp", "key"] = source.sftp.key
            found["sources", name, "sftp", "password"] = source.sftp.password
        if source.mount is not None:
            found["sources", name, "mount", "credentials"] = source.mount.credentials
    return {loc: ref for loc, ref in found.items() if ref is not None}
