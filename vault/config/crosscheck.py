"""What a configuration must satisfy as a whole, beyond each key by itself.

Rule 1: every name that is used is defined: policies, windows.
Rule 2: state, sources and targets are apart from one another, by their real paths: a source inside
    the state would back itself up for ever, a target inside a source would be an open door.
Rule 3: no secret stands where it would be carried away with what it protects.
Rule 4: nothing keeps less than the landing, since a view names every snapshot of the landing.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping

from vault.config.nodes import Document, Loc
from vault.config.problems import Problem, suggest
from vault.config.rotation import check_sets
from vault.config.settings import OWN_DOOR, OWN_SOURCE, OWN_TARGET, Settings, secret_refs
from vault.config.shipping import shipped
from vault.policy import Policy

Folder = tuple[str, Loc, str]  # what it is, where it is said, its real path


def cross_check(
    settings: Settings,
    document: Document,
    *,
    policies: Mapping[str, Policy],
    known: Collection[str],
) -> Iterator[Problem]:
    """Give everything that does not make sense together.

    ``known`` names the policies that have a file, also one with a fault of its own.
    """
    yield from _check_names(settings, document)
    yield from _check_references(settings, document, known)
    yield from _check_folders(settings, document)
    yield from _check_secrets(settings, document)
    yield from _check_retention(settings, document, policies)
    yield from check_sets(settings.sets, settings.targets, document)
    yield from _check_notices(settings, document, policies)


def _check_names(settings: Settings, document: Document) -> Iterator[Problem]:
    if OWN_SOURCE in settings.sources:
        loc: Loc = ("sources", OWN_SOURCE)
        yield document.problem(loc, "this name is the vault's own; choose another")
    for name in (OWN_SOURCE, OWN_TARGET, OWN_DOOR):
        if name in settings.targets:
            loc = ("targets", name)
            yield document.problem(loc, "this name is the vault's own; choose another")


def _check_references(
    settings: Settings, document: Document, known: Collection[str]
) -> Iterator[Problem]:
    for name, source in settings.sources.items():
        if source.policy not in known:
            near = suggest(source.policy, sorted({*known, *_shipped_names()}))
            loc: Loc = ("sources", name, "policy")
            yield document.problem(loc, "there is no such policy; {near}", near=near)
    for name, target in settings.targets.items():
        if target.window is not None and target.window not in settings.windows:
            near = suggest(target.window, sorted(settings.windows))
            loc = ("targets", name, "window")
            yield document.problem(loc, "there is no such window; {near}", near=near)
        elif target.window is not None:
            longest_s = settings.windows[target.window].for_s
            if target.read_back_old >= longest_s:
                loc = ("targets", name, "read_back_old")
                template = "leaves nothing of its window of {seconds} s for what is new"
                yield document.problem(loc, template, seconds=longest_s)


def _check_notices(
    settings: Settings, document: Document, policies: Mapping[str, Policy]
) -> Iterator[Problem]:
    """Say who would never be told of anything."""
    owners = sorted({policy.owner for policy in policies.values()})
    for name, recipient in settings.notices.to.items():
        if recipient.owner is not None and recipient.owner not in owners:
            owner: Loc = ("notices", "to", name, "owner")
            template = "no policy in use names that owner; {near}"
            yield document.problem(owner, template, near=suggest(recipient.owner, owners))
    known, wanted = sorted(settings.notices.to), settings.notices.escalate_to
    if wanted is not None and wanted not in known:
        template = "notices: to: names nobody of that name; {near}"
        loc: Loc = ("notices", "escalate_to")
        yield document.problem(loc, template, near=suggest(wanted, known))


def _shipped_names() -> list[str]:
    entries = os.listdir(shipped("policies"))
    return [name.removesuffix(".yaml") for name in entries if name.endswith(".yaml")]


def _check_folders(settings: Settings, document: Document) -> Iterator[Problem]:
    state: Folder = ("state", ("state",), os.path.realpath(settings.state))
    sources = [
        (f"source {name}", ("sources", name, "folder"), os.path.realpath(source.local_folder))
        for name, source in settings.sources.items()
        if source.local_folder is not None
    ]
    targets = [
        (f"target {name}", ("targets", name, "door", "folder"), os.path.realpath(folder))
        for name, target in settings.targets.items()
        if (folder := target.door.folder) is not None
    ]
    for source in sources:
        yield from _check_apart(source, state, document)
    for n, target in enumerate(targets):
        yield from _check_apart(target, state, document)
        for other in [*sources, *targets[:n]]:
            yield from _check_apart(target, other, document)


def _check_apart(one: Folder, other: Folder, document: Document) -> Iterator[Problem]:
    """Say when two folders are the same, or one is inside the other."""
    (_, loc, path), (noun, _, other_path) = one, other
    if path == other_path:
        yield document.problem(loc, "is the same folder as that of {other}", other=noun)
    elif path.startswith(other_path.rstrip("/") + "/"):
        yield document.problem(loc, "stands inside the folder of {other}", other=noun)
    elif other_path.startswith(path.rstrip("/") + "/"):
        yield document.problem(loc, "holds the folder of {other}", other=noun)


def _check_secrets(settings: Settings, document: Document) -> Iterator[Problem]:
    """Say when a secret would be carried away beside what it protects."""
    carried = [
        (f"source {name}", os.path.realpath(source.local_folder))
        for name, source in settings.sources.items()
        if source.local_folder is not None
    ] + [
        (f"target {name}", os.path.realpath(target.door.folder))
        for name, target in settings.targets.items()
        if target.door.folder is not None
    ]
    for loc, ref in secret_refs(settings).items():
        path = os.path.realpath(ref.file) if ref.file is not None else ""
        for noun, folder in carried:
            if path.startswith(folder.rstrip("/") + "/"):
                template = "the secret stands inside the folder of {other}"
                yield document.problem((*loc, "file"), template, other=noun)


def _check_retention(
    settings: Settings, document: Document, policies: Mapping[str, Policy]
) -> Iterator[Problem]:
    used = sorted({source.policy for source in settings.sources.values()} & set(policies))
    for name, target in settings.targets.items():
        if target.retention is None:
            continue
        for key in ("nightly_days", "monthlies", "yearlies"):
            kept = getattr(target.retention, key)
            owed = max((getattr(policies[p].retention, key) for p in used), default=0)
            if kept < owed:
                loc: Loc = ("targets", name, "retention", key)
                template = "a target keeps no less than the landing: at least {owed}"
                yield document.problem(loc, template, owed=owed)
