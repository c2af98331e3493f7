"""What the vault can prove: the ledger, the signing key, and what is signed with it.

Rule 1: importing this package loads neither the database layer nor the cryptographic one, so that
    a command which only reads stays quick.
"""

from __future__ import annotations

from vault.ledger.journal import Ledger
from vault.ledger.lines import Entry, Problem
from vault.records import LedgerHead

__all__ = ["Entry", "Ledger", "LedgerHead", "Problem"]
