"""XML, read as it comes: elements are told to a listener, and no tree is built.

Rule 1: memory stays bounded whatever the file: text is dropped before it is made, a token that does
    not end is a long line, and depth and names, of which expat keeps each, have bounds.
Rule 2: entities and external references are never resolved: a file that declares some is told so
    and not read.
Source: expat, with what defusedxml refuses; XML 1.0; decision 0017.
"""

from __future__ import annotations

import re
from typing import Protocol
from xml.parsers import expat

from vault.finding import Finding, Remark, doubt, fault, judged
from vault.inspection.budget import LongLine, OverBudget
from vault.inspection.content import Content
from vault.inspection.inspector import NO, WEAK

_STEP_BYTES = 64 * 1024
_LONGEST_TOKEN_BYTES = 8 * 1024**2
_DEEPEST = 10_000  # elements in elements; no format that is exported goes beyond a few dozen
_MOST_NAMES = 100_000  # of elements and attributes, each told apart
_BOMS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# What defusedxml refuses, and what has no declaration that we would read.
_REFUSED = (
    "EntityDeclHandler",
    "UnparsedEntityDeclHandler",
    "ExternalEntityRefHandler",
    "SkippedEntityHandler",
)
_ROOT = re.compile(r"<(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)([^<>]*)")


class Listener(Protocol):
    """Who is told of elements; tags are ``namespace}name``."""

    depth: int  # of elements that are open

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the start of an element."""
        ...

    def end(self, tag: str) -> None:
        """Take its end."""
        ...


class _Declared(Exception):
    """A file declares entities, or refers to one that it does not declare."""


def read_markup(content: Content, listener: Listener) -> list[Remark]:
    """Tell a listener of every element; give what is wrong, [] for a well-formed file.

    Raises LongLine and OverBudget.
    """
    names: dict[str, str] = {}
    parser = expat.ParserCreate(namespace_separator="}", intern=names)
    parser.StartElementHandler = listener.start
    parser.EndElementHandler = listener.end
    for name in _REFUSED:
        setattr(parser, name, _refuse)
    stream = content.stream()
    fed = 0
    try:
        while block := stream.read(_STEP_BYTES):
            parser.Parse(block, False)
            fed += len(block)
            if fed - parser.CurrentByteIndex > _LONGEST_TOKEN_BYTES:
                raise LongLine
            if listener.depth > _DEEPEST:
                raise OverBudget("depth")
            if len(names) > _MOST_NAMES:
                raise OverBudget("names")
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError):  # the latter for an encoding that nobody knows
        return [fault("xml-broken", "not well-formed XML: cut short or damaged")]
    except _Declared:
        return [doubt("xml-entities", "it declares entities and was not read: it could unfold")]
    return []


def _refuse(*_args: object) -> None:
    raise _Declared


def root_of(head: bytes) -> tuple[str, str] | None:
    """Give namespace and name of the root element that a head shows, or None."""
    if b"<" not in head[:64]:  # most files are not XML, and the head of each is asked for
        return None
    text = _decode(head).lstrip("\ufeff \t\r\n")
    while text.startswith(("<?", "<!")):
        _, found, text = text.partition(_end_of(text))
        if not found:
            return None
        text = text.lstrip()
    root = _ROOT.match(text)
    if root is None:
        return None
    prefix, name, attributes = root.groups()
    mark = f"xmlns:{prefix}" if prefix else "xmlns"
    space = re.search(rf"""\s{re.escape(mark)}\s*=\s*["']([^"']*)""", attributes)
    return (space.group(1) if space else "", name)


def _end_of(text: str) -> str:
    """Give what ends the instruction, comment or document type that a text begins with."""
    if text.startswith("<?"):
        return "?>"
    if text.startswith("<!--"):
        return "-->"
    return "]>" if "[" in text.partition(">")[0] else ">"


def _decode(head: bytes) -> str:
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return head.decode(encoding, "replace")
    return head.decode("latin-1")


def local(tag: str) -> str:
    """Give the name of a tag without its namespace."""
    return tag.rpartition("}")[2]


class _Counter:
    def __init__(self) -> None:
        self.elements = self.depth = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        self.depth += 1

    def end(self, tag: str) -> None:
        self.depth -= 1


class Xml:
    """Any XML that no other inspector knows: well-formed or not, how many elements."""

    kind = "xml"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be a little sure of what begins as XML does."""
        text = _decode(head[:256]).lstrip("\ufeff \t\r\n")
        is_xml = text.startswith("<?xml") or (
            name.lower().endswith(b".xml") and root_of(head) is not None
        )
        return WEAK + 5 if is_xml else NO

    def inspect(self, content: Content) -> Finding:
        """Read it to its end."""
        counter = _Counter()
        remarks = read_markup(content, counter)
        return judged(self.kind, remarks, counts={"elements": counter.elements})
