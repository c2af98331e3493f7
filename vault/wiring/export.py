"""The evidence as a folder that can be given away: ledger, heads, and the verifier itself.

Rule 1: what is exported ends at a signed head: no entry in it is under no signature.
Rule 2: nothing is taken out or changed; nothing but the ledger and its heads is put in.
Rule 3: the folder was empty before.
Source: contract, "Evidence export".
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.errors import CoffreError, DestinationNotEmpty
from vault.ledger import verify_evidence
from vault.ledger.audit import read_lines
from vault.ledger.checkpoint import Checkpoint
from vault.wiring.heads import ledger_path, sign_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vault.wiring.wired import Wired

_README = """\
Preuves d'un coffre Coffre / Evidence of a Coffre vault

    python3 -I verify_evidence.py . --key CLE_DU_COFFRE --key CLE_DU_COSIGNATAIRE

Prenez les clés sur la fiche de secours et auprès des personnes, jamais dans ce dossier.
Take the keys from the recovery sheet and from the persons, never from this folder.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    head: Checkpoint
    heads: int


def export(wired: Wired, folder: str) -> Exported:
    """Write the evidence into an empty folder; DestinationNotEmpty, LedgerError."""
    head = Checkpoint.peek(sign_ledger(wired))
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        if os.listdir(folder):
            raise DestinationNotEmpty(
                "{folder} already holds something",
                folder=folder,
                hint="is there an empty folder to export into?",
            )
        _write(os.path.join(folder, "ledger.jsonl"), _first(wired, head.size))
        os.mkdir(os.path.join(folder, "checkpoints"), mode=0o755)
        sizes = [size for size in wired.checkpoints.sizes() if size <= head.size]
        for size in sizes:
            note = wired.checkpoints.read(size)
            assert note is not None
            _write(os.path.join(folder, "checkpoints", str(size)), [note])
        shutil.copyfile(verify_evidence.__file__, os.path.join(folder, "verify_evidence.py"))
        _write(os.path.join(folder, "README.txt"), [_README.encode()])
    except OSError as error:
        raise CoffreError(
            "{path} cannot be written: {reason}",
            path=folder,
            reason=error.strerror or str(error),
            hint="may this account write there?",
        ) from error
    return Exported(head=head, heads=len(sizes))


def _first(wired: Wired, count: int) -> Iterable[bytes]:
    """Give the first so many lines of the ledger."""
    for n, line in enumerate(read_lines(ledger_path(wired))):
        if n == count:
            return
        yield line


def _write(path: str, parts: Iterable[bytes]) -> None:
    with open(path, "xb") as file:
        file.writelines(parts)
