"""A ledger with everything in it that evidence can hold, exported as a vault exports it.

Rule 1: the same seed gives the same keys, signatures and bytes: a golden export.
Rule 2: both verifiers are asked the same way, and answer (exit code, first bad entry, text).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import io
import os
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.rigs.vaults import TREE
from vault.ledger import Ledger
from vault.ledger.checkpoint import Checkpoint, Checkpoints
from vault.ledger.cosigning import Cosigner, CosignerKey, Request
from vault.ledger.documents import Head
from vault.ledger.dsse import RestoreTest
from vault.ledger.evidence import Trust, verify
from vault.ledger.notes import PublicKey, VaultKey, split_public
from vault.ledger.rotation import rotation_note

SCRIPT = TREE / "vault" / "ledger" / "verify_evidence.py"
NAME = "coffre-990000010"


class Clock:
    """A clock that goes a minute on each time it is asked."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self.wall += timedelta(minutes=1)
        return self.wall

    def boot_s(self) -> float:
        return (self.wall - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()

    def boot_id(self) -> str:
        return "11111111-2222-3333-4444-555555555555"


def private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


@dataclass
class Export:
    """An export, the keys of its people, and what may be done to it."""

    folder: Path
    vault: VaultKey
    rssi: CosignerKey
    dim: CosignerKey
    keys: list[str] = field(default_factory=list)  # what an auditor was given
    medium_head: Path | None = None

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    def lines(self) -> list[bytes]:
        return self.ledger.read_bytes().splitlines(keepends=True)

    def put(self, lines: list[bytes]) -> None:
        self.ledger.write_bytes(b"".join(lines))

    def heads(self) -> list[Path]:
        return sorted((self.folder / "checkpoints").iterdir(), key=lambda path: int(path.name))


class Writer:
    """Writes a ledger as a vault does: an entry, a head after each act."""

    def __init__(self, folder: Path, key: VaultKey) -> None:
        folder.mkdir(parents=True)
        self.folder, self.key = folder, key
        self.ledger = Ledger(str(folder / "ledger.jsonl"), Clock())
        self.heads = Checkpoints(str(folder / "checkpoints"))

    def sign(self) -> bytes:
        newest = self.heads.newest()
        seen = Checkpoint.peek(newest) if newest else None
        tree = self.ledger.tree(signed=(seen.size, seen.root) if seen else None)
        head = Checkpoint(origin=NAME, size=tree.size, root=tree.root())
        return self.heads.keep(head.to_note(self.key))

    def opening(self, number: int, *, proof: str = "shut") -> None:
        where = {"opening": number, "target": "disk-a" if number % 2 else "disk-b"}
        self.ledger.append("vault-opening", **where, purpose="carry", writing=True, cycle=number)
        shut = {"proof": proof, "disconnection": "detached", "evidence": ["no device node"]}
        self.ledger.append("vault-shut", **where, seconds=0.25 * number, **shut)

    def restored(self, cycle: int) -> None:
        counts = {"files": 12, "bytes": 34_567, "mismatches": 0, "duration_s": 1.5}
        where = {"source": "pmsi", "cycle": cycle, "origin": "landing", "snapshot": "ab" * 32}
        self.ledger.append("restored", **where, **counts, whole=True, login="0")

    def cosigned(self, key: CosignerKey, *, at: int) -> None:
        note = key.cosign(Request.from_bytes(self.heads.newest()), at=at).note
        head = Checkpoint.peek(note)
        line = key.public.line_in(note).decode().rstrip("\n")
        self.heads.keep(note)
        self.ledger.append(
            "head-cosigned", name=key.public.name, size=head.size, at="x", behind_s=0, line=line
        )


def restore_test() -> RestoreTest:
    return RestoreTest(
        drill="2026-0007", source="pmsi", snapshot_id="cd" * 32, cycle=4, origin="disk-a",
        level_reached="L1", verdict="sound", files=12, size_bytes=34_567, mismatches=0,
        duration_s=1.5, started_at="2026-03-05T01:00:00+00:00",
        ended_at="2026-03-05T01:00:02+00:00", seed="5e", bound="3/12",
        people={"operator": "A. Martin"}, not_tested=("opening the files in an application",),
    )  # fmt: skip


def make_export(folder: Path, *, seed: str = "golden", rotate: bool = True) -> Export:
    """Write a golden export: nights, restores, a record, two cosigners, another key."""
    vault = VaultKey(NAME, private(f"{seed} vault"))
    people = folder.parent / f"{folder.name}-keys"
    people.mkdir()
    rssi = CosignerKey(str(people / "rssi.key"), "rssi", private(f"{seed} rssi"))
    dim = CosignerKey(str(people / "dim.key"), "dim", private(f"{seed} dim"))
    writer = Writer(folder, vault)
    made = Export(folder=folder, vault=vault, rssi=rssi, dim=dim)
    writer.ledger.append("vault-founded", vault_key=vault.public.to_text())
    for night in (1, 2):
        writer.opening(night)
        writer.sign()
    writer.restored(2)
    writer.sign()
    writer.cosigned(rssi, at=1_772_600_000)
    made.medium_head = people / "head"
    made.medium_head.write_bytes(_medium_head(writer))
    if rotate:
        new = VaultKey(NAME, private(f"{seed} new vault"))
        note = rotation_note(vault, new).decode()
        writer.ledger.append("key-rotated", note=note, by="A", reason="yearly", login="0")
        writer.key = made.vault = new
        writer.sign()
    writer.opening(3)
    record = restore_test().to_statement().to_envelope().signed_by(writer.key).signed_by(dim)
    writer.ledger.append("restore-tested", drill="2026-0007", envelope=record.to_members())
    writer.sign()
    writer.cosigned(dim, at=1_772_700_000)
    writer.restored(3)
    writer.sign()
    (folder / "ledger.tree").unlink(missing_ok=True)
    made.keys = [made.vault.public.to_text(), rssi.public.to_text(), dim.public.to_text()]
    return made


def _medium_head(writer: Writer) -> bytes:
    last = writer.ledger.head()
    head = Head(
        target_id="ab" * 32, number=2, cycle=2, purpose="carry", ledger_n=last.n,
        ledger_sha256=last.sha256, view_sha256="", at=datetime(2026, 3, 3, tzinfo=UTC),
        checkpoint=writer.sign().decode(),
    )  # fmt: skip
    return head.to_note(writer.key)


# -- the two verifiers


@dataclass(frozen=True)
class Answer:
    """What a verifier said."""

    code: int
    first: int | None  # the first bad entry
    text: str


def ask_ours(export: Export, *, heads: list[Path] = (), keys: list[str] | None = None) -> Answer:
    """Ask ``vault.ledger.evidence``."""
    keys = export.keys if keys is None else keys
    theirs = [key for key in keys if split_public(key, b"\x04")]
    trust = Trust(
        keys=[PublicKey.from_text(key) for key in keys if key not in theirs],
        cosigners=[Cosigner.from_text(key) for key in theirs],
        heads=[Path(head).read_bytes() for head in heads],
    )
    notes = [path.read_bytes() for path in (export.folder / "checkpoints").iterdir()]
    verdict = verify(os.fsencode(export.ledger), notes, trust, whole=True)
    told = "\n".join(f"{fault.n}: {fault.reason}" for fault in verdict.problems)
    first = verdict.problems[0].n if verdict.problems else None
    return Answer(int(bool(verdict.problems)), first, told)


def load_script():
    spec = importlib.util.spec_from_file_location("verify_evidence_alone", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_script = load_script()
# Thousands of tampered exports share their signatures: each is judged once.
_script.is_signed = functools.cache(_script.is_signed)


def ask_alone(
    export: Export, *more: str, heads: list[Path] = (), keys: list[str] | None = None
) -> Answer:
    """Ask ``verify_evidence.py``, run inside this process for speed."""
    words = ["verify_evidence.py", str(export.folder), *more]
    for key in export.keys if keys is None else keys:
        words += ["--key", key]
    for head in heads:
        words += ["--head", str(head)]
    out, before = io.StringIO(), sys.argv
    sys.argv = words
    try:
        with contextlib.redirect_stdout(out):
            code = _script.main()
    finally:
        sys.argv = before
    text = out.getvalue()
    bad = re.search(r"^BAD(?: entry (\d+))?: ", text, re.M)
    return Answer(code, int(bad[1]) if bad and bad[1] else None, text)


def flip(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def wrong_key() -> str:
    """Give a lawful public key that nobody has."""
    return PublicKey(name=NAME, raw=private("nobody").public_key().public_bytes_raw()).to_text()
