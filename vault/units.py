"""The units and timers that let systemd wait for the windows, as text.

Rule 1: ``OnCalendar`` only, in the site's time zone; a start that the clocks skip is named as an
    instant of its own, since systemd lets such a night fall out.
Rule 2: no ``Condition``: what a unit skips fails nothing and alarms nobody.
Rule 3: what a night needs is left to it, and nothing else: devices, mounts, namespaces, the mount
    tables of all processes. What is taken away is tried in scenario 61.
Rule 4: a unit of ours begins with our mark; what does not is nobody's to change.
Source: systemd.exec(5), systemd.service(5), systemd.time(7); ``docs/decisions/0028``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from vault.errors import ExitCode, UsageError
from vault.window import WEEKDAYS, Window, next_opening

MARK = "# Written by coffre schedule install; coffre schedule remove takes it away.\n"
OWN_NAMES = frozenset(
    {"drills", "evaluate", "notify", "retention", "serve"}
)  # of units that are no window's
SKIPS_FOR_YEARS = 10
LETTING_GO = ("retention", "apply", "--due", "--by", "schedule", "--yes")
_LETTING_GO_S = 3600
_REST_S = 900  # between the last restore test and what comes after
CAPABILITIES = (
    "CAP_CHOWN",  # the public status belongs to the state group
    "CAP_DAC_OVERRIDE",  # an export's folder may be another account's
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_KILL",  # the drill's server runs as nobody
    "CAP_LINUX_IMMUTABLE",  # what was admitted is made immutable
    "CAP_SETGID",
    "CAP_SETPCAP",  # the vault side gives its own rights up
    "CAP_SETUID",
    "CAP_SYS_ADMIN",  # mounts and namespaces
    "CAP_SYS_NICE",  # the vault side goes before everything else
    "CAP_SYS_PTRACE",  # who holds the medium is asked of every process
)
# Named one by one: Landlock's group has no name in systemd 252; restic asks for mincore.
CALLS = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "mincore")
_LINK = "CAP_NET_ADMIN"  # the production door ``link`` takes an interface down
_CREDENTIALS = "/etc/credstore.encrypted"
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NightUnit:
    """A window, for its unit and timer."""

    window: Window
    catch_up_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFacts:
    """What the units say of one vault."""

    program: str  # absolute
    config: str  # absolute
    state: str
    zone: str
    nights: tuple[NightUnit, ...]
    drills_s: int
    drills_at: time  # on the clock of the wall
    evaluate_s: int
    lets_go: bool  # the landing, each day, of what no rule keeps
    stop_s: int  # how long an interrupted night may take to end in order
    credentials: tuple[str, ...] = ()
    writable: tuple[str, ...] = field(default=())  # besides the state
    moves_link: bool = False
    tells: bool = False  # somebody is named under notices


def make_units(facts: UnitFacts, now: datetime, zone: tzinfo) -> dict[str, str]:
    """Give every file by its name: a service and a timer a window, tests, evaluation, alert."""
    units = {}
    for night in facts.nights:
        name = night.window.name
        if name in OWN_NAMES:
            raise UsageError("the window {name} cannot have a unit: the name is ours", name=name)
        units[f"coffre-{name}.service"] = _night_service(facts, night)
        units[f"coffre-{name}.timer"] = _timer(
            f"the window {name}", calendars(night.window, facts.zone, now, zone), night.catch_up_s
        )
    if facts.drills_s:
        units["coffre-drills.service"] = _service(
            facts,
            "restore tests that are due",
            ["drill", "run", "--due", "--for", f"{facts.drills_s}s"],
            start_s=2 * facts.drills_s + 600,
        )
        at = f"*-*-* {facts.drills_at:%H:%M}:00 {facts.zone}"
        units["coffre-drills.timer"] = _timer("the restore tests", [at], 0)
    if facts.lets_go:
        units["coffre-retention.service"] = _service(
            facts,
            "what no rule keeps goes from the landing",
            list(LETTING_GO),
            start_s=_LETTING_GO_S,
            sound=(ExitCode.REFUSED,),  # what stops it is told as what it is
        )
        at = f"*-*-* {_after(facts.drills_at, facts.drills_s):%H:%M}:00 {facts.zone}"
        units["coffre-retention.timer"] = _timer("what goes from the landing", [at], 0)
    units["coffre-evaluate.service"] = _service(
        facts,
        "what is missing",
        ["schedule", "evaluate"],
        start_s=3600,
        opens_door=False,  # and while a night has one open, it is the night's to shut
    )
    every = f"{_every(facts.evaluate_s)} {facts.zone}"
    units["coffre-evaluate.timer"] = _timer("the look between nights", [every], 0)
    if facts.tells:
        units["coffre-notify.service"] = _service(
            facts, "notices that wait for a network", ["notify"], start_s=3600, opens_door=False
        )
        quarter = f"*-*-* *:00/15:00 {facts.zone}"
        units["coffre-notify.timer"] = _timer("notices that wait", [quarter], 0)
    return {**units, **_alert(facts)}


def make_daemon_unit(facts: UnitFacts) -> dict[str, str]:
    """Give the unit of ``coffre serve``, which waits for the windows itself, and the alert."""
    lines = [
        *_head("waits for the windows of the vault", facts),
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={_words(facts, ['serve'])}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        f"ExecStopPost={_words(facts, ['target', 'close'])}",
        "Restart=on-failure",
        "RestartSec=60",
        *_stopping(facts, "SIGTERM"),
        *_hardening(facts),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return {"coffre-serve.service": _text(lines), **_alert(facts)}


def calendars(window: Window, zone_name: str, now: datetime, zone: tzinfo) -> list[str]:
    """Give the ``OnCalendar`` of a window: by the wall, and each skipped start of ten years."""
    days = ",".join(WEEKDAYS[day].capitalize() for day in sorted(window.days))
    prefix = "" if len(window.days) == 7 else f"{days} "
    rule = f"{prefix}*-*-* {window.start:%H:%M}:00 {zone_name}"
    skipped = [f"{at:%Y-%m-%d %H:%M:%S} UTC" for at in _skipped(window, now, zone)]
    return [rule, *skipped]


def is_ours(text: str) -> bool:
    """Whether a unit's file was written by us."""
    return text.startswith(MARK)


def _skipped(window: Window, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Give the openings whose start the clocks skip: by the wall they are at another time."""
    for day in _days_of_change(now, zone):
        noon_before = datetime.combine(day - timedelta(days=1), time(12), zone).astimezone(UTC)
        opens = next_opening(window, noon_before, zone).astimezone(zone)
        if opens.date() == day and opens.time() != window.start:
            yield opens.astimezone(UTC)


def _days_of_change(now: datetime, zone: tzinfo) -> Iterator[date]:
    first = now.astimezone(zone).date()
    for n in range(SKIPS_FOR_YEARS * 366):
        day = first + timedelta(days=n)
        begins, ends = (
            datetime.combine(one, time(0), zone).utcoffset()
            for one in (day, day + timedelta(days=1))
        )
        if begins != ends:
            yield day


def _every(seconds: int) -> str:
    """Give the nearest regular calendar that is at least as often: systemd counts no intervals."""
    minutes = max((one for one in (1, 2, 3, 5, 10, 15, 20, 30) if one * 60 <= seconds), default=1)
    if seconds < 3600:
        return f"*-*-* *:00/{minutes}:00"
    hours = max(one for one in (1, 2, 3, 4, 6, 8, 12, 24) if one * 3600 <= seconds)
    return "*-*-* 00:00:00" if hours == 24 else f"*-*-* 00/{hours}:00:00"


def _after(at: time, tests_s: int) -> time:
    """Give the minute of the day when tests that began at ``at`` are over, and a rest."""
    return (datetime.combine(date.min, at) + timedelta(seconds=tests_s + _REST_S)).time()


# -- the parts of a unit


def _night_service(facts: UnitFacts, night: NightUnit) -> str:
    words = ["run", "--catch-up"] if night.catch_up_s else ["run"]
    return _service(
        facts,
        f"one night of the vault, window {night.window.name}",
        words,
        start_s=night.window.for_s + 3600,
    )


def _service(
    facts: UnitFacts,
    what: str,
    words: Sequence[str],
    *,
    start_s: int,
    opens_door: bool = True,
    sound: Sequence[ExitCode] = (),
) -> str:
    lines = [
        *_head(what, facts),
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={_words(facts, words)}",
        *([f"ExecStopPost={_words(facts, ['target', 'close'])}"] if opens_door else []),
        f"TimeoutStartSec={start_s}",
        *(f"SuccessExitStatus={code.value}" for code in sound),
        *_stopping(facts, "SIGINT"),
        *_hardening(facts),
    ]
    return _text(lines)


def _head(what: str, facts: UnitFacts) -> list[str]:
    return [
        "[Unit]",
        f"Description=Coffre: {what}",
        "Wants=network-online.target",
        "After=network-online.target time-sync.target",
        f"RequiresMountsFor={_path(facts.state)}",
        "OnFailure=coffre-alert@%n.service",
    ]


def _stopping(facts: UnitFacts, number: str) -> list[str]:
    return [
        f"# {number} goes to coffre alone, which shuts its doors in order; what is left is killed.",
        f"KillSignal={number}",
        "KillMode=mixed",
        f"TimeoutStopSec={facts.stop_s}",
    ]


def _hardening(facts: UnitFacts) -> list[str]:
    capabilities = sorted({*CAPABILITIES, *([_LINK] if facts.moves_link else [])})
    return [
        "Environment=LANG=C.UTF-8",
        "UMask=0077",
        "Nice=10",
        "IOSchedulingClass=best-effort",
        "IOSchedulingPriority=7",
        "LogRateLimitIntervalSec=0",
        *(f"LoadCredentialEncrypted={name}:{_CREDENTIALS}/{name}" for name in facts.credentials),
        "# A file system of its own to look at; written to are these and nothing else.",
        "PrivateMounts=yes",
        "PrivateTmp=yes",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        f"ReadWritePaths={' '.join(_path(path) for path in (facts.state, *facts.writable))}",
        f"CapabilityBoundingSet={' '.join(capabilities)}",
        "NoNewPrivileges=yes",
        "RestrictSUIDSGID=yes",
        "RestrictNamespaces=mnt pid ipc net",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "RestrictRealtime=yes",
        "LockPersonality=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectControlGroups=yes",
        "SystemCallArchitectures=native",
        f"SystemCallFilter=@system-service @mount {' '.join(CALLS)}",
        "# A call that is not allowed fails; it does not kill what has a door open.",
        "SystemCallErrorNumber=EPERM",
        "# Left out, since a night needs what they take: PrivateDevices, ProtectClock (no device),",
        "# ProtectProc (every mount table is read), ProtectKernelTunables (detaching writes to",
        "# /sys), PrivateNetwork.",
    ]


def _timer(what: str, when: Sequence[str], catch_up_s: int) -> str:
    lines = [
        "[Unit]",
        f"Description=Coffre: {what}",
        "",
        "[Timer]",
        *(f"OnCalendar={one}" for one in when),
        "AccuracySec=1s",
        "RandomizedDelaySec=0",
        f"Persistent={'true' if catch_up_s else 'false'}",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return _text(lines)


def _alert(facts: UnitFacts) -> Mapping[str, str]:
    """Give the unit that every failing one calls: it sends a notice, and those that wait."""
    lines = [
        "[Unit]",
        "Description=Coffre: tells that %i failed",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={_words(facts, ['notify', '--unit'])} %i",
        "TimeoutStartSec=3600",
        *_stopping(facts, "SIGINT"),
        *_hardening(facts),
    ]
    return {"coffre-alert@.service": _text(lines)}


def _words(facts: UnitFacts, words: Sequence[str]) -> str:
    argv = [facts.program, "--config", facts.config, *words]
    return " ".join(_path(word).replace("$", "$$") for word in argv)


def _path(word: str) -> str:
    """Write a word as systemd reads it back: quoted where needed, no specifier in it."""
    if "\n" in word or '"' in word or "\\" in word:
        raise UsageError("systemd cannot be given this path: {path}", path=repr(word))
    escaped = word.replace("%", "%%")
    return escaped if _PLAIN.fullmatch(escaped) else f'"{escaped}"'


def _text(lines: Sequence[str]) -> str:
    return MARK + "\n".join(lines) + "\n"
