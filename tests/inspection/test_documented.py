"""docs/formats.md names every kind and every remark."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from vault.inspection import load_registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/formats.md").read_text("utf-8")
MADE = {"note", "doubt", "fault", "weighed"}


def codes() -> set[str]:
    """Give the code of every remark that an inspector can make."""
    found = set()
    for path in (ROOT / "vault/inspection").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MADE:
                assert isinstance(node.args[0], ast.Constant), path
                found.add(node.args[0].value)
    return found


def test_every_remark_has_its_row() -> None:
    """In the table of remarks; several may share one."""
    part = PAGE.split("## Every remark")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", part, re.M)
    assert codes() - {code for row in rows for code in row[1:-1].split("`, `")} == set()


def test_every_kind_has_its_row() -> None:
    """In the table of inspectors."""
    part = PAGE.split("## What each inspector sees")[1].split("\n## ")[0]
    told = set(re.findall(r"`([a-z0-9-]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", part, re.M))))
    assert {one.kind for one in load_registry().inspectors} - told == set()
