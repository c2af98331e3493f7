"""The manuals name what is there, and nothing that is not."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from vault.cli.app import app
from vault.errors import CoffreError, ExitCode
from vault.gap import KINDS
from vault.state import TABLE, State, diagram, status_of
from vault.verdict import PRECEDENCE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GLOBAL = {"-c", "--config", "--json", "--lang", "-v", "-q", "--help"}
NOT_BUILT: set[str] = set()


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def commands() -> Iterator[tuple[str, object]]:
    """Give every command by its words."""
    for name, command in typer.main.get_command(app).commands.items():
        below = getattr(command, "commands", None)
        if below is None:
            yield name, command
        else:
            yield from ((f"{name} {one}", two) for one, two in below.items())
            if command.invoke_without_command:  # a command itself, besides those below it
                yield name, command


def options(command) -> set[str]:
    found = {word for option in command.params for word in option.opts if word.startswith("-")}
    return found - {"--help"}


# -- the sysadmin's manual


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda item: str(item)[:20])
def test_every_command_and_option_stands_in_the_manual(name, command):
    """In a row of the tables of docs/sysadmin.md."""
    manual = read("docs/sysadmin.md").split("## Exit codes")[0]
    assert re.search(rf"`coffre {name}\b", manual), name
    for option in options(command):
        assert re.search(rf"(?<![\w-]){option}\b", manual), f"{name} {option}"


def test_the_table_of_gaps_is_the_kinds_there_are_with_their_severity():
    """In docs/sysadmin.md, in the order of the code."""
    manual = read("docs/sysadmin.md").split("## The kinds of gaps")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \| [^|]+ \| [^|]+ \|$", manual, re.MULTILINE)
    assert rows == [(kind, str(severity)) for kind, severity in KINDS.items()]


def test_every_global_option_stands_in_the_manual():
    """The root's options, completion included."""
    manual = read("docs/sysadmin.md")
    root = typer.main.get_command(app)
    for option in options(root) | GLOBAL | {"--install-completion", "--show-completion"}:
        assert f"`{option}" in manual, option


def test_the_manual_names_no_command_that_is_not_there():
    """Every ``coffre …`` in code, in all manuals and the README, is a command with its options."""
    known = dict(commands())
    pages = [ROOT / "README.md", *DOCS.glob("*.md"), *(DOCS / "decisions").glob("*.md")]
    wrong = []
    for page in pages:
        for line in coffre_lines(page.read_text("utf-8")):
            name = next((name for name in known if _starts(line, name.split())), None)
            if name is None and line[:1] == ["inspect"]:
                name = "inspect path"  # a first word that is no command is a path
            if name is None:
                if line and line[0] not in NOT_BUILT and not line[0].startswith(("-", "COMMAND")):
                    wrong.append(f"{page.name}: {line}")
                continue
            before_dashes = line[: line.index("--")] if "--" in line else line
            given = {word.split("=")[0] for word in before_dashes if re.match(r"--?[a-z]", word)}
            unknown = given - options(known[name]) - GLOBAL
            if unknown:
                wrong.append(f"{page.name}: {' '.join(line)}: {unknown}")
    assert wrong == []


def _starts(words: list[str], name: list[str]) -> bool:
    return words[: len(name)] == name


def coffre_lines(text: str) -> Iterator[list[str]]:
    """Give the words after ``coffre`` wherever a command is written in code."""
    blocks = re.findall(r"```(?:\w*)\n(.*?)```", text, re.S)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    for line in [*"\n".join(blocks).splitlines(), *inline]:
        found = re.match(r"(?:sudo )?(?:/\S*/)?coffre (.+)", line.split("#")[0].strip())
        if not found or re.search(r"[^\x00-\x7f—…“”’àâéèêîôûç«»]", found[1]):
            continue
        told = re.sub(r"[\[\]…]", " ", found[1])
        try:
            words = shlex.split(told)
        except ValueError:
            words = told.split()
        words = [word for word in words if word not in ("|",)]
        while words and words[0] in ("-c", "--config", "-q"):
            words = words[1 if words[0] == "-q" else 2 :]
        if words and re.match(r"[a-z]", words[0]):
            yield words


def test_every_exit_code_and_their_order_stand_in_the_manual():
    """The table has every code once, and the order is that of the verdicts."""
    part = read("docs/sysadmin.md").split("## Exit codes")[1].split("\n## ")[0]
    codes = [int(number) for number in re.findall(r"^\| (\d+) \|", part, re.M)]
    assert codes == sorted(int(code) for code in ExitCode)
    told = re.search(r"the first of ([\d, ]+) is given", part)
    order = list(dict.fromkeys(int(verdict.exit_code) for verdict in PRECEDENCE))
    assert [int(number) for number in told[1].split(",")] == order


def test_every_moment_of_a_hook_stands_in_the_manual():
    """The moments of hooks/README.md; examples are MOMENT.example or MOMENT.NAME.example."""
    readme = read("hooks/README.md")
    moments = set(re.findall(r"^\| `([a-z-]+)` \|", readme, re.M))
    assert moments
    examples = {path.name for path in (ROOT / "hooks").iterdir()} - {"README.md"}
    assert {name.partition(".")[0] for name in examples} <= moments
    assert set(re.findall(r"^\| `([a-z.-]+\.example)` \|", readme, re.M)) == examples
    for moment in moments:
        assert f"`{moment}`" in read("docs/sysadmin.md"), moment


def test_every_folder_and_file_of_the_state_stands_in_the_manual():
    """What init makes and what the airlock writes."""
    from vault import statefile
    from vault.wiring import making

    part = read("docs/sysadmin.md").split("## Files and folders")[1].split("\n## ")[0]
    for name in (
        *making._FOLDERS,
        statefile.AIRLOCK,
        statefile.SECURED,
        statefile.LOCK,
        statefile.PUBLIC,
        "catalogue.sqlite",
    ):
        assert f"`{name}" in part, name


def test_what_an_operator_may_meet_has_its_paragraph():
    """The situations that the manual promises to answer."""
    part = read("docs/sysadmin.md").split("## What to do when")[1]
    for word in (
        "DEGRADED", "medium is absent", "refused (7)", "aliens", "Impostor, clone, rolled back",
        "first copy larger than the window", "--for 12h", "vault host is lost", "recovery password",
        "Red button", "Disk full", "clock", "already-running",
    ):  # fmt: skip
        assert word in part, word


# -- JSON


def test_every_command_stands_in_the_page_on_json():
    """With its members, as its schema has them."""
    page = read("docs/json.md")
    for name, _command in commands():
        row = re.search(rf"^\| `{name}(?: --dry-run)?` \| (.*) \|$", page, re.M)
        assert row, name
        schema = yaml.safe_load(read(f"docs/schemas/{name.replace(' ', '-')}.json"))
        members = {key for one in schema["anyOf"] for key in one["properties"]}
        rows = " ".join(re.findall(rf"^\| `{name}[^|]*\| (.*) \|$", page, re.M))
        for member in members - {"schema", "exit_code", "error"}:
            assert f"`{member}`" in rows, f"{name}: {member}"


def test_every_reference_of_an_error_is_one_word_of_a_fixed_kind():
    """References are a contract: kebab-case, one class each but for its children."""
    for module in ("vault.config.problems", "vault.sources.reception", "vault.restic.landing",
                   "vault.process", "vault.sources.command"):  # fmt: skip
        importlib.import_module(module)
    seen: dict[str, type] = {}
    waiting = [CoffreError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        assert re.fullmatch(r"[a-z][a-z0-9-]*", kind.reference), kind
        if "reference" in vars(kind):
            assert seen.setdefault(kind.reference, kind) is kind, kind.reference


# -- architecture, decisions, ledger


def test_the_drawing_of_the_airlock_is_made_from_its_table():
    """Between the markers of docs/architecture.md stands what ``diagram`` gives."""
    page = read("docs/architecture.md")
    drawn = re.search(
        r"<!-- state diagram: begin -->\n```mermaid\n(.*?)```\n<!-- state", page, re.S
    )
    assert drawn, "the markers are gone"
    assert drawn[1] == diagram(), "paste what vault.state.diagram() gives between the markers"
    assert drawn[1].count("-->") == len(TABLE) + 1


def test_the_page_says_what_a_person_reads_of_each_state():
    """Four words for seven states."""
    page = read("docs/architecture.md")
    told = re.search(r"A person reads four words of it: (.*)", page)[1]
    for state in State:
        word = str(status_of(state))
        part = re.search(rf"\*\*{word}\*\*([^*]*)", told)
        assert part, word
        assert f"`{state}`" in part[1] or str(state) == word, state


def test_decisions_are_numbered_and_have_their_form():
    """Without a gap, each with state, date and its four parts."""
    notes = sorted((DOCS / "decisions").glob("0*.md"))
    assert [int(note.name[:4]) for note in notes] == list(range(1, len(notes) + 1))
    for note in notes:
        text = note.read_text("utf-8")
        assert re.match(rf"# {note.name[:4]}: .+\n\nState: (held|replaced by \d{{4}})\n", text), (
            note
        )
        assert re.search(r"^Date: \d{4}-\d\d-\d\d$", text, re.M), note
        heads = re.findall(r"^## (.+)$", text, re.M)
        assert heads == [
            "What it is about", "What was decided", "What it costs", "What else was looked at",
        ], note  # fmt: skip


def test_every_kind_of_ledger_entry_stands_in_the_auditors_page():
    """What is appended anywhere in the code."""
    kinds = set()
    for path in (ROOT / "vault").rglob("*.py"):
        text = path.read_text("utf-8")
        kinds |= set(re.findall(r'ledger\.append\(\s*"([a-z-]+)"', text))
    kinds |= set(re.findall(r"`(ledger-torn|clock-stepped-back)`", read("docs/ledger.md")))
    assert len(kinds) > 20
    page = read("docs/auditor.md")
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in page] == []
    listed = re.search(r"All kinds of entry: (.*)", page)[1]
    assert set(re.findall(r"`([a-z-]+)`", listed)) == kinds


# -- README and links


def test_the_small_configuration_of_the_readme_loads(tmp_path: Path):
    """As it stands, but for where the state and the exports are."""
    from vault.config import load

    block = re.search(r"```yaml\n(.*?)```", read("README.md"), re.S)[1]
    text = block.replace("/var/lib/coffre", str(tmp_path / "state")).replace("/srv", str(tmp_path))
    file = tmp_path / "vault.yaml"
    file.write_text(text)
    file.chmod(0o600)
    settings = load(str(file))
    assert set(settings.targets) == {"disk-a"}


def test_the_readme_says_what_is_promised_of_it():
    """The two commands, the installation, the limits, what is not built."""
    text = read("README.md")
    for word in (
        "make demo", "make test", "## For good, on Debian 12", "## What is not promised",
        "## What is not built yet", "coffre-night.timer", "coffre keys confirm",
    ):  # fmt: skip
        assert word in text, word
    assert text.index("make demo") < text.index("## For good") < text.index("## What is not")


def test_every_page_that_is_named_is_there():
    """A path in backticks that begins with a folder of ours exists."""
    pages = (ROOT / "README.md", *DOCS.rglob("*.md"), ROOT / "hooks" / "README.md")
    shape = re.compile(r"`((?:docs|hooks|policies|vault|scripts)/[\w./-]+)`")
    gone = [
        f"{page.name}: {path}"
        for page in pages
        for path in shape.findall(page.read_text("utf-8"))
        if not (ROOT / path).exists()
    ]
    assert gone == []


def test_the_page_for_the_dim_shows_what_is_really_printed():
    """Its words are those of the French catalogue."""
    from vault.cli import words

    page = read("docs/dim.fr.md").replace("\u00a0", " ")
    words.speak("fr")
    try:
        for text in (
            "LOCKED: every vault door is proven shut.", "Nothing is missing.", "holds night",
            "no target holds a copy yet",
        ):  # fmt: skip
            assert words._(text).replace("\u00a0", " ") in page, text
        for name in (
            "sound",
            "incomplete",
            "partial",
            "media-absent",
            "refused",
            "missing",
            "empty",
        ):
            assert words.called(name).replace("\u00a0", " ") in page, name
    finally:
        words.speak("en")
