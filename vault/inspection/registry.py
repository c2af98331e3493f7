"""The inspectors of this installation, and which of them judges a file.

Rule 1: the surest inspector judges; between two as sure, what was given first: the caller's own,
    then the built-in ones, then the plug-ins by name.
Rule 2: a plug-in that does not load, or fails while it recognises, is a warning and never the end
    of a night; one whose kind is taken is left out.
Rule 3: an exception of a parser is a malformed file, with a remark that carries its class only;
    a bound that is met is a doubtful one.
Rule 4: the identity of the registry changes when an inspector or a table does, so that what was
    judged by older ones is looked at again.
Source: entry points of the group ``coffre.inspectors``; docs/plugins.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from vault.finding import OPAQUE, Finding, Remark, Soundness, doubt, fault, judged, token
from vault.inspection.budget import LongLine, OverBudget
from vault.inspection.builtin import BUILT_IN
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE, Inspector
from vault.inspection.magic import is_other_than_named

GROUP = "coffre.inspectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloaded:
    """A plug-in that could not be used; ``name`` is the entry point's."""

    name: str
    reason: str


class Registry:
    """The inspectors in the order of their precedence."""

    def __init__(
        self, inspectors: Sequence[Inspector], *, unloaded: tuple[Unloaded, ...] = ()
    ) -> None:
        self.inspectors = tuple(inspectors)
        self.unloaded = unloaded

    @property
    def tables(self) -> str:
        """Give the identity of inspectors and tables: a SHA-256 of what each says of itself."""
        lines = sorted(
            f"{one.kind} {getattr(one, 'version', '1')} {getattr(one, 'tables', '')}\n"
            for one in self.inspectors
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def surest(self, head: bytes, name: bytes) -> Inspector | None:
        """Give the inspector that is surest of a file, or None when none knows it."""
        best, best_sureness = None, NO
        for one in self.inspectors:
            sureness = _sureness(one, head, name)
            if sureness > best_sureness:
                best, best_sureness = one, sureness
            if sureness >= SURE:
                break
        return best

    def judge(self, content: Content) -> Finding:
        """Judge a file or a member; never raises but OverBudget from within an archive."""
        inspector = self.surest(content.head, content.name)
        if inspector is None:
            return _unknown(content)
        try:
            return inspector.inspect(content)
        except OverBudget as over:
            if content.depth:
                raise
            return judged(inspector.kind, [over_budget(over.bound)])
        except LongLine:
            return judged(
                inspector.kind, [fault("line-too-long", "a line is longer than any lawful one")]
            )
        except MemoryError:
            return judged(inspector.kind, [over_budget("memory")])
        except Exception as error:  # noqa: BLE001, whatever a parser meets is an answer
            return judged(inspector.kind, [_parser_failed(error)])


def _sureness(one: Inspector, head: bytes, name: bytes) -> int:
    try:
        return int(one.recognises(head, name))
    except Exception:  # noqa: BLE001, a plug-in's fault is not the file's
        return NO


def _unknown(content: Content) -> Finding:
    """Claim nothing; but a name that promises what is not there is how encrypted files look."""
    if not is_other_than_named(content.head[:512], content.name):
        return Finding(kind=OPAQUE, soundness=Soundness.OPAQUE)
    return judged(OPAQUE, [doubt("not-as-named", "it is not what its name says")])


def over_budget(bound: str) -> Remark:
    """Say that a bound ended the reading: not damage, but not looked at to the end either."""
    return doubt("over-budget", "not read to its end: it met the bound {bound}", bound=token(bound))


def _parser_failed(error: Exception) -> Remark:
    # The class alone: the words of an exception may quote what was read.
    error_class = token(type(error).__name__)
    return fault("parser-failed", "its reader failed on it ({error})", error=error_class)


def load_registry(own: Iterable[Inspector] = ()) -> Registry:
    """Load the caller's own inspectors, the built-in ones and the plug-ins."""
    inspectors = [*own, *(make() for make in BUILT_IN)]
    unloaded: list[Unloaded] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        try:
            plugin = _load(point)
        except Exception as error:  # noqa: BLE001, a plug-in never ends a night
            unloaded.append(Unloaded(name=point.name, reason=type(error).__name__))
            continue
        if any(one.kind == plugin.kind for one in inspectors):
            unloaded.append(Unloaded(name=point.name, reason="its kind is taken"))
            continue
        inspectors.append(plugin)
    return Registry(inspectors, unloaded=tuple(unloaded))


def _load(point: EntryPoint) -> Inspector:
    make: Callable[[], Inspector] = point.load()
    plugin = make()
    if not isinstance(plugin.kind, str) or plugin.kind != token(plugin.kind) or not plugin.kind:
        raise TypeError("kind")
    if not callable(plugin.recognises) or not callable(plugin.inspect):
        raise TypeError("inspector")
    return plugin
