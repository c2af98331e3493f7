"""Lines by the thousand are read many at a time, and each is judged as if it came alone."""

from __future__ import annotations

import json
from random import Random

import pytest

from tests.inspection.specimens import SPECIMENS
from tests.inspection.test_contract import look
from vault.finding import Finding, Soundness
from vault.inspection import content as contents
from vault.inspection import delimited

KINDS = ("dsn", "fec", "hl7v2", "hprim-sante", "hprim-medecin", "csv", "fhir-ndjson", "ldif")
MADE = [(name, kind, make) for name, kind, make in SPECIMENS if kind in KINDS]
BOUNDS = ((contents, "_LINES_BYTES"), (contents, "BLOCK_BYTES"), (delimited, "_TEXT_BYTES"))
_PUT = (b"", b"\n", b"\r", b"\r\n", b"\n\n", b'"', b"0", b";", b"|", b"\t", b"'", b" ", b"\xe9")


def spoilt(content: bytes, dice: Random) -> bytes:
    """Change a few bytes, drop or double lines, cut the end off, or leave all as it was."""
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        lines = content.split(b"\n")
        at, n = dice.randrange(len(content)), dice.randrange(len(lines))
        content = dice.choice(
            (
                content[:at] + dice.choice(_PUT) + content[at + 1 :],
                content[:at] or b"x",
                b"\n".join(lines[:n] + lines[n + 1 :]) or b"x",
                b"\n".join(lines[: n + 1] + lines[n:]),
                content.replace(b"\r\n", b"\n"),
            )
        )
    return content


@pytest.mark.parametrize(("name", "kind", "make"), MADE, ids=[f"{kind}-{n}" for n, kind, _ in MADE])
def test_it_does_not_matter_how_much_is_read_at_a_time(
    name: str, kind: str, make: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes at a time, so that every line comes alone, or all at once: the same finding."""
    dice = Random(kind)

    def found(content: bytes, bytes_: int) -> Finding:
        for module, bound in BOUNDS:
            monkeypatch.setattr(module, bound, bytes_)
        return look(content, name)

    for _ in range(40):
        content = spoilt(make(), dice)
        whole = found(content, 1024**2)
        assert found(content, 7) == whole, content


def test_two_broken_resources_do_not_make_a_whole_one() -> None:
    """Lines are read together only when each of them is an object."""
    good = [json.dumps({"resourceType": "Patient", "n": n}).encode() for n in range(9)]
    both = b'{"resourceType":"Patient"},{"resourceType":"Patient"}'
    halves = ([b'{"a":1', b'"b":2}'], [b'{"a":[{}', b"{}]}"], [b'{"a":"', b'"}'])
    three = both + b"," + both[:26]
    for broken in (*halves, [both], *([*two, three] for two in halves)):
        finding = look(b"\n".join([*good, *broken, *good]) + b"\n", "Patient.000.ndjson")
        assert finding.soundness is Soundness.MALFORMED
        assert finding.counts["resources"] == 18
