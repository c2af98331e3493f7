"""``make bench-inspection``: how often the gate refuses what was encrypted, and what was not.

The real gate, the real examiner, generated exports; more than a thousand ordinary nights, and as
many attacks as the table says. ``BENCH_QUICK=1`` gives a small run for trying.

Rule 1: a figure is a count of this corpus; it is no claim about any hospital or any ransomware.
Rule 2: an attack is judged beside the habit that the ordinary nights made, then undone: the next
    one meets the same vault.
Rule 3: a night counts as refused when at least one source of it is; a false alarm is a refusal in
    a night in which nothing was attacked.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from benchmarks.encryption import MODES, Tree, encrypt, first_block, in_place, victims
from benchmarks.inspecting import hospital_speed, inspected
from benchmarks.ordinary import EVENTS, Hospital, year
from benchmarks.pmsi import GOALS as AT_LEAST
from benchmarks.pmsi import pmsi_lines
from vault.config import load_shipped_policies
from vault.gate import is_attack
from vault.gatekeeper import Gatekeeper
from vault.inspection.examiner import FileExaminer
from vault.inspection.registry import load_registry
from vault.policy import Policy
from vault.records import KeptFinding, RefusedExport
from vault.results import ManifestEntry, Pull, SnapshotRecord, SourceVerdict
from vault.shape import Shape
from vault.sources.manifest import identity_of

POLICIES = {
    "pmsi": "pmsi",
    "hr": "hr",
    "finance": "finance",
    "clinical": "clinical",
    "laboratory": "laboratory",
}
SHARES = (0.01, 0.1, 1.0)
SLOW_SHARE = 0.02
SLOW_NIGHTS = 10
GOALS = {
    "undetected_1_percent": 0.10,
    "undetected_10_percent": 0.01,
    "undetected_100_percent": 0.0,
    "undetected_slow": 0.0,
    "slow_nights_to_refusal": 3.0,
    "false_alarms": 0.01,
    "examine_small_vs_sha256sum": 1.25,  # seconds of processor, by those of ``sha256sum``
    "examine_large_vs_sha256sum": 1.25,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a run is."""

    hospitals: int
    nights: int
    attacked: tuple[int, ...]  # nights after which the attacks are tried


FULL = Size(hospitals=26, nights=40, attacked=(20,))
QUICK = Size(hospitals=1, nights=24, attacked=(12,))


# -- what stands in for the vault around the gate: its records, in memory


@dataclass(slots=True)
class Records:
    """What the gatekeeper asks of a catalogue and of a ledger."""

    found: dict[str, KeptFinding] = field(default_factory=dict)
    kept_shapes: dict[str, list[Shape]] = field(default_factory=lambda: defaultdict(list))
    manifests: dict[str, tuple[ManifestEntry, ...]] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, RefusedExport] = field(default_factory=dict)

    def append(self, kind: str, **body: object) -> None:
        """Take a ledger's entry, and keep nothing."""

    def put_findings(self, tables: str, found: Mapping[str, object]) -> None:
        """Keep findings."""
        for subject, finding in found.items():
            self.found[subject] = KeptFinding(tables=tables, finding=finding)

    def findings(self, subjects: Sequence[str]) -> list[tuple[str, KeptFinding]]:
        """Give the findings that are kept."""
        return [(one, self.found[one]) for one in subjects if one in self.found]

    def shapes(self, source: str, limit: int) -> list[Shape]:
        """Give the newest shapes, oldest first."""
        return self.kept_shapes[source][-limit:]

    def put_shape(self, source: str, cycle: int, shape: Shape) -> None:  # noqa: ARG002, the port's
        """Keep a shape."""
        self.kept_shapes[source].append(shape)

    def newest_snapshot(self, source: str) -> SnapshotRecord | None:
        """Give what was accepted last, as the snapshot it would be in."""
        identity = self.newest.get(source)
        if identity is None:
            return None
        return SnapshotRecord(
            source=source, snapshot_id="", taken_at=datetime.now(UTC), cycle=1,
            manifest=identity, files=0, bytes=0,
        )  # fmt: skip

    def manifest(self, identity: str) -> tuple[ManifestEntry, ...]:
        """Give a manifest."""
        return self.manifests[identity]

    def put_refused(self, refused: RefusedExport) -> None:
        """Keep a refusal."""
        self.refusals[refused.source] = refused

    def refused(self, source: str) -> RefusedExport | None:
        """Give the refusal of a source."""
        return self.refusals.get(source)

    def all_refused(self) -> list[RefusedExport]:
        """Give all refusals."""
        return list(self.refusals.values())

    def clear_refused(self, source: str) -> None:
        """Forget the refusal of a source."""
        self.refusals.pop(source, None)


class _Reception:
    def __init__(self, folder: Path) -> None:
        self.folder = os.fsencode(folder)

    def identity(self, pull: Pull) -> str:
        return identity_of(pull.entries)

    def set_aside(self, pull: Pull, kept: bytes) -> None:
        """Leave it: the next tree is written over it."""


class _Quiet:
    def step(self, name: str, detail: str = "") -> None:
        """Say nothing."""

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        """Say nothing."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    reception: _Reception
    policy: Policy
    kept: bytes = b""
    canaries: frozenset[bytes] = frozenset()


class Vault:
    """The gate of one hospital, with what it remembers."""

    def __init__(self, folder: Path, policies: Mapping[str, Policy]) -> None:
        self._folder = folder
        self._hashes: dict[bytes, tuple[bytes, ManifestEntry]] = {}
        self.records = Records()
        quiet = _Quiet()
        self._gate = Gatekeeper(
            catalogue=self.records,
            ledger=self.records,
            examiner=FileExaminer(load_registry(), seed=b"bench", clock_s=time.monotonic),
            clock=quiet,
            progress=quiet,
        )
        self.sources = {
            name: _Source(name, _Reception(folder / name), policies[policy])
            for name, policy in POLICIES.items()
        }
        for name in self.sources:
            (folder / name / "data").mkdir(parents=True)

    def judge(self, tree: Tree, *, remember: bool) -> dict[str, tuple[str, ...]]:
        """Judge the exports of one night; give the reasons of each source that is refused."""
        self.records.refusals.clear()
        refused = {}
        for name, source in self.sources.items():
            entries = self._lay(name, tree)
            pull = Pull(entries=entries)
            found = self._gate.inspect(source, pull, cycle=1)
            assert found.verdict in (None, SourceVerdict.REFUSED), found
            if found.verdict is SourceVerdict.REFUSED:
                refused[name] = found.reasons
            if remember:
                self._remember(name, entries, found.shape)
        return refused

    def is_attacked(self) -> bool:
        """Say whether the refusals of the night just judged shut the vault door."""
        return is_attack(self.records.all_refused())

    def _remember(self, name: str, entries: tuple[ManifestEntry, ...], shape: Shape | None) -> None:
        """Take an export in; a false alarm is accepted, as a person would in the morning."""
        if shape is None:
            shape = replace(self._last_shape(name, entries), by_hand=True)
        identity = identity_of(entries)
        self.records.manifests = {
            kept: self.records.manifests[kept]
            for other, kept in self.records.newest.items()
            if other != name
        }
        self.records.manifests[identity] = entries
        self.records.newest[name] = identity
        self.records.put_shape(name, 1, shape)
        self.records.clear_refused(name)

    def _last_shape(self, name: str, entries: tuple[ManifestEntry, ...]) -> Shape:
        """Give the shape that was refused, by the way a person's acceptance takes."""
        from vault.records import Acceptance

        refused = self.records.refusals[name]
        word = Acceptance(by="bench", reason="lawful", at=refused.at, login="")
        self.records.put_refused(replace(refused, accepted=word))
        found = self._gate.inspect(self.sources[name], Pull(entries=entries), cycle=1)
        assert found.shape is not None
        return found.shape

    def _lay(self, name: str, tree: Tree) -> tuple[ManifestEntry, ...]:
        """Write a source's files that are not there yet; give its manifest."""
        entries = []
        prefix = name.encode() + b"/"
        root = os.path.join(os.fsencode(self._folder / name), b"data")
        for path in sorted(tree):
            if not path.startswith(prefix):
                continue
            content, known = tree[path], self._hashes.get(path)
            if known is None or known[0] is not content:
                below = path[len(prefix) :]
                where = os.path.join(root, below)
                os.makedirs(os.path.dirname(where), exist_ok=True)
                with open(where, "wb") as file:
                    file.write(content)
                entry = ManifestEntry(
                    path=below,
                    size_bytes=len(content),
                    mtime_ns=1,
                    sha256=hashlib.sha256(content).hexdigest(),
                )
                self._hashes[path] = known = (content, entry)
            entries.append(known[1])
        return tuple(sorted(entries, key=lambda entry: entry.path))


# -- the run


@dataclass(slots=True)
class Table:
    """What was counted."""

    ordinary: Counter[str] = field(default_factory=Counter)  # nights, by what happened
    alarms: Counter[str] = field(default_factory=Counter)  # refused ones of them
    shut: Counter[str] = field(default_factory=Counter)  # of those, with the vault door shut
    why: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    attacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    detected: Counter[tuple[str, str]] = field(default_factory=Counter)
    attack_shut: Counter[tuple[str, str]] = field(default_factory=Counter)
    slow_nights: list[int] = field(default_factory=list)

    def add(self, other: Table) -> None:
        """Add what another hospital counted."""
        for name in ("ordinary", "alarms", "shut", "attacks", "detected", "attack_shut"):
            getattr(self, name).update(getattr(other, name))
        for name, reasons in other.why.items():
            self.why[name].update(reasons)
        self.slow_nights += other.slow_nights


def run_one(seed: int, size: Size) -> Table:
    """Run one hospital in a folder of its own."""
    table = Table()
    with tempfile.TemporaryDirectory(prefix="coffre-bench-") as folder:
        run_hospital(Path(folder), seed, size, table)
    return table


def run_hospital(folder: Path, seed: int, size: Size, table: Table) -> None:
    """Let the nights of one hospital pass, and attack it beside them."""
    policies = load_shipped_policies()
    vault = Vault(folder / "vault", policies)
    hospital = Hospital(folder / "exports", seed)
    vault.judge(hospital.tree, remember=True)
    for night, odd in enumerate(year(size.nights, Random(f"year {seed}"))):
        hospital.pass_night(EVENTS[odd] if odd else None)
        name = odd or "nothing odd"
        table.ordinary[name] += 1
        refused = vault.judge(hospital.tree, remember=False)
        if refused:
            table.alarms[name] += 1
            table.shut[name] += vault.is_attacked()
            for reasons in refused.values():
                table.why[name][_plain(reasons[0])] += 1
        vault.judge(hospital.tree, remember=True)
        if night in size.attacked:
            attack_all(vault, hospital.tree, Random(f"attack {seed} {night}"), table)
            vault.judge(hospital.tree, remember=False)  # what was encrypted is written anew


def attack_all(vault: Vault, tree: Tree, dice: Random, table: Table) -> None:
    """Try every attack on the exports of tonight."""
    for mode, attack in MODES.items():
        for share in SHARES:
            worse = encrypt(tree, victims(tree, share, dice), attack, dice)
            _count(vault, worse, (mode, f"{share:.0%}"), table)
    for mode, attack in (("in place", in_place), ("first 4 KB", first_block)):
        _attack_slowly(vault, tree, (mode, attack), dice, table)


def _count(vault: Vault, tree: Tree, row: tuple[str, str], table: Table) -> None:
    table.attacks[row] += 1
    if vault.judge(tree, remember=False):
        table.detected[row] += 1
        table.attack_shut[row] += vault.is_attacked()


def _attack_slowly(vault: Vault, tree: Tree, attack, dice: Random, table: Table) -> None:  # type: ignore[no-untyped-def]
    """Encrypt two files in a hundred a night, until a night is refused; then forget it all."""
    name, act = attack
    row = (name, f"{SLOW_SHARE:.0%} a night")
    table.attacks[row] += 1
    records = vault.records
    before = ({k: list(v) for k, v in records.kept_shapes.items()},
              dict(records.newest), dict(records.manifests))  # fmt: skip
    left = victims(tree, 1.0, dice)
    each = max(1, round(SLOW_SHARE * len(left)))
    for night in range(1, SLOW_NIGHTS + 1):
        tree = encrypt(tree, left[:each], act, dice)
        left = left[each:]
        if vault.judge(tree, remember=False):
            table.detected[row] += 1
            table.attack_shut[row] += vault.is_attacked()
            table.slow_nights.append(night)
            break
        vault.judge(tree, remember=True)
    records.kept_shapes = defaultdict(list, before[0])
    records.newest, records.manifests = before[1], before[2]


def _plain(reason: str) -> str:
    return "".join("n" if char.isdigit() else char for char in reason).replace("nn", "n")


# -- what is printed


def print_table(table: Table) -> dict[str, float]:
    """Print the counts; give the figures."""
    print(f"{'ordinary nights':28}{'nights':>8}{'refused':>9}{'door shut':>11}")
    for name in ["nothing odd", *EVENTS]:
        row = f"{table.ordinary[name]:8}{table.alarms[name]:9}{table.shut[name]:11}"
        print(f"  {name:26}{row}")
        for reason, count in table.why[name].most_common(3):
            print(f"      {count} x {reason}")
    nights, alarms = table.ordinary.total(), table.alarms.total()
    print(f"  {'all':26}{nights:8}{alarms:9}{table.shut.total():11}")
    print(f"\n{'attacks':28}{'nights':>8}{'refused':>9}{'door shut':>11}")
    for row, count in sorted(table.attacks.items(), key=lambda item: (item[0][1], item[0][0])):
        told = f"{count:8}{table.detected[row]:9}{table.attack_shut[row]:11}"
        print(f"  {row[1]:14}{row[0]:16}"[:30].ljust(28) + told)
    figures = {"false_alarms": alarms / nights, "ordinary_nights": float(nights)}
    for label, name in (("1%", "1"), ("10%", "10"), ("100%", "100")):
        figures[f"undetected_{name}_percent"] = _missed(table, label)
    figures["undetected_slow"] = _missed(table, f"{SLOW_SHARE:.0%} a night")
    if table.slow_nights:
        figures["slow_nights_to_refusal"] = sum(table.slow_nights) / len(table.slow_nights)
        print(f"\nslow encryption was refused in night {Counter(table.slow_nights)}")
    return figures


def print_speeds() -> dict[str, float]:
    """Measure what an inspection costs, and print it: files nobody recognises, and PMSI lines."""
    figures = {}
    print("\nspeed")
    with tempfile.TemporaryDirectory(prefix="coffre-bench-") as folder:
        for one in inspected(Path(folder)):
            figures[f"examine_{one.tree}_vs_sha256sum"] = one.examine_s / one.sha256sum_s
            print(
                f"  {one.tree} files: {one.examine_s / one.sha256sum_s:.2f} of sha256sum's seconds"
            )
        figures["hospital_mb_per_processor_s"] = hospital_speed(Path(folder))
        print(f"  the generated hospital: {figures['hospital_mb_per_processor_s']:.0f} MB a second")
    lines = pmsi_lines()
    for name, speed in lines.items():
        print(f"  {name}: {speed:.2f} of the speed of a loop that only reads lines")
    return figures | lines


def _missed(table: Table, label: str) -> float:
    tried = sum(count for row, count in table.attacks.items() if row[1] == label)
    seen = sum(count for row, count in table.detected.items() if row[1] == label)
    return (tried - seen) / tried if tried else 1.0


def last_line(figures: Mapping[str, float]) -> str:
    """Give the JSON object of the contract; what was not measured is missed."""
    missed = [name for name, goal in GOALS.items() if not figures.get(name, goal + 1) <= goal]
    missed += [name for name, least in AT_LEAST.items() if not figures.get(name, 0.0) >= least]
    ratios = {name: round(value, 4) for name, value in figures.items()}
    goals = GOALS | AT_LEAST
    return json.dumps({"bench": "inspection", "ratios": ratios, "goals": goals, "missed": missed})


def main() -> int:
    """Run all hospitals, print the table, then the last line."""
    size = QUICK if os.environ.get("BENCH_QUICK") else FULL
    table = Table()
    began = time.monotonic()
    seeds = range(size.hospitals)
    with ProcessPoolExecutor(int(os.environ.get("BENCH_WORKERS", os.cpu_count() or 1))) as pool:
        for done, part in enumerate(pool.map(run_one, seeds, [size] * len(seeds)), start=1):
            table.add(part)
            print(f"hospital {done} of {size.hospitals}", file=sys.stderr, end="\r")
    print(f"{size.hospitals} generated hospitals, {time.monotonic() - began:.0f} s\n")
    figures = print_table(table) | print_speeds()
    print(last_line(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
