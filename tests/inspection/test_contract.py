"""What every inspector promises, whatever its format."""

from __future__ import annotations

import io
import os
import time
import tracemalloc
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import IO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.inspection.specimens import MARKS, SPECIMENS
from vault.finding import Finding, Soundness
from vault.inspection import Registry, load_registry
from vault.inspection.budget import Budget, Limits, OverBudget
from vault.inspection.content import Content
from vault.inspection.inspector import Inspector

IS_LONG = "COFFRE_TEST_LONG" in os.environ
INSPECTORS = load_registry().inspectors
KINDS = [one.kind for one in INSPECTORS]
MADE = pytest.mark.parametrize(
    ("name", "kind", "make"), SPECIMENS, ids=[f"{kind}-{name}" for name, kind, _ in SPECIMENS]
)
EVERY = pytest.mark.parametrize("inspector", INSPECTORS, ids=KINDS)


@cache
def whole_registry() -> Registry:
    return load_registry()


def look(content: bytes, name: str, inspector: Inspector | None = None) -> Finding:
    """Inspect bytes, by one inspector or by the surest; only OverBudget may come through."""
    registry = whole_registry()
    file = Content(
        name.encode(),
        len(content),
        lambda: cast("IO[bytes]", io.BytesIO(content)),
        budget=Budget(limits=Limits(seconds=60)),
        judge=registry.judge,
        is_seekable=True,
    )
    try:
        return Registry([inspector]).judge(file) if inspector else registry.judge(file)
    finally:
        file.finish()


def forced(inspector: Inspector, content: bytes) -> None:
    """Have an inspector read what it may not even recognise, as the registry would."""

    class Sure:
        kind = inspector.kind
        recognises = staticmethod(lambda head, name: 100)
        inspect = staticmethod(inspector.inspect)

    finding = look(content, "export", cast("Inspector", Sure()))
    assert finding.kind == inspector.kind


@MADE
def test_own_specimen_is_recognised_and_sound(name: str, kind: str, make: object) -> None:
    """As what it is, by all inspectors together, with something counted."""
    finding = look(make(), name)
    assert (finding.kind, finding.soundness) == (kind, Soundness.SOUND), finding.remarks
    assert sum(finding.counts.values())


def test_every_inspector_has_a_specimen() -> None:
    """None is left out of this contract."""
    assert set(KINDS) - {kind for _, kind, _ in SPECIMENS} == set()


@MADE
def test_content_decides_and_not_the_name(name: str, kind: str, make: object) -> None:
    """A file without a telling name is what it was; a table needs its name to be sure of."""
    assert look(make(), "export").kind == kind


@MADE
def test_finding_carries_no_content(name: str, kind: str, make: object) -> None:
    """Neither names nor numbers of what was read, sound or cut or damaged."""
    content = make()
    dice = Random(3)
    damaged = bytearray(content)
    for _ in range(20):
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
    for one in (content, content[: len(content) * 2 // 3], bytes(damaged)):
        told = repr(look(one, name)).upper()
        assert not [mark for mark in (*MARKS, "ZYGENE", "LANDE") if mark in told]


# A name or a number where an inspector looks for something to tell: kind, what is put for what.
TOLD = (
    ("dsn", b"'P24V01'", b"'ZYGENE'"),
    ("dsn", b"'01112024'", b"'0991299999041'"),
    ("pes", b'TypFic V="PESALR2"', b'TypFic V="PESALRZYGENE"'),
    ("pes", b'<Exer V="2024"', b'<Exer V="ZYGENE"'),
    ("hl7v2", b"ADT^", b"ZYGENE^"),
    ("hl7v2", b"ADT^", b"ZYG^"),
    ("hl7v2", b"|2.5^", b"|ZYGENE^"),
    ("hprim-sante", b"H2.1~C", b"ZYGENE"),
    ("fhir-ndjson", b'"resourceType":"Patient"', b'"resourceType":"Zygene"'),
    ("fhir-ndjson", b'"resourceType": "Patient"', b'"resourceType": "Zygene"'),
    ("dicom", b"CS\2\0OT", b"CS\6\0ZYGENE"),
    ("postgres-custom", b"15.4 (Debian)", b"ZYGENE       "),
    ("postgres-sql", b"version 15.4", b"version ZYGENE"),
    ("icalendar", b"20241130", b"ZYGENE"),
    ("mbox", b" 2024\n", b" ZYGENE\n"),
    ("pdf", b"%PDF-1.7", b"%PDF-ZYGENE"),
    ("mysql-sql", b"on 2024-11-30", b"on ZYGENE"),
)


@pytest.mark.parametrize(("kind", "lawful", "mark"), TOLD)
def test_name_in_a_told_place_is_not_told(kind: str, lawful: bytes, mark: bytes) -> None:
    """Only what looks like a norm, a type, a version or a date leaves a file."""
    made = [(name, make()) for name, one, make in SPECIMENS if one == kind]
    marked = [(name, content.replace(lawful, mark)) for name, content in made if lawful in content]
    assert marked
    for name, content in marked:
        told = repr(look(content, name)).upper()
        assert "ZYG" not in told
        assert "0991299999041" not in told


@MADE
def test_same_content_gives_the_same_finding(name: str, kind: str, make: object) -> None:
    """Nothing is kept from one file to the next."""
    content = make()
    first = look(content, name)
    look(content[: len(content) // 2], name)
    assert look(content, name) == first


@MADE
def test_cut_at_any_offset_is_an_answer(name: str, kind: str, make: object) -> None:
    """A parser never fails on it, and half a file is never another format's sound one."""
    content = make()
    dice = Random(5)
    count = 200 if IS_LONG else 12
    for at in {0, 1, 2, *(dice.randrange(len(content)) for _ in range(count))}:
        finding = look(content[:at], name)
        assert finding.kind in (kind, "opaque", "csv", "xml") or finding.soundness is not (
            Soundness.SOUND
        )


@EVERY
def test_nothing_and_noise_are_an_answer(inspector: Inspector) -> None:
    """Empty, one byte, noise, zeros, and text that is not theirs."""
    dice = Random(1)
    for content in (b"", b"\n", b"\0", dice.randbytes(70_000), bytes(70_000), b"a;b\r\n" * 5000):
        forced(inspector, content)


@EVERY
def test_no_inspector_claims_noise(inspector: Inspector) -> None:
    """Of a hundred draws of noise, and of nothing, not one is sure to be its own."""
    dice = Random(2)
    for content in (b"", *(dice.randbytes(4096) for _ in range(100))):
        assert inspector.recognises(content, b"export") == 0


@EVERY
def test_no_inspector_claims_what_another_is_sure_of(inspector: Inspector) -> None:
    """At most one is as sure as can be of a specimen."""
    for name, kind, make in SPECIMENS:
        if kind != inspector.kind:
            head = make()[:65536]
            own = next(one for one in INSPECTORS if one.kind == kind)
            mine = inspector.recognises(head, name.encode())
            assert mine < own.recognises(head, name.encode()), (inspector.kind, kind)


@EVERY
@settings(
    max_examples=300 if IS_LONG else 6,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
@given(data=st.data())
def test_fuzzed_specimens_are_an_answer(inspector: Inspector, data: st.DataObject) -> None:
    """Bytes changed, dropped and doubled anywhere."""
    specimens = [make() for _, kind, make in SPECIMENS if kind == inspector.kind]
    content = bytearray(data.draw(st.sampled_from(specimens)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        match data.draw(st.sampled_from(("change", "drop", "double"))):
            case "change":
                content[at : at + 1] = data.draw(st.binary(min_size=1, max_size=4))
            case "drop":
                del content[at : at + data.draw(st.integers(1, 64))]
            case "double":
                content[at:at] = content[at : at + 64] * 2
    forced(inspector, bytes(content))


class Endless(io.RawIOBase):
    """A file of some size that is made as it is read: a specimen's head, then a filling."""

    def __init__(self, head: bytes, filling: bytes, size_bytes: int) -> None:
        self._head, self._filling, self._size = head, filling, size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = (0, self._at, self._size)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._size - self._at))
        for at in range(0, count, 65536):
            part = min(65536, count - at)
            buffer[at : at + part] = self._bytes(self._at + at, part)
        self._at += count
        return count

    def _bytes(self, at: int, count: int) -> bytes:
        head = self._head[at : at + count]
        rest = count - len(head)
        phase = (at + len(head) - len(self._head)) % len(self._filling)
        times = (phase + rest) // len(self._filling) + 1
        return head + (self._filling * times)[phase : phase + rest]


SIZE = 64 * 1024**2
PEAK_BYTES = 48 * 1024**2  # the longest line of a format is 16 MiB, and is held twice
SHORT = ("dsn", "pes", "hl7v2", "csv", "fhir-ndjson")


def fillings() -> Iterator[object]:
    """Give for each specimen what repeats in it, and a line that has no end."""
    for name, kind, make in SPECIMENS:
        content = make()
        repeated = content[len(content) // 3 : len(content) // 2]
        for filling, head in ((repeated, content), (b"x", content[: len(content) // 2])):
            marks = () if kind in SHORT else (pytest.mark.long,)
            yield pytest.param(name, kind, head, filling, marks=marks, id=f"{name}-{len(filling)}")


@pytest.mark.parametrize(("name", "kind", "head", "filling"), list(fillings()))
def test_memory_and_time_are_bounded(name: str, kind: str, head: bytes, filling: bytes) -> None:
    """A large file, and one whose last line never ends, cost a few blocks and some seconds."""
    inspector = next(one for one in INSPECTORS if one.kind == kind)
    content = Content(
        name.encode(),
        SIZE,
        lambda: cast("IO[bytes]", io.BufferedReader(Endless(head, filling, SIZE))),
        budget=Budget(limits=Limits(seconds=5 if IS_LONG else 1)),
        judge=whole_registry().judge,
        is_seekable=True,
    )
    tracemalloc.start()
    began = time.monotonic()
    try:
        finding = Registry([inspector]).judge(content)
        content.finish()
    except OverBudget:
        finding = None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < PEAK_BYTES
    assert time.monotonic() - began < 60
    assert finding is None or finding.soundness is not Soundness.OPAQUE
