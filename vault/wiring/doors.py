"""The doors of a vault, made from the list in the state, so that none goes unasked.

Rule 1: the list holds all that shutting needs; catalogue, ledger and configuration may be spoilt.
Rule 2: a door is on the list before its first opening, and until it was proven shut for good.
Rule 3: where the configuration can be read it rules: a door that was moved is asked where it is.
Rule 4: a list that cannot be read or was never written is made up from the catalogue; when neither
    can be read no door has a name, and that counts as open.
Source: design, section 2, invariants 2 and 3; ``docs/decisions/0012``.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vault.errors import CatalogueError, DoorUnproven
from vault.records import AirlockRecord, DoorList, ListedDoor
from vault.shutting import AllDoors, open_doors
from vault.state import State
from vault.statefile import DOORS, StateFolder

if TYPE_CHECKING:
    from vault.config import Settings
    from vault.ports import ProductionDoor, VaultDoor
    from vault.results import ShutReport, TargetRecord

CATALOGUE = "catalogue.sqlite"


def list_doors(
    state: StateFolder, records: Sequence[TargetRecord], settings: Settings | None
) -> DoorList:
    """List the doors on the list and those of the records, as configured now."""
    try:
        listed = state.read_doors()
    except DoorUnproven:
        listed = DoorList()
    vault = {**{record.name: listed_door(record) for record in records}, **listed.vault}
    if settings is None:
        return DoorList(production=listed.production, shares=listed.shares, vault=vault)
    mounts = (source.mount for source in settings.sources.values())
    return DoorList(
        production=_production_text(settings),
        shares=tuple(mount.what for mount in mounts if mount is not None),
        vault={name: _as_configured(door, settings) for name, door in vault.items()},
    )


def listed_door(record: TargetRecord) -> ListedDoor:
    """Give what must be known of a target's door."""
    return ListedDoor(
        target=record.name,
        uuid=record.uuid,
        fs_type=record.fs_type,
        size_bytes=record.size_bytes,
        serial=record.serial,
        door=record.door,
    )


def door_text(settings: Settings, target: str) -> str:
    """Give the configured door of a target as canonical JSON."""
    return json.dumps(settings.targets[target].door.model_dump(exclude_none=True), sort_keys=True)


def _as_configured(door: ListedDoor, settings: Settings) -> ListedDoor:
    named = door.target in settings.targets
    return replace(door, door=door_text(settings, door.target)) if named else door


def _production_text(settings: Settings) -> str:
    link = settings.production.door.link
    return "{}" if link is None else json.dumps({"link": link.model_dump(exclude_none=True)})


# -- from the list to the doors


def make_doors(listed: DoorList) -> AllDoors:
    """Make every door of the list; DoorUnproven when an entry names none."""
    try:
        return AllDoors(
            production=make_production(listed.production),
            vault={name: make_vault_door(door) for name, door in listed.vault.items()},
            shares_gone=make_shares_gone(listed.shares),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DoorUnproven(
            "the list of doors cannot be read: {reason}",
            reason=type(error).__name__,
            hint="is the disk of the vault host failing?",
        ) from None


def make_vault_door(listed: ListedDoor) -> VaultDoor:
    """Make the door of a target."""
    door: Mapping[str, Any] = json.loads(listed.door)
    if "folder" in door:
        from vault.doors.folder import FolderDoor

        return FolderDoor(listed.target, os.fsencode(door["folder"]))
    from vault.doors.disk import DiskDoor

    return DiskDoor(
        listed.target,
        uuid=listed.uuid,
        size_bytes=listed.size_bytes,
        fs_type=listed.fs_type,
        serial=listed.serial,
        detach=door.get("disk", {}).get("detach", "auto"),
    )


def make_production(text: str) -> ProductionDoor:
    """Make the production door."""
    written = json.loads(text).get("link")
    if written is None:
        from vault.doors.none import NoDoor

        return NoDoor()
    from vault.config.doors import LinkDoor as LinkSettings
    from vault.doors.link import LinkDoor

    link = LinkSettings.model_validate(written)
    return LinkDoor(link.interface, probe=link.probe_address)


def make_shares_gone(shares: Sequence[str]) -> Callable[[str], ShutReport] | None:
    """Give the question whether the shares of the pulls are gone; it needs no secret of theirs."""

    def ask(_reason: str) -> ShutReport:
        from vault.sources.mounting import prove_gone

        reports = [prove_gone(what) for what in shares]
        return next((report for report in reports if not report.is_shut), reports[0])

    return ask if shares else None


# -- when nothing else can be read


def is_listed(state: StateFolder) -> bool:
    """Whether there is anything that could name a door: not before a vault was made."""
    return any(os.path.lexists(os.path.join(state.folder, name)) for name in (DOORS, CATALOGUE))


def doors_whatever(state: StateFolder) -> AllDoors:
    """Make every door from the list, or from the catalogue; DoorUnproven when neither is there."""
    try:
        listed = state.read_doors()
    except DoorUnproven:
        listed = DoorList()
    if listed != DoorList():
        return make_doors(listed)
    from vault.catalogue import Catalogue

    try:
        with Catalogue.open(os.path.join(state.folder, CATALOGUE)) as catalogue:
            return make_doors(list_doors(state, catalogue.targets(), None))
    except CatalogueError:
        raise DoorUnproven(
            "neither the list of doors nor the catalogue can be read: no door could be asked",
            hint="pull every medium's cable; then docs/sysadmin.md, what to do when",
        ) from None


def shut_whatever(state: StateFolder, reason: str) -> dict[str, ShutReport]:
    """Shut and ask every door of the list; what is not proven shut degrades the vault.

    The caller holds the vault's lock. A state that was left open stays in the record, so that the
    next start that can read everything still finds and tells it.
    """
    reports = doors_whatever(state).shut_all(reason)
    if open_doors(reports):
        degrade(state, reason)
    return reports


def degrade(state: StateFolder, reason: str) -> None:
    """Commit that a door is not proven shut; a disk that takes no file hides it from nobody."""
    from vault.clock import SystemClock

    record = AirlockRecord(state=State.DEGRADED, since=SystemClock().now(), reason=reason)
    with contextlib.suppress(OSError):
        state.commit(record)
