"""How instants, hashes and lists of texts stand in a column.

Rule 1: an instant is RFC 3339 text in UTC with six decimals, so that it sorts as text and a person
    with ``sqlite3`` can read it.
Rule 2: a hash is its bytes, half the room of its hex.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import LargeBinary, Text
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """An aware instant."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:  # noqa: ANN401, ARG002 -- SQLAlchemy's signature
        """Write it in UTC."""
        if value is None:
            return None
        assert value.tzinfo is not None, "an instant without a time zone"
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Any) -> datetime | None:  # noqa: ANN401, ARG002 -- SQLAlchemy's signature
        """Read it."""
        return None if value is None else datetime.fromisoformat(value)


class Hex(TypeDecorator[str]):
    """A hash or id, hex outside and bytes inside."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> bytes | None:  # noqa: ANN401, ARG002 -- SQLAlchemy's signature
        """Pack it; ValueError when it is not lower-case hex."""
        if value is None:
            return None
        packed = bytes.fromhex(value)
        if packed.hex() != value:
            raise ValueError("not lower-case hex")
        return packed

    def process_result_value(self, value: bytes | None, dialect: Any) -> str | None:  # noqa: ANN401, ARG002 -- SQLAlchemy's signature
        """Unpack it."""
        return None if value is None else value.hex()


class Texts(TypeDecorator[tuple[str, ...]]):
    """Some reasons, in order."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Any) -> str | None:  # noqa: ANN401, ARG002 -- SQLAlchemy's signature
        """Write them as a JSON list."""
        return None if value is None else json.dumps(list(value))

    def process_result_value(self, value: str | None, dialect: Any) -> tuple[str, ...] | None:  # noqa: ANN401, ARG002 -- SQLAlchemy's signature
        """Read them."""
        return None if value is None else tuple(json.loads(value))
