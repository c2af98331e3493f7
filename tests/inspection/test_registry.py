"""Which inspector judges, and what a plug-in can and cannot break."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest

from tests.inspection.conftest import Examine
from vault.finding import Finding, Soundness, judged
from vault.inspection import Registry, load_registry
from vault.inspection import registry as module
from vault.inspection.budget import OverBudget
from vault.inspection.content import Content


class Sure:
    """An inspector as sure as it is told to be."""

    def __init__(self, kind: str, sureness: int) -> None:
        self.kind, self._sureness = kind, sureness

    def recognises(self, head: bytes, name: bytes) -> int:
        if self._sureness < 0:
            raise ValueError
        return self._sureness

    def inspect(self, content: Content) -> Finding:
        return judged(self.kind)


def test_surest_judges_and_the_first_of_equals(examine: Examine) -> None:
    """One that fails while it recognises stands aside."""
    sure = [Sure("weak", 25), Sure("broken", -1), Sure("first", 50), Sure("second", 50)]
    assert examine(b"x", inspectors=Registry(sure)).kind == "first"
    assert examine(b"x", inspectors=Registry([Sure("no", 0)])).soundness is Soundness.OPAQUE


def test_bound_is_a_doubt(examine: Examine) -> None:
    """Meeting it is told, and is no damage."""

    class Endless(Sure):
        def inspect(self, content: Content) -> Finding:
            raise OverBudget("seconds")

    finding = examine(b"x", inspectors=Registry([Endless("endless", 50)]))
    assert finding.soundness is Soundness.DOUBTFUL
    assert finding.remarks[0].code == "over-budget"


def points(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Install entry points of the group."""
    made = [EntryPoint(name, value, module.GROUP) for name, value in values.items()]
    monkeypatch.setattr(module, "entry_points", lambda group: made)


def make_plugin() -> Sure:
    return Sure("plugged", 50)


def make_twin() -> Sure:
    return Sure("dsn", 100)


def make_wrong() -> object:
    return object()


def make_broken() -> None:
    raise RuntimeError("12345")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no.such.module:make", "ModuleNotFoundError"),
        (f"{__name__}:make_broken", "RuntimeError"),
        (f"{__name__}:make_wrong", "AttributeError"),
        (f"{__name__}:make_twin", "its kind is taken"),
    ],
)
def test_plugin_that_does_not_load_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, value: str, reason: str
) -> None:
    """The other inspectors go on."""
    points(monkeypatch, bad=value, good=f"{__name__}:make_plugin")
    loaded = load_registry()
    assert [(one.name, one.reason) for one in loaded.unloaded] == [("bad", reason)]
    assert {"dsn", "plugged"} <= {one.kind for one in loaded.inspectors}


def test_own_inspectors_go_before_the_built_in_ones() -> None:
    """What a caller made with its own tables is asked first."""
    own: Callable[[], Sure] = make_plugin
    assert load_registry([own()]).inspectors[0].kind == "plugged"
