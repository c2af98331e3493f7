"""The production door ``link``, between real network namespaces."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.rigs.network import Network, joined
from vault.doors.link import LinkDoor
from vault.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

PREPARE = """
import dataclasses, json, socket, time
from vault.doors.link import LinkDoor
from vault.errors import CoffreError
def tell(**found):
    print(json.dumps(found, default=dataclasses.asdict))
def reach(port, host="10.77.0.1"):
    try:
        with socket.create_connection((host, port), timeout=2) as talk:
            talk.sendall(b"hello")
            return talk.recv(100) == b"hello"
    except OSError:
        return False
"""

# Something on the host that brings the link up again and again, and perhaps down as often.
RIVAL = """
import time
from vault.doors.link import _set_up
print("going", flush=True)
while True:
    _set_up("cable0", up=True)
    if DOWN_AGAIN:
        _set_up("cable0", up=False)
    time.sleep(0.01)
"""


@pytest.fixture
def network() -> Iterator[Network]:
    """Two hosts, the vault host's end of the cable down."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    with joined() as network:
        yield network


def ask(network: Network, code: str) -> Any:
    return network.ask(PREPARE + code)


def said(report: dict[str, Any]) -> str:
    return "; ".join(report["evidence"])


@pytest.mark.root
def test_link_is_up_only_between_open_and_shut(network: Network) -> None:
    """The hospital answers while the door is open, and is out of reach before and after."""
    with network.serving() as port:
        found = ask(
            network,
            f"""
door = LinkDoor("cable0", probe=("10.77.0.1", {port}))
before = reach({port})
door.open()
during = reach({port})
report = door.shut("end of the pull")
tell(before=before, during=during, after=reach({port}), report=report, again=door.shut("again"))
""",
        )
    assert (found["before"], found["during"], found["after"]) == (False, True, False)
    assert found["report"]["proof"] == found["again"]["proof"] == "shut"
    assert found["report"]["disconnection"] == "link-down"
    assert "carrier EINVAL" in said(found["report"])
    assert "proves nothing" not in said(found["report"])


@pytest.mark.root
def test_link_door_opens_twice_and_shuts_what_it_never_opened(network: Network) -> None:
    """Opening and shutting are idempotent, and a fresh process shuts what an earlier one left."""
    network.ip("link", "set", "cable0", "up")
    left_open = ask(network, 'tell(report=LinkDoor("cable0").shut("recovery"))')
    found = ask(
        network,
        'door = LinkDoor("cable0"); door.open(); door.open(); tell(report=door.shut("end"))',
    )
    assert left_open["report"]["proof"] == found["report"]["proof"] == "shut"
    assert "no probe address" in said(found["report"])


@pytest.mark.root
@pytest.mark.parametrize("down_again", [False, True])
def test_62_link_that_somebody_keeps_bringing_up_is_open(
    network: Network, down_again: bool
) -> None:
    """A rival that undoes the shutting is seen, even one that hides between two looks."""
    rival = RIVAL.replace("DOWN_AGAIN", str(down_again))
    with network.running(rival):
        found = ask(network, 'tell(report=LinkDoor("cable0").shut("end"))')
    assert found["report"]["proof"] == "open", said(found["report"])
    assert found["report"]["disconnection"] == "none"


@pytest.mark.root
def test_62_second_path_to_the_hospital_is_open(network: Network) -> None:
    """The interface is down and the probe answers by another way: the door is open."""
    network.lay_second_cable()
    with network.serving() as port:
        found = ask(
            network,
            f"""
door = LinkDoor("cable0", probe=("10.77.0.1", {port}))
door.open()
tell(report=door.shut("end"))
""",
        )
    assert found["report"]["proof"] == "open"
    assert "answered: a path to it exists" in said(found["report"])


@pytest.mark.root
def test_62_refused_connection_is_a_path(network: Network) -> None:
    """A host that refuses the probe's port was reached, so the door is open."""
    network.lay_second_cable()
    found = ask(network, 'tell(report=LinkDoor("cable0", probe=("10.77.0.1", 9)).shut("end"))')
    assert found["report"]["proof"] == "open"
    assert "refused us" in said(found["report"])


@pytest.mark.root
def test_65_established_connection_is_cut(network: Network) -> None:
    """A conversation begun while the door was open gets no answer after the shutting."""
    with network.serving() as port:
        found = ask(
            network,
            f"""
door = LinkDoor("cable0", probe=("10.77.0.1", {port}))
door.open()
talk = socket.create_connection(("10.77.0.1", {port}), timeout=1)
talk.sendall(b"one")
one = talk.recv(100).decode()
report = door.shut("end")
try:
    talk.sendall(b"two")
    two = talk.recv(100).decode()
except OSError as error:
    two = type(error).__name__
tell(one=one, two=two, report=report)
""",
        )
    assert found["one"] == "one"
    assert found["two"] in ("TimeoutError", "OSError")
    assert found["report"]["proof"] == "shut"


@pytest.mark.root
def test_interface_that_is_not_there_is_unproven_without_a_probe(network: Network) -> None:
    """A mistyped name would otherwise pass for a door that is always shut."""
    found = ask(network, 'tell(report=LinkDoor("cabel0").shut("end"))')
    assert found["report"]["proof"] == "unknown"
    assert found["report"]["disconnection"] == "none"


@pytest.mark.root
def test_interface_that_vanished_is_shut_when_the_probe_is_silent(network: Network) -> None:
    """An adapter pulled in mid-cycle is shut, with no stronger class than link-down."""
    with network.serving() as port:
        found = ask(
            network,
            f"""
import os
door = LinkDoor("cable0", probe=("10.77.0.1", {port}))
door.open()
os.system("ip link delete cable0")
tell(report=door.shut("end"))
""",
        )
    assert found["report"]["proof"] == "shut"
    assert found["report"]["disconnection"] == "link-down"


@pytest.mark.root
def test_interface_renamed_while_up_is_open_by_its_probe(network: Network) -> None:
    """The name is gone, the path is not: the probe says so."""
    with network.serving() as port:
        found = ask(
            network,
            f"""
import os
door = LinkDoor("cable0", probe=("10.77.0.1", {port}))
door.open()
os.system("ip link set cable0 down && ip link set cable0 name other0 && ip link set other0 up")
report = door.shut("end")
tell(report=report)
""",
        )
    assert found["report"]["proof"] == "open"


@pytest.mark.root
def test_silence_of_a_probe_that_never_answered_is_said_and_proves_no_absence(
    network: Network,
) -> None:
    """The evidence warns, and a vanished interface stays unproven."""
    found = ask(
        network,
        """
import os
door = LinkDoor("cable0", probe=("10.77.0.99", 9), connected_in_s=1)
door.open()
down = door.shut("end")
os.system("ip link delete cable0")
tell(down=down, gone=door.shut("end"))
""",
    )
    assert found["down"]["proof"] == "shut"
    assert "silent while the door was open too" in said(found["down"])
    assert found["gone"]["proof"] == "unknown"


@pytest.mark.root
def test_link_that_cannot_be_read_is_unknown(network: Network) -> None:
    """Two ways of asking that do not agree are no proof."""
    found = ask(network, 'tell(report=LinkDoor("cable0", class_net="/proc/empty").shut("end"))')
    assert found["report"]["proof"] == "unknown"


@pytest.mark.root
def test_link_without_carrier_is_an_error_and_shuts_again(network: Network) -> None:
    """No cable: the opening fails in its time, and the door is shut afterwards."""
    found = ask(
        network,
        """
import os
os.system("ip link add lone0 type veth peer lone1")
door = LinkDoor("lone0", connected_in_s=0.3)
try:
    door.open()
except CoffreError as error:
    message, hint, code = str(error), error.hint, error.exit_code
tell(message=message, hint=hint, code=code, report=door.shut("failed opening"))
""",
    )
    assert found["message"] == "lone0 is up and found no link within 0.3 s"
    assert found["code"] == 1
    assert found["report"]["proof"] == "shut"


@pytest.mark.root
def test_interface_that_is_not_there_cannot_be_opened(network: Network) -> None:
    """The error names the interface and what to look at."""
    found = ask(
        network,
        """
try:
    LinkDoor("absent0").open()
except CoffreError as error:
    tell(message=str(error), reference=error.reference)
""",
    )
    assert found["reference"] == "door-failed"
    assert "absent0" in found["message"]


@pytest.mark.root
def test_link_needs_root_and_says_open_when_it_may_not_shut(network: Network) -> None:
    """Without root nothing is opened; a link that stays up is reported open with the reason."""
    code = """
import os
os.setuid(65534)
door = LinkDoor("cable0")
try:
    door.open()
except CoffreError as error:
    tell(reference=error.reference, report=door.shut("end"))
"""
    found = ask(network, code)
    assert found["reference"] == "needs-root"
    assert found["report"]["proof"] == "shut"
    network.ip("link", "set", "cable0", "up")
    found = ask(
        network,
        'import os; os.setuid(65534); tell(report=LinkDoor("cable0").shut("end"))',
    )
    assert found["report"]["proof"] == "open"
    assert "taking it down failed" in said(found["report"])


@pytest.mark.parametrize(
    "name", ["", "eth0;reboot", "-x", "a b", "é0", "../eth0", "eth0\n", "sixteen-chars-xx", "a/b"]
)
def test_odd_interface_names_are_refused(name: str) -> None:
    """What is no interface name never reaches the kernel or a path."""
    with pytest.raises(ConfigError, match="not the name of a network interface"):
        LinkDoor(name)


@pytest.mark.parametrize(
    "probe", [("dim.hospital.example", 22), ("10.0.0.1", 0), ("10.0.0.1", 65536)]
)
def test_probe_is_a_numeric_address_and_a_port(probe: tuple[str, int]) -> None:
    """A name server's silence is no proof, so a name is refused."""
    with pytest.raises(ConfigError, match="not a numeric address"):
        LinkDoor("eth1", probe=probe)
