"""Exports as the gate sees them: manifests and looks, made by hand, without a file.

Rule 1: a file is (path, content, look); the content is a word, its hash is what the manifest says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vault.duration import parse_duration
from vault.finding import Finding, Signs, Soundness
from vault.gate import Evidence, Inspection, inspect_pull
from vault.habit import learn
from vault.look import Look
from vault.policy import Drills, Nightly, Policy, Retention, Titles
from vault.results import Disconnection, ManifestEntry, Pull
from vault.shape import Shape, Tally, trace

DAY = parse_duration("24h")
POLICY = Policy(
    name="p",
    titles=Titles(fr="p", en="p"),
    owner="somebody",
    priority=1,
    due=Nightly(),
    pdma_s=DAY,
    dmia_s=DAY,
    drills=Drills(l0_s=DAY, l1_s=DAY),
    retention=Retention(),
    copies=1,
    min_disconnection=Disconnection.UNMOUNTED,
    max_medium_age_s=DAY,
    allow_empty=False,
    max_shrink_percent=30,
    max_refusals=2,
)


def look(kind: str = "text", **more: object) -> Look:
    """Give the look of a sound file of a format."""
    plain = Look(
        kind=kind,
        soundness=Soundness.SOUND,
        is_random=False,
        entropy_bits=4.6,
        magic="",
        counts={},
        months={},
        tables="t1",
    )
    return replace(plain, **more)


TEXT = look()
ARCHIVE = look("zip", magic="zip", entropy_bits=7.9)
OPAQUE = look("opaque", soundness=Soundness.OPAQUE)
NOISE = look("opaque", soundness=Soundness.OPAQUE, is_random=True, entropy_bits=8.0)
BROKEN = look("text", soundness=Soundness.MALFORMED)


@dataclass(frozen=True, slots=True)
class File:
    """One file of an export."""

    content: str
    look: Look = TEXT
    size_bytes: int = 1000


Export = Mapping[str, File]


def many(count: int, ending: str = "csv", look: Look = TEXT, **more: int) -> dict[str, File]:
    """Give an export of so many files."""
    return {f"{n:04}.{ending}": File(f"content {n}", look, **more) for n in range(count)}


def entries_of(export: Export) -> tuple[ManifestEntry, ...]:
    return tuple(
        ManifestEntry(
            path=path.encode(),
            size_bytes=file.size_bytes,
            mtime_ns=1,
            sha256=hashlib.sha256(file.content.encode()).hexdigest(),
        )
        for path, file in sorted(export.items(), key=lambda item: item[0].encode())
    )


def shape_of(previous: Export, export: Export, last: Shape | None = None) -> Shape:
    """Count the shape of an export beside the one before it."""
    before, now = entries_of(previous), entries_of(export)
    lineage = trace(before, now)
    tally = Tally(before, lineage, last.extensions if last else {}, shrink_percent=30, tables="t1")
    for entry in now:
        old = lineage.before.get(entry.path)
        known = previous[old.path.decode()].look if old else None
        tally.feed(entry, export[entry.path.decode()].look, known)
    return tally.shape()


class Source:
    """A source whose accepted nights are remembered, as the gatekeeper remembers them."""

    def __init__(self, policy: Policy = POLICY, canaries: Sequence[str] = ()) -> None:
        self.policy = policy
        self.canaries = frozenset(path.encode() for path in canaries)
        self.accepted: Export = {}
        self.shapes: list[Shape] = []

    def offer(self, export: Export, **pull: object) -> Inspection:
        """Judge an export; what is accepted is remembered."""
        habit = learn(self.shapes)
        shape = shape_of(self.accepted, export, habit.last)
        evidence = Evidence(
            previous=entries_of(self.accepted),
            pull=Pull(entries=entries_of(export), **pull),
            shape=shape,
            habit=habit,
            canaries=self.canaries,
        )
        found = inspect_pull(evidence, self.policy)
        if found.judgement in ("accepted", "accepted with a warning"):
            self._remember(export, shape)
        return found

    def accept(self, export: Export) -> None:
        """Take an export in that a person let pass."""
        shape = shape_of(self.accepted, export, learn(self.shapes).last)
        self._remember(export, replace(shape, by_hand=True))

    def _remember(self, export: Export, shape: Shape) -> None:
        self.accepted = dict(export)
        self.shapes.append(shape)

    def nights(self, count: int, export: Export) -> None:
        """Let so many ordinary nights pass: one file changes in each."""
        for night in range(count):
            first = next(iter(export))
            export = {**export, first: replace(export[first], content=f"night {night}")}
            assert self.offer(export).judgement == "accepted"


def finding(kind: str = "text", *, chi_square: float = 9000.0, **more: object) -> Finding:
    """Give a finding with signs."""
    signs = Signs(
        size_bytes=5000, sampled_bytes=5000, entropy_bits=4.5, chi_square=chi_square, magic=""
    )
    return Finding(kind=kind, soundness=Soundness.SOUND, signs=signs, **more)
