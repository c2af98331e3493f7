"""What a person reads: French and English, errors in one line, tables that fit the screen."""

from __future__ import annotations

import ast
import importlib.util
import re
import string
from datetime import UTC, datetime

import pytest
import typer

from tests.rigs.vaults import TREE, ScratchVault
from vault.amount import Amount
from vault.cli import shown, words
from vault.cli.app import app
from vault.cli.progress import STEPS
from vault.config.safety import POLICY, read_safely
from vault.errors import CoffreError, MediaAbsent, TargetFull
from vault.owners import OWNERS
from vault.results import CycleVerdict, Disconnection, SourceVerdict, TargetOutcome, VaultStatus

pytestmark = pytest.mark.xdist_group("cli")

NO_BREAK = "\u00a0"
# Placeholders, code, and keys of vault.yaml with their value are not French.
_NOT_PROSE = re.compile(
    r"`[^`]*`|\{\{.*\}\}|\{\w+(![rs])?(:[^}]*)?\}|\b[a-z_]+: ?(?=[A-Z\[x{])|\[o/N\]|\"\d+:\d+\""
)


@pytest.fixture(scope="module")
def translations():
    """Give the script that collects and compiles."""
    path = TREE / "scripts" / "translations.py"
    spec = importlib.util.spec_from_file_location("translations", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def french():
    """Speak French for one test."""
    words.speak("fr")
    yield
    words.speak("en")


def messages(translations):
    """Give every text with its French, singular and plural apart."""
    for message in translations.load():
        if not message.id:
            continue
        if message.pluralizable:
            yield from zip(message.id, message.string, strict=True)
        else:
            yield message.id, message.string


# -- the catalogue


def test_every_text_is_translated_and_none_is_left_over(translations):
    """Run scripts/translations.py, then write the French it names into coffre.po."""
    made = translations.catalogue()
    assert translations.untranslated(made) == []
    assert translations.po_of(made) == translations.PO.read_bytes()


def test_no_translation_is_fuzzy(translations):
    """A guess by a tool is not a translation."""
    assert "fuzzy" not in translations.PO.read_text("utf-8").replace("# fuzzy", "")


def test_the_compiled_catalogue_is_fresh(translations):
    """An installed wheel speaks what the text file says."""
    assert translations.mo_of(translations.load()) == translations.MO.read_bytes()


def test_values_are_the_same_in_both_languages(translations):
    """A placeholder that only one side has would fail before a person."""

    def values(text: str) -> list[str]:
        return sorted(
            f"{name}!{how}:{form}" for _, name, form, how in string.Formatter().parse(text) if name
        )

    wrong = [text for text, told in messages(translations) if values(text) != values(told)]
    assert wrong == []


def test_sentences_end_alike_in_both_languages(translations):
    """A full stop stays one; a hint may lose its question where French advises instead."""
    steps = set(STEPS.values())  # "Collecting pmsi" is "Collecte : pmsi" in French
    wrong = [
        text
        for text, told in messages(translations)
        if text not in steps
        and any(text.endswith(mark) != told.endswith(mark) for mark in (".", ":", "\n", " "))
    ]
    assert wrong == []


def test_french_typography(translations):
    """No-break spaces before : ; ? ! and inside « », curly apostrophes, no English quotes."""
    wrong = [
        told
        for _text, told in messages(translations)
        if (prose := _NOT_PROSE.sub("x", told))
        and (
            re.search(r"[^\u00a0][?!;»](?!\w)|«[^\u00a0]|“|”| [?!;:»]|« ", prose)
            or re.search(r"\w'\w", prose)
            or re.search(r"[\wàâçéèêëîïôûùœ)]: ", prose)
        )
    ]
    assert wrong == []


def test_one_french_word_for_one_thing(translations):
    """The glossary's French is what the catalogue uses; what it replaces does not come back."""
    text = " ".join(told for _, told in messages(translations)).lower()
    prose = re.sub(r"coffre target \w+|restic backup|--target", "", text)
    for stranger in (
        "backup",
        "snapshot",
        "landing repository",
        "target ",
        "média",
        "cible",
        "gap ",
    ):
        assert stranger not in prose, stranger
    glossary = (TREE / "docs" / "glossary.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \| .*\|$", glossary, re.M))
    words.speak("fr")
    try:
        for status in ("locked", "unlocked", "degraded", "secured"):
            assert words.called(status).lower() == rows[status]
        for heading in ("target", "source"):
            assert words._(heading) == rows[heading]
    finally:
        words.speak("en")
    for word in ("landing", "ledger", "window", "red button", "read-back", "recovery password"):
        assert rows[word].split(" ;")[0] in text, word


def test_everything_a_result_may_say_has_a_word():
    """Every verdict, outcome, status and class of disconnection."""
    kinds = (CycleVerdict, SourceVerdict, TargetOutcome, VaultStatus, Disconnection)
    assert {str(item) for kind in kinds for item in kind} <= words.CALLED.keys()


# -- telling


def test_an_error_is_told_in_french_with_its_values(french):
    """The template is translated, then filled; a reason inside it too."""
    error = MediaAbsent("no medium of {target} is attached", target="disk-a", hint="create it?")
    assert words.message_of(error) == "aucun support de disk-a n’est branché"
    assert words.hint_of(error) == f"le créer{NO_BREAK}?"
    nested = CoffreError("the catalogue failed: {reason}", reason="no medium of x is attached")
    assert words.message_of(nested).endswith("aucun support de x n’est branché")


def test_a_finished_reason_is_told_again_from_its_template(french):
    """Results carry English sentences; French finds the template they were made from."""
    told = words.retell("files not complete yet: 3")
    assert told == "fichiers pas encore complets\u00a0: 3"
    assert words.retell("data/ab: content does not match its name").startswith(
        "data/ab: le contenu"
    )
    both = words.retell("nothing stacked on it; exclusive open of 7:2: granted")
    assert (
        both
        == f"rien n’est empilé dessus{NO_BREAK}; ouverture exclusive de 7:2{NO_BREAK}: accordée"
    )
    assert words.retell("a sentence that nobody knows") == "a sentence that nobody knows"


def test_an_amount_inside_a_message_is_one_a_person_reads(french):
    """At once, and where the finished sentence was kept."""
    error = TargetFull(
        "{target} has room for {room} and {needed} are to be carried",
        target="disk-a",
        room=Amount(268_435_456),
        needed=Amount(1_500_000_000),
    )
    assert str(error) == "disk-a has room for 268 MB and 1.5 GB are to be carried"
    said = "disk-a a de la place pour 268 Mo, et il y a 1,5 Go à copier"
    assert words.message_of(error) == words.retell(str(error)) == said


def test_what_is_wrong_with_a_file_is_told_in_french(french, tmp_path):
    """Its sort and what others may do to it are words of the sentence."""
    file = tmp_path / "hr.yaml"
    file.write_text("")
    file.chmod(0o666)
    with pytest.raises(CoffreError) as found:
        read_safely(str(file), POLICY)
    assert words.message_of(found.value) == (
        f"politique {file}{NO_BREAK}: fichier qui peut être modifié par d’autres, mode 0666"
    )


def test_every_message_that_has_a_mend_is_among_the_texts(translations):
    """Whatever the error is called by that is raised with it."""
    texts = {text for text, _told in messages(translations)}
    left_over = [
        (path.name, call.lineno, call.args[0].value)
        for path in (TREE / "vault").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and any(keyword.arg == "hint" for keyword in call.keywords)
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and re.search(r"[a-z]", re.sub(r"{\w+}", "", call.args[0].value))
        and call.args[0].value not in texts
    ]
    assert left_over == []


def test_english_is_left_as_it_is():
    """The source language has no catalogue."""
    assert words.retell("files not complete yet: 3") == "files not complete yet: 3"


def test_numbers_and_dates_are_those_of_the_language(french):
    """A decimal comma, octets, day before month."""
    at = datetime(2026, 1, 15, 23, 30, tzinfo=UTC)
    assert shown.size(1_234_567) == "1,2 Mo"
    assert shown.seconds(0.44) == "0,44 s"
    assert shown.moment(at, "Europe/Paris") == "16/01/2026 00:30"
    words.speak("en")
    assert (shown.size(1_234_567), shown.seconds(0.44)) == ("1.2 MB", "0.44 s")
    assert shown.moment(at, "Europe/Paris") == "2026-01-16 00:30"


def test_help_speaks_the_language_asked_for(ask):
    """Commands, options and the table of exit codes."""
    told = ask(None, "--help", "--lang", "fr", json_too=False).stdout
    assert "Codes de sortie" in told
    assert "Appuie sur le bouton rouge" in told
    assert "Press the red button" not in told


# -- lines and tables


@pytest.mark.parametrize("language", ["en", "fr"])
def test_tables_fit_80_columns_with_real_names(monkeypatch, language):
    """Words wrap inside their column; numbers are never torn."""
    monkeypatch.setenv("COLUMNS", "80")
    words.speak(language)
    try:
        heads = [
            words._(head)
            for head in ("target", "result", "files", "carried", "read back", "open for", "now")
        ]
        row = ["disque-hebdo-1", words.called("nothing-new"), "123456", shown.size(9.8e8),
               shown.size(9.8e8), shown.seconds(754), words.called("none")]  # fmt: skip
        laid = shown.table(heads, [row, row], right=(2, 3, 4, 5))
    finally:
        words.speak("en")
    assert max(len(line) for line in laid.splitlines()) <= 80
    assert shown.size(9.8e8).split()[0].replace(".", "," if language == "fr" else ".") in laid
    assert "12 min 34 s" in laid


def test_long_lines_wrap_at_spaces_and_keep_numbers_with_their_unit(monkeypatch):
    """A pipe is 80 columns wide; ``COLUMNS`` says otherwise."""
    monkeypatch.setenv("COLUMNS", "40")
    text = "  - the door was open for nearly all of 12 s and then it was proven shut"
    lines = shown.wrapped(text, indent=4).splitlines()
    assert len(lines) > 1
    assert all(len(line) <= 40 for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
    assert any("12 s" in line for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())


def test_no_colour_in_a_pipe_or_where_it_is_not_wanted(monkeypatch, vault, ask):
    """``NO_COLOR`` and a pipe both mean none; a terminal has them."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert shown.colour("shut", "good") == "\x1b[32mshut\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown.colour("shut", "good") == "shut"
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b" not in ask(vault, "status", json_too=False).stdout


@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_error_is_one_line_and_its_mend(vault, ask, language):
    """On standard error, with its reference; standard output stays empty."""
    for wrong in (
        ("ls", "nothing"),
        ("restore", "pmsi", "--from", "x", "--to", "/nowhere/new"),
        ("run", "--target", "x"),
    ):
        told = ask(vault, *wrong, "--lang", language, json_too=False)
        first, *rest = told.stderr.splitlines()
        assert re.fullmatch(r"coffre: .* \[[a-z-]+\]", first), first
        assert len(rest) == 1
        assert rest[0].startswith("  → ")
        assert told.stdout == ""


@pytest.mark.parametrize("place", ["before", "after", "joined"])
def test_global_options_stand_before_or_after_the_command(vault, ask, place):
    """Also behind the command's own options; what follows ``--`` is left alone."""
    config = str(vault.config)
    argv = {
        "before": ("--lang", "fr", "-c", config, "gaps", "--source", "hr"),
        "after": ("gaps", "--source", "hr", "-c", config, "--lang", "fr"),
        "joined": ("gaps", f"--config={config}", "--source", "hr", "--lang=fr"),
    }[place]
    told = ask(None, *argv, json_too=False)
    assert told.code == 0
    assert "hr" in told.stdout
    assert "ce qui n’est pas hors ligne" in told.stdout or "politique" in told.stdout


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_english_is_left_in_a_french_night_and_no_french_in_an_english_one(vault, ask, language):
    """The commands that people read, whole."""
    strangers = {
        "fr": r"\b(the|target|night|landing|files|carried|shut|proven|which|held|unmounted)\b",
        "en": r"[éèàçû]|\b(le|la|les|nuit|porte|support|fichiers)\b",
    }[language]
    for argv in (
        ("status",),
        ("gaps",),
        ("run", "--now"),
        ("doctor",),
        ("target", "list"),
        ("target", "close"),
    ):
        told = ask(vault, *argv, "--lang", language, json_too=False)
        text = told.stdout.replace(str(vault.folder), "").replace("CH de la Lande", "")
        assert not re.search(strangers, text), (argv, re.search(strangers, text), text)
        assert max(len(line) for line in text.splitlines()) <= 80, argv


def test_the_owners_of_the_packages_policies_are_told_in_french():
    """To whom a gap is to be told is for a French reader; a site's own owners stay as written."""
    found = {
        re.search(r"^owner: (.*)$", path.read_text(), re.MULTILINE)[1]
        for path in (TREE / "policies").glob("*.yaml")
    }
    assert found == set(OWNERS)
    words.speak("fr")
    try:
        assert words.called("DIM physician") == "médecin DIM"
        assert [owner for owner in OWNERS if words.called(owner) == owner] == []
        assert words.called("Dr X's successor") == "Dr X's successor"
    finally:
        words.speak("en")


def test_the_help_says_in_french_what_a_command_does_not_what_to_do():
    """One mood for all: « Ferme une porte », as in English it is an order everywhere."""
    root = typer.main.get_command(app)
    words.speak("fr")
    try:
        words.tell_help(root)
    finally:
        words.speak("en")
    told = [command.help for command in root.commands.values() if not hasattr(command, "commands")]
    for group in root.commands.values():
        told += [command.help for command in getattr(group, "commands", {}).values()]
    first = {text.split()[0] for text in told}
    assert [
        word for word in sorted(first) if word.endswith(("er", "ir", "ttre", "crire", "dre"))
    ] == []


def test_a_key_of_the_configuration_keeps_its_name_in_french(tmp_path, ask):
    """It is to be found in the file; what is wrong with it is told whole."""
    vault = ScratchVault(folder=tmp_path)
    vault.config.write_text(
        'site: {name: CH, finess: "990000010", language: fr}\nstate: state\nevidence: {x: 1}\n'
    )
    vault.config.chmod(0o600)
    told = ask(vault, "config", "validate", json_too=False).stderr.replace(NO_BREAK, " ")
    assert ":1: landing: la clé manque" in told
    assert ":3: evidence.x: clé inconnue ; connues ici : bracketed_within," in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["secure"], "Il manque l’option « --reason »"),
        (["bogus"], "Pas de commande « bogus »"),
        (["run", "--for", "3x"], "3x n’est pas une durée"),
        (["--lang", "en", "secure"], "Missing option '--reason'"),
    ],
)
def test_an_error_is_told_in_the_language_of_the_site(tmp_path, ask, words, said):
    """Also one that comes before the configuration was needed."""
    vault = ScratchVault(folder=tmp_path)
    vault.config.write_text('site: {name: CH, finess: "990000010", language: fr}\nstate: state\n')
    vault.config.chmod(0o600)
    told = ask(vault, *words, json_too=False)
    assert (told.code, said in told.stderr.replace(NO_BREAK, " ")) == (2, True), told.stderr
