"""The landing's authentication: what no run of ours made, and whether all of it is sound.

    look            before a run could build on it: aliens, and what is gone
    authenticate    pins, restic's check, the hash of what is to cross; gives the whole list

Rule 1: no run builds on a landing with an alien that restic would read, or with a file gone.
Rule 2: any refusal ends the night's admission: nothing crosses, the targets stay as they are.
Rule 3: the names of aliens are kept, so that a run which dies cannot inherit them.
Source: design, section 2, the fences before the door; ``docs/decisions/0005``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vault.admission import LandingJudgement, Pins, compare_pins, is_carried, judge_landing
from vault.errors import NotInitialised
from vault.holding import lacking
from vault.intake import ALIENS_FACT
from vault.names import printable
from vault.ports import LandingRepository
from vault.records import CataloguePort, LedgerPort
from vault.results import Refusal, RepositoryFile

# An unknown index lends its packs to later snapshots; a pipe in these places holds restic for ever.
_READ_BY_RESTIC = (b"index/", b"snapshots/", b"keys/")
_LISTED = 100  # aliens named in a result


def landing_pins(catalogue: CataloguePort) -> Pins | None:
    """Give the pins of the landing, as the vault was founded; None before."""
    values = [catalogue.fact(name) for name in ("repository_id", "config_sha256", "keys")]
    repository_id, config, keys = (value or "" for value in values)
    if not (repository_id and config and keys):
        return None
    return Pins(repository_id=repository_id, config_sha256=config, keys=frozenset(keys.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What stands in the landing that no run of ours made, and whether a run may build on it."""

    is_refused: bool
    aliens: tuple[Refusal, ...] = ()  # the first of them
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """The landing's whole list, sorted by path; or why nothing of it may cross."""

    files: tuple[RepositoryFile, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether nothing may cross."""
        return bool(self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """Judges one landing."""

    catalogue: CataloguePort
    ledger: LedgerPort
    landing: LandingRepository

    def odd_pins(self) -> Sequence[str]:
        """Say what differs from what was pinned; NotInitialised before the vault was founded."""
        pins = landing_pins(self.catalogue)
        if pins is None:
            raise NotInitialised("the vault has no pinned landing yet", hint="did coffre init end?")
        return compare_pins(pins, self.landing.read_pins())

    def look(self, cycle: int) -> Looked:
        """Look for what no run of ours made, before a new run could build on it."""
        found = _carried(self.landing.list_files())
        judgement = judge_landing(found, self.catalogue.known_paths())
        odd, odd_count, odd_misleads = _first(self.landing.list_aliens())
        self._remember_aliens(judgement)
        reasons: list[str] = []
        if count := judgement.alien_count + odd_count:
            reasons.append(f"things in the landing that no run of ours made: {count}")
            # A lawful name is a hash; any other may be that of a patient's file.
            first = [printable(alien.name) for alien in judgement.aliens[:10]]
            self.ledger.append("aliens", cycle=cycle, count=count, first=first)
        misleads = bool(judgement.alien_indexes) or odd_misleads
        if misleads:
            reasons.append("restic would read one of them: no run of ours may build on it")
        if not judgement.is_whole:
            gone = judgement.lost_count + len(judgement.resized)
            reasons.append(f"files of the landing that are gone or have another size: {gone}")
            lost = [*judgement.lost, *judgement.resized][:10]
            self.ledger.append("landing-not-whole", cycle=cycle, count=gone, first=lost)
        return Looked(
            is_refused=misleads or not judgement.is_whole,
            aliens=(judgement.aliens + odd)[:_LISTED],
            reasons=tuple(reasons),
        )

    def authenticate(self, cycle: int, targets: Iterable[str]) -> Authenticated:
        """Check the landing, hash what is to cross to ``targets``, keep and give its list."""
        odd = [*self.odd_pins(), *self.landing.check()]
        known = tuple(self.catalogue.known_paths())
        provisioned = tuple(file for file in self.landing.list_files() if not _is_of_a_run(file))
        files = tuple(sorted(provisioned + known, key=lambda file: file.path))
        damaged = self.landing.damaged(self._to_cross(targets, known))
        found = [f"{printable(item.name)}: {item.reason}" for item in damaged] + odd
        if found:
            self.ledger.append("landing-refused", cycle=cycle, reasons=found[:20])
            return _refused(found[:20])
        self.catalogue.put_landing_list(cycle, files)
        self.landing.settle()
        return Authenticated(files=files)

    def _remember_aliens(self, judgement: LandingJudgement) -> None:
        aliens: Iterator[RepositoryFile] = iter(())
        if judgement.alien_count:
            found = _carried(self.landing.list_files())
            aliens = lacking(found, self.catalogue.known_paths())
        elif not self.catalogue.fact(ALIENS_FACT):
            return
        self.catalogue.set_fact(ALIENS_FACT, "\n".join(file.path for file in aliens))

    def _to_cross(
        self, targets: Iterable[str], known: Sequence[RepositoryFile]
    ) -> list[RepositoryFile]:
        """Give what some target of tonight lacks, as far as the records know."""
        wanted: dict[str, RepositoryFile] = {}
        for name in targets:
            holds = self.catalogue.holds(name)
            complete = max((cycle for cycle, hold in holds.items() if hold.complete), default=None)
            held = self.catalogue.landing_list(complete) if complete else iter(())
            wanted |= {file.path: file for file in lacking(known, held)}
        return list(wanted.values())


def _refused(found: Sequence[str]) -> Authenticated:
    reasons: list[str] = []
    reasons.append(
        "the landing was altered: nothing crosses tonight, what the targets hold is untouched"
    )
    return Authenticated(reasons=(*reasons, *found))


def _first(aliens: Iterator[tuple[bytes, str]]) -> tuple[tuple[Refusal, ...], int, bool]:
    """Keep the first few, count all, say whether restic would read any: there may be 200,000."""
    kept: list[Refusal] = []
    count, misleads = 0, False
    for name, reason in aliens:
        count += 1
        misleads |= name.startswith(_READ_BY_RESTIC)
        if len(kept) < _LISTED:
            kept.append(Refusal(name=name, reason=reason))
    return tuple(kept), count, misleads


def _is_of_a_run(file: RepositoryFile) -> bool:
    return is_carried(file.path)


def _carried(files: Iterator[RepositoryFile]) -> Iterator[RepositoryFile]:
    return (file for file in files if _is_of_a_run(file))
