"""``coffre evidence``: export, verify, head, cosign, keygen, rotate.

Rule 1: ``cosign --key``, ``keygen`` and ``verify DIR --key`` need no vault: they run on the laptop
    of the person whose key it is.
Rule 2: a head may come from a file, from a stick, or pasted or scanned on standard input.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vault.cli.media import login_of_caller
from vault.cli.session import Session
from vault.cli.shown import wrapped
from vault.cli.standing import publish
from vault.cli.words import _, plural, retell
from vault.errors import CoffreError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.ledger.checkpoint import Checkpoint
    from vault.ledger.evidence import Trust, Verdict

_HEAD_MAX = 1 << 16
_SHOWN = 20


def export_command(session: Session, *, to: str) -> int:
    """Write everything that an auditor needs into an empty folder."""
    from vault.wiring.export import export

    wired = session.wired()
    wired.require_founded()
    made = export(wired, os.path.abspath(to))
    entries = plural("{count} entry", "{count} entries", made.head.size)
    heads = plural("{count} signed head", "{count} signed heads", made.heads)
    session.say(
        _("{entries}, {heads}: in {folder}").format(entries=entries, heads=heads, folder=to)
    )
    session.say(
        _("To verify without Coffre: python3 -I {script} {folder} --key KEY").format(
            script=os.path.join(to, "verify_evidence.py"), folder=to
        )
    )
    return session.emit(
        {
            "folder": os.path.abspath(to),
            "entries": made.head.size,
            "head": _head_members(made.head),
            "heads": made.heads,
        }
    )


# -- verify


def verify_command(
    session: Session, folder: str | None, *, ledger: bool, keys: Sequence[str], heads: Sequence[str]
) -> int:
    """Judge an export, or the ledger of this host; 4 when something does not hold."""
    from vault.ledger.evidence import verify

    if (folder is None) is not ledger:
        raise UsageError("verify takes a folder, or --ledger for this host's own")
    if folder is None:
        wired = session.wired()
        wired.require_founded()
        from vault.wiring.heads import ledger_path

        notes = [wired.checkpoints.read(size) or b"" for size in wired.checkpoints.sizes()]
        path, trust = ledger_path(wired), _trust(session, keys, heads)
    else:
        notes = [*_notes_of(folder)]
        path, trust = (
            os.fsencode(os.path.join(folder, "ledger.jsonl")),
            _trust(session, keys, heads),
        )
    verdict = verify(path, notes, trust, whole=folder is not None)
    return _show_verdict(session, verdict)


def _notes_of(folder: str) -> list[bytes]:
    heads = os.path.join(folder, "checkpoints")
    if not os.path.isdir(heads):
        raise UsageError(
            "{folder} is no export of evidence",
            folder=folder,
            hint="coffre evidence export made it?",
        )
    return [_read(os.path.join(heads, name)) for name in sorted(os.listdir(heads))]


def _trust(session: Session, keys: Sequence[str], heads: Sequence[str]) -> Trust:
    """Gather what is trusted: the keys given, else those of the vault on this host."""
    from vault.ledger.cosigning import Cosigner
    from vault.ledger.evidence import Trust
    from vault.ledger.notes import PublicKey, split_public

    kept = [_read(path) for path in heads]
    if not keys:
        wired = session.wired()
        wired.require_founded()
        from vault.wiring.heads import cosigners

        own = [wired.key.public, *wired.retired_keys]
        return Trust(keys=own, cosigners=[*cosigners(wired).values()], heads=kept)
    theirs = [key for key in keys if split_public(key, b"\x04")]
    vaults = [PublicKey.from_text(key) for key in keys if key not in theirs]
    if not vaults:
        raise UsageError("none of the keys is a vault's", hint="it stands on the recovery sheet")
    return Trust(keys=vaults, cosigners=[Cosigner.from_text(key) for key in theirs], heads=kept)


def _show_verdict(session: Session, verdict: Verdict) -> int:
    code = ExitCode.CORRUPT if verdict.problems else ExitCode.SOUND
    session.say(plural("{count} entry", "{count} entries", verdict.entries))
    if verdict.head is not None:
        session.say(_("newest head: {size} entries").format(size=verdict.head.size))
    for one in verdict.signatures:
        if one.at is not None:
            line = _("{size} entries were there by {at}, by the clock of {name}")
            session.say(line.format(size=one.size, at=_instant(one.at), name=one.name))
    for fault in verdict.problems[:_SHOWN]:
        text = retell(fault.reason)
        if fault.n is not None:
            text = _("entry {n}: {reason}").format(n=fault.n, reason=text)
        session.say(wrapped(text, indent=2))
    if not verdict.problems:
        session.say(_("All holds."))
    members: dict[str, object] = {
        "entries": verdict.entries,
        "head": None if verdict.head is None else _head_members(verdict.head),
        "signatures": [
            {
                "size": one.size,
                "name": one.name,
                "kind": "vault" if one.is_vault else "cosigner",
                "at": None if one.at is None else _instant(one.at),
            }
            for one in verdict.signatures
        ],
        "problems": [{"entry": fault.n, "reason": fault.reason} for fault in verdict.problems],
    }
    return session.emit(members, code)


# -- the head, and who signs it


def head_command(session: Session, *, since: int | None, qr: bool, to: str | None) -> int:
    """Sign the ledger as it stands, and give its head to be carried to a cosigner."""
    from vault.wiring.heads import request

    wired = session.wired()
    wired.require_founded()
    found = request(wired, since=since)
    _give(session, found.to_bytes(), qr=qr, to=to)
    return session.emit({**_head_members(found.checkpoint), "note": found.to_bytes().decode()})


def cosign_command(
    session: Session, head: str | None, *, key: str, vault_key: str | None, qr: bool, to: str | None
) -> int:
    """Put one's own signature and time under a head; refused when it goes back on an older one."""
    from vault.ledger.cosigning import CosignerKey, Request
    from vault.ledger.notes import PublicKey

    own = CosignerKey.load(key)
    request = Request.from_bytes(_read(head))
    if vault_key is not None:
        PublicKey.from_text(vault_key).verify(request.note)
    at = int(time.time())
    cosigned = own.cosign(request, at=at)
    size = request.checkpoint.size
    if cosigned.is_proven:
        line = _("This head of {size} entries continues the one of {seen} that was seen last.")
    elif cosigned.seen_size:
        line = _("That {size} entries continue the {seen} seen last was not proven by what came.")
    else:
        line = _("The first head of this vault that this key sees: {size} entries.")
    print(line.format(size=size, seen=cosigned.seen_size), file=sys.stderr)  # noqa: T201
    _give(session, cosigned.note, qr=qr, to=to)
    signers = [{"name": own.public.name, "at": _instant(at)}]
    members = {**_head_members(request.checkpoint), "note": cosigned.note.decode()}
    return session.emit({**members, "cosigned": signers})


def add_command(session: Session, head: str) -> int:
    """Import a cosigned head after judging it; who signed and when goes into the ledger."""
    from vault.wiring.heads import add_cosignature

    wired = session.wired()
    data = _read(head)
    with wired.locked(is_brief=True):
        found, signers = add_cosignature(wired, data, login=login_of_caller())
        publish(wired)
    for name, at in signers.items():
        line = _("{name} cosigned {size} entries at {at}: noted.")
        session.say(line.format(name=name, size=found.size, at=_instant(at)))
    note = wired.checkpoints.read(found.size) or b""
    told = [{"name": name, "at": _instant(at)} for name, at in signers.items()]
    return session.emit({**_head_members(found), "note": note.decode(), "cosigned": told})


def keygen_command(session: Session, name: str, *, to: str | None) -> int:
    """Make a cosigner's key on this machine; print the public line for vault.yaml."""
    from vault.ledger.cosigning import CosignerKey

    path = os.path.abspath(to or f"{name}.key")
    key = CosignerKey.create(path, name)
    line = key.public.to_text()
    session.say(_("The private key is in {path}: it never leaves this machine.").format(path=path))
    session.say(_("For vault.yaml, and for auditors:"))
    session.say(f"  evidence: {{cosigners: {{{name}: {{key: {line}}}}}}}")
    return session.emit({"name": name, "file": path, "key": line})


def rotate_command(session: Session, *, reason: str, by: str, yes: bool) -> int:
    """Exchange the vault's key; the ledger keeps a statement that both keys signed."""
    from vault.wiring.heads import rotate

    if not yes:
        raise UsageError(
            "another key changes what stands on every recovery sheet",
            hint="is a printer at hand? then the same with --yes",
        )
    wired = session.wired()
    with wired.locked(is_brief=True):
        old, new = rotate(wired, by=by, reason=reason, login=login_of_caller())
        publish(wired)
    session.say(_("The vault's key is exchanged. Write it on every recovery sheet:"))
    session.say("  " + new.to_text())
    session.say(_("The old one signs nothing any more; copies of its file may be destroyed."))
    return session.emit({"old": old.to_text(), "new": new.to_text()})


# -- in and out


def _read(path: str | None) -> bytes:
    """Read a head from a file, or from standard input until its end."""
    if path in (None, "-"):
        return sys.stdin.read(_HEAD_MAX).encode()
    assert path is not None
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD_MAX)
    except OSError as error:
        raise UsageError(
            "{path} cannot be read: {reason}",
            path=path,
            reason=error.strerror or str(error),
            hint="where is the file with the head?",
        ) from error


def _give(session: Session, note: bytes, *, qr: bool, to: str | None) -> None:
    """Print a head, or write it to a file: a picture when the name ends as one."""
    from vault.cli.qr import PICTURES, as_picture, in_terminal

    if to is not None:
        ending = os.path.splitext(to)[1].lower()
        try:
            with open(to, "wb") as file:
                file.write(as_picture(note, ending) if ending in PICTURES else note)
        except OSError as error:
            raise CoffreError(
                "{path} cannot be written: {reason}",
                path=to,
                reason=error.strerror or str(error),
                hint="may this account write there?",
            ) from error
    if qr:
        session.say(in_terminal(note))
    if to is None and not qr:
        session.say(note.decode().rstrip("\n"))


def _head_members(head: Checkpoint) -> dict[str, object]:
    return {"origin": head.origin, "size": head.size, "root": head.root.hex()}


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
