"""What a policy file may say, as frozen models that yield the domain's policy.

Rule 1: one file is one class of data; the file's name, less ``.yaml``, is the policy's name.
Rule 2: a site's file replaces the package's file of the same name whole; nothing is merged.
Source: docs/configuration.md; design, sections 5, 6 and 8.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from vault.config.fields import Duration, Line, Model, Unlawful, one_of, or_word
from vault.duration import format_duration
from vault.policy import (
    DAY_S,
    LONGEST_DWELL_DAYS,
    Drills,
    Due,
    Monthly,
    Nightly,
    Policy,
    Retention,
    Titles,
    Weekly,
)
from vault.results import Disconnection
from vault.window import WEEKDAYS

Interval = Annotated[Duration, Field(ge=3600)]
Often = Annotated[Duration, Field(ge=DAY_S)]


class TitlesFile(Model):
    """The name of the class of data, for people."""

    fr: Line = Field(description="in French")
    en: Line = Field(description="in English")


class MonthlyFile(Model):
    """Due once a month."""

    by: Annotated[StrictInt, Field(ge=1, le=31)] = Field(
        description="the day of the month by which it must be saved"
    )


class DueFile(Model):
    """When the sources are due."""

    weekly: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] | None = Field(
        default=None, description="due from this day on, until saved"
    )
    monthly: MonthlyFile | None = Field(default=None, description="due once a month")

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        if value == "nightly":
            return {}
        if not isinstance(value, dict) or not value:
            raise Unlawful("must be nightly, or weekly: DAY, or monthly: {{by: DAY}}")
        return value

    @model_validator(mode="after")
    def _at_most_one(self) -> DueFile:
        if self.model_fields_set:
            one_of({"weekly": self.weekly, "monthly": self.monthly}, "weekly, monthly")
        return self

    @model_serializer
    def _written(self) -> object:
        if self.weekly is not None:
            return {"weekly": self.weekly}
        return "nightly" if self.monthly is None else {"monthly": {"by": self.monthly.by}}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return or_word(handler(core), "nightly")

    def to_due(self) -> Due:
        """Give the domain's cadence."""
        if self.weekly is not None:
            return Weekly(weekday=WEEKDAYS.index(self.weekly))
        return Nightly() if self.monthly is None else Monthly(by_day=self.monthly.by)


class DrillsFile(Model):
    """How often each level of proof is owed; a level that is not named is not owed."""

    l0: Often = Field(alias="L0", description="the repository is checked")
    l1: Often = Field(alias="L1", description="every byte restored equals the manifest")
    l2: Often | None = Field(default=None, alias="L2", description="files open as what they are")
    l3: Often | None = Field(default=None, alias="L3", description="an application reads the data")
    l4: Often | None = Field(
        default=None, alias="L4", description="back in production, signed by the referent"
    )


class RetentionFile(Model):
    """What the landing keeps at least, by ledger time."""

    nightly_days: Annotated[StrictInt, Field(ge=1, le=3660)] = Field(
        default=LONGEST_DWELL_DAYS, description="days of nightly points"
    )
    monthlies: Annotated[StrictInt, Field(ge=0, le=600)] = Field(
        default=12, description="last points of a month"
    )
    yearlies: Annotated[StrictInt, Field(ge=0, le=100)] = Field(
        default=5, description="last points of a year"
    )
    keep_m12_years: Annotated[StrictInt, Field(ge=0, le=100)] = Field(
        default=0, description="PMSI: years whose December archive is kept"
    )
    max_forget: Annotated[StrictInt, Field(ge=1, le=1000)] = Field(
        default=7, description="points of one source that one day may let go"
    )


class PolicyFile(Model):
    """The whole of one policy file."""

    titles: TitlesFile = Field(description="the name of the class of data, for people")
    owner: Line = Field(description="the role that answers for the data, never a person's name")
    priority: Annotated[StrictInt, Field(ge=1, le=999)] = Field(
        description="the order of carrying: 1 goes first"
    )
    due: DueFile = Field(description="when its sources are due")
    pdma: Interval = Field(description="how much work may be lost (recovery point objective)")
    dmia: Interval = Field(description="how long it may be missing (recovery time objective)")
    drills: DrillsFile = Field(description="how often each level of proof is owed")
    retention: RetentionFile = Field(
        default_factory=RetentionFile, description="what the landing keeps at least"
    )
    copies: Annotated[StrictInt, Field(ge=1, le=20)] = Field(
        default=1, description="media that must hold a point of each source, however old"
    )
    min_disconnection: Disconnection = Field(
        default=Disconnection.UNMOUNTED, description="the weakest disconnection that counts"
    )
    max_medium_age: Often = Field(
        default=35 * DAY_S, description="how long a medium may stay unseen"
    )
    max_clean_age: Often = Field(
        default=35 * DAY_S,
        description="how old the newest point may be that inspection took without a warning",
    )
    wait: Annotated[Duration, Field(le=DAY_S)] = Field(
        default=0, description="how long a night waits in its window for a late export"
    )
    allow_empty: StrictBool = Field(default=False, description="whether an empty export is lawful")
    max_shrink_percent: Annotated[StrictInt, Field(ge=0, le=100)] = Field(
        default=30, description="how much an export may shrink before it is warned of"
    )
    max_deleted_percent: Annotated[StrictInt, Field(ge=0, le=100)] = Field(
        default=75, description="how much of an export may go at once before it is refused"
    )
    max_changed_percent: Annotated[StrictInt, Field(ge=1, le=100)] = Field(
        default=100, description="files that may change at once before the export is refused"
    )
    max_damaged_percent: Annotated[StrictInt, Field(ge=0, le=100)] = Field(
        default=1, description="files that may look encrypted or lose their format"
    )
    attack_refusals: Annotated[StrictInt, Field(ge=0, le=100)] = Field(
        default=2, description="refused sources that mean an attack: no vault door opens; 0 never"
    )
    max_refusals: Annotated[StrictInt, Field(ge=0)] = Field(
        default=100, description="files of one pull that may be refused (links, unlawful names)"
    )

    @model_validator(mode="after")
    def _can_be_kept(self) -> PolicyFile:
        interval_s = self.due.to_due().interval_s
        if self.pdma < interval_s:
            raise Unlawful(
                "pdma: {pdma} cannot be kept by a source that is due every {interval}",
                pdma=format_duration(self.pdma),
                interval=format_duration(interval_s),
            )
        return self

    def to_policy(self, name: str) -> Policy:
        """Give the domain's policy."""
        return Policy(
            name=name,
            titles=Titles(fr=self.titles.fr, en=self.titles.en),
            owner=self.owner,
            priority=self.priority,
            due=self.due.to_due(),
            pdma_s=self.pdma,
            dmia_s=self.dmia,
            drills=Drills(
                l0_s=self.drills.l0,
                l1_s=self.drills.l1,
                l2_s=self.drills.l2,
                l3_s=self.drills.l3,
                l4_s=self.drills.l4,
            ),
            retention=Retention(**self.retention.model_dump()),
            copies=self.copies,
            min_disconnection=self.min_disconnection,
            max_medium_age_s=self.max_medium_age,
            max_clean_age_s=self.max_clean_age,
            wait_s=self.wait,
            allow_empty=self.allow_empty,
            max_shrink_percent=self.max_shrink_percent,
            max_refusals=self.max_refusals,
            max_deleted_percent=self.max_deleted_percent,
            max_changed_percent=self.max_changed_percent,
            max_damaged_percent=self.max_damaged_percent,
            attack_refusals=self.attack_refusals,
        )
