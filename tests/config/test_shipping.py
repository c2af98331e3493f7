"""Policies and hooks come out of the package beside a vault.yaml."""

from __future__ import annotations

import os
import stat

import pytest

from vault import config
from vault.errors import ConfigError


def test_policies_come_out_once(tmp_path):
    """The first call copies them, the second changes nothing."""
    made = config.copy_out(str(tmp_path))
    assert str(tmp_path / "policies" / "pmsi.yaml") in made
    assert (tmp_path / "hooks").is_dir()
    assert config.copy_out(str(tmp_path)) == []


def test_what_the_site_has_is_not_overwritten(write, tmp_path):
    """A policy that the site argued over stays, and so does a dangling link."""
    write("mine\n", "policies/hr.yaml")
    (tmp_path / "policies" / "mail.yaml").symlink_to("nowhere")
    made = config.copy_out(str(tmp_path))
    assert (tmp_path / "policies" / "hr.yaml").read_text() == "mine\n"
    assert os.readlink(tmp_path / "policies" / "mail.yaml") == "nowhere"
    assert len(made) >= 13


def test_copies_are_safe_to_load_whatever_the_umask(tmp_path, small, write):
    """What is copied passes the judgement of loading."""
    before = os.umask(0)
    try:
        made = config.copy_out(str(tmp_path))
    finally:
        os.umask(before)
    policies = [path for path in made if path.endswith(".yaml") and "/formats/" not in path]
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in policies} == {0o644}
    assert stat.S_IMODE(os.stat(tmp_path / "policies").st_mode) == 0o755
    assert len(config.load(write(small)).loaded_policies) == len(policies)


def test_nothing_is_copied_through_a_link(tmp_path):
    """A folder that leads elsewhere is refused."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "policies").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot copy policies"):
        config.copy_out(str(tmp_path))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_name_that_does_not_travel_is_an_error():
    """A package that lacks a part says which."""
    with pytest.raises(ConfigError, match="the package lacks nothing-of-the-kind"):
        config.shipped("nothing-of-the-kind")
