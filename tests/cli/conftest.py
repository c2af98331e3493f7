"""One small vault for all tests of the front door, and the command run inside this process."""

from __future__ import annotations

import contextlib
import grp
import importlib
import io
import json
import os
import pkgutil
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.vaults import TREE, ScratchVault, answer, make_vault
from tests.scenarios.conftest import copied
from vault import cli
from vault.cli.main import run_words
from vault.cli.words import speak

_NOBODY = 65534
SCHEMAS = TREE / "docs" / "schemas"


@pytest.fixture(scope="session")
def group() -> grp.struct_group:
    """Give a group of this host that nobody's account is in by itself."""
    return next(found for found in grp.getgrall() if 0 < found.gr_gid < 1000 and not found.gr_mem)


@pytest.fixture(scope="session")
def vault(founded) -> ScratchVault:
    """Give the vault of this session."""
    return founded[0]


@pytest.fixture
def mine(vault, tmp_path) -> ScratchVault:
    """Give a copy of the session's vault that may be spoilt."""
    return copied(vault, tmp_path / "v")


@pytest.fixture(scope="session")
def founded(ask, group) -> Iterator[tuple[ScratchVault, dict]]:
    """Give a vault, and what ``init`` said when it made it.

    It has two nights behind it, and its target is a folder; nothing may break it.
    Other accounts may pass through to it, as to a vault in ``/etc`` and ``/var/lib``; pytest's
    own folders let nobody through.
    """
    with tempfile.TemporaryDirectory(prefix="coffre-cli-") as folder:
        os.chmod(folder, 0o711)
        made = make_vault(Path(folder) / "v", targets={"trial": "folder"})
        made.folder.chmod(0o711)
        made.config.write_text(made.config.read_text() + f"state_group: {group.gr_name}\n")
        made.config.chmod(0o644)
        first = made.init().document
        ask(made, "target", "enrol", "trial", "--yes").ok()
        for night in (1, 2):
            ask(made, "run", "--now").ok()
            if night == 1:
                made.grow(night)
        yield made, first


@pytest.fixture(scope="session")
def ask_as(ask):
    """Run a command in a child that gave root away: account ``nobody``, the given groups."""

    def run(groups: list[int], vault: ScratchVault, *words: str):
        for module in pkgutil.iter_modules(cli.__path__):  # now: the child may not read the tree
            importlib.import_module(f"{cli.__name__}.{module.name}")
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            told = b"{}"
            try:
                os.setgroups(groups)
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
                found = ask(vault, *words)
                told = json.dumps([found.code, found.stdout, found.stderr]).encode()
            finally:
                os.write(writer, told)
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            code, out, err = json.loads(pipe.read())
        os.waitpid(child, 0)
        return answer(words, code, out, err)

    return run


@pytest.fixture(scope="session")
def ask():
    """Run a command inside this process; give its answer as the rig gives one."""

    def run(vault: ScratchVault | None, *words: str, stdin: str = "", json_too: bool = True):
        told = ["-c", str(vault.config)] if vault else []
        told += ["--json"] if json_too else []
        out, err = io.StringIO(), io.StringIO()
        before, sys.stdin = sys.stdin, io.StringIO(stdin)
        speak("en")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = _code(lambda: run_words([*told, *words]))
        finally:
            sys.stdin = before
            speak("en")
        return answer(words, code, out.getvalue(), err.getvalue())

    return run


def _code(act) -> int:
    try:
        return act()
    except SystemExit as end:
        return int(end.code or 0)


@pytest.fixture(scope="session")
def faults():
    """Judge a document by the schema that it names; give what is wrong, nothing when lawful."""

    def judge(document: dict) -> list[str]:
        name = re.fullmatch(r"coffre/([a-z-]+)/1", document["schema"])
        assert name, document["schema"]
        path = SCHEMAS / f"{name[1]}.json"
        schema = json.loads(path.read_text("utf-8"))
        return list(_faults(schema, document, "$"))

    return judge


_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def _is(value: object, wanted: str) -> bool:
    if wanted in ("integer", "number"):
        kinds = (int,) if wanted == "integer" else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    return isinstance(value, _TYPES[wanted])


def _faults(schema: dict, value: object, at: str) -> Iterator[str]:
    """Judge a value by the part of JSON Schema that ours uses; an unknown word is a fault too."""
    known = {"$schema", "title", "description", "anyOf", "type", "enum", "const", "pattern"}
    known |= {"minimum", "properties", "required", "additionalProperties", "items"}
    assert schema.keys() <= known, schema.keys() - known
    if "anyOf" in schema:
        tried = [list(_faults(one, value, at)) for one in schema["anyOf"]]
        if all(tried):
            yield from min(tried, key=len)
    if "type" in schema and not _is(value, schema["type"]):
        yield f"{at}: {value!r} is no {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is not one of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if "pattern" in schema and not re.search(schema["pattern"], str(value)):
        yield f"{at}: {value!r} does not fit {schema['pattern']}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{at}: {value!r} is below {schema['minimum']}"
    if isinstance(value, dict):
        yield from (
            f"{at}: {key} is missing" for key in schema.get("required", ()) if key not in value
        )
        below = schema.get("properties", {})
        more = schema.get("additionalProperties", {})
        for key, item in value.items():
            one = below.get(key, more)
            if one is False:
                yield f"{at}.{key}: unknown"
            else:
                yield from _faults(one, item, f"{at}.{key}")
    if isinstance(value, list):
        for item in value:
            yield from _faults(schema.get("items", {}), item, f"{at}[]")


@pytest.fixture
def scratch(tmp_path: Path) -> ScratchVault:
    """Give a configuration and exports without any vault."""
    return make_vault(tmp_path / "v", targets={"trial": "folder"})
