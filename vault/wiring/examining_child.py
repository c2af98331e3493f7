"""The child that examines some files of a reception and answers with one line each.

Rule 1: standard output carries packed findings in base64, or one error as JSON, and nothing else.
Rule 2: with other tables than its parent's it examines nothing.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from vault.catalogue.findings import pack_finding
from vault.clock import SystemClock
from vault.config import load_formats
from vault.errors import SourceError
from vault.inspection.examiner import FileExaminer
from vault.inspection.registry import load_registry
from vault.results import ManifestEntry
from vault.wiring.formats import pmsi_inspectors

if TYPE_CHECKING:
    from typing import BinaryIO


def examine(request: dict[str, Any], out: BinaryIO) -> None:
    """Examine what is asked for; each finding is written as it is made."""
    examiner = FileExaminer(
        load_registry(pmsi_inspectors(load_formats(request["policies"]))),
        seed=bytes.fromhex(request["seed"]),
        clock_s=SystemClock().boot_s,
    )
    if examiner.tables != request["tables"]:
        raise SourceError(
            "the tables of formats changed while they were in use",
            hint="was coffre updated during the night? the next night uses the new tables",
        )
    reception = base64.b64decode(request["reception"])
    entries = [
        ManifestEntry(
            path=base64.b64decode(path), size_bytes=size_bytes, mtime_ns=mtime_ns, sha256=sha256
        )
        for path, size_bytes, mtime_ns, sha256 in request["files"]
    ]
    for finding in examiner.examine_each(reception, entries):
        out.write(base64.b64encode(pack_finding(finding)) + b"\n")


def main() -> None:
    """Read the request from standard input, answer on standard output."""
    request = json.load(sys.stdin.buffer)
    # What a library prints must not stand among the answers.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        examine(request, out)
    except SourceError as error:
        told = {"template": error.template, "hint": error.hint_template, "values": error.values}
        out.write(json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    main()
