"""The words of a manual page: text and Markdown as roff, for ``man``.

Rule 1: the output is ASCII: every other sign is named by its code, so that a page reads alike
    whatever the locale of who formats it.
Rule 2: only the Markdown that our own pages use is known: headings, paragraphs, lists, tables,
    code, strong words, fences.
Source: groff_man(7), groff_char(7).
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*")
_WIDTH = 78
_MINUS = "\u2212"
_NAMED = {
    "\\": "\\e", _MINUS: "\\-", "\u00a0": "\\~", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha",
    "~": "\\(ti", '"': "\\(dq",
}  # fmt: skip
_SPLIT = re.compile(r"(?<!\\)\|")
_BULLET = re.compile(r"(?:- |(\d+)\. )(.*)")


def escaped(text: str, *, is_code: bool = False) -> str:
    """Give a text as roff shows it; a dash that begins a word, or stands in code, is a minus."""
    text = text.replace("-", _MINUS) if is_code else re.sub(r"(?<!\w)-|-(?=-)", _MINUS, text)
    told = "".join(
        _NAMED.get(c, c) if c.isascii() or c in _NAMED else f"\\[u{ord(c):04X}]" for c in text
    )
    return re.sub(r"(?m)^\.", r"\\&.", told)


def marked(text: str) -> str:
    """Give a line of Markdown: code and strong words bold, emphasis slanted."""
    told, at = "", 0
    for found in _INLINE.finditer(text):
        told += escaped(text[at : found.start()])
        font, is_code = ("I" if found[3] else "B"), found[1] is not None
        word = found[1] or found[2] or found[3]
        told += f"\\f{font}{escaped(word, is_code=is_code)}\\fR"
        at = found.end()
    return told + escaped(text[at:])


def laid(lines: Iterable[str]) -> str:
    """Give a whole page: no line longer than a mail's, no paragraph that begins a section."""
    told: list[str] = []
    for line in (one for text in lines for one in text.split("\n")):
        if line == ".PP" and told and told[-1].startswith((".SH", ".SS")):
            continue
        if line.startswith(".") or len(line) <= _WIDTH:
            told.append(line)
            continue
        parts = textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
        told += [f"\\&{part}" if part.startswith(".") else part for part in parts]
    return "\n".join(told) + "\n"


def head(name: str, section: int, *, version: str, title: str) -> str:
    """Give the first line of a page; it has no date, so that the same code gives the same page."""
    return f'.TH "{escaped(name.upper())}" {section} "" "coffre {version}" "{escaped(title)}"'


def heading(text: str, *, depth: int = 1) -> str:
    """Give a heading of a section, or of a part of one."""
    return f'.{"SH" if depth == 1 else "SS"} "{marked(text)}"'


def entry(tag: str, text: str) -> list[str]:
    """Give one term and what it means."""
    return [".TP", tag, marked(text) or "\\&"]


def from_markdown(lines: Sequence[str]) -> Iterator[str]:
    """Give the lines of a page; the first heading, its title, is left out."""
    kept = _joined(lines)
    for line in kept:
        if line.startswith("# "):
            continue
        if line.startswith("#"):
            depth, _, text = line.partition(" ")
            yield heading(text.upper() if len(depth) == 2 else text, depth=len(depth) - 1)
        elif line.startswith("|"):
            yield from _row(line)
        elif found := _BULLET.match(line):
            sign = f"{found[1]}." if found[1] else "\\(bu"
            yield f".IP {sign} 4"
            yield marked(found[2])
        elif line.startswith("```"):
            yield ".PP\n.RS 4\n.nf"
            yield from (f"\\&{escaped(code, is_code=True)}" for code in line.split("\n")[1:])
            yield ".fi\n.RE"
        else:
            yield ".PP"
            yield marked(line)


def _row(line: str) -> list[str]:
    """Give a row of a table: its first cell is the term; a head and a rule are left out."""
    cells = [cell.strip().replace("\\|", "|") for cell in _SPLIT.split(line)[1:-1]]
    if cells[0] in ("key", "") or set("".join(cells)) <= set("-: "):
        return []
    tag = marked(cells[0])
    if len(cells) > 2 and cells[1]:  # key, default, meaning
        tag += f" ({marked(cells[1])})"
    return [".TP", tag, marked(cells[-1]) or "\\&"]


def _joined(lines: Sequence[str]) -> Iterator[str]:
    """Join what is one paragraph, one item, one fence."""
    held: list[str] = []
    fenced = False
    for line in lines:
        if line.startswith("```"):
            if fenced:
                yield "\n".join(held)
                held, fenced = [], False
            else:
                yield from _flushed(held)
                held, fenced = [line], True
            continue
        if fenced:
            held.append(line)
            continue
        starts = line.startswith(("#", "|")) or _BULLET.match(line) is not None
        if not line.strip() or starts:
            yield from _flushed(held)
            held = []
        if line.strip():
            held.append(line.strip())
        if line.startswith(("#", "|")):  # whole by itself
            yield from _flushed(held)
            held = []
    yield from _flushed(held)


def _flushed(held: list[str]) -> Iterator[str]:
    if held:
        yield " ".join(held)
