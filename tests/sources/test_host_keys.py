"""Keys: which host key was confirmed, and ours."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest

from tests.rigs.sshd import make_key as keygen
from vault.errors import HostKeyChanged, SecretError, UsageError
from vault.sources.host_keys import host_name, make_key, pin, read_pinned


def line(tmp_path, name: str = "host", kind: str = "ed25519", label: str = "k") -> str:
    words = keygen(tmp_path / label, kind).split()
    return f"{name} {words[0]} {words[1]}"


def test_fingerprint_is_what_ssh_keygen_prints(tmp_path) -> None:
    """A person compares it with what the host's administrator reads out."""
    known = os.fsencode(tmp_path / "known")
    pin(known, line(tmp_path))
    (key,) = read_pinned(known, "host", 22)
    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "k.pub"], capture_output=True, text=True, check=True
    )
    assert key.fingerprint == said.stdout.split()[1]


def test_pinned_key_is_found_again_and_pinned_once(tmp_path) -> None:
    """The same line twice is once; another port is another host."""
    known = os.fsencode(tmp_path / "known")
    pinned = line(tmp_path, "[host]:2222")
    pin(known, pinned)
    pin(known, pinned)
    assert [key.line for key in read_pinned(known, "host", 2222)] == [pinned]
    assert read_pinned(known, "host", 22) == ()
    assert stat.S_IMODE(os.stat(known).st_mode) == 0o600


def test_another_key_of_a_kind_is_not_pinned_over_the_first(tmp_path) -> None:
    """A change is an act of a person, on the file itself."""
    known = os.fsencode(tmp_path / "known")
    first = line(tmp_path)
    pin(known, first)
    with pytest.raises(HostKeyChanged):
        pin(known, line(tmp_path, label="other"))
    assert [key.line for key in read_pinned(known, "host", 22)] == [first]


def test_file_that_others_may_write_is_not_believed(tmp_path) -> None:
    """Who writes the pins decides whom we trust."""
    known = os.fsencode(tmp_path / "known")
    pin(known, line(tmp_path))
    os.chmod(known, 0o666)
    with pytest.raises(SecretError):
        read_pinned(known, "host", 22)


@pytest.mark.parametrize("wrong", ["", "host", "host ssh-ed25519 !!!", "# host ssh-ed25519 AAAA"])
def test_what_is_no_line_is_not_pinned(tmp_path, wrong) -> None:
    """A pasted sentence does not become a pin."""
    with pytest.raises(UsageError):
        pin(os.fsencode(tmp_path / "known"), wrong)
    assert not (tmp_path / "known").exists()


@pytest.mark.parametrize("name", ["a b", "a,b", "a\nb", "", "*"])
def test_host_name_cannot_forge_a_line(name) -> None:
    """A name with a blank or a comma would stand for more than one host."""
    with pytest.raises(UsageError):
        host_name(name, 22)


def test_key_is_made_once_for_its_owner_alone(tmp_path) -> None:
    """0600, restricted where it is installed, and the same line at the second asking."""
    path = tmp_path / "secrets" / "lab"
    made = make_key(os.fsencode(path), comment="coffre-lab")
    content = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.startswith('restrict,command="internal-sftp -R" ssh-ed25519 ')
    assert make_key(os.fsencode(path), comment="coffre-lab") == made
    assert path.read_bytes() == content
    (tmp_path / "line").write_text(made.partition('-R" ')[2])
    subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "line"], check=True, capture_output=True)


def test_file_that_is_no_key_is_kept(tmp_path) -> None:
    """Asking for a key never destroys what stands in its place."""
    path = tmp_path / "lab"
    path.write_text("something else")
    with pytest.raises(SecretError):
        make_key(os.fsencode(path))
    assert path.read_text() == "something else"
