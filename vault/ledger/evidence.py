"""The verdict on a ledger and its heads: what was changed, dropped, cut, forked, or not signed.

Rule 1: nothing is believed but keys and heads that were given; the ledger proves itself to them.
Rule 2: the first bad entry is named when the chain can name it; else the stretch between two heads.
Rule 3: entries after the newest head are under no signature: a fault of an export, not of a vault
    that is at work.
Rule 4: ``verify_evidence.py`` judges the same without a line of this; both are held to the same
    tampered ledgers.
Source: ``docs/ledger.md``; RFC 6962; C2SP tlog-checkpoint and tlog-cosignature.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vault.errors import LedgerError, SignatureError
from vault.ledger.audit import find_problems, read_lines
from vault.ledger.canonical import from_json
from vault.ledger.checkpoint import Checkpoint
from vault.ledger.documents import Head
from vault.ledger.dsse import Envelope, Public
from vault.ledger.lines import Entry, hash_of, read_line
from vault.ledger.merkle import CompactRange, leaf_hash
from vault.ledger.notes import split_note
from vault.ledger.rotation import KIND, KeyChain
from vault.records import LedgerHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vault.ledger.cosigning import Cosigner
    from vault.ledger.notes import PublicKey

COSIGNED = "head-cosigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that does not hold; ``n`` is the first entry it touches, None when it is none."""

    n: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSignature:
    """One signature under one head that holds."""

    size: int
    name: str
    is_vault: bool
    at: int | None  # the cosigner's clock, in seconds of POSIX


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What verifying came to."""

    entries: int = 0
    head: Checkpoint | None = None  # the newest one
    signatures: list[HeadSignature] = field(default_factory=list)
    problems: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the reader brings: keys, and heads that were kept elsewhere (of either kind)."""

    keys: Sequence[PublicKey]
    cosigners: Sequence[Cosigner] = ()
    heads: Sequence[bytes] = ()


def verify(
    path: bytes, notes: Iterable[bytes], trust: Trust, *, size: int | None = None, whole: bool
) -> Verdict:
    """Judge a ledger and the notes of its heads; ``whole``: every entry must be under a head."""
    verdict = Verdict()
    older, heads = _read_heads([*notes, *trust.heads], verdict)
    reading = _Reading(
        chain=KeyChain(trust.keys),
        sizes={head.size for head, _note in heads},
        numbers={kept.n for kept, _note in older},
    )
    for line in read_lines(path, size):
        reading.take(line, trust, verdict)
    verdict.entries = reading.tree.size
    chained = find_problems(path, size=size)
    verdict.problems += [Fault(n=one.n, reason=one.reason) for one in chained]
    if not reading.chain.is_ours and not chained:
        verdict.problems.append(Fault(n=None, reason="no key given is one of this vault's keys"))
    # Where the chain is broken, what rotates the key may be lost: the break is told first.
    for head, note in () if chained else heads:
        _judge_signatures(head, note, trust, reading, verdict)
    for _kept, note in () if chained else older:
        if not any(_signs(key, note) for key in reading.chain.all()):
            reason = "a head kept elsewhere is not signed by this vault"
            verdict.problems.append(Fault(n=None, reason=reason))
    sound = _judge_roots([head for head, _note in heads], reading, verdict)
    _judge_kept([kept for kept, _note in older], reading, verdict)
    if not verdict.problems:
        _judge_in_force(heads, reading, verdict)
    if whole and not verdict.problems and (sound < verdict.entries or not verdict.entries):
        verdict.problems.append(Fault(n=sound, reason="no signed head covers it and what follows"))
    if not chained:
        _judge_told(reading, verdict, trust)
    verdict.problems.sort(key=lambda fault: -1 if fault.n is None else fault.n)
    return verdict


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What one pass over the lines gathers."""

    chain: KeyChain
    sizes: set[int]  # of the heads
    numbers: set[int]  # of the entries that heads on media name
    tree: CompactRange = field(default_factory=CompactRange)
    roots: dict[int, bytes] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    cosigned: list[Entry] = field(default_factory=list)

    def take(self, line: bytes, trust: Trust, verdict: Verdict) -> None:
        """Take one line, whatever it is: the chain says elsewhere what is wrong with it."""
        bare = line.removesuffix(b"\n")
        if self.tree.size in self.numbers:
            self.hashes[self.tree.size] = hash_of(bare)
        self.tree.append(leaf_hash(bare))
        if self.tree.size in self.sizes:
            self.roots[self.tree.size] = self.tree.root()
        try:
            entry = read_line(bare)
        except ValueError:
            return
        try:
            if entry.kind == KIND:
                self.chain.take(entry)
            elif entry.kind == COSIGNED:
                self.cosigned.append(entry)
            elif "envelope" in entry.body:
                _judge_record(entry, self.chain.all(), trust.cosigners)
        except SignatureError as error:
            verdict.problems.append(Fault(n=self.tree.size - 1, reason=str(error)))


def _judge_record(entry: Entry, keys: Iterable[PublicKey], cosigners: Sequence[Cosigner]) -> None:
    """See that the envelope in an entry holds, by the key too that the entry tells of."""
    envelope = Envelope.from_members(entry.body["envelope"])
    known: list[Public] = [*keys, *cosigners]
    envelope.open(known)
    told = [key for key in cosigners if key.to_text() == entry.body.get("key")]
    if told and not envelope.signers(told):
        raise SignatureError(
            "the cosignature by {name} that it tells of is gone", name=told[0].name
        )


def _read_heads(
    notes: Iterable[bytes], verdict: Verdict
) -> tuple[list[tuple[LedgerHead, bytes]], list[tuple[Checkpoint, bytes]]]:
    """Split notes into the heads of media and the checkpoints, the smallest first."""
    older: list[tuple[LedgerHead, bytes]] = []
    heads: list[tuple[Checkpoint, bytes]] = []
    for note in notes:
        try:
            text = split_note(note)[0]
            checkpoint = note
            if text.startswith(b"{"):
                kept, checkpoint = read_medium_head(text)
                older.append((kept, note))
            if checkpoint:
                heads.append((Checkpoint.peek(checkpoint), checkpoint))
        except SignatureError as error:
            verdict.problems.append(Fault(n=None, reason=f"a head cannot be read: {error}"))
    heads.sort(key=lambda head: (head[0].size, head[0].root))
    return older, heads


def read_medium_head(text: bytes) -> tuple[LedgerHead, bytes]:
    """Give what a ``coffre/heads/N`` names of the ledger, and the checkpoint in it, if any."""
    try:
        members = from_json(text)
        assert isinstance(members, dict)
        n, digest = members["ledger_n"], members["ledger_sha256"]
        note = members.get("checkpoint", "")
        assert type(n) is int
        assert isinstance(digest, str)
        assert isinstance(note, str)
    except (AssertionError, KeyError, ValueError):
        raise SignatureError(
            "the signed document is not a {kind}",
            hint="was it written by a newer coffre?",
            kind=Head.FORMAT,
        ) from None
    return LedgerHead(n=n, sha256=digest), note.encode()


def _signs(key: PublicKey, note: bytes) -> bool:
    try:
        key.verify(note)
    except SignatureError:
        return False
    return True


def _judge_signatures(
    head: Checkpoint, note: bytes, trust: Trust, reading: _Reading, verdict: Verdict
) -> None:
    own = [key for key in reading.chain.all() if _signs(key, note)]
    if not own:
        reason = f"the head of {head.size} entries is not signed by the vault"
        verdict.problems.append(Fault(n=None, reason=reason))
        return
    verdict.signatures.append(
        HeadSignature(size=head.size, name=own[0].name, is_vault=True, at=None)
    )
    for cosigner in trust.cosigners:
        try:
            at = cosigner.signed_at(note)
        except SignatureError as error:
            reason = f"the head of {head.size} entries: {error}"
            verdict.problems.append(Fault(n=None, reason=reason))
            continue
        if at is not None:
            verdict.signatures.append(
                HeadSignature(size=head.size, name=cosigner.name, is_vault=False, at=at)
            )


def _judge_in_force(
    heads: Sequence[tuple[Checkpoint, bytes]], reading: _Reading, verdict: Verdict
) -> None:
    """See that each head is signed by the key that was in force at its size."""
    for head, note in heads:
        if not any(_signs(key, note) for key in reading.chain.signing(head.size)):
            reason = f"the head of {head.size} entries is signed by a key that was exchanged before"
            verdict.problems.append(Fault(n=None, reason=reason))


def _judge_roots(heads: Sequence[Checkpoint], reading: _Reading, verdict: Verdict) -> int:
    """Compare each head with the tree; give how many entries the newest sound one covers."""
    sound = 0
    for head in heads:
        if head.size > reading.tree.size:
            reason = f"it is gone: a head names entry {head.size - 1}"
            verdict.problems.append(Fault(n=reading.tree.size, reason=reason))
            break
        if reading.roots[head.size] != head.root:
            first = min(sound, head.size - 1)
            named = any(
                fault.n is not None and first <= fault.n < head.size for fault in verdict.problems
            )
            if not named:  # the chain could not say which one
                reason = f"it or one up to {head.size - 1} is not what was signed"
                verdict.problems.append(Fault(n=first, reason=reason))
            break
        sound, verdict.head = head.size, head
    return sound


def _judge_kept(older: Sequence[LedgerHead], reading: _Reading, verdict: Verdict) -> None:
    """Compare what heads on media name with the entries there are."""
    for kept in older:
        if kept.n >= 0 and reading.hashes.get(kept.n) != kept.sha256:
            n = min(kept.n, reading.tree.size)
            reason = "it or one before is not in a head kept elsewhere"
            verdict.problems.append(Fault(n=n, reason=reason))


def _judge_told(reading: _Reading, verdict: Verdict, trust: Trust) -> None:
    """See that every cosignature that the ledger tells of, by a known key, is there."""
    known = {cosigner.name for cosigner in trust.cosigners}
    there = {(one.size, one.name) for one in verdict.signatures if not one.is_vault}
    for entry in reading.cosigned:
        name = entry.body.get("name")
        if name in known and (entry.body.get("size"), name) not in there:
            reason = f"the cosignature by {name} that it tells of is gone"
            verdict.problems.append(Fault(n=entry.n, reason=reason))


def leaves_of(path: bytes, size: int) -> Iterator[bytes]:
    """Give the hashes of the first ``size`` leaves; LedgerError when there are fewer."""
    count = 0
    for line in read_lines(path):
        if count == size:
            return
        yield leaf_hash(line.removesuffix(b"\n"))
        count += 1
    if count < size:
        raise LedgerError("the ledger has {count} entries, not {size}", count=count, size=size)
