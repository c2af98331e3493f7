"""Events for monitoring: the journal's lines, and the pings of a night.

Rule 1: each gives why it could not be told, empty when it could; nothing here raises for that.
Rule 2: a field is a count, a name of vault.yaml or a word of a fixed list; no reason, which may
    say anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vault.errors import CoffreError, Interrupted
from vault.notices import journal
from vault.notices.pinging import ping
from vault.results import HookResult

if TYPE_CHECKING:
    from vault.alarm import Alarm
    from vault.ports import Hooks
    from vault.wiring.wired import Wired

_URGENCIES = {"sound": "info", "incomplete": "warning", "partial": "warning",
           "media-absent": "warning"}  # fmt: skip


def tell_end(
    wired: Wired, night: Mapping[str, Any], status: Mapping[str, Any], verdict: str
) -> str:
    """Tell the journal how a night ended."""
    gaps = [gap["severity"] for gap in status["gaps"] if not gap["acknowledged"]]
    targets = night.get("targets") or ()
    fields = {
        "cycle": night.get("cycle"),
        "verdict": verdict,
        "status": status["status"],
        "exit_code": night["exit_code"],
        "open_seconds": round(sum(target["exposure_s"] for target in targets), 3),
        "gaps_critical": gaps.count("critical"),
        "gaps_warning": gaps.count("warning"),
    }
    return _tell(wired, "night-ended", fields, level=_URGENCIES.get(verdict, "critical"))


def tell_alarm(wired: Wired, alarm: Alarm) -> str:
    """Tell the journal that an alarm was raised."""
    gap = alarm.gap
    fields = {"alarm": alarm.name, "kind": gap.kind, "source": gap.source, "target": gap.target}
    return _tell(wired, "alarm-raised", fields, level="critical")


def tell_acknowledged(wired: Wired, alarm: Alarm) -> str:
    """Tell the journal that somebody has acknowledged an alarm; who and why is in the ledger."""
    return _tell(wired, "alarm-acknowledged", {"alarm": alarm.name}, level="notice")


def _tell(wired: Wired, event: str, fields: Mapping[str, object], *, level: str) -> str:
    wanted = wired.settings.syslog
    if not wanted:
        return ""
    says = " ".join(
        [event, *(f"{key}={value}" for key, value in fields.items() if value is not None)]
    )
    path = wanted if isinstance(wanted, str) else journal.find_socket()
    return why_untold(journal.tell(path, event, says, fields, level=level))


def why_untold(why: str) -> str:
    """Say that the journal was not told; empty when it was."""
    if not why:
        return ""
    return f"the journal of this host was not told: {why}"


# -- pings


def ping_end(wired: Wired, night: Mapping[str, Any], verdict: str) -> str:
    """Ping how a night ended: anything but code 0 is a failure."""
    return _ping(wired, "success" if night["exit_code"] == 0 else "fail", verdict)


def _ping(wired: Wired, event: str, says: str) -> str:
    settings = wired.settings.ping
    if settings is None:
        return ""
    try:
        why = ping(wired.secret(settings.url, "ping"), event, says, timeout_s=settings.timeout)
    except Interrupted:
        raise
    except (CoffreError, OSError) as error:
        why = str(error)
    return why_unpinged(why)


def why_unpinged(why: str) -> str:
    """Say that a ping failed; empty when it did not."""
    if not why:
        return ""
    return f"the monitoring service was not pinged: {why}"


class PingingHooks:
    """The site's hooks, and the ping of a night's beginning where ``before-cycle`` is fired.

    There every door was asked and is proven shut.
    """

    def __init__(self, hooks: Hooks, wired: Wired) -> None:
        self._hooks = hooks
        self._wired = wired

    def fire(self, moment: str, facts: Mapping[str, object]) -> HookResult:
        """Run the hook of a moment; at the night's beginning ping first."""
        if moment == "before-cycle" and (why := _ping(self._wired, "start", "")):
            self._wired.airlock.warnings.append(why)
        return self._hooks.fire(moment, facts)
