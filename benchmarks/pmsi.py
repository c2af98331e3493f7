"""How fast PMSI lines are judged, beside a bare loop that reads and counts the same lines.

Rule 1: the same file, warm in the page cache, in turn; the best of several of each is compared,
    in seconds of the processor, so that a busy host does not decide.
Rule 2: what is measured is version, length with its counters, FINESS and month of every line.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from random import Random

from vault.config import load_formats
from vault.formats import Span
from vault.inspection.pmsi_reader import Reader, Readers
from vault.inspection.pmsi_tally import tally_stream

GOALS = {"pmsi_lines_vs_bare_loop": 0.25}
_RECORDS = (("rsa", "228"), ("rss_groupe", "122"), ("rpss_brut", "H0F"))
_MADE, _ROUNDS = 10_000, 5


def pmsi_lines(lines: int = 1_000_000) -> dict[str, float]:
    """Give how fast we are beside the bare loop: the slowest record first, then each by name."""
    readers = Readers(load_formats())
    ratios = {}
    for record, version in _RECORDS:
        reader = next(one for one in readers.of_record[record] if one.id == version)
        with tempfile.NamedTemporaryFile() as file:
            block = b"".join(_line(reader, Random(n)) + b"\n" for n in range(_MADE))
            for _ in range(max(1, lines // _MADE)):
                file.write(block)
            file.flush()
            bare_s = _best(lambda name=file.name: _count(name))
            ours_s = _best(lambda name=file.name: _tally(name, readers))
        ratios[f"pmsi_lines_{record}"] = round(bare_s / ours_s, 3)
    return {"pmsi_lines_vs_bare_loop": min(ratios.values()), **ratios}


def _line(reader: Reader, dice: Random) -> bytes:
    rule = reader.rules[0]
    numbers = [dice.choice((0, 0, 0, 1, 1, 2)) for _ in rule.add]
    line = bytearray(b"X" * (rule.expected(numbers) or 0))
    month, year = reader.row.period.spans if reader.row.period else ()
    puts: list[tuple[Span | None, str]] = [
        (reader.row.finess_at, "990000010"),
        (reader.row.version_at, reader.id),
        (month, f"{dice.randint(1, 12):02}"),
        (year, "2024"),
        *((one.at, f"{n:0{one.at.width}}") for one, n in zip(rule.add, numbers, strict=True)),
    ]
    for span, text in puts:
        if span is not None:
            line[span.first - 1 : span.last] = text.encode("ascii")
    return bytes(line)


def _count(name: str) -> int:
    count = 0
    with open(name, "rb") as file:
        for _ in file:
            count += 1
    return count


def _tally(name: str, readers: Readers) -> int:
    with open(name, "rb", buffering=0) as file:
        tally = tally_stream(file, readers)
    assert not tally.strangers
    assert sum(row.misfits for row in tally.rows) == 0
    return tally.lines


def _best(work: Callable[[], int]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        before = time.process_time()
        work()
        seconds.append(time.process_time() - before)
    return min(seconds)


if __name__ == "__main__":
    print(pmsi_lines(int(os.environ.get("LINES", "1000000"))))
