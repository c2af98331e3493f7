"""The way in and the way out: global options, signals, exit codes.

Rule 1: global options stand before or after the command; they are taken here, once.
Rule 2: ``status`` starts at once: it is called without the parser, whose loading alone takes
    longer than all it does.
Rule 3: a signal becomes an exception in the main thread, once; the doors shut on its way out.
Source: contract, "Commands"; design, section 9.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import NoReturn

from vault.cli.session import Session
from vault.cli.words import LANGUAGES, language_of_environment, speak
from vault.errors import CoffreError, ExitCode, Interrupted, NeedsRoot, UsageError

_GROUPS = ("target", "source", "keys", "config")


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command; exits with a code of the table."""
    speak(language_of_environment())
    _write_whatever_the_locale()
    _end_on_signals()
    os.umask(0o077)
    sys.exit(run_words(sys.argv[1:] if argv is None else argv))


def _write_whatever_the_locale() -> None:
    """Escape what the terminal's encoding has no sign for, instead of failing on it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run_words(argv: Sequence[str]) -> int:
    """Run one command; give its exit code, with every error told."""
    session = Session()
    try:
        words = take_globals(session, argv)
        session.command = _command_name(words)
        if words == ["status"]:
            from vault.cli.standing import status_command

            return status_command(session)
        from vault.cli.app import call

        return call(session, words)
    except CoffreError as error:
        return session.fail(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return int(ExitCode.FAILED)
    except PermissionError as error:
        return session.fail(
            NeedsRoot(
                "this account may not touch {path}", path=str(error.filename), hint="run as root?"
            )
        )
    except OSError as error:
        return session.fail(
            CoffreError(
                "{path}: {reason}",
                path=str(error.filename or "?"),
                reason=error.strerror or str(error),
                hint="is its disk full, gone or failing?",
            )
        )


def take_globals(session: Session, argv: Sequence[str]) -> list[str]:
    """Take the global options out of the words; what follows ``--`` stays as it is."""
    session.as_json = "--json" in _before_dashes(argv)  # first of all: errors are told as asked
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            return [*rest, word, *words]
        if not _take(session, word, words):
            rest.append(word)
    return rest


def _take(session: Session, word: str, words: Iterator[str]) -> bool:
    """Take one global option with its value; False when the word is none."""
    name, is_joined, value = word.partition("=")
    if word == "--json":
        session.as_json = True
    elif word == "-q":
        session.verbosity = -1
    elif word.startswith("-v") and set(word[1:]) == {"v"}:
        session.verbosity += len(word) - 1
    elif name in ("-c", "--config", "--lang"):
        text = value if is_joined else next(words, None)
        if not text:
            raise UsageError("{option} takes a value", option=name)
        _set(session, name, text)
    else:
        return False
    return True


def _set(session: Session, name: str, text: str) -> None:
    if name != "--lang":
        session.config = text
        return
    if text not in LANGUAGES:
        raise UsageError("--lang takes fr or en, not {lang}", lang=text)
    session.language = text
    speak(text)


def _before_dashes(argv: Sequence[str]) -> Sequence[str]:
    return argv[: argv.index("--")] if "--" in argv else argv


def _command_name(words: Sequence[str]) -> str:
    """Name the command for its document: ``run``, ``target-enrol``."""
    named = [word for word in words if not word.startswith("-")]
    if not named:
        return "coffre"
    return "-".join(named[:2]) if named[0] in _GROUPS else named[0]


def _end_on_signals() -> None:
    """Turn the first signal into an exception; the way out is then left undisturbed."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        for other in signals:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted("ended by {name}", name=signal.Signals(number).name)

    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


if __name__ == "__main__":
    main()
