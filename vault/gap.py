"""What is missing: one gap, every kind there is, and how bad each kind is.

Rule 1: a gap says since when, how bad, whose, and what to do; it names no exported file.
Rule 2: a kind stands in the table below or cannot be made; its severity is the table's.
Rule 3: facts and now in, gaps out: whoever finds gaps knows neither a clock nor a file.
Source: design, section 3, invariants 7 and 8; the table in docs/sysadmin.md is held equal to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """How bad a gap is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


_INFO, _WARNING, _CRITICAL = Severity

KINDS: Mapping[str, Severity] = MappingProxyType(
    {
        # doors, nights, the vault as a whole
        "door-unproven": _CRITICAL,
        "production-door-unproven": _CRITICAL,
        "secured": _CRITICAL,
        "attack-suspected": _CRITICAL,
        "night-refused": _CRITICAL,
        "night-failed": _WARNING,
        "keys-unconfirmed": _CRITICAL,
        "no-night": _CRITICAL,
        "window-missed": _WARNING,
        "production-door-none": _WARNING,
        # evidence
        "ledger-unsigned": _CRITICAL,
        "clock-behind": _CRITICAL,
        "clock-unbracketed": _WARNING,
        "head-not-cosigned": _WARNING,
        # sources
        "source-refused": _CRITICAL,
        "source-accepted": _WARNING,
        "source-partial": _WARNING,
        "source-missing": _WARNING,
        "source-empty": _WARNING,
        "source-failed": _WARNING,
        "never-offline": _CRITICAL,
        "objective-missed": _CRITICAL,
        "disconnection-too-weak": _CRITICAL,
        "not-offline": _WARNING,
        "too-few-copies": _WARNING,
        "clean-point-old": _WARNING,
        # restore tests
        "drill-failed": _CRITICAL,
        "drill-overdue": _WARNING,
        "restore-too-slow": _WARNING,
        # targets and their media
        "target-impostor": _CRITICAL,
        "target-full": _CRITICAL,
        "target-refused": _CRITICAL,
        "target-corrupt": _CRITICAL,
        "target-failed": _CRITICAL,
        "exposure-unproven": _CRITICAL,
        "exposure-over-bound": _WARNING,
        "target-not-enrolled": _WARNING,
        "media-unseen": _WARNING,
        "medium-late": _WARNING,
        "set-late": _WARNING,
        "media-expired": _WARNING,
        "no-copy-out-of-reach": _WARNING,
        "copy-out-of-reach-old": _WARNING,
        "dwell-unshielded": _INFO,
        "media-in-one-place": _WARNING,
        "medium-home-unsaid": _INFO,
        # what people owe
        "red-button-not-exercised": _WARNING,
        "keys-not-exercised": _WARNING,
        "rebuild-kit-not-exercised": _WARNING,
        "policies-unreviewed": _WARNING,
        "policy-changed": _WARNING,
        "retention-short": _WARNING,
        "one-person-removes": _WARNING,
        "landing-filling": _WARNING,
        "target-filling": _WARNING,
        # PMSI
        "pmsi-m12-missing": _CRITICAL,
        "pmsi-missing": _CRITICAL,
        "pmsi-malformed": _CRITICAL,
        "pmsi-shrunk": _WARNING,
        "pmsi-m12-never-came": _INFO,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A person's word that an alarm was seen, and why it may rest."""

    by: str
    reason: str
    at: datetime
    login: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One thing that is missing; the texts are templates with their values."""

    kind: str
    template: str
    mend: str
    values: dict[str, object] = field(default_factory=dict)
    source: str | None = None
    target: str | None = None
    since: datetime | None = None
    owner: str = ""  # the role that answers for the data; empty when it is the vault's own
    marks: tuple[str, ...] = ()  # what makes it worse when another joins them; else its values
    alarm: str = ""  # what ``coffre ack`` takes; empty for what is no alarm
    acknowledged: Acknowledgement | None = None
    over_since: datetime | None = None  # an alarm stays told after what raised it has gone

    def __post_init__(self) -> None:
        """Refuse a kind that nobody wrote down."""
        assert self.kind in KINDS, self.kind

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return KINDS[self.kind]


def worst_first(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """Sort gaps by severity; of the same severity the order stays."""
    order = list(Severity)
    return tuple(sorted(gaps, key=lambda gap: order.index(gap.severity), reverse=True))


def loudness(severity: str, *, is_acknowledged: bool) -> str:
    """Give how loud a gap is to be told: what somebody acknowledged is a warning at most."""
    is_lowered = is_acknowledged and severity == Severity.CRITICAL
    return str(Severity.WARNING) if is_lowered else severity


def nagios_code(severities: Collection[str]) -> int:
    """Give the code a monitoring host reads for these severities: 0 good, 1 warning, 2 critical."""
    if Severity.CRITICAL in severities:
        return 2
    return 1 if Severity.WARNING in severities else 0
