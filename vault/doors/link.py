"""The production door ``link``: a network interface that is up only during the pull.

Rule 1: shut is asked of the world over a while, not at an instant, so that something that keeps
    bringing the link up is seen; the kernel's counter of carrier changes sees what falls between
    two looks.
Rule 2: what cannot be read is unknown, and unknown counts as open.
Rule 3: an interface that is not there proves nothing by itself: a name mistyped in the
    configuration, a renamed interface and a pulled one look the same from here. Only a probe that
    fails makes its absence a proof, and the class stays link-down: no hand was seen.
Rule 4: a refused connection is an answer, so a path exists; only silence is shut. A probe that
    was silent while the door stood open proves nothing, and the evidence says so.
Rule 5: shutting never raises and needs no record: it takes the interface down and looks.
Not promised: routes that a person added by hand are not put back when the link comes up again;
    the host's network service owns them.
Source: netdevice(7), RFC 2863 (operstate), Documentation/ABI/testing/sysfs-class-net of Linux;
    design, section 5.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import os
import re
import socket
import struct
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from vault.errors import ConfigError, DoorError, NeedsRoot
from vault.results import Disconnection, DoorProof, ShutReport

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_IFREQ = struct.Struct("16sH22x")  # name, flags, the rest of a union of 24 bytes
_LAWFUL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")  # IFNAMSIZ less the final NUL

_CONNECTED_IN_S = 30.0  # autonegotiation and spanning tree take their time
_WATCHED_S = 0.3
_LOOK_EVERY_S = 0.02
_ATTEMPTS = 3
_PROBE_TIMEOUT_S = 1.0
_PROBE_ANSWERS_IN_S = 5.0  # addresses and neighbours settle after the carrier
# What a connection attempt may end with when nothing answered at all.
_SILENCE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ETIMEDOUT})


class _Seen(StrEnum):
    """What one look at the interface found."""

    DOWN = "down"
    UP = "up"
    ABSENT = "absent"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One answer of the world, with its evidence."""

    seen: _Seen
    evidence: tuple[str, ...]


class LinkDoor:
    """Bring one interface up for the pull, and prove it down afterwards."""

    kind: ClassVar[str] = "link"

    def __init__(
        self,
        interface: str,
        *,
        probe: tuple[str, int] | None = None,
        connected_in_s: float = _CONNECTED_IN_S,
        class_net: str = "/sys/class/net",
    ) -> None:
        """Take the interface's name and, if any, an address behind the door to probe.

        ``probe`` is a numeric address and a TCP port that answers while the door is open; a name
        would need a name server, whose silence proves nothing.
        """
        if not _LAWFUL_NAME.fullmatch(interface):
            raise ConfigError(
                "{interface!r} is not the name of a network interface",
                hint="which name does `ip link` show?",
                interface=interface,
            )
        if probe is not None:
            _check_probe(*probe)
        self._interface = interface
        self._probe = probe
        self._connected_in_s = connected_in_s
        self._folder = os.path.join(class_net, interface)
        self._silent_while_open = False

    def open(self) -> None:
        """Bring the interface up and wait for its carrier, then for the probe; idempotent.

        A probe that stays silent is no failure here: the sources say whether they were reached.
        Raises NeedsRoot, or DoorError when the interface is not there or finds no link in time.
        The caller shuts the door after a failure too.
        """
        self._bring_up()
        closes_at_s = time.monotonic() + self._connected_in_s
        while not self._is_connected():
            if time.monotonic() >= closes_at_s:
                raise DoorError(
                    "{interface} is up and found no link within {seconds:g} s",
                    hint="is the cable in, and is the switch port on?",
                    interface=self._interface,
                    seconds=self._connected_in_s,
                )
            time.sleep(_LOOK_EVERY_S)
        self._silent_while_open = self._probe is not None and not self._is_answered()

    def _bring_up(self) -> None:
        """Set the interface's flag, or say why it cannot be."""
        try:
            _set_up(self._interface, up=True)
        except PermissionError:
            raise NeedsRoot(
                "bringing {interface} up needs root",
                hint="is coffre run as root?",
                interface=self._interface,
            ) from None
        except OSError as error:
            raise DoorError(
                "the production interface {interface} could not be brought up: {reason}",
                hint="is it plugged in, and does `ip link` show it under this name?",
                interface=self._interface,
                reason=error.strerror,
            ) from None

    def shut(self, reason: str) -> ShutReport:
        """Take the interface down, watch it for a while, probe; idempotent, never raises."""
        trouble = ""
        for _ in range(_ATTEMPTS):
            trouble = self._take_down()
            look = self._watch()
            if look.seen is not _Seen.UP:
                break
        evidence = (f"{self._interface}: shut because {reason}", *look.evidence)
        return self._judge(look, evidence=(*evidence, trouble) if trouble else evidence)

    def _take_down(self) -> str:
        """Clear the interface's flag; give what went wrong, to be read beside the proof."""
        try:
            _set_up(self._interface, up=False)
        except OSError as error:
            return f"taking it down failed: {error.strerror}"
        return ""

    def _judge(self, look: _Look, *, evidence: tuple[str, ...]) -> ShutReport:
        """Join what the interface and the probe say; the worse one counts."""
        probed, clause = self._run_probe()
        evidence = (*evidence, clause)
        if probed is DoorProof.SHUT and self._silent_while_open:
            evidence = (*evidence, "it was silent while the door was open too: it proves nothing")
        if DoorProof.OPEN in (probed, _PROOF_OF[look.seen]):
            return ShutReport(
                proof=DoorProof.OPEN, disconnection=Disconnection.NONE, evidence=evidence
            )
        # Absence is half a proof: the silence of a probe is the other half.
        absent_and_silent = (
            look.seen is _Seen.ABSENT and probed is DoorProof.SHUT and not self._silent_while_open
        )
        down = look.seen is _Seen.DOWN and (probed is DoorProof.SHUT or self._probe is None)
        if down or absent_and_silent:
            return ShutReport(
                proof=DoorProof.SHUT, disconnection=Disconnection.LINK_DOWN, evidence=evidence
            )
        return ShutReport(
            proof=DoorProof.UNKNOWN, disconnection=Disconnection.NONE, evidence=evidence
        )

    def _watch(self) -> _Look:
        """Look at the interface for a while; give the first look that is not down, or the last."""
        changes = self._read("carrier_changes")
        until_s = time.monotonic() + _WATCHED_S
        look = self._look()
        while look.seen is _Seen.DOWN and time.monotonic() < until_s:
            time.sleep(_LOOK_EVERY_S)
            look = self._look()
        if look.seen is _Seen.DOWN and self._read("carrier_changes") != changes:
            return _Look(seen=_Seen.UP, evidence=("its carrier came and went while watched",))
        return look

    def _look(self) -> _Look:
        """Ask the kernel once, by two ways that must agree."""
        try:
            up = bool(_read_flags(self._interface) & _IFF_UP)
        except OSError as error:
            if error.errno == errno.ENODEV and not os.path.lexists(self._folder):
                return _Look(seen=_Seen.ABSENT, evidence=("no interface of this name is here",))
            return _Look(
                seen=_Seen.UNREADABLE, evidence=(f"its flags cannot be read: {error.strerror}",)
            )
        operstate, carrier = self._read("operstate"), self._read("carrier")
        evidence = (f"flag {'up' if up else 'down'}, operstate {operstate}, carrier {carrier}",)
        if up or operstate == "up" or carrier == "1":
            return _Look(seen=_Seen.UP, evidence=evidence)
        # The kernel answers EINVAL for the carrier of an interface that is down.
        if operstate == "down" and carrier in ("0", "EINVAL"):
            return _Look(seen=_Seen.DOWN, evidence=evidence)
        return _Look(seen=_Seen.UNREADABLE, evidence=evidence)

    def _is_connected(self) -> bool:
        """Say whether the link is there; a driver may have a carrier and know no operstate."""
        return self._read("operstate") in ("up", "unknown") and self._read("carrier") == "1"

    def _is_answered(self) -> bool:
        """Say whether the probe finds its path while the door is open."""
        closes_at_s = time.monotonic() + min(_PROBE_ANSWERS_IN_S, self._connected_in_s)
        while self._run_probe()[0] is not DoorProof.OPEN:
            if time.monotonic() >= closes_at_s:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def _read(self, name: str) -> str:
        """Give one attribute of the interface, or the name of the error."""
        try:
            with open(os.path.join(self._folder, name), "rb") as file:
                return file.read(64).decode("ascii", "replace").strip()
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, "error")

    def _run_probe(self) -> tuple[DoorProof, str]:
        """Try to connect to the address behind the door; say what that means, and why."""
        if self._probe is None:
            return DoorProof.UNKNOWN, "no probe address: other paths were not looked for"
        host, port = self._probe
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(_PROBE_TIMEOUT_S)
                probe.connect((host, port))
        except TimeoutError:
            return DoorProof.SHUT, "the probe address is silent"
        except (ConnectionRefusedError, ConnectionResetError):
            return DoorProof.OPEN, "the probe address refused us: a path to it exists"
        except OSError as error:
            if error.errno in _SILENCE:
                return DoorProof.SHUT, "the probe address cannot be reached"
            return DoorProof.UNKNOWN, f"the probe could not be made: {error.strerror}"
        return DoorProof.OPEN, "the probe address answered: a path to it exists"


_PROOF_OF = {
    _Seen.DOWN: DoorProof.SHUT,
    _Seen.UP: DoorProof.OPEN,
    _Seen.ABSENT: DoorProof.UNKNOWN,
    _Seen.UNREADABLE: DoorProof.UNKNOWN,
}


def _check_probe(host: str, port: int) -> None:
    """Refuse a probe address that is a name or has no lawful port."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        if 0 < port < 65536:
            return
    raise ConfigError(
        "the probe {host!r}, port {port!r}, is not a numeric address and a TCP port",
        hint="which address behind the production door answers while it is open?",
        host=host,
        port=port,
    )


def _read_flags(interface: str) -> int:
    """Give the interface's flags in this network namespace; OSError when there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, _IFREQ.pack(interface.encode("ascii"), 0))
    return int(_IFREQ.unpack(answer)[1])


def _set_up(interface: str, *, up: bool) -> None:
    """Set or clear IFF_UP and leave the other flags; idempotent."""
    flags = _read_flags(interface)
    wanted = flags | _IFF_UP if up else flags & ~_IFF_UP
    if wanted == flags:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, _IFREQ.pack(interface.encode("ascii"), wanted))
