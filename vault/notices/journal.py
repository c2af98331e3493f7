"""Events with their fields, to journald or to a syslog daemon, over a socket of this host.

Rule 1: journald is spoken to as it documents: a datagram of ``NAME=value`` lines.
Rule 2: a syslog daemon gets RFC 5424, the fields as structured data.
Rule 3: a socket that is absent or full is a warning to the caller, never a wait.
Source: systemd, "Native Journal Protocol"; RFC 5424, sections 6 and 6.3.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Mapping
from datetime import UTC, datetime

JOURNALD = "/run/systemd/journal/socket"
SYSLOG = "/dev/log"
_FACILITY = 3  # system daemons
_ENTERPRISE = "coffre@32473"  # the number that RFC 5612 keeps for examples: ours has none
_WAIT_S = 1.0
LEVELS = {"critical": 2, "error": 3, "warning": 4, "notice": 5, "info": 6}


def find_socket() -> str:
    """Give the socket of this host's journal: journald's where there is one."""
    return JOURNALD if os.path.exists(JOURNALD) else SYSLOG


def tell(path: str, event: str, says: str, fields: Mapping[str, object], *, level: str) -> str:
    """Tell one event; give why it could not be told, empty when it could."""
    make = _journald if path.endswith("journal/socket") else _rfc5424
    data = make(event, says, {k: v for k, v in fields.items() if v is not None}, LEVELS[level])
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(_WAIT_S)
            out.connect(path)
            out.send(data)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    return ""


def _journald(event: str, says: str, fields: Mapping[str, object], level: int) -> bytes:
    members = {
        "MESSAGE": says,
        "PRIORITY": level,
        "SYSLOG_IDENTIFIER": "coffre",
        "SYSLOG_FACILITY": _FACILITY,
        "COFFRE_EVENT": event,
        **{f"COFFRE_{_word(key).upper()}": value for key, value in fields.items()},
    }
    return b"".join(_member(name, str(value)) for name, value in members.items())


def _member(name: str, value: str) -> bytes:
    data = value.encode()
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)


def _rfc5424(event: str, says: str, fields: Mapping[str, object], level: int) -> bytes:
    pairs = " ".join(f'{_word(key)}="{_escaped(str(value))}"' for key, value in fields.items())
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    host = re.sub(r"[^!-~]", "-", socket.gethostname()) or "-"
    head = f"<{_FACILITY * 8 + level}>1 {at} {host} coffre {os.getpid()} {event}"
    return f"{head} [{_ENTERPRISE}{' ' if pairs else ''}{pairs}] \ufeff{says}".encode()


def _word(key: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", key.lower())


def _escaped(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", value)
