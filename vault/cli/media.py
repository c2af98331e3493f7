"""``coffre target enrol | list | open | close | retire``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from vault.cli.hooks import tell_hooks
from vault.cli.session import Session, is_root
from vault.cli.shown import moment, size, table
from vault.cli.standing import publish
from vault.cli.whatever import shutting_whatever
from vault.cli.words import _, called, message_of, retell
from vault.errors import CoffreError, DoorUnproven, ExitCode, NeedsRoot, UsageError
from vault.ports import Medium, OpenVault, VaultDoor
from vault.shutting import asked

if TYPE_CHECKING:
    from vault.doors.format import Doomed
    from vault.wiring.wired import Wired

_SHELL = "/bin/bash"
_LONGEST_S = 24 * 3600


def enrol_command(
    session: Session, name: str, *, device: str | None, format_it: bool, yes: bool
) -> int:
    """Make a medium the target NAME: the ceremony, outside any cycle."""
    from vault.wiring.doors import door_text

    wired = session.wired()
    wired.require_founded()
    settings = wired.settings.targets.get(name)
    if settings is None:
        raise UsageError(
            "vault.yaml names no target {name}",
            name=name,
            hint="there is: {known}",
            known=", ".join(wired.settings.targets) or "none",
        )
    if wired.pins is None:
        raise UsageError("the vault's keys are not made yet", hint="coffre init?")
    if wired.catalogue.target(name) is not None:
        raise UsageError(
            "{name} is enrolled already",
            name=name,
            hint="is the old medium gone for good? coffre target retire {name} --yes",
        )
    if settings.door.folder is not None:
        medium = _folder_medium(session, name, settings.door.folder, device, format_it, yes)
    else:
        in_use = {record.uuid: record.name for record in wired.catalogue.targets()}
        medium = _disk_medium(session, name, device, format_it=format_it, yes=yes, in_use=in_use)
    with wired.locked():
        wired.airlock.recover()
        wired.add_door(name, medium)
        enrolment = wired.ceremony.enrol(name, medium=medium, door=door_text(wired.settings, name))
        publish(wired)
    line = _("{name} is enrolled; its door is shut and proven.")
    if settings.door.folder is not None:  # never said of what cannot be proven
        line = _("{name} is enrolled; a folder has no door that could be shut.")
    session.say(line.format(name=name))
    return session.emit(
        {
            "target": name,
            "target_id": enrolment.target.target_id,
            "uuid": enrolment.target.uuid,
            "size_bytes": enrolment.target.size_bytes,
            "exposure_s": enrolment.exposure.seconds,
        }
    )


def _folder_medium(
    session: Session, name: str, folder: str, device: str | None, format_it: bool, yes: bool
) -> Medium:
    if device or format_it:
        raise UsageError("{name} is a folder: it takes neither --device nor --format", name=name)
    session.say(
        _("{name} is the folder {folder}: no door at all.").format(name=name, folder=folder)
    )
    _require_yes(yes)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return Medium(device=os.path.abspath(folder), uuid="folder", fs_type="folder", size_bytes=0)


def _disk_medium(
    session: Session,
    name: str,
    device: str | None,
    *,
    format_it: bool,
    yes: bool,
    in_use: Mapping[str, str],
) -> Medium:
    from vault.doors.format import describe, format_ext4, medium_of

    if not is_root():
        raise NeedsRoot(
            "a disk is enrolled by root", hint="sudo coffre target enrol {name}", name=name
        )
    if device is None:
        raise UsageError(
            "which disk? --device DEV", hint="as /dev/disk/by-id/usb-…; lsblk -o +SERIAL lists them"
        )
    doomed = describe(device)
    line = _("{device}: {size}, serial {serial}, holds {holds} {label}")
    session.say(
        line.format(
            device=device,
            size=size(doomed.size_bytes),
            serial=doomed.serial or "?",
            holds=retell(doomed.holds),
            label=doomed.label,
        ).rstrip()
    )
    if format_it:
        _require_free(device, doomed, in_use)
        session.say(_("EVERYTHING on {device} will be destroyed.").format(device=device))
    _require_yes(yes)
    if format_it:
        format_ext4(device, name)
    return medium_of(device)


def _require_free(device: str, doomed: Doomed, in_use: Mapping[str, str]) -> None:
    """Refuse a medium of ours: what an enrolled target holds is destroyed by no option."""
    owner = next((in_use[uuid] for uuid in doomed.uuids if uuid in in_use), None)
    if owner is not None:
        raise UsageError(
            "{device} is the medium of {name}, which is enrolled: it is not formatted",
            device=device,
            name=owner,
            hint="is it another device? or else coffre target retire {name} --yes, and again",
        )


def _require_yes(yes: bool) -> None:
    if not yes:
        raise UsageError("nothing was done", hint="add --yes when that is what you want")


# -- list, retire


def list_command(session: Session) -> int:
    """List the targets and what they hold."""
    wired = session.wired()
    wired.require_founded()
    rows, members = [], []
    for record in wired.catalogue.targets(include_retired=True):
        # The name of a retired target may be another's by now: what it holds is not asked.
        holds = {} if record.retired_at else wired.catalogue.holds(record.name)
        complete = [number for number, hold in holds.items() if hold.complete]
        partial = [number for number, hold in holds.items() if not hold.complete]
        held = str(max(complete)) if complete else "-"
        enrolled = moment(record.enrolled_at, wired.settings.time_zone)
        state = _("retired") if record.retired_at else _("enrolled")
        rows.append([record.name, state, record.fs_type, size(record.size_bytes), enrolled, held])
        members.append(
            {
                "name": record.name,
                "target_id": record.target_id,
                "uuid": record.uuid,
                "fs_type": record.fs_type,
                "size_bytes": record.size_bytes,
                "serial": record.serial,
                "enrolled_at": record.enrolled_at.isoformat(),
                "retired_at": record.retired_at.isoformat() if record.retired_at else None,
                "held_cycles": sorted(complete),
                "partial_cycles": sorted(partial),
            }
        )
    heads = [_("target"), _("state"), _("type"), _("size"), _("since"), _("holds night")]
    session.say(table(heads, rows, right=(3, 5)))
    return session.emit({"targets": members})


def retire_command(session: Session, name: str, *, yes: bool) -> int:
    """Retire a target: its records stay, its name is free for another medium."""
    wired = session.wired()
    with wired.locked():
        _require_enrolled(wired, name)
        session.say(
            _("{name} will not be written to any more; nothing on it is erased.").format(name=name)
        )
        _require_yes(yes)
        report = wired.doors[name].shut("retired")  # from now on nobody asks it any more
        if not report.is_shut:
            raise DoorUnproven(
                "the vault door of {target} could not be proven shut: {evidence}",
                target=name,
                evidence="; ".join(report.evidence),
                hint="can the medium's cable be pulled now? then coffre doctor says who held it?",
            )
        wired.catalogue.retire_target(name, wired.clock.now())
        wired.ledger.append("target-retired", target=name)
        wired.drop_door(name)
        publish(wired)
    return session.emit({"target": name, "retired": True})


def _require_enrolled(wired: Wired, name: str) -> None:
    if wired.catalogue.target(name) is None:
        raise _not_enrolled(name)


def _not_enrolled(name: str) -> UsageError:
    return UsageError(
        "{name} is not an enrolled target",
        name=name,
        hint="which ones does coffre target list show?",
    )


# -- open, close


def open_command(
    session: Session, name: str, *, duration: str, reason: str, command: Sequence[str]
) -> int:
    """Open a target read-only for a person, under a deadline; ends with the command."""
    from vault.airlock import Opening
    from vault.duration import parse_duration

    limit_s = parse_duration(duration)
    if not 0 < limit_s <= _LONGEST_S:
        raise UsageError("--for takes at most 24 h", hint="as 20m?")
    argv = list(command) or [os.environ.get("SHELL", _SHELL)]
    wired = session.wired()
    with wired.locked():
        _require_enrolled(wired, name)
        wired.airlock.recover()
        record = wired.catalogue.target(name)
        assert record is not None
        try:
            with wired.moments.at_door(name, "open") as find:
                medium = find()
                opening = Opening(
                    target=name,
                    medium=medium,
                    purpose="open",
                    writing=False,
                    closes_at_s=wired.clock.boot_s() + limit_s,
                )
                login = login_of_caller()
                wired.ledger.append("opened-by-hand", target=name, reason=reason, login=login)
                with wired.airlock.vault_open(opening) as opened:
                    wired.believer.believe(record, medium, opened.vault.read_marks())
                    line = _("Open read-only at {root} for {time}.")
                    root = os.fsdecode(getattr(opened.vault, "root", b"")) or medium.device
                    session.whisper(line.format(root=root, time=duration))
                    status = _run_inside(session, opened.vault, argv, root)
        finally:
            publish(wired)
            tell_hooks(session, wired)
    assert opened.exposure is not None
    told = status if status >= 0 else 128 - status  # by a signal, as a shell says it
    code = 1 if told else 0  # 5, 6 and 7 of the command would be taken for ours
    session.whisper(_("The door is shut and proven."))
    session.emit({"target": name, "exit": told, "exposure_s": opened.exposure.seconds}, code)
    return code


def _run_inside(session: Session, vault: OpenVault, argv: Sequence[str], root: str) -> int:
    """Run a person's command where the medium is mounted; give its end."""
    env = {"PATH": os.environ.get("PATH", ""), "COFFRE_TARGET": root}
    env |= {k: v for k, v in os.environ.items() if k in ("TERM", "LANG", "HOME")}
    out = 2 if session.as_json else 1
    return vault.run(argv, env=env, fds=(0, out, 2), timeout_s=None)


def close_command(session: Session, name: str | None) -> int:
    """Shut one or every vault door and ask the world; safe at any hour.

    A door that a coffre at work has open is left to it, and that is said: code 1.
    """
    from vault.config import state_of
    from vault.statefile import StateFolder

    with shutting_whatever(session):
        doors = _doors_to_close(session)
        if name is not None and name not in doors:
            raise _not_enrolled(name)
    reports = {
        target: asked(door.shut, "closed by hand")
        for target, door in doors.items()
        if name in (None, target)
    }
    members = {
        target: {"proof": str(report.proof), "evidence": list(report.evidence)}
        for target, report in reports.items()
    }
    all_shut = all(report.is_shut for report in reports.values())
    holder = None if all_shut else StateFolder(state_of(session.config)).lock().holder()
    for target, report in reports.items():
        words = _("shut and proven") if report.is_shut else _("NOT PROVEN SHUT")
        if not report.is_shut and holder is not None:
            words = _("OPEN: the coffre at work, process {pid}, shuts it").format(pid=holder)
        line = _("{target}: {words} ({kind})")
        kind = called(str(report.disconnection))
        session.say(line.format(target=target, words=words, kind=kind))
        for clause in report.evidence:
            session.whisper(f"  {retell(clause)}")
    if all_shut:
        _settle(session)
        return session.emit({"targets": members})
    code = ExitCode.DEGRADED if holder is None else ExitCode.FAILED
    return session.emit({"targets": members}, code)


def _settle(session: Session) -> None:
    """Let the status say what was just proven, where it was degraded or a run died open.

    What keeps it from that is for the next look: the doors were asked.
    """
    from vault.state import State

    with suppress(CoffreError, OSError):
        wired = session.wired()
        record = wired.state.load()
        is_settled = record is None or record.state in (State.LOCKED, State.SECURED)
        if is_settled or wired.state.lock().holder() is not None:
            return
        with wired.locked(is_brief=True):
            wired.airlock.recover()
            publish(wired)


def _doors_to_close(session: Session) -> Mapping[str, VaultDoor]:
    """Give the vault doors; from the list alone when configuration or catalogue are spoilt."""
    from vault.config import state_of
    from vault.statefile import StateFolder
    from vault.wiring.doors import doors_whatever, is_listed

    try:
        wired = session.wired()
        wired.require_founded()
        return wired.doors
    except NeedsRoot:
        raise
    except CoffreError as error:
        state = StateFolder(state_of(session.config))
        if not is_listed(state):
            raise
        session.say(message_of(error))
        return doors_whatever(state).vault


def login_of_caller() -> str:
    """Say who really typed, as far as the host knows: login uid and SUDO_USER."""
    try:
        with open("/proc/self/loginuid", encoding="ascii") as file:
            uid = file.read().strip()
    except OSError:
        uid = "?"
    return json.dumps({"loginuid": uid, "sudo_user": os.environ.get("SUDO_USER", "")})
