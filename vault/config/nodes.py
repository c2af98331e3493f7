"""Read YAML into plain data, and remember on which line every key stands.

Rule 1: YAML's surprises are switched off: only true, false, null, decimal integers and floats are
    anything but text, so ``22:30`` is a time, ``no`` a word and ``010000024`` a FINESS number.
Rule 2: a key twice in one mapping, a tag, a second document are refused; nothing is constructed.
Rule 3: no line of the file is ever quoted in an error: a secret may have been pasted there.
Source: YAML 1.2 core schema; PyYAML's composer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import yaml

from vault.config.problems import ConfigProblems, Problem, shown

Loc = tuple[str | int, ...]
MOST_NODES = 50_000  # aliases can blow a small file up
DEEPEST = 40

_SCALARS = {
    "tag:yaml.org,2002:bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "tag:yaml.org,2002:null": re.compile(r"|~|null|Null|NULL"),
    "tag:yaml.org,2002:int": re.compile(r"[-+]?(0|[1-9][0-9]{0,17})"),
    "tag:yaml.org,2002:float": re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}"),
}
_PLAIN_TAGS = frozenset(
    {
        *_SCALARS,
        *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq", "merge", "value")),
        "tag:yaml.org,2002:timestamp",
    }
)
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """The data of one file and the line (from 1) of every key in it."""

    file: str
    data: object = None
    lines: dict[Loc, int] = field(default_factory=dict)

    def line_of(self, loc: Loc) -> int | None:
        """Give the line of a key, or of the nearest key above it that is in the file."""
        for end in range(len(loc), -1, -1):
            if (line := self.lines.get(loc[:end])) is not None:
                return line
        return None

    def problem(self, loc: Loc, template: str, **values: object) -> Problem:
        """Say what is wrong at a key of this file."""
        return Problem(
            file=self.file,
            line=self.line_of(loc),
            key=dotted(loc),
            template=template,
            values=values,
        )


def dotted(loc: Loc) -> str:
    """Write a place in the file as a person would: ``sources.pmsi.command[0]``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}" if text else shown(part)
    return text


def read_document(content: bytes, file: str) -> Document:
    """Read one YAML file; raises ConfigProblems with line and column."""
    text = _decode(content, file)
    try:
        if not _is_shallow(text):
            raise ConfigProblems([Problem(file=file, template="nested too deeply")])
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise ConfigProblems([_of_yaml(error, file)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise ConfigProblems(
            [Problem(file=file, line=line, template="a control character that YAML does not allow")]
        ) from None
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        raise ConfigProblems([Problem(file=file, template="the file is empty")])
    return _Reader(file).read(node)


class _Reader:
    """Turn composed nodes into data, collecting what is not lawful."""

    def __init__(self, file: str) -> None:
        self.document = Document(file=file)
        self.problems: list[Problem] = []
        self.nodes = 0
        self.open: list[yaml.Node] = []

    def read(self, node: yaml.Node) -> Document:
        self.document.lines[()] = node.start_mark.line + 1
        self.document.data = self._value(node, ())
        if self.problems:
            raise ConfigProblems(self.problems)
        return self.document

    def _value(self, node: yaml.Node, loc: Loc) -> object:
        self.nodes += 1
        if self.nodes > MOST_NODES or len(self.open) > 2 * DEEPEST:
            self._complain(node, loc, "aliases make the file too large")
            raise ConfigProblems(self.problems)
        if node.tag not in _PLAIN_TAGS:
            self._complain(node, loc, "a YAML tag (!...) is not lawful here")
            return None
        self.open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, loc)
            if isinstance(node, yaml.SequenceNode):
                return [self._value(item, (*loc, n)) for n, item in enumerate(node.value)]
            return _scalar(node)
        finally:
            self.open.pop()

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> Mapping[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(key_node, loc, "a key must be a plain word")
                continue
            key = str(key_node.value)
            here = (*loc, key)
            if key in data:
                first = self.document.lines.get(here)
                self._complain(key_node, here, "key twice; the first stands on line {n}", n=first)
                continue
            self.document.lines[here] = key_node.start_mark.line + 1
            data[key] = self._value(value_node, here)
        return data

    def _complain(self, node: yaml.Node, loc: Loc, template: str, **values: object) -> None:
        self.problems.append(
            Problem(
                file=self.document.file,
                line=node.start_mark.line + 1,
                key=dotted(loc),
                template=template,
                values=values,
            )
        )


def _is_shallow(text: str) -> bool:
    """Walk the events first: composing recurses in C, and a deep file ends the process there."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                return False
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return True


def _scalar(node: yaml.Node) -> object:
    """Give a scalar by rule 1; anything in quotes is text."""
    text = str(node.value)
    if getattr(node, "style", None) or node.tag == "tag:yaml.org,2002:str":
        return text
    for tag, shape in _SCALARS.items():
        if shape.fullmatch(text):
            return _CONVERT[tag](text)
    return text


_CONVERT: Mapping[str, Callable[[str], object]] = {
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:null": lambda _text: None,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
}


def _decode(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigProblems(
            [Problem(file=file, line=line, template="not UTF-8; save the file as UTF-8")]
        ) from None


def _of_yaml(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    reason = error.problem or "not YAML"
    if isinstance(error, yaml.composer.ComposerError):
        # The library names the alias it misses; a password that begins with * looks like one.
        known = ("expected a single document", "but found another document")
        spoken = any(part in f"{error.context} {reason}" for part in known)
        reason = "a second document" if spoken else "an alias (*...) without its anchor"
    return Problem(
        file=file,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
        template="not YAML: {reason}",
        values={"reason": shown(str(reason))},
    )
