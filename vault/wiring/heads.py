"""The ledger's head: signed after each act, cosigned by others, its key exchanged.

Rule 1: a head that does not continue the last one is never signed; that it was not is a fact, from
    which ``gaps`` is told, and it holds up no night: copies matter more than their evidence.
Rule 2: a key is exchanged in an order that a death at any instant leaves sound: the next key's
    file, the entry that both sign, then the file's name.
Rule 3: a cosignature is imported only when the head is ours and the key is one of vault.yaml.
Source: design, section 7; ``docs/decisions/0018-cosigners-stand-in-the-configuration.md``.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vault.errors import CoffreError, LedgerError, SignatureError, UsageError
from vault.ledger.checkpoint import Checkpoint
from vault.ledger.cosigning import Cosigner, Request
from vault.ledger.merkle import consistency_proof, root_of
from vault.ledger.notes import PublicKey, VaultKey
from vault.ledger.rotation import KIND, read_rotation, rotation_note

if TYPE_CHECKING:
    from vault.ledger import Ledger
    from vault.wiring.wired import Wired

RETIRED_FACT = "retired_keys"
UNSIGNED_FACT = "ledger_unsigned_since"
COSIGNED_FACT = "cosigned:"  # and the cosigner's key: when, by the clock of this host
_ENROLLED_FACT = "cosigner:"
_NEXT = "vault.key.next"


# -- signing


def sign_ledger(wired: Wired) -> bytes:
    """Sign the ledger as it stands and keep it; give the note. LedgerError, SignatureError."""
    newest = wired.checkpoints.newest()
    before = _verified(wired, newest) if newest is not None else None
    signed = (before.size, before.root) if before is not None else None
    tree = wired.ledger.tree(signed=signed)
    if newest is not None and signed is not None and tree.size == signed[0]:
        return newest
    if tree.size == 0:
        raise LedgerError("the ledger is empty: there is nothing to sign")
    head = Checkpoint(origin=wired.key.public.name, size=tree.size, root=tree.root())
    return wired.checkpoints.keep(head.to_note(wired.key))


def sign_if_sound(wired: Wired) -> str:
    """Sign the ledger; where that cannot be, remember since when, and give nothing."""
    try:
        note = sign_ledger(wired).decode()
    except (CoffreError, OSError):
        if not wired.catalogue.fact(UNSIGNED_FACT):
            wired.catalogue.set_fact(UNSIGNED_FACT, wired.clock.now().isoformat())
        return ""
    if wired.catalogue.fact(UNSIGNED_FACT):
        wired.catalogue.set_fact(UNSIGNED_FACT, "")
    return note


def _verified(wired: Wired, note: bytes) -> Checkpoint:
    """Read a head that one of the vault's keys signed; SignatureError."""
    for key in wired.retired_keys:
        if key.is_named_in(note):
            return Checkpoint.from_note(note, key)
    return Checkpoint.from_note(note, wired.key.public)


def request(wired: Wired, *, since: int | None = None) -> Request:
    """Give the newest head; with ``since``, also the proof that it continues that older one."""
    note = sign_ledger(wired)
    head = Checkpoint.peek(note)
    if since is None:
        return Request(note=note, checkpoint=head)
    if not 0 < since <= head.size:
        raise UsageError(
            "the ledger has {size} entries: there is no head of {since} of them",
            size=head.size,
            since=since,
            hint="what size does the second line of the older head say?",
        )
    from vault.ledger.evidence import leaves_of

    leaves = list(leaves_of(ledger_path(wired), head.size))
    proof = tuple(consistency_proof(leaves, since))
    return Request(note=note, checkpoint=head, old_size=since, proof=proof)


def ledger_path(wired: Wired) -> bytes:
    """Give where the ledger is."""
    return os.fsencode(wired.path("ledger", "ledger.jsonl"))


# -- cosignatures


def cosigners(wired: Wired) -> dict[str, Cosigner]:
    """Give the cosigners of vault.yaml, by the name they have there; SignatureError."""
    named = wired.settings.evidence.cosigners
    return {name: Cosigner.from_text(one.key) for name, one in named.items()}


def add_cosignature(wired: Wired, data: bytes, *, login: str) -> tuple[Checkpoint, dict[str, int]]:
    """Import a cosigned head; give it and who cosigned when, in seconds of POSIX.

    SignatureError when it is not ours, not a head of this ledger, or nobody known signed it.
    """
    from vault.ledger.evidence import leaves_of

    note = Request.from_bytes(data).note
    head = _verified(wired, note)
    if root_of(leaves_of(ledger_path(wired), head.size)) != head.root:
        raise SignatureError(
            "the head of {size} entries is not one of this ledger",
            size=head.size,
            hint="was the ledger changed, or the head made on another host? call the auditor",
        )
    found: dict[str, int] = {}
    for cosigner in cosigners(wired).values():
        at = cosigner.signed_at(note)
        if at is not None:
            found[cosigner.name] = at
            _record(wired, cosigner, head, note, at=at, login=login)
    if not found:
        raise SignatureError(
            "no cosigner of vault.yaml signed this head",
            hint="is the key under evidence: cosigners: the one that signed?",
        )
    return head, found


def _record(
    wired: Wired, cosigner: Cosigner, head: Checkpoint, note: bytes, *, at: int, login: str
) -> None:
    """Say in the ledger who cosigned, then keep the line, then note when for ``gaps``.

    The signature itself stands in the entry: what follows it was written after that time.
    """
    line = cosigner.line_in(note)
    assert line is not None
    newest = cosigned_size(wired, cosigner)
    kept = wired.checkpoints.read(head.size)
    if kept is not None and cosigner.line_in(kept) == line and head.size <= newest:
        return  # imported before, to the end
    enrol_cosigner(wired, cosigner, login=login)
    wired.checkpoints.keep(_only_known(wired, note, line))
    wired.ledger.append(
        "head-cosigned",
        name=cosigner.name,
        size=head.size,
        at=datetime.fromtimestamp(at, UTC).isoformat(),
        behind_s=max(0, at - int(wired.clock.now().timestamp())),
        line=line.decode().rstrip("\n"),
        login=login,
    )
    if head.size > newest:
        now = wired.clock.now().isoformat()
        wired.catalogue.set_fact(COSIGNED_FACT + cosigner.to_text(), f"{now} {head.size}")


def enrol_cosigner(wired: Wired, cosigner: Cosigner, *, login: str) -> None:
    """Say in the ledger, once, that a key of vault.yaml is used for the first time."""
    text = cosigner.to_text()
    if wired.catalogue.fact(_ENROLLED_FACT + text) is None:
        wired.ledger.append("cosigner-enrolled", name=cosigner.name, key=text, login=login)
        wired.catalogue.set_fact(_ENROLLED_FACT + text, wired.clock.now().isoformat())


def cosigned_at(wired: Wired, cosigner: Cosigner) -> datetime | None:
    """Give when the newest head that a person cosigned was imported here."""
    fact = wired.catalogue.fact(COSIGNED_FACT + cosigner.to_text())
    return datetime.fromisoformat(fact.split()[0]) if fact else None


def cosigned_size(wired: Wired, cosigner: Cosigner) -> int:
    """Give the size of the newest head that a person cosigned; 0 when there is none."""
    fact = wired.catalogue.fact(COSIGNED_FACT + cosigner.to_text())
    return int(fact.split()[1]) if fact else 0


def _only_known(wired: Wired, note: bytes, own: bytes) -> bytes:
    """Give a head with the vault's line and one cosigner's: what strangers added stays out."""
    keys = (wired.key.public, *wired.retired_keys)
    body = note[: note.rfind(b"\n\n") + 2]
    lines = [line + b"\n" for line in note[len(body) :].split(b"\n")[:-1]]
    ours = [line for line in lines if any(key.is_named_in(body + line) for key in keys)]
    return body + b"".join(ours) + own


# -- another key


def rotate(wired: Wired, *, by: str, reason: str, login: str) -> tuple[PublicKey, PublicKey]:
    """Exchange the vault's key; give the old public key and the new one."""
    old = wired.key
    path = wired.path("keys", _NEXT)
    next_key = VaultKey.load(path) if os.path.exists(path) else None
    new = next_key or VaultKey.create(path, old.public.name)
    sign_ledger(wired)  # what was written so far stays under the old key
    known = (wired.catalogue.fact(RETIRED_FACT) or "").split()
    if old.public.to_text() not in known:
        wired.catalogue.set_fact(RETIRED_FACT, " ".join([*known, old.public.to_text()]))
    note = rotation_note(old, new).decode()
    wired.ledger.append("key-rotated", note=note, by=by, reason=reason, login=login)
    del wired.key
    wired.__dict__.pop("signer", None)
    return old.public, wired.key.public


def finish_rotation(folder: str, ledger: Ledger) -> None:
    """Give the next key its name once the ledger says that both signed; else leave it."""
    path = os.path.join(folder, _NEXT)
    if not os.path.exists(path):
        return
    public = VaultKey.load(path).public
    for entry in ledger.entries():
        if entry.kind == KIND and _is_of(entry.body.get("note"), public):
            _put_in_force(path, folder)
            return


def _put_in_force(path: str, folder: str) -> None:
    os.replace(path, os.path.join(folder, "vault.key"))
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(OSError):
        os.fsync(fd)
    os.close(fd)


def _is_of(note: object, public: PublicKey) -> bool:
    return isinstance(note, str) and read_rotation(note.encode())[1] == public
