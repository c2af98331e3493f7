"""``coffre drill sign`` and ``cosign``: a referent's word on a restore test, typed or proven.

Rule 1: ``cosign`` needs no vault: it runs on the laptop of the person whose key it is, and shows
    what is signed before it signs; without a key it only shows.
Rule 2: a typed name is declared; only a key that vault.yaml knows proves a second person.
Rule 3: what comes from a file is shown with its control characters escaped.
Source: design, section 7; ``docs/decisions/0021-a-second-person-signs-the-record-of-the-test.md``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vault.cli.drilling import members_of, record_of, signature_line
from vault.cli.hooks import publish_all
from vault.cli.media import login_of_caller
from vault.cli.reporting import write_new
from vault.cli.session import Session
from vault.cli.shown import wrapped
from vault.cli.words import _
from vault.errors import UsageError
from vault.names import printable

if TYPE_CHECKING:
    from vault.fiche import DrillRecord, Signature
    from vault.ledger.countersigning import Countersigned
    from vault.ledger.dsse import Envelope, RestoreTest
    from vault.wiring.wired import Wired


# -- on the cosigner's machine


def cosign_command(
    session: Session, file: str, *, key: str | None, vault_key: str | None, out: str | None
) -> int:
    """Show the record of a restore test and, with a key, put one's own signature under it."""
    from vault.ledger.cosigning import CosignerKey
    from vault.ledger.countersigning import countersign, read_record
    from vault.ledger.dsse import Envelope

    if out is not None and key is None:
        raise UsageError("--out writes what was signed", hint="with which key? --key FILE")
    envelope = Envelope.from_bytes(_read(file))
    record = read_record(envelope)
    if vault_key is not None:
        _require_vault(envelope, vault_key)
    _show(record)
    if key is None:
        return session.emit(_members(record, envelope, ""))
    own = CosignerKey.load(key)
    signed = countersign(envelope, own)
    if out is not None:
        write_new(out, signed.to_bytes())
    elif not session.as_json:
        session.say(signed.to_bytes().decode().rstrip("\n"))
    _tell(_("Signed by {name}.").format(name=own.public.name))
    return session.emit(_members(record, signed, own.public.to_text()))


def _require_vault(envelope: Envelope, text: str) -> None:
    from vault.errors import SignatureError
    from vault.ledger.notes import PublicKey

    if not envelope.signers([PublicKey.from_text(text)]):
        raise SignatureError(
            "the vault's own signature is not under this record",
            hint="did the file come from coffre drill show --fiche --format dsse?",
        )


def _show(record: RestoreTest) -> None:
    """Tell what is signed, to standard error: standard output is for the envelope."""
    rows = (
        (_("test"), record.drill),
        (_("source"), record.source),
        (_("point"), f"{record.snapshot_id[:16]}, {_('night {cycle}').format(cycle=record.cycle)}"),
        (_("from"), record.origin),
        (_("level"), record.level_reached or "-"),
        (_("verdict"), record.verdict),
        (_("begun"), record.started_at),
        (_("ended"), record.ended_at),
        (_("files"), f"{record.files}, {record.mismatches} ≠"),
    )
    for head, value in rows:
        _tell(f"{head}: {_safe(value)}")
    _tell(_("Not tested:"))
    for line in record.not_tested:
        _tell(f"  - {_safe(line)}")
    _tell(
        _("Who signs this says: I read this record, and the data of this point are back in "
          "production and were read (L4).")
    )  # fmt: skip


def _members(record: RestoreTest, envelope: Envelope, key: str) -> dict[str, object]:
    return {
        "drill": record.drill,
        "source": record.source,
        "snapshot_id": record.snapshot_id,
        "cycle": record.cycle,
        "level_reached": record.level_reached or None,
        "verdict": record.verdict,
        "begun_at": record.started_at,
        "ended_at": record.ended_at,
        "key": key or None,
        "envelope": envelope.to_members(),
    }


def _tell(text: str) -> None:
    print(wrapped(text, indent=4), file=sys.stderr)  # noqa: T201


def _safe(text: str) -> str:
    return printable(text.encode("utf-8", "surrogatepass"))


def _read(path: str) -> bytes:
    from vault.ledger.dsse import ENVELOPE_MAX

    try:
        with open(path, "rb") as file:
            return file.read(ENVELOPE_MAX + 1)
    except OSError as error:
        raise UsageError(
            "{path} cannot be read: {reason}",
            path=path,
            reason=error.strerror or str(error),
            hint="where is the file with the record?",
        ) from error


# -- on the vault host


def sign_command(session: Session, number: int, *, by: str, envelope: str | None) -> int:
    """Keep a business referent's word that the data are back in production: L4."""
    from vault.wiring.drills import countersigned

    data = None if envelope is None else _read(envelope)
    wired = session.wired()
    wired.require_founded()
    with wired.locked(is_brief=True):
        record = record_of(wired, number)
        found = None if data is None else countersigned(wired, record, data)
        _keep(wired, record, " ".join(by.split()), found)
        publish_all(wired)
    record = record_of(wired, number)
    assert record.signature is not None
    session.say(wrapped(signature_line(record.signature, wired.settings.time_zone), indent=2))
    return session.emit(members_of(record))


def _keep(wired: Wired, record: DrillRecord, by: str, found: Countersigned | None) -> None:
    """Write the signature into the ledger, then into the catalogue; UsageError before either."""
    from vault.fiche import require_signable
    from vault.wiring.heads import enrol_cosigner

    signature = _signature(wired, by, found)
    require_signable(record, signature)
    proven: dict[str, object] = {}
    if found is not None:
        enrol_cosigner(wired, found.key, login=signature.login)
        proven = {"key": found.key.to_text(), "envelope": found.envelope.to_members()}
    wired.ledger.append(
        "drill-signed",
        drill=record.number,
        source=record.source,
        by=signature.by,
        login=signature.login,
        proof=signature.proof,
        **proven,
    )
    wired.catalogue.sign_drill(record.number, signature)


def _signature(wired: Wired, by: str, found: Countersigned | None) -> Signature:
    from vault.fiche import DECLARED, Signature

    return Signature(
        by=by or (found.role if found else ""),
        login=login_of_caller(),
        at=wired.clock.now(),
        proof=found.proof if found else DECLARED,
    )
