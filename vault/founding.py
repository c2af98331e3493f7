"""Making a vault: landing, its two keys, the vault's own key, and the recovery sheet.

Rule 1: run twice it changes nothing; run after a death it finishes what was begun.
Rule 2: both keys of the landing exist before anything is pinned, and pins before any target.
Rule 3: the recovery password is shown once, never kept; until a person has read it back the
    vault stays red.
Rule 4: neither password is ever inside the repository.
Source: design, sections 2 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vault.admission import Pins
from vault.errors import SecretError
from vault.ports import Clock
from vault.records import CataloguePort, LedgerPort
from vault.secret import Secret

CONFIRMED_FACT = "keys_confirmed_at"
KEY_FACT = "landing_key"  # the id of the landing password's key: restic tries it first
SHEET_FACT = "recovery_sheet_at"


class NewLanding(Protocol):
    """What founding asks of the landing repository."""

    def exists(self) -> bool:
        """Whether the repository is there."""
        ...

    def init(self) -> frozenset[str]:
        """Make it, with the landing password."""
        ...

    def add_key(self, password: Secret, *, user: str) -> object:
        """Add a key that opens with another password."""
        ...

    def opens_with(self, password: Secret) -> bool:
        """Whether a password opens it."""
        ...

    def read_pins(self) -> Pins:
        """Read what is to be pinned."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySheet:
    """What is printed once and put in a safe."""

    password: Secret
    repository_id: str
    vault_key: str  # the public key, as text
    made_at: datetime


@dataclass(slots=True, kw_only=True)
class Founding:
    """Makes what is missing of a vault."""

    catalogue: CataloguePort
    ledger: LedgerPort
    landing: NewLanding
    vault_key: str
    clock: Clock

    def found(self, password: str) -> RecoverySheet | None:
        """Make landing, second key and pins; the sheet when it was made just now.

        ``password`` is a fresh recovery password, used only when none was printed before.
        """
        if not self.landing.exists():
            ids = self.landing.init()
            self.catalogue.set_fact(KEY_FACT, next(iter(ids)))
            self.ledger.append("landing-made")
        if self.catalogue.fact(SHEET_FACT):
            return None
        secret = Secret(password.encode())
        self.landing.add_key(secret, user="recovery")
        pins = self.landing.read_pins()
        self.catalogue.set_fact("repository_id", pins.repository_id)
        self.catalogue.set_fact("config_sha256", pins.config_sha256)
        self.catalogue.set_fact("keys", " ".join(sorted(pins.keys)))
        now = self.clock.now()
        self.ledger.append(
            "vault-founded",
            repository_id=pins.repository_id,
            config_sha256=pins.config_sha256,
            keys=sorted(pins.keys),
            vault_key=self.vault_key,
        )
        return RecoverySheet(
            password=secret,
            repository_id=pins.repository_id,
            vault_key=self.vault_key,
            made_at=now,
        )

    def note_printed(self, sheet: RecoverySheet) -> None:
        """Note that a person has the sheet; before, a founding that died makes another one."""
        self.catalogue.set_fact(SHEET_FACT, sheet.made_at.isoformat())

    def confirm(self, typed: Secret) -> None:
        """Read the recovery password back: restic itself must open with it; SecretError."""
        if not self.landing.opens_with(typed):
            self.ledger.append("recovery-password-refused")
            raise SecretError(
                "the landing does not open with this recovery password",
                hint="was it read from the sheet of this vault? type it group by group",
            )
        self.catalogue.set_fact(CONFIRMED_FACT, self.clock.now().isoformat())
        self.ledger.append("recovery-password-confirmed")
