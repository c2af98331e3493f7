"""A second person's signature under the record of a restore test.

Rule 1: what is signed is the record that the vault made, byte for byte; the reader makes it anew
    from what it keeps and compares.
Rule 2: the vault's own signature stands in the envelope too, by another key than the cosigner's:
    one key is one person.
Rule 3: who operated the test does not prove it: a cosigner of that name is passed over.
Rule 4: signatures of keys that nobody knows here are left out of what is kept.
Source: design, section 7; DSSE 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vault.errors import SignatureError, UsageError
from vault.ledger.cosigning import Cosigner, CosignerKey
from vault.ledger.dsse import STATEMENT_PAYLOAD, Envelope, Public, RestoreTest, Statement
from vault.person import same_person


@dataclass(frozen=True, slots=True, kw_only=True)
class Countersigned:
    """A record that the vault and a second person signed."""

    envelope: Envelope  # with the signatures of keys known here, no others
    role: str  # the cosigner's name in vault.yaml
    key: Cosigner

    @property
    def proof(self) -> str:
        """Write role and key as ``ROLE+KEYID``."""
        return f"{self.role}+{self.key.key_id.hex()}"


def read_record(envelope: Envelope) -> RestoreTest:
    """Read what an envelope says, whoever signed it; SignatureError when it is no restore test."""
    if envelope.payload_type != STATEMENT_PAYLOAD:
        raise SignatureError("what was signed is of another type: {kind}", kind="DSSE")
    return RestoreTest.from_statement(Statement.from_payload(envelope.payload))


def countersign(envelope: Envelope, key: CosignerKey) -> Envelope:
    """Put one signature more under the record of a restore test; SignatureError, UsageError."""
    read_record(envelope)
    if envelope.signers([key.public]):
        raise UsageError("{key} has signed this record already", key=key.public.name)
    return envelope.signed_by(key)


def judge(
    envelope: Envelope,
    payload: bytes,
    *,
    vault: Sequence[Public],
    cosigners: Mapping[str, Cosigner],
    operator: str,
) -> Countersigned:
    """Give who proved the record ``payload``; SignatureError says why nobody did.

    ``vault`` are the keys that the vault has and had; ``cosigners`` stand by role; ``operator``
    is the declared name of who ran the test, empty when nobody was named.
    """
    if (envelope.payload_type, envelope.payload) != (STATEMENT_PAYLOAD, payload):
        raise SignatureError(
            "what was signed is not the record of this restore test",
            hint="is it the file of another test, or was it changed? "
            "coffre drill show --fiche --format dsse writes this one's",
        )
    own = envelope.signers(vault)
    if not own:
        raise SignatureError(
            "the vault's own signature is not under this record",
            hint="did the file come from coffre drill show --fiche --format dsse?",
        )
    second = _second(envelope, {key.raw for key in own}, cosigners)
    apart = {
        role: key
        for role, key in second.items()
        if not same_person(role, operator) and not same_person(key.name, operator)
    }
    if not apart:
        raise UsageError(
            "{name} cannot both operate and validate",
            name=operator,
            hint="who else can read the result? the validator is another person",
        )
    role, key = next(iter(apart.items()))
    return Countersigned(envelope=envelope.only_by([*own, *apart.values()]), role=role, key=key)


def _second(
    envelope: Envelope, own: set[bytes], cosigners: Mapping[str, Cosigner]
) -> dict[str, Cosigner]:
    """Give the cosigners that signed, by role; SignatureError when there is none."""
    found = {
        role: key
        for role, key in cosigners.items()
        if key.raw not in own and envelope.signers([key])
    }
    if not found:
        raise SignatureError(
            "no cosigner of vault.yaml signed this record",
            hint="is the key under evidence: cosigners: the one that signed?",
        )
    return found
