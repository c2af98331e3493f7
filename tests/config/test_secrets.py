"""Where secrets come from, in which order, and that they never show."""

from __future__ import annotations

import os
import subprocess

import pytest

from vault import config
from vault.errors import SecretError


@pytest.fixture
def read(tmp_path):
    """Read a secret the way the wiring does, with a runner that runs."""

    def _read(*, name: str = "landing.password", **ref):
        def run(argv):
            return subprocess.run(list(argv), stdout=subprocess.PIPE, check=True).stdout

        reference = config.SecretRef.model_validate(ref)
        return config.read_secret(reference, name=name, folder=str(tmp_path), run=run)

    return _read


@pytest.fixture
def credentials(tmp_path, monkeypatch):
    """Make a credentials directory as systemd gives one."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_a_credential_goes_before_the_file(read, write, credentials):
    """The unit's credential of the secret's name decides, whatever the file says."""
    write("from file\n", "pw", 0o600)
    assert read(file="pw").reveal() == b"from file"
    write("from systemd", "credentials/landing.password", 0o400)
    assert read(file="pw").reveal() == b"from systemd"


def test_a_credential_may_be_readable_by_its_group_only(read, write, credentials):
    """Systemd shows 0440 where an access list lets the unit's user in; the world never may."""
    write("x", "credentials/landing.password", 0o440)
    assert read(file="pw").reveal() == b"x"
    os.chmod(credentials / "landing.password", 0o444)
    with pytest.raises(SecretError, match="may be read by others"):
        read(file="pw")


def test_a_named_credential_comes_from_nowhere_else(read, write, credentials):
    """Without its unit, a credential is missing, and the hint says so."""
    with pytest.raises(SecretError) as caught:
        read(credential="vault.pw")
    assert "LoadCredential=vault.pw" in caught.value.hint
    write("x\n", "credentials/vault.pw", 0o400)
    assert read(credential="vault.pw").reveal() == b"x"


def test_a_program_prints_the_secret(read, write):
    """The command is run as a list, relative to the file's folder, by the caller's runner."""
    write('#!/bin/sh\nprintf "%s\\n" "$1"\n', "bin/pw", 0o755)
    assert read(command=["bin/pw", "a $(b) c"]).reveal() == b"a $(b) c"


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_program_that_others_may_write_is_not_run(read, write, tmp_path, mode):
    """Who writes the program would learn every secret it prints, and run as root."""
    write(f"#!/bin/sh\ntouch {tmp_path}/ran\necho x\n", "pw", mode)
    with pytest.raises(SecretError, match="may be written by others"):
        read(command=["./pw"])
    assert not (tmp_path / "ran").exists()


def test_a_program_that_others_may_write_is_not_run_through_a_link(read, write, tmp_path):
    """Links to programs are lawful; what is judged is the file that would run."""
    target = write("#!/bin/sh\necho x\n", "real", 0o757)
    (tmp_path / "pw").symlink_to(target)
    with pytest.raises(SecretError, match="may be written by others"):
        read(command=["./pw"])
    os.chmod(target, 0o755)
    assert read(command=["./pw"]).reveal() == b"x"


def test_a_missing_program_is_named(read):
    """A program that is not there is an error of the configuration, not a traceback."""
    for program in ("./absent", "no-such-program-anywhere"):
        with pytest.raises(SecretError, match="cannot be found"):
            read(command=[program])


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"a\n", b"a"), (b"a", b"a"), (b"a\r\n", b"a"), (b"a\n\n", b"a\n"), (b" a \n", b" a ")],
)
def test_one_newline_at_the_end_is_not_part_of_the_secret(read, write, content, secret):
    """Editors add a newline; anything else is the secret's own."""
    write(content, "pw", 0o600)
    assert read(file="pw").reveal() == secret


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
def test_an_empty_secret_is_refused(read, write, content):
    """Restic would take an empty password file for a password."""
    write(content, "pw", 0o600)
    with pytest.raises(SecretError, match=r"landing\.password is empty"):
        read(file="pw")


def test_fault_77_a_secret_is_in_no_error(read, write, tmp_path):
    """Neither the mode's refusal nor any other shows a byte of it."""
    write("hunter2\n", "pw", 0o644)
    with pytest.raises(SecretError) as caught:
        read(file="pw")
    assert "hunter2" not in f"{caught.value!r} {caught.value.values} {caught.value.hint}"
    with pytest.raises(SecretError, match="does not exist"):
        read(file="absent")


def test_a_name_cannot_leave_the_credentials_directory(read, write, credentials):
    """A source is named by the site; the name is looked up only where it is a plain one."""
    write("x", "pw", 0o600)
    assert read(file="pw", name="../credentials/x").reveal() == b"x"
