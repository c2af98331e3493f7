"""The configuration: find it, read it, refuse what is unsafe, show it.

Rule 1: everything below is loaded at its first use, so that a command that only reads the status
    does not pay for the models.
Rule 2: nothing here writes, but ``copy_out``; nothing here starts a process.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vault.config.fields import SecretRef
    from vault.config.formats_tables import load_formats
    from vault.config.glance import Peek, find, peek, state_of
    from vault.config.loading import (
        load,
        load_policy,
        load_shipped_policies,
    )
    from vault.config.problems import ConfigProblems, Problem
    from vault.config.secrets import Runner, read_secret
    from vault.config.settings import (
        Settings,
        TargetSettings,
        secret_refs,
    )
    from vault.config.shipping import copy_out, shipped
    from vault.config.showing import schema, show
    from vault.config.sources import SourceSettings
    from vault.config.timetable_file import load_timetable

_HOMES = {
    "ConfigProblems": "problems",
    "Peek": "glance",
    "Problem": "problems",
    "Runner": "secrets",
    "SecretRef": "fields",
    "Settings": "settings",
    "SourceSettings": "sources",
    "TargetSettings": "settings",
    "copy_out": "shipping",
    "find": "glance",
    "load": "loading",
    "load_formats": "formats_tables",
    "load_policy": "loading",
    "load_shipped_policies": "loading",
    "load_timetable": "timetable_file",
    "peek": "glance",
    "read_secret": "secrets",
    "schema": "showing",
    "secret_refs": "settings",
    "shipped": "shipping",
    "show": "showing",
    "state_of": "glance",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module, once."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


__all__ = [
    "ConfigProblems",
    "Peek",
    "Problem",
    "Runner",
    "SecretRef",
    "Settings",
    "SourceSettings",
    "TargetSettings",
    "copy_out",
    "find",
    "load",
    "load_formats",
    "load_policy",
    "load_shipped_policies",
    "load_timetable",
    "peek",
    "read_secret",
    "schema",
    "secret_refs",
    "shipped",
    "show",
    "state_of",
]
