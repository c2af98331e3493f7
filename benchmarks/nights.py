"""The rounds: Coffre, restic straight and the physical limit, night by night, the order turning.

Rule 1: each round begins with three fresh images and a fresh vault.
Rule 2: each night is brought on once, and all three work on it before the next one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.exports import Exports, kind_of
from benchmarks.figures import (
    NIGHT_ALLOWANCE_S,
    Figures,
    median,
    megabytes,
    print_table,
    say,
    seconds,
)
from benchmarks.limit import measure_limit
from benchmarks.medium import Medium, attached, braked, mounted
from benchmarks.ours import Night, Vault
from benchmarks.straight import Restic, Straight
from benchmarks.timed import run

RESTORED = ("clinical", "pmsi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One night, three ways."""

    ours: Night
    straight: Straight
    limit_s: float
    check_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Restores:
    """One source given back, three ways; seconds."""

    ours_s: float
    verified_s: float  # restic's, with every byte compared as ours does
    plain_s: float  # restic's, which then compares nothing


@dataclass(slots=True, kw_only=True)
class Bench:
    """Where rounds are played, and what they came to."""

    folder: Path
    figures: Figures
    image_bytes: int
    pairs: dict[str, list[Pair]] = field(default_factory=dict)

    # -- the hospital

    def play_hospital(self, exports: Exports, *, rounds: int, nights: int) -> None:
        """Play whole rounds: a first night, then nights that bring 3 %, of text and of images."""
        for number in range(rounds):
            with self._stage(exports) as stage:
                for night in range(2 * nights + 1):
                    exports.bring(night)
                    kind = kind_of(night)
                    # Each kind is played first and second in turn.
                    pair = stage.play(ours_first=(number + (night + 1) // 2) % 2 == 0)
                    self._count(kind, pair)
                    self._count_cycle(kind, pair)
                if number == rounds - 1:
                    self._play_restores(stage, pairs=rounds)

    def play_braked(self, exports: Exports, *, bytes_per_s: int) -> None:
        """Play a first night and one of each kind with the targets held to a rate."""
        with self._stage(exports, bytes_per_s=bytes_per_s) as stage:
            for night in range(3):
                exports.bring(night)
                pair = stage.play(ours_first=True)
                self._count(f"{kind_of(night)}_at_100_mb_s", pair)

    def play_many(self, exports: Exports, *, nights: int) -> None:
        """Play nights of many small sources; the first one fills both repositories unmeasured."""
        with self._stage(exports) as stage:
            exports.bring(0)
            stage.restic.seed(exports)
            stage.vault.run_night()
            for night in range(1, nights + 1):
                exports.bring(night)
                pair = stage.play(ours_first=night % 2 == 0)
                self._count(f"{len(exports.policies)}_sources", pair)

    @contextmanager
    def _stage(self, exports: Exports, *, bytes_per_s: int | None = None) -> Iterator[_Stage]:
        folder = self.folder / "round"
        folder.mkdir()
        try:
            with ExitStack() as media:
                ours, straight, bare = (
                    media.enter_context(
                        attached(folder / f"{name}.img", size_bytes=self.image_bytes)
                    )
                    for name in ("ours", "straight", "bare")
                )
                stage = _Stage(
                    folder=folder,
                    exports=exports,
                    vault=Vault(folder=folder / "vault", medium=ours, exports=exports),
                    restic=Restic(folder=folder / "straight", medium=straight),
                    bare=bare,
                    bytes_per_s=bytes_per_s,
                )
                exports.bring(0)
                stage.vault.found()
                stage.restic.init()
                yield stage
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # -- what it came to

    def _count(self, name: str, pair: Pair) -> None:
        self.pairs.setdefault(name, []).append(pair)
        ours = pair.ours.exposure_s
        say(
            f"{name}: open {ours:.3f} s, restic straight {pair.straight.exposure_s:.3f} s, "
            f"limit {pair.limit_s:.3f} s"
        )
        self.figures.add(f"exposure_{name}_vs_direct", ours / pair.straight.exposure_s)
        self.figures.add(f"exposure_{name}_vs_limit", ours / pair.limit_s)

    def _count_cycle(self, name: str, pair: Pair) -> None:
        base_s = pair.straight.exposure_s + pair.check_s
        if name == "first":
            figure = pair.ours.without_pull_s / base_s
        else:  # cycle <= 1.0 x base + 2 s, as a ratio that is at most 1
            figure = pair.ours.without_pull_s / (base_s + NIGHT_ALLOWANCE_S)
            self.figures.add(f"cycle_{name}_without_allowance", pair.ours.without_pull_s / base_s)
        self.figures.add(f"cycle_{name}_vs_direct_and_check", figure)

    def _play_restores(self, stage: _Stage, *, pairs: int) -> None:
        """Give sources back from the landing and from the target, beside restic's own restore."""
        for number in range(pairs):
            for source in RESTORED:
                found = stage.restore(source, ours_first=number % 2 == 0)
                self.figures.add("restore_vs_restic", found.ours_s / found.verified_s)
                self.figures.add("restore_vs_restic_unverified", found.ours_s / found.plain_s)
        from_target = stage.restore_from_target(RESTORED[0])
        self.figures.add("restore_from_target_vs_restic", from_target)

    # -- telling

    def print_nights(self) -> None:
        """Print what each kind of night took, in medians."""
        rows = []
        for name, pairs in self.pairs.items():
            ours = [pair.ours for pair in pairs]
            rows.append(
                [
                    name.replace("_", " "),
                    str(len(pairs)),
                    megabytes(median(night.carried_bytes for night in ours)),
                    seconds(median(night.exposure_s for night in ours)),
                    seconds(median(night.seen_s or float("nan") for night in ours)),
                    seconds(median(pair.straight.exposure_s for pair in pairs)),
                    seconds(median(pair.limit_s for pair in pairs)),
                    seconds(median(pair.ours.exposure_s - pair.limit_s for pair in pairs)),
                    megabytes(median(night.device_written_bytes for night in ours)),
                    megabytes(median(night.device_read_bytes for night in ours)),
                ]
            )
        print("Seconds open: ours with its read-back, as it says and as seen from outside")
        heads = ["night", "n", "MB carried", "ours", "seen", "restic", "limit"]
        print_table([*heads, "ours over it", "MB written", "MB read"], rows)

    def print_cycles(self) -> None:
        """Print whole cycles and their phases, in medians."""
        names = list(next(iter(self.pairs.values()))[0].ours.phases)
        rows = []
        for name, pairs in self.pairs.items():
            phases = [median(pair.ours.phases[phase] for pair in pairs) for phase in names]
            without = median(pair.ours.without_pull_s for pair in pairs)
            rows.append([name.replace("_", " "), seconds(without), *map(seconds, phases)])
        print("The whole cycle in seconds, without its pull; then by phases")
        print_table(["night", "cycle", *names], rows)
        rows = [
            [
                name.replace("_", " "),
                seconds(median(pair.straight.exposure_s for pair in pairs)),
                seconds(median(pair.check_s for pair in pairs)),
                f"{max(pair.straight.peak_mb for pair in pairs):.0f}",
                f"{max(pair.ours.peak_mb for pair in pairs):.0f}",
            ]
            for name, pairs in self.pairs.items()
        ]
        print("restic straight, its check, and the largest process of each (MB resident)")
        print_table(["night", "restic", "check", "peak restic", "peak ours"], rows)


@dataclass(slots=True, kw_only=True)
class _Stage:
    """One round under way."""

    folder: Path
    exports: Exports
    vault: Vault
    restic: Restic
    bare: Medium
    bytes_per_s: int | None

    def play(self, *, ours_first: bool) -> Pair:
        """Play one night, three ways."""
        with self._brake(self.vault.medium, self.restic.medium, self.bare):
            if ours_first:
                ours, straight = self.vault.run_night(), self.restic.run_night(self.exports)
            else:
                straight, ours = self.restic.run_night(self.exports), self.vault.run_night()
            limit_s = measure_limit(self.bare, ours.carried, self.folder / "bare")
        check_s = self.restic.check_s()
        return Pair(ours=ours, straight=straight, limit_s=limit_s, check_s=check_s)

    @contextmanager
    def _brake(self, *media: Medium) -> Iterator[None]:
        with ExitStack() as brakes:
            for medium in media:
                rate = self.bytes_per_s
                brakes.enter_context(braked(medium, rate) if rate else nullcontext())
            yield

    def restore(self, source: str, *, ours_first: bool) -> Restores:
        """Give one source back from the landing, three ways."""
        snapshot = self.vault.newest_snapshot(source)
        landing = self.vault.folder / "state" / "landing"
        ours_s = self._ours_s("restore", source) if ours_first else None
        verified_s = self._restic_s(landing, snapshot, "--verify")
        plain_s = self._restic_s(landing, snapshot)
        return Restores(
            ours_s=ours_s or self._ours_s("restore", source),
            verified_s=verified_s,
            plain_s=plain_s,
        )

    def restore_from_target(self, source: str) -> float:
        """Give one source back from the target both ways, the opening included in ours."""
        snapshot = self.vault.newest_snapshot(source)
        ours_s = self._ours_s("restore", source, "--from", "disk-a")
        with mounted(self.vault.medium, self.folder / "look", read_only=True) as root:
            return ours_s / self._restic_s(root / "repository", snapshot, "--verify")

    def _ours_s(self, *words: str) -> float:
        with self._emptied("ours-restored") as to:
            return self.vault.coffre(*words, "--to", str(to)).seconds

    def _restic_s(self, repository: Path, snapshot: str, *words: str) -> float:
        password = str(self.vault.folder / "secrets" / "landing.pw")
        argv = ["restic", "-r", str(repository), "--password-file", password, "--no-lock"]
        cache = {"RESTIC_CACHE_DIR": str(self.folder / "restore-cache")}
        with self._emptied("restic-restored") as to:
            argv += ["restore", snapshot, *words, "--target", str(to)]
            return run(argv, env=cache).seconds

    @contextmanager
    def _emptied(self, name: str) -> Iterator[Path]:
        path = self.folder / name
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
