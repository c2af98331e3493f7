"""Find the configuration, and read the few words of it that need no model.

Rule 1: the file comes from the argument, else $COFFRE_CONFIG, else ./vault.yaml, else
    /etc/coffre/vault.yaml; what was named and is not there is an error, never a reason to go on.
Rule 2: a glance validates nothing but what it gives: it serves commands that only read the state
    (``status``) and must start at once; everything else uses ``load``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from vault.config.nodes import Document, read_document
from vault.config.problems import ConfigProblems
from vault.config.safety import CONFIGURATION, read_safely
from vault.errors import NotInitialised

VARIABLE = "COFFRE_CONFIG"
FILE_NAME = "vault.yaml"
SYSTEM_FILE = "/etc/coffre/vault.yaml"
_STATE_LINE = re.compile(rb"(?m)^state:[ \t]*([\"']?)([^\s\"'#]+)\1[ \t]*(?:#.*)?\r?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek:
    """Where the state is, and how to speak."""

    file: str
    state: str  # absolute
    language: str
    time_zone: str


def find(path: str | None = None) -> str:
    """Give the absolute path of the configuration; NotInitialised when there is none."""
    named = path or os.environ.get(VARIABLE)
    if named:
        return os.path.abspath(named)
    here = os.path.abspath(FILE_NAME)
    for candidate in (here, SYSTEM_FILE):
        if os.path.lexists(candidate):
            return candidate
    raise NotInitialised(
        "no configuration: neither {here} nor {system} is there",
        hint="coffre init DIR, or --config FILE?",
        here=here,
        system=SYSTEM_FILE,
    )


def peek(path: str | None = None) -> Peek:
    """Read where the state is without judging the rest; the same file is refused as in ``load``."""
    file = find(path)
    document = _read(file)
    data = _mapping(document)
    state = data.get("state")
    if not isinstance(state, str) or not state or "\0" in state:
        raise ConfigProblems([document.problem(("state",), "must be the path of a folder")])
    found = data.get("site")
    site = found if isinstance(found, Mapping) else {}
    language, zone = site.get("language"), site.get("time_zone")
    return Peek(
        file=file,
        state=os.path.join(os.path.dirname(file), state),
        language=language if language in ("fr", "en") else "fr",
        time_zone=zone if isinstance(zone, str) else "Europe/Paris",
    )


def glance(path: str | None = None) -> Mapping[str, object]:
    """Read what the file says, judging nothing: for proposing names while somebody types."""
    return _mapping(_read(find(path)))


def _read(file: str) -> Document:
    return read_document(read_safely(file, CONFIGURATION), file)


def _mapping(document: Document) -> Mapping[str, object]:
    return document.data if isinstance(document.data, Mapping) else {}


def state_of(path: str | None = None) -> str:
    """Give the state's folder even of a file that is no YAML any more, by its one line.

    For shutting, which may not wait for a typo to be found. Raises like ``peek`` when no line
    names it.
    """
    try:
        return peek(path).state
    except ConfigProblems:
        file = find(path)
        found = _STATE_LINE.findall(read_safely(file, CONFIGURATION))
        if len(found) != 1:
            raise
        return os.path.join(os.path.dirname(file), os.fsdecode(found[0][1]))
