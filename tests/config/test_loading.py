"""What a lawful vault.yaml yields."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from vault import config
from vault.errors import ConfigError, NotInitialised

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(config.__file__))))


def test_the_contract_works_as_written(write, contract):
    """The file of the outer contract loads, and says what it says."""
    path = write(contract)
    settings = config.load(path)
    base = os.path.dirname(path)
    assert settings.file == path
    assert settings.base == base
    assert settings.site.finess == "990000010"
    assert settings.state == f"{base}/state"
    assert settings.production.door.kind == "none"
    assert settings.landing.password.file == f"{base}/secrets/landing.pw"
    assert list(settings.sources) == ["pmsi", "hr", "finance", "clinical", "lab"]
    assert settings.sources["pmsi"].kind == "folder"
    assert settings.sources["pmsi"].local_folder == f"{base}/exports/pmsi"
    assert settings.sources["pmsi"].stable_for_s == 60
    assert settings.sources["lab"].sftp.port == 2222
    assert settings.targets["disk-a"].door.kind == "disk"
    assert settings.targets["trial"].door.folder == f"{base}/trial"
    assert settings.window_of("disk-a").for_s == 7200
    assert settings.window_of("trial") is None
    assert settings.policy_of("lab").name == "laboratory"


def test_everything_but_site_state_and_landing_has_a_default(write, small):
    """The smallest lawful file has no source, no target and no production door."""
    settings = config.load(write(small))
    assert settings.production.door.kind == "none"
    assert (settings.sources, settings.targets, settings.windows) == ({}, {}, {})
    assert settings.state_group is None


@pytest.mark.parametrize("written", ["{door: {link: eth1}}", "{link: eth1}"])
def test_a_link_may_be_written_with_or_without_the_word_door(write, small, written):
    """Both ways to write a production link mean the same."""
    settings = config.load(write(f"{small}production: {written}\n"))
    assert settings.production.door.kind == "link"
    assert settings.production.door.link.interface == "eth1"


def test_a_probe_is_given_as_address_and_port(write, small):
    """An IPv6 probe comes out of its brackets."""
    door = '{link: {interface: eth1, probe: "[fd00::5]:445"}}'
    link = config.load(write(f"{small}production: {door}\n")).production.door.link
    assert link.probe_address == ("fd00::5", 445)


def test_a_mounted_source_has_its_folder_inside_the_share(write, small):
    """With a mount, the folder is not one of this host; without a folder it is the root."""
    mount = "mount: {type: cifs, what: //srv/dim$, credentials: {file: c}}"
    text = f"{small}sources:\n  a: {{policy: hr, {mount}, folder: /x/./y}}\n"
    text += f"  b: {{policy: hr, {mount}}}\n"
    sources = config.load(write(text)).sources
    assert sources["a"].folder == "x/y"
    assert sources["b"].folder == "."
    assert sources["a"].local_folder is None
    assert sources["a"].mount.what == "//srv/dim$"


def test_a_command_has_an_output_and_an_hour(write, small):
    """A command source has its default timeout and waits for no stable file."""
    text = f"{small}sources: {{d: {{policy: hr, command: [bin/dump, -a], output: d.sql}}}}\n"
    path = write(text)
    source = config.load(path).sources["d"]
    assert source.command == (f"{os.path.dirname(path)}/bin/dump", "-a")
    assert (source.kind, source.timeout_s, source.stable_for_s) == ("command", 3600, 0)


def test_unquoted_times_and_numbers_mean_what_they_look_like(write):
    """YAML 1.1 would read 22:30 as 1350 and a FINESS number as another one."""
    text = (
        "site: {name: CH, finess: 010000024}\nstate: state\n"
        "landing: {password: {file: pw}}\nwindows: {w: {start: 22:30, for: 1h, days: [mon]}}\n"
    )
    settings = config.load(write(text))
    assert settings.site.finess == "010000024"
    assert settings.windows["w"].to_window("w").start.hour == 22


def test_the_argument_goes_before_the_variable_before_the_folder(
    write, small, monkeypatch, tmp_path
):
    """The configuration is looked for in the order that the manual says."""
    here, variable, argument = (write(small, f"{n}/vault.yaml") for n in "hva")
    monkeypatch.chdir(os.path.dirname(here))
    assert config.find() == here
    monkeypatch.setenv("COFFRE_CONFIG", variable)
    assert config.find() == variable
    assert config.find(argument) == argument


def test_a_named_file_that_is_missing_is_an_error(write, small, monkeypatch):
    """What was named is not replaced by what lies in the folder."""
    here = write(small)
    monkeypatch.chdir(os.path.dirname(here))
    with pytest.raises(ConfigError, match="does not exist"):
        config.load("elsewhere.yaml")


def test_no_file_at_all_says_how_to_make_one(tmp_path, monkeypatch):
    """Without any configuration the error says which places were looked at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vault.config.glance.SYSTEM_FILE", str(tmp_path / "none"))
    with pytest.raises(NotInitialised) as caught:
        config.load()
    assert "coffre init" in caught.value.hint


def test_a_site_policy_goes_before_the_packages(write, small):
    """A policy beside the file replaces the package's of the same name, whole."""
    with open(os.path.join(config.shipped("policies"), "hr.yaml")) as file:
        ours = file.read()
    write(ours.replace("priority: 40", "priority: 3"), "policies/hr.yaml")
    write(ours, "policies/archives.yaml")
    text = f"{small}sources: {{a: {{policy: hr, folder: a}}, b: {{policy: archives, folder: b}}}}\n"
    settings = config.load(write(text))
    assert settings.policy_of("a").priority == 3
    assert settings.policy_of("b").name == "archives"
    assert settings.policy_files["hr"].startswith(settings.base)


def test_the_key_policies_names_another_folder(write, small):
    """``policies:`` goes before the folder beside the file."""
    with open(os.path.join(config.shipped("policies"), "hr.yaml")) as file:
        ours = file.read()
    write("broken: [", "policies/hr.yaml")
    write(ours.replace("priority: 40", "priority: 4"), "other/hr.yaml")
    text = f"{small}policies: other\nsources: {{a: {{policy: hr, folder: a}}}}\n"
    assert config.load(write(text)).policy_of("a").priority == 4


def _copy_example(tmp_path) -> str:
    path = tmp_path / "vault.yaml"
    shutil.copyfile(config.shipped("vault.example.yaml"), path)
    path.chmod(0o644)
    return str(path)


def test_the_example_loads_with_its_secrets_and_policies(tmp_path, write):
    """The example is a working file once its secrets and policies are made."""
    path = _copy_example(tmp_path)
    config.copy_out(str(tmp_path))
    for ref in config.secret_refs(config.load(path)).values():
        write("x\n", os.path.relpath(ref.file, tmp_path), 0o600)
    settings = config.load(path)
    assert {source.kind for source in settings.sources.values()} == {"folder", "sftp", "command"}
    for ref in config.secret_refs(settings).values():
        secret = config.read_secret(ref, name="s", folder=settings.base, run=lambda _argv: b"")
        assert secret.reveal() == b"x"


def test_the_example_loads_before_init_made_anything(tmp_path):
    """``coffre init`` must be able to read the file whose secrets and policies it will make."""
    assert config.load(_copy_example(tmp_path)).site.name == "CH de la Lande"


def test_what_is_shown_loads_to_the_same_settings(tmp_path, write):
    """The effective configuration is itself a lawful vault.yaml with the same meaning."""
    config.copy_out(str(tmp_path))
    settings = config.load(_copy_example(tmp_path))
    again = config.load(write(config.show(settings), "shown/vault.yaml"))
    assert again.model_dump() == settings.model_dump()
    assert again.loaded_policies == settings.loaded_policies


def test_no_secret_is_shown(write, contract):
    """Only the places of secrets are printed, never what stands there."""
    path = write(contract)
    write("tr3s-secret\n", "secrets/landing.pw", 0o600)
    shown = config.show(config.load(path))
    assert "tr3s-secret" not in shown
    assert "secrets/landing.pw" in shown


def test_a_glance_gives_the_state_without_the_models(write, contract, tmp_path):
    """``status`` finds the state without paying for pydantic."""
    path = write(contract)
    code = (
        "import sys; from vault import config; print(config.peek(sys.argv[1]).state, "
        "sorted({'pydantic', 'paramiko', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        check=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == f"{tmp_path}/state []"


def test_loading_imports_neither_paramiko_nor_the_database(write, contract):
    """The start of every command pays for what it uses only."""
    code = (
        "import sys; from vault import config; config.load(sys.argv[1]); "
        "print(sorted({'paramiko', 'sqlalchemy', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, write(contract)],
        capture_output=True,
        check=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"


def test_the_site_names_which_pmsi_fields_it_sends(write, small):
    """By FINESS; a field or a number that is none is refused with its line."""
    named = 'pmsi: {"990000010": [MCO, SMR], 2A0000014: [PSY]}\n'
    assert config.load(write(small + named)).pmsi == {
        "990000010": ("MCO", "SMR"),
        "2A0000014": ("PSY",),
    }
    for wrong in ("{990000010: [SSR]}", "{99: [MCO]}", "{990000010: []}"):
        with pytest.raises(config.ConfigProblems) as told:
            config.load(write(f"{small}pmsi: {wrong}\n"))
        assert told.value.problems[0].key.startswith("pmsi.")
