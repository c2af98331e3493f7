"""What is told of many lines at once is what each of them says."""

from __future__ import annotations

import io
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rigs.pmsi_lines import make_line, text_of
from vault.config import load_formats
from vault.formats import Span
from vault.inspection.budget import Budget, LongLine
from vault.inspection.content import Content
from vault.inspection.pmsi_block import Block, block_of
from vault.inspection.pmsi_reader import Judged, Reader, Readers
from vault.inspection.pmsi_tally import count_lines, tally_stream

READERS = Readers(load_formats())
EACH = [reader for readers in READERS.of_record.values() for reader in readers if reader.rules]


def told_at_once(reader: Reader, block: Block) -> Counter[Judged] | None:
    told = reader.tell(block)
    if told is None:
        return None
    return sum((Counter({reader.judged(one): n}) for one, n in told.items()), Counter[Judged]())


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_lines_at_once_say_what_each_says(data: st.DataObject) -> None:
    """Of any version, whatever their counters and months; of spoilt ones, when anything is told."""
    reader = data.draw(st.sampled_from(EACH))
    dice = Random(data.draw(st.integers(0, 9999)))
    rule = dice.choice(reader.rules)
    lines = [
        make_line(reader, rule, month=dice.randint(1, 12), dice=dice)
        for _ in range(data.draw(st.integers(1, 300)))
    ]
    is_spoilt = data.draw(st.booleans())
    if is_spoilt:
        for _ in range(data.draw(st.integers(1, 3))):
            n = dice.randrange(len(lines))
            at = dice.randrange(max(reader.least, 1) + 2)
            put = data.draw(st.sampled_from([b"", b" ", b"0", b"9", b"X", b"00"]))
            lines[n] = lines[n][:at] + put + lines[n][at + 1 :]
    lines = [line for line in lines if line]
    block = block_of(text_of(lines, data.draw(st.sampled_from([b"\n", b"\r\n"]))))
    assert block is not None
    found = told_at_once(reader, block)
    each = Counter(reader.judge(reader.key_of(line)) for line in lines)
    assert found is None or found == each
    is_whole = min(map(len, lines)) >= reader.least
    if not is_spoilt and is_whole and rule.fixed is not None and not rule.label:
        assert found == each


@given(
    pieces=st.lists(st.sampled_from([b"", b"a", b"bc", b"\r", b"d\re"]), min_size=1),
    end=st.sampled_from([b"\n", b"\r\n"]),
    other=st.sampled_from([b"\n", b"\r\n"]),
)
def test_lines_of_a_block_are_those_of_the_text(
    pieces: list[bytes], end: bytes, other: bytes
) -> None:
    """Both ends of line, also in turn; a return within a line is the line's; none is empty."""
    text = b"".join(one + (other if n % 2 else end) for n, one in enumerate(pieces))
    wanted = [line for line in text.replace(b"\r\n", b"\n").split(b"\n") if line]
    block = block_of(text)
    assert (list(block.lines) if block else []) == wanted
    if block:
        assert block.count == len(wanted)
        assert block.first == wanted[0]
        assert block.lengths == set(map(len, wanted))
        assert block.lay(1)
        assert block.at(Span(first=1, last=1)) == [b"".join(line[:1] for line in wanted)]


def test_numbers_past_what_a_lane_holds_are_asked_one_by_one() -> None:
    """A counter of five figures times its size would run over into the next line."""
    reader = next(one for one in READERS.of_record["rsa"] if one.id == "228")
    rule = reader.rules[0]
    lines = [make_line(reader, rule, numbers=[0, 0, 0, 0, n]) for n in (0, 3000)]
    assert len(lines[1]) == 262 + 24 * 3000
    assert reader.tell(Block(lines)) is None
    (row,) = tally_stream(io.BytesIO(text_of(lines)), READERS).rows
    assert (row.lines, row.misfits) == (2, 0)


def test_expected_record_without_version_is_counted_at_once_and_another_is_not() -> None:
    """An identity line of the right length is one, whatever stands where others say a version."""
    reader = READERS.of_record["ano_out"][0]
    rule = next(rule for rule in reader.rules if rule.fixed == 1103)
    line = bytearray(make_line(reader, rule))
    line[9:12] = b"228"
    (row,) = tally_stream(
        io.BytesIO(text_of([bytes(line)] * 9)), READERS, record="ano_out", pmsi_field="MCO"
    ).rows
    assert (row.reader.record.name, row.lines) == ("ano_out", 9)
    short = tally_stream(
        io.BytesIO(text_of([bytes(line[:-1])] * 9)), READERS, record="ano_out", pmsi_field="MCO"
    )
    assert sum(row.lines for row in short.rows) == 0


@pytest.mark.parametrize(
    ("content", "lines", "is_unfinished"),
    [(b"", 0, False), (b"a\n\nb\r\n\r\n", 2, False), (b"a\nb", 2, True)],
)
def test_lines_that_no_table_describes_are_only_counted(
    content: bytes, lines: int, is_unfinished: bool
) -> None:
    """Each is a stranger; empty ones are none."""
    made = Content(b"a.sta", len(content), lambda: io.BytesIO(content), budget=Budget())
    tally = count_lines(made)
    assert (tally.lines, tally.strangers, tally.rows) == (lines, lines, [])
    assert (tally.is_unfinished, tally.last_is_whole) == (is_unfinished, not is_unfinished)


@pytest.mark.parametrize("lead", [b"", (b"a" * 999 + b"\n") * 600])
def test_a_line_past_the_bound_is_met_wherever_it_stands(lead: bytes) -> None:
    """At the beginning, and after many blocks; one within it is not."""
    assert tally_stream(io.BytesIO(lead + b"9" * (1 << 20) + b"\n"), READERS).strangers
    with pytest.raises(LongLine):
        tally_stream(io.BytesIO(lead + b"9" * ((1 << 20) + 1) + b"\n"), READERS)
