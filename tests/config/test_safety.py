"""Files that somebody else could have written, or read, are refused with the mend (fault 75)."""

from __future__ import annotations

import os
import subprocess

import pytest

from vault import config
from vault.errors import ConfigError, SecretError

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
NOBODY = 65534


def _refusal(path: str, error: type[Exception] = ConfigError) -> tuple[str, str]:
    with pytest.raises(error) as caught:
        config.load(path)
    return str(caught.value), caught.value.hint


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o620, 0o777])
def test_fault_75_a_configuration_that_others_may_write_is_refused(write, small, mode):
    """The error says path, mode found, and the chmod that mends it; the chmod does."""
    path = write(small, mode=mode)
    said, hint = _refusal(path)
    assert said == f"configuration {path} may be written by others: mode {mode:04o}"
    assert hint == f"chmod go-w {path}?"
    subprocess.run(["chmod", "go-w", path], check=True)
    assert config.load(path).file == path


def test_fault_75_a_policy_that_others_may_write_is_refused(write, small):
    """A policy decides what is due and what is kept: it is as safe as the configuration."""
    policy = write("x", "policies/hr.yaml", mode=0o664)
    said, hint = _refusal(write(small))
    assert said == f"policy {policy} may be written by others: mode 0664"
    assert hint.startswith("chmod go-w ")


@pytest.mark.parametrize(("mode", "may"), [(0o640, "read"), (0o604, "read"), (0o620, "written")])
def test_fault_75_a_secret_that_others_may_reach_is_refused(write, small, mode, may):
    """Loading already refuses a secret that others may read or write."""
    path = write(small)
    secret = write("x\n", "landing.pw", mode=mode)
    said, hint = _refusal(path, SecretError)
    assert said == f"secret {secret} may be {may} by others: mode {mode:04o}"
    assert hint == f"chmod go= {secret}?"
    subprocess.run(["chmod", "go=", secret], check=True)
    config.load(path)


def test_fault_75_known_hosts_that_others_may_write_are_refused(write, contract):
    """Who writes the known hosts chooses whose exports are pulled."""
    write("x\n", "secrets/known_hosts", mode=0o666)
    said, _hint = _refusal(write(contract))
    assert "known hosts" in said


def test_fault_75_a_link_is_refused(write, small, tmp_path):
    """A symbolic link may point elsewhere tomorrow."""
    link = tmp_path / "link.yaml"
    link.symlink_to(write(small))
    said, _hint = _refusal(str(link))
    assert said == f"configuration {link} is a symbolic link"


def test_fault_75_a_link_to_a_secret_is_refused(write, small, tmp_path):
    """The file of a secret is what is named, not what it points to."""
    write("x\n", "elsewhere", mode=0o600)
    (tmp_path / "landing.pw").symlink_to(tmp_path / "elsewhere")
    said, _hint = _refusal(write(small), SecretError)
    assert "is a symbolic link" in said


def test_fault_75_a_folder_is_refused(tmp_path):
    """A directory in the place of the file is said to be one."""
    said, _hint = _refusal(str(tmp_path))
    assert said == f"configuration {tmp_path} is a directory"


def test_fault_75_a_pipe_is_refused_and_not_waited_for(tmp_path):
    """A FIFO is no file, and opening it must not hang."""
    path = str(tmp_path / "vault.yaml")
    os.mkfifo(path, 0o600)
    said, _hint = _refusal(path)
    assert "is not a regular file" in said


def test_a_file_that_is_too_large_is_refused(write):
    """A configuration of megabytes is the wrong file."""
    said, _hint = _refusal(write(b"#" * (1 << 20) + b"\n"))
    assert "is larger than" in said


@root
@pytest.mark.root
def test_fault_75_a_file_of_somebody_else_is_refused(write, small):
    """An owner may write whenever he likes, whatever the mode says now."""
    path = write(small, mode=0o600)
    os.chown(path, NOBODY, NOBODY)
    said, hint = _refusal(path)
    assert "belongs to user id 65534, who is neither root nor you (mode 0600)" in said
    assert hint.startswith(f"chown 0 {path}")


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_program_that_others_may_write_is_refused(write, small, mode):
    """A command is run by root, so only root may write it."""
    write("#!/bin/sh\n", "dump", mode=mode)
    text = f"{small}sources: {{d: {{policy: hr, command: [./dump], output: d}}}}\n"
    said, hint = _refusal(write(text))
    assert said.startswith("program ")
    assert f"may be written by others: mode {mode:04o}" in said
    assert hint.startswith("chmod go-w ")


def test_a_path_with_a_blank_is_quoted_in_the_mend(write, small):
    """The mend can be pasted into a shell as it stands."""
    path = write(small, "a b/vault.yaml", mode=0o666)
    assert _refusal(path)[1] == f"chmod go-w '{path}'?"


def test_a_glance_refuses_what_loading_refuses(write, small):
    """The short way in is no weaker than the long one."""
    with pytest.raises(ConfigError, match="may be written by others"):
        config.peek(write(small, mode=0o666))
