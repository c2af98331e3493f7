"""One way to write a JSON value and an instant, so that equal things have equal bytes.

Rule 1: keys sorted, no spaces, UTF-8, no NaN and no infinity, never a raw newline.
Rule 2: a reader hashes the bytes it was given and never needs to write them again.
Source: RFC 8259 and RFC 3339; ``docs/ledger.md`` describes both for an auditor.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import NoReturn


def to_json(value: object) -> bytes:
    """Write a value on one line; ValueError or TypeError when JSON cannot hold it."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def from_json(data: bytes) -> object:
    """Read a value; ValueError when it is not JSON, or names one key twice."""
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_twins,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Two readers may keep different twins: what was signed would then mean two things.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the same key twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def instant_to_text(at: datetime) -> str:
    """Write an aware instant as RFC 3339 in UTC, always with six decimals."""
    if at.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_from_text(text: object) -> datetime:
    """Read what ``instant_to_text`` writes, and nothing else; ValueError otherwise."""
    if not isinstance(text, str):
        raise ValueError("an instant is a text")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
