"""The way in and the way out: global options, signals, exit codes.

Rule 1: global options stand before or after the command; they are taken here, once.
Rule 2: ``status``, ``gaps`` and ``version`` start at once: as monitoring types them, they are
    called without the parser, whose loading alone may take longer than all they do.
Rule 3: a signal becomes an exception in the main thread, once; the doors shut on its way out. While
    a module loads it waits: a half-loaded module is of no use to the way out, and what loads it may
    make another error of ours, or none.
Source: contract, "Commands"; design, section 9.
"""

from __future__ import annotations

import gc
import io
import os
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import NoReturn

import vault
from vault.cli.session import Session
from vault.cli.words import LANGUAGES, _, complain, language_of_environment, speak
from vault.errors import Bug, CoffreError, ExitCode, Interrupted, NeedsRoot, UsageError

_LOADER = "<frozen importlib._bootstrap>"
_ASK_AGAIN_S = 0.01
_GARBAGE_AFTER = 50_000  # objects; Python's own 700 are passed two hundred times in a start


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command; exits with a code of the table."""
    _start_lightly()
    speak(language_of_environment())
    _write_whatever_the_locale()
    _end_on_signals()
    os.umask(0o077)
    code = _said(run_words(sys.argv[1:] if argv is None else argv))
    gc.freeze()  # all of it goes with the process: nothing is looked for in it on the way out
    sys.exit(code)


def _start_lightly() -> None:
    """Spare what costs a tenth of every start and gives nothing.

    Modules are no garbage, so nothing is looked for among them while they load. No other package
    of this host has a say in what a configuration means: none is asked for plug-ins of the models.
    """
    gc.set_threshold(_GARBAGE_AFTER)
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"


def _write_whatever_the_locale() -> None:
    """Escape what the terminal's encoding has no sign for, instead of failing on it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def run_words(argv: Sequence[str]) -> int:
    """Run one command; give its exit code, with every error told."""
    session = Session()
    code = _run(session, argv)
    if session.is_overruled:
        complain(_("DEGRADED: a door could not be proven shut. Pull the cable."))
    return code


def _said(code: int) -> int:
    """Write out what was said; give the code, which 0 no longer is when that failed.

    Left to the interpreter, a full disk or a closed pipe would end any command with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # closed before we began
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            code = code or ExitCode.FAILED
    return int(code)


def _run(session: Session, argv: Sequence[str]) -> int:
    try:
        words = take_globals(session, argv)
        if (code := _tell_at_once(session, words)) is not None:
            return code
        from vault.cli.app import call

        return session.final_code(call(session, words))
    except CoffreError as error:
        return session.fail(error)
    except BrokenPipeError:
        if _is_heard():
            return session.fail(
                CoffreError(
                    "a program that coffre was writing to ended too early",
                    hint="try once more; was a program killed for want of memory? the host's "
                    "journal says so",
                )
            )
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return session.final_code(ExitCode.FAILED)
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
    except Exception as error:  # noqa: BLE001, a fault of ours is told in one line too
        return session.fail(
            Bug(
                "coffre met what it does not expect: {kind}, at {place}",
                kind=type(error).__name__,
                place=_place_of(error),
                hint="nothing more was done; coffre doctor asks the doors; tell this line to who "
                "maintains coffre",
            )
        )


def _is_heard() -> bool:
    """Say whether somebody still reads what is printed: a broken pipe may be another one."""
    asked = select.poll()
    asked.register(1, select.POLLOUT)
    return not any(found & (select.POLLERR | select.POLLNVAL) for _fd, found in asked.poll(0))


def _place_of(error: Exception) -> str:
    """Give the innermost line of ours on an error's way; no value stands in it."""
    ours = os.path.dirname(vault.__file__)
    place = "?"
    trace = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if path.startswith(ours):
            place = f"{os.path.relpath(path, ours)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _tell_at_once(session: Session, words: list[str]) -> int | None:
    """Run what needs no parser; None when it is another command, or options are to be read."""
    if words == ["version"]:
        from vault.cli.version import version_command

        session.command = "version"
        return version_command(session)
    if words in (["status"], ["gaps"], ["gaps", "--nagios"]):
        from vault.cli.standing import gaps_command, status_command

        session.command = words[0]
        if words == ["status"]:
            return status_command(session)
        gc.disable()  # it makes what it tells and ends: there is no garbage
        try:
            return session.final_code(gaps_command(session, nagios="--nagios" in words))
        finally:
            gc.enable()
    return None


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


def _end_on_signals() -> None:
    """Turn the first signal into an exception; the way out is then left undisturbed."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, frame: FrameType | None) -> None:
        if _is_loading(frame):
            # The very signal comes again, so that whoever holds signals back holds this one too.
            signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))
            signal.setitimer(signal.ITIMER_REAL, _ASK_AGAIN_S)
            return
        for other in signals:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted("ended by {name}", name=signal.Signals(number).name)

    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _is_loading(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_filename != _LOADER:
        frame = frame.f_back
    return frame is not None


if __name__ == "__main__":
    main()
