"""What ``vault.yaml`` may say, as frozen models; what they yield is ready for use.

Rule 1: every key has one meaning, a description here and a paragraph in docs/configuration.md.
Rule 2: paths are absolute, durations seconds, windows and policies domain values.
Rule 3: what the design names and is not built yet is recognised and refused by name.
Source: the contract of vault.yaml; design, section 5.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)

from vault.config.declaration import Day, DeclarationSettings
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
from vault.config.rotation import SetSettings
from vault.config.sources import SourceSettings
from vault.config.telling import MetricsSettings, NoticeSettings, PingSettings
from vault.policy import LONGEST_DWELL_DAYS, Policy, Retention
from vault.practice import YEAR_S
from vault.timetable import FIELDS
from vault.window import ALL_DAYS, LONGEST_S, WEEKDAYS, Window

if TYPE_CHECKING:
    from vault.compliance import Framework
    from vault.formats import Tables
    from vault.timetable import Timetable

PmsiField = Literal["MCO", "SMR", "HAD", "PSY"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ALL_WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_CATCH_UP_S = 7 * 86_400
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


Finess = Annotated[str, BeforeValidator(_finess), WithJsonSchema({"type": ["string", "integer"]})]


class Site(Model):
    """The establishment."""

    name: Line = Field(description="the establishment's name, for reports")
    finess: Finess = Field(description="its FINESS number, 9 characters")
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

    catch_up: Annotated[Duration, Field(le=LONGEST_CATCH_UP_S)] = Field(
        default=0,
        description="how long after its end a missed opening may be caught up: up to 7 days",
    )

    def to_window(self, name: str) -> Window:
        """Give the domain's window."""
        days = frozenset(WEEKDAYS.index(day) for day in self.days)
        return Window(name=name, start=self.start, for_s=self.for_s, days=days or ALL_DAYS)


class ScheduleSettings(Model):
    """What is done between the nights, by `coffre serve` or by the timers it is written into."""

    drills: Annotated[Duration, Field(le=LONGEST_S)] = Field(
        default=1800, description="time a day for the restore tests that are due; 0 is none"
    )
    evaluate: Annotated[Duration, Field(ge=60, le=LONGEST_S)] = Field(
        default=3600, description="how often what is missing is judged anew"
    )
    retention: StrictBool = Field(
        default=True, description="whether the landing lets go each day of what no rule keeps"
    )


class TargetRetention(Model):
    """How long a target keeps the views of past cycles; without it, for ever."""

    nightly_days: Annotated[StrictInt, Field(ge=1)] = Field(description="days of every view")
    monthlies: Annotated[StrictInt, Field(ge=0)] = Field(description="last views of a month")
    yearlies: Annotated[StrictInt, Field(ge=0)] = Field(description="last views of a year")
    max_forget: Annotated[StrictInt, Field(ge=1, le=1000)] = Field(
        default=31, description="views that one removal may let go of"
    )
    hold: Annotated[Duration, Field(ge=86_400)] = Field(
        default=7 * 86_400, description="how long a proposed removal waits for its second person"
    )

    def to_retention(self) -> Retention:
        """Give the domain's rules for the views of a target."""
        return Retention(
            nightly_days=self.nightly_days,
            monthlies=self.monthlies,
            yearlies=self.yearlies,
            max_forget=self.max_forget,
        )


class TargetSettings(Model):
    """An offline copy: a door, a store, and when the door may open."""

    door: DoorSettings = Field(description="how it connects: disk, or folder: PATH")
    store: Store = Field(default="files", description="how files are put there: files")
    window: Name | None = Field(
        default=None, description="when its door may open; without it, at any run"
    )
    read_back_old: Annotated[Duration, Field(le=LONGEST_S)] = Field(
        default=0, description="per opening, time to read back what crossed in earlier nights"
    )
    retention: TargetRetention | None = Field(
        default=None, description="which views it keeps; never less than the landing"
    )
    home: Line | None = Field(
        default=None, description="where its medium lives between nights: whose safe, which site"
    )
    max_open: Annotated[Duration, Field(ge=1)] | None = Field(
        default=None,
        description="how long one opening may last before it is a gap; without it, its window",
    )
    max_absence: Annotated[Duration, Field(ge=3600)] | None = Field(
        default=None,
        description="how long its medium may stay unseen; without it, what its policies or the "
        "turns of its set allow",
    )
    expires: Day | None = Field(
        default=None, description="the planned end of life of its medium, a day"
    )


class ExerciseSettings(Model):
    """How often people practise what must not be new to them."""

    every: Annotated[Duration, Field(ge=86_400)] = Field(
        default=YEAR_S, description="red button, recovery password and rebuild kit, each"
    )
    dwell: Annotated[Duration, Field(ge=86_400)] = Field(
        default=LONGEST_DWELL_DAYS * 86_400,
        description="how long an intruder may be inside unseen: nightly points reach back as far",
    )
    out_of_reach: Annotated[Duration, Field(ge=86_400)] = Field(
        default=35 * 86_400,
        description="how old the newest copy may be that is out of reach during a night",
    )


class HookSettings(Model):
    """How long the site's own executables may take."""

    timeout: Annotated[Duration, Field(ge=1, le=600)] = Field(
        default=60, description="of each hook; then it is killed. At most 10 minutes"
    )
    medium_wait: Annotated[Duration, Field(ge=0, le=600)] = Field(
        default=0,
        description="how long a medium may take to appear after a door-open hook that ran",
    )


def _cosigner_key(value: str) -> str:
    """See that a text is a cosigner's public key: NAME+KEYID+BASE64 of 4 and 32 bytes."""
    name, _, rest = value.partition("+")
    given_id, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        data = b""
    made = hashlib.sha256(name.encode() + b"\n" + data).hexdigest()[:8]
    if len(data) != 33 or data[0] != 4 or given_id != made:
        raise Unlawful("must be the public key that coffre evidence keygen printed")
    return value


class Cosigner(Model):
    """A person who signs the ledger's heads with a key and a clock outside this host."""

    key: Annotated[Line, AfterValidator(_cosigner_key)] = Field(
        description="the person's public key, as coffre evidence keygen printed it"
    )


class Evidence(Model):
    """Who vouches, outside this host, that nothing is dropped from the ledger."""

    cosigners: dict[Name, Cosigner] = Field(
        default_factory=dict, description="persons who sign the ledger's heads, by name"
    )
    cosigned_within: Duration = Field(
        default=35 * 86_400, description="a head cosigned by each of them is not older than this"
    )
    bracketed_within: Duration = Field(
        default=90 * 86_400, description="how long the clock may go without any of them"
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
    evidence: Evidence = Field(
        default_factory=Evidence, description="who cosigns the ledger, and how often"
    )
    windows: dict[Name, WindowSettings] = Field(
        default_factory=dict, description="when vault doors may be open, by name"
    )
    schedule: ScheduleSettings = Field(
        default_factory=ScheduleSettings, description="what is done between the nights"
    )
    sources: dict[Name, SourceSettings] = Field(
        default_factory=dict, description="what is pulled, by name"
    )
    targets: dict[Name, TargetSettings] = Field(
        default_factory=dict, description="where it is carried, by name"
    )
    sets: dict[Name, SetSettings] = Field(
        default_factory=dict, description="which targets take turns, by name of the set"
    )
    exercises: ExerciseSettings = Field(
        default_factory=ExerciseSettings, description="what people practise, and how often"
    )
    hooks: HookSettings = Field(
        default_factory=HookSettings, description="how long the executables in hooks/ may take"
    )
    notices: NoticeSettings = Field(
        default_factory=NoticeSettings, description="who is told by mail or otherwise, and of what"
    )
    metrics: MetricsSettings | None = Field(
        default=None, description="a text file of metrics for Prometheus"
    )
    ping: PingSettings | None = Field(
        default=None, description="a monitoring service that is pinged at each night"
    )
    syslog: StrictBool | Path = Field(
        default=False, description="events with their fields: true, or the path of a socket"
    )
    declarations: dict[StrictStr, DeclarationSettings] = Field(
        default_factory=dict,
        description="what somebody answers for, by FRAMEWORK/CLAUSE of policies/compliance",
    )
    pmsi: Annotated[
        dict[Finess, Annotated[tuple[PmsiField, ...], Field(min_length=1)]],
        WithJsonSchema(
            {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {"enum": list(FIELDS)},
                    "minItems": 1,
                },
            }
        ),
    ] = Field(
        default_factory=dict, description="which PMSI fields each FINESS sends, so that none lacks"
    )

    _file: str = PrivateAttr(default="")
    _site_policies: str | None = PrivateAttr(default=None)
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

    def load_formats(self) -> Tables:
        """Read the PMSI tables: the package's, with the site's rows over them."""
        from vault.config.formats_tables import load_formats

        return load_formats(self._site_policies)

    @property
    def site_policies(self) -> str | None:
        """Give the folder of the site's own policies and tables; None when it has none."""
        return self._site_policies

    def load_frameworks(self) -> tuple[Framework, ...]:
        """Read the compliance maps: the site's files before the package's."""
        from vault.config.compliance_file import load_frameworks

        return load_frameworks(self._site_policies)

    def policy_of(self, source: str) -> Policy:
        """Give the policy of a source."""
        return self._policies[self.sources[source].policy]

    def window_of(self, target: str) -> Window | None:
        """Give the window of a target, or None when it has none."""
        name = self.targets[target].window
        return None if name is None else self.windows[name].to_window(name)

    def set_of(self, target: str) -> SetSettings | None:
        """Give the set in which a target takes turns, or None."""
        return next((one for one in self.sets.values() if target in one.targets), None)

    def load_timetable(self) -> Timetable:
        """Read the PMSI timetable: the site's own, else the package's."""
        from vault.config.timetable_file import load_timetable

        return load_timetable(self._site_policies)

    def bind(
        self,
        file: str,
        policies: Mapping[str, Policy],
        policy_files: Mapping[str, str],
        site_policies: str | None,
    ) -> Settings:
        """Remember the file and the policies that belong to it; for ``load`` only."""
        self._file, self._policies, self._policy_files = file, policies, policy_files
        self._site_policies = site_policies
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
    for name, recipient in settings.notices.to.items():
        found["notices", "to", name, "url"] = recipient.url
    if settings.ping is not None:
        found["ping", "url"] = settings.ping.url
    return {loc: ref for loc, ref in found.items() if ref is not None}
