# ruff: noqa: INP001, scripts are not a package
"""Collect what people read, and compile its French.

    .venv/bin/python scripts/translations.py          bring coffre.po up to date, compile coffre.mo
    .venv/bin/python scripts/translations.py --check  say what is missing; change nothing

Rule 1: an English text is its own key. Three kinds are collected: what the front door says (``_``,
    ``plural``, help), the templates and hints of errors and gaps, and the reasons that results
    carry as finished sentences (an f-string becomes a template, a value a placeholder).
Rule 2: no fuzzy entry: a text that changed is untranslated until a person has translated it.
Rule 3: the compiled catalogue is part of the tree, so that an installed wheel needs no build step.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "vault" / "locale" / "fr" / "LC_MESSAGES"
PO, MO = FOLDER / "coffre.po", FOLDER / "coffre.mo"

# Tables whose values are shown.
TABLES = {"STEPS", "CALLED", "OUTCOMES", "DISCONNECTIONS", "OWNERS", "PARSER", "_WORDS",
          "_UNITS", "_LABELS", "_BEYOND", "_MONTHS", "_LEVELS", "_VERDICTS", "_TOLD", "_MENDS",
          "_CONFIDENCE", "RULES", "_STOPS"}  # fmt: skip
# Keywords and calls whose texts end up before a person as a finished sentence.
KEYWORDS = {"hint", "template", "mend", "reason", "reasons", "evidence", "help", "not_tested",
            "detail", "noun"}  # fmt: skip
CALLS = {"Refused", "Changed", "Unlawful", "_fail", "_report", "_lock", "_unknown", "_with",
         "shut", "_shut_all", "shut_all", "shut_production", "shut_whatever", "shut_listed",
         "asked", "BrokenStream"}  # fmt: skip
# Calls whose second argument is the template of a remark on a file; the first is its code.
REMARKS = {"note", "doubt", "fault", "weighed"}
LISTS = {"reasons", "problems", "found_problems", "not_tested"}
# Functions that give a sentence, or clauses of one, as their value.
GIVERS = re.compile(
    r"^_?(reason|why_\w+|unlawful\w*|kind_refused|too_long|unmarked|young|ending|room|outcome|"
    r"list_aliens|run_probe|take_down|run_detach|who_holds|holds_open|ext_error|suggest|"
    r"ransom_marks|warnings|compare_pins|over_budget|shown_refusals|reasons)$"
)
# Where texts are put into words: the commands, and the pages.
FRONT = ("vault/cli/", "vault/report/")
NOT_SHOWN = {"vault/hospital", "vault/catalogue/migrations"}

Found = tuple[str, str | None]  # a text, and its plural


def collect() -> dict[Found, list[tuple[str, int]]]:
    """Give every text with the places where it stands."""
    found: dict[Found, list[tuple[str, int]]] = {}
    for path in sorted((ROOT / "vault").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if any(name.startswith(folder) for folder in NOT_SHOWN):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        for line, text, many in _of_module(tree, is_front=name.startswith(FRONT)):
            if text and not text.isspace():
                found.setdefault((text, many), []).append((name, line))
    return found


def _of_module(tree: ast.Module, *, is_front: bool) -> Iterator[tuple[int, str, str | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, is_front=is_front)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            yield from _of_assignment(node)
        elif isinstance(node, ast.AugAssign) and _name(node.target) in LISTS:
            yield from _texts(node.value)
        elif isinstance(node, ast.FunctionDef):
            yield from _of_function(node, is_front=is_front)


def _of_call(node: ast.Call, *, is_front: bool) -> Iterator[tuple[int, str, str | None]]:
    name = _name(node.func)
    if name == "plural":
        one, many = (_template(arg) for arg in node.args[:2])
        assert one
        yield node.lineno, one, many
        return
    if name in ("_", "tell") and is_front:
        yield from ((node.lineno, text, None) for arg in node.args if (text := _template(arg)))
    elif name in REMARKS:
        yield from _texts(node.args[1] if len(node.args) > 1 else None)
    elif name in CALLS:
        for arg in node.args:
            yield from _texts(arg)
    # An error, a problem, or a class of error chosen at run time: its first text is a template.
    elif _is_error(node) or name in ("problem", "_problem", "_fault", "problem_at"):
        texts = [text for arg in node.args[:2] for text in _texts(arg)]
        yield from texts[:1] if _is_error(node) else texts[-1:]
    elif name == "append" and _name(getattr(node.func, "value", None)) in LISTS:
        for arg in node.args:
            yield from _texts(arg)
    for keyword in node.keywords:
        shown = KEYWORDS if is_front else KEYWORDS - {"help"}
        if keyword.arg in shown or (is_front and keyword.arg in ("epilog", "says")):
            yield from _texts(keyword.value)


def _is_error(node: ast.Call) -> bool:
    name = _name(node.func) or ""
    return name in _ERRORS or name in ("kind", "failure", "fail_with", "error_class", "error")


def _of_assignment(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[int, str, str | None]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = {_name(target) for target in targets}
    if names & {"_EPILOG"}:
        yield from _texts(node.value)
    if not names & (TABLES | LISTS):
        if names & {
            "reason",
            "why",
            "template",
            "clause",
            "hint",
            "says",
            "trouble",
            "evidence",
            "holds",
        }:
            yield from _texts(node.value)
        return
    values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
    for value in values:
        yield from _texts(value)


def _of_function(node: ast.FunctionDef, *, is_front: bool) -> Iterator[tuple[int, str, str | None]]:
    decorators = [ast.unparse(item) for item in node.decorator_list]
    if is_front and any(".command(" in item for item in decorators):
        text = ast.get_docstring(node)
        if text:
            yield node.lineno, text, None
    if not is_front and GIVERS.match(node.name):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return | ast.Yield) and inner.value is not None:
                sentences = _texts(inner.value, deep=True)
                yield from (found for found in sentences if " " in found[1])


def _texts(node: ast.AST | None, *, deep: bool = False) -> Iterator[tuple[int, str, str | None]]:
    """Give the texts of an expression: itself, either arm of a choice, the items of a list."""
    if node is None:
        return
    text = _template(node)
    if text is None:
        for part in _parts(node, deep=deep):
            yield from _texts(part, deep=deep)
    elif text == "B" or re.search(r"[A-Za-zÀ-ÿ]{2}", re.sub(r"{\w*}", "", text)):
        yield node.lineno, text, None  # type: ignore[attr-defined]


def _parts(node: ast.AST, *, deep: bool) -> Sequence[ast.AST]:
    match node:
        case ast.IfExp():
            return [node.body, node.orelse]
        case ast.BoolOp():
            return node.values
        case ast.Tuple() | ast.List() | ast.Set():
            return node.elts
        case ast.Dict():
            return [] if deep else node.values
        case ast.Call():
            return node.args if deep else []
        case ast.Starred():
            return [node.value]
        case ast.GeneratorExp() | ast.ListComp():
            return [node.elt]
        case ast.BinOp(op=ast.Add()):
            return [node.left, node.right]
    return []


def _template(node: ast.AST) -> str | None:
    """Give a literal as it is, and an f-string as a template with its values named."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    text, names = "", set()
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value).replace("{", "{{").replace("}", "}}")
            continue
        assert isinstance(part, ast.FormattedValue)
        name = _value_name(part.value)
        while name in names:
            name += "_"
        names.add(name)
        text += "{" + name + "}"
    return text


def _value_name(node: ast.AST) -> str:
    """Name a value after what it is, so that a translator can tell."""
    if isinstance(node, ast.Call):
        inner = node.args[0] if node.args else node.func
        return _value_name(inner)
    if isinstance(node, ast.Attribute) and node.attr in ("bytes", "files", "st_size", "size_bytes"):
        return f"{_value_name(node.value)}_{node.attr}".lstrip("_")
    return (_name(node) or "value").strip("_").lower()


def _name(node: ast.AST | None) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def _error_classes() -> set[str]:
    """Give the names of CoffreError and of all below it, wherever they stand."""
    bases: dict[str, set[str]] = {}
    for path in (ROOT / "vault").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {_name(base) or "" for base in node.bases}
    known = {"CoffreError"}
    while more := {name for name, below in bases.items() if below & known} - known:
        known |= more
    return known


_ERRORS = _error_classes()

# -- the catalogue


def catalogue() -> Catalog:
    """Give the catalogue that the texts and the translations make together."""
    made = Catalog(locale="fr", project="coffre", version="1", charset="utf-8", fuzzy=False)
    made.header_comment = "# Coffre en français. Le glossaire : docs/glossary.md."
    old = load()
    texts = collect()
    for (text, many), places in sorted(texts.items(), key=lambda item: (item[1][0], item[0][0])):
        known = old.get(text) if old is not None else None
        told = known.string if known is not None and not known.fuzzy else None
        if many is not None:
            told = told if isinstance(told, list | tuple) else ("", "")
            made.add((text, many), tuple(told), locations=[(name, 0) for name, _ in places[:1]])
        else:
            made.add(text, told if isinstance(told, str) else "", locations=[(places[0][0], 0)])
    return made


def load() -> Catalog | None:
    """Read the catalogue as it stands in the tree."""
    if not PO.exists():
        return None
    with PO.open("rb") as file:
        return read_po(file, locale="fr")


def po_of(made: Catalog) -> bytes:
    """Write a catalogue as text; nothing in it depends on the day."""
    out = io.BytesIO()
    write_po(out, made, width=96, omit_header=False, include_lineno=False, sort_output=False)
    head, blank, rest = out.getvalue().partition(b"\n\n")
    kept = (b"#", b"msg", b'"Project', b'"Language:', b'"Plural', b'"MIME', b'"Content')
    lines = [line for line in head.split(b"\n") if line.startswith(kept)]
    return b"\n".join(lines) + blank + rest


def mo_of(made: Catalog) -> bytes:
    """Compile a catalogue; the bytes depend on its texts only."""
    made.creation_date = made.revision_date = None  # type: ignore[assignment]
    plain = Catalog(locale="fr", charset="utf-8", header_comment="")
    for message in made:
        if message.id:
            plain.add(message.id, message.string)
    header = (
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: 8bit\nLanguage: fr\nPlural-Forms: nplurals=2; plural=(n > 1);\n"
    )
    out = io.BytesIO()
    write_mo(out, plain)
    return _with_header(out.getvalue(), header)


def _with_header(compiled: bytes, header: str) -> bytes:
    """Put a header without dates into a compiled catalogue, by making its tables anew."""
    import struct

    _, _, count, originals, translations, _, _ = struct.unpack("<7I", compiled[:28])
    pairs = []
    for number in range(count):
        length, at = struct.unpack_from("<2I", compiled, originals + 8 * number)
        key = compiled[at : at + length]
        length, at = struct.unpack_from("<2I", compiled, translations + 8 * number)
        pairs.append((key, compiled[at : at + length] if key else header.encode()))
    size = 28 + 16 * count
    keys = b"".join(key + b"\0" for key, _ in pairs)
    heads, at = [], size
    for key, _ in pairs:
        heads.append(struct.pack("<2I", len(key), at))
        at += len(key) + 1
    for _, value in pairs:
        heads.append(struct.pack("<2I", len(value), at))
        at += len(value) + 1
    values = b"".join(value + b"\0" for _, value in pairs)
    start = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, size)
    return start + b"".join(heads) + keys + values


def untranslated(made: Catalog) -> list[str]:
    """Give the texts that have no French, or not in every form."""
    return [
        str(message.id)
        for message in made
        if message.id and not (all(message.string) if message.pluralizable else message.string)
    ]


def main(argv: list[str]) -> int:
    """Bring the catalogue up to date, or only judge it."""
    made = catalogue()
    missing = untranslated(made)
    for text in missing:
        sys.stdout.write(f"no French: {text}\n")
    po, mo = po_of(made), mo_of(made)
    if "--check" in argv:
        stale = not PO.exists() or PO.read_bytes() != po or MO.read_bytes() != mo
        sys.stdout.write("the catalogue is stale\n" if stale else "")
        return int(bool(missing) or stale)
    FOLDER.mkdir(parents=True, exist_ok=True)
    PO.write_bytes(po)
    MO.write_bytes(mo)
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
