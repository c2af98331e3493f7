"""The commands of ``coffre`` and their options, as typer knows them.

Rule 1: every command's body imports what it needs when it runs.
Rule 2: the global options are taken by ``main`` before typer sees a word; they are declared here
    so that the help names them.
Source: contract, "Commands"; design, section 9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from vault import __version__
from vault.cli.session import Session
from vault.cli.words import tell_help
from vault.errors import ExitCode, Interrupted, UsageError

_EPILOG = (
    "Exit codes: 0 sound, 1 failed, 2 usage, 3 incomplete, 4 corrupt, 5 DEGRADED: a door may be "
    "open, 6 secured, 7 refused, 75 media absent, 130 interrupted. But for 5, the doors are shut."
)
# What the parser raises: newer releases of typer carry a click of their own.
_ParserError: type[Any] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    help="The air-gapped backup vault that a hospital runs itself.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
target = typer.Typer(help="Offline media: enrol, list, open, close, retire.", no_args_is_help=True)
source = typer.Typer(help="SFTP sources: key, host key, trial.", no_args_is_help=True)
keys = typer.Typer(help="The recovery password.", no_args_is_help=True)
config = typer.Typer(help="The configuration.", no_args_is_help=True)
app.add_typer(target, name="target")
app.add_typer(source, name="source")
app.add_typer(keys, name="keys")
app.add_typer(config, name="config")

Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")]
By = Annotated[str, typer.Option("--by", help="Who, as declared; kept in the ledger.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it: what is destroyed was named.")]


@app.callback()
def _globals(
    _config: Annotated[
        str | None, typer.Option("--config", "-c", help="The vault.yaml to use.")
    ] = None,
    _json: Annotated[
        bool, typer.Option("--json", help="One document on standard output, nothing else.")
    ] = False,
    _lang: Annotated[str | None, typer.Option("--lang", help="fr or en.")] = None,
    _verbose: Annotated[bool, typer.Option("-v", help="Say more.")] = False,
    _quiet: Annotated[bool, typer.Option("-q", help="Say only the result.")] = False,
) -> None:
    """Take nothing: ``main`` has taken the global options already."""


@app.command()
def init(context: typer.Context, folder: Annotated[str | None, typer.Argument()] = None) -> int:
    """Make what vault.yaml names and is missing: landing, keys, folders."""
    from vault.cli.making import init_command

    return init_command(context.obj, folder)


@app.command()
def doctor(context: typer.Context) -> int:
    """Look at host, configuration, doors and locks; say the mend of each fault."""
    from vault.cli.doctor import doctor_command

    return doctor_command(context.obj)


@app.command()
def run(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print the plan.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Outside its window; recorded.")] = False,
    duration: Annotated[str | None, typer.Option("--for", help="With --now: how long.")] = None,
    sources: Annotated[list[str] | None, typer.Option("--source", help="Only these.")] = None,
    targets: Annotated[list[str] | None, typer.Option("--target", help="Only these.")] = None,
) -> int:
    """Run one night: collect, inspect, snapshot, carry across, read back, shut, prove."""
    from vault.cli.night import run_command

    return run_command(
        context.obj,
        dry_run=dry_run,
        now=now,
        duration=duration,
        sources=sources or (),
        targets=targets or (),
    )


@app.command()
def status(context: typer.Context) -> int:
    """Tell where the doors are, how the last night went, what needs hands."""
    from vault.cli.standing import status_command

    return status_command(context.obj)


@app.command()
def gaps(
    context: typer.Context,
    nagios: Annotated[bool, typer.Option("--nagios", help="Exit 0/1/2/3.")] = False,
    source_name: Annotated[str | None, typer.Option("--source", help="Only this.")] = None,
) -> int:
    """List what is missing, the worst first, each with its mend."""
    from vault.cli.standing import gaps_command

    return gaps_command(context.obj, nagios=nagios, source=source_name)


@app.command("ls")
def list_files(
    context: typer.Context,
    source_name: Annotated[str, typer.Argument(metavar="SOURCE")],
    at: Annotated[str | None, typer.Option("--at", help="A date or time of the site.")] = None,
    cycle: Annotated[int | None, typer.Option("--cycle", help="A night's number.")] = None,
    all_points: Annotated[bool, typer.Option("--all", help="The points, not the files.")] = False,
) -> int:
    """List the files of a source, or its points in time."""
    from vault.cli.giving_back import ls_command

    return ls_command(context.obj, source_name, at=at, cycle=cycle, all_points=all_points)


@app.command()
def restore(
    context: typer.Context,
    source_name: Annotated[str, typer.Argument(metavar="SOURCE")],
    to: Annotated[str, typer.Option("--to", help="An empty folder.")],
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...")] = None,
    at: Annotated[str | None, typer.Option("--at", help="A date or time of the site.")] = None,
    cycle: Annotated[int | None, typer.Option("--cycle", help="A night's number.")] = None,
    origin: Annotated[str, typer.Option("--from", help="landing, or a target.")] = "landing",
) -> int:
    """Restore into an empty folder; every byte is compared with the source's manifest."""
    from vault.cli.giving_back import restore_command

    return restore_command(
        context.obj, source_name, paths or (), to=to, at=at, cycle=cycle, origin=origin
    )


@app.command()
def secure(context: typer.Context, reason: Reason, by: By) -> int:
    """Press the red button: stop what runs, shut every door, let nothing open."""
    from vault.cli.button import secure_command

    return secure_command(context.obj, reason=reason, by=by)


@app.command()
def release(context: typer.Context, by: By) -> int:
    """Release the red button; another person than who pressed it."""
    from vault.cli.button import release_command

    return release_command(context.obj, by=by)


@app.command()
def demo(
    context: typer.Context,
    folder: Annotated[str | None, typer.Option("--in", help="Where; kept afterwards.")] = None,
) -> int:
    """Watch one night happen on a small generated hospital."""
    from vault.cli.demo import demo_command

    return demo_command(context.obj, folder)


@app.command()
def version(context: typer.Context) -> int:
    """Print the versions of coffre and of the restic it uses."""
    from vault.restic import find_restic

    session: Session = context.obj
    restic = find_restic()
    session.say(f"coffre {__version__}, restic {restic.version}")
    return session.emit({"coffre": __version__, "restic": str(restic.version)})


@target.command("enrol")
def target_enrol(
    context: typer.Context,
    name: str,
    device: Annotated[str | None, typer.Option("--device", help="The disk.")] = None,
    format_it: Annotated[bool, typer.Option("--format", help="Make its file system anew.")] = False,
    yes: Yes = False,
) -> int:
    """Make a medium a target; what will be destroyed is named first."""
    from vault.cli.media import enrol_command

    return enrol_command(context.obj, name, device=device, format_it=format_it, yes=yes)


@target.command("list")
def target_list(context: typer.Context) -> int:
    """List targets and what they hold."""
    from vault.cli.media import list_command

    return list_command(context.obj)


@target.command("open")
def target_open(
    context: typer.Context,
    name: str,
    reason: Reason,
    duration: Annotated[str, typer.Option("--for", help="How long at most, as 20m.")],
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- CMD...]")] = None,
) -> int:
    """Open a target read-only for a shell or a command; ends with it, or at the deadline."""
    from vault.cli.media import open_command

    return open_command(context.obj, name, duration=duration, reason=reason, command=command or ())


@target.command("close")
def target_close(
    context: typer.Context, name: Annotated[str | None, typer.Argument()] = None
) -> int:
    """Shut one or every door and ask the world; safe at any hour."""
    from vault.cli.media import close_command

    return close_command(context.obj, name)


@target.command("retire")
def target_retire(context: typer.Context, name: str, yes: Yes = False) -> int:
    """Retire a target; nothing on it is erased."""
    from vault.cli.media import retire_command

    return retire_command(context.obj, name, yes=yes)


@source.command("key")
def source_key(context: typer.Context, name: str) -> int:
    """Make the key and print the line for the host's authorized_keys."""
    from vault.cli.feeds import key_command

    return key_command(context.obj, name)


@source.command("trust")
def source_trust(
    context: typer.Context,
    name: str,
    fingerprint: Annotated[str | None, typer.Option("--fingerprint", help="As read out.")] = None,
    yes: Yes = False,
) -> int:
    """Pin the host's key once a person has compared its fingerprint."""
    from vault.cli.feeds import trust_command

    return trust_command(context.obj, name, fingerprint=fingerprint, yes=yes)


@source.command("test")
def source_test(context: typer.Context, name: str) -> int:
    """Connect as a night would, and hang up."""
    from vault.cli.feeds import test_command

    return test_command(context.obj, name)


@keys.command("confirm")
def keys_confirm(context: typer.Context) -> int:
    """Read the recovery password back from the printed sheet."""
    from vault.cli.making import confirm_command

    return confirm_command(context.obj)


def _config_action(action: str) -> Callable[[typer.Context], int]:
    def act(context: typer.Context) -> int:
        from vault.cli.making import config_command

        return config_command(context.obj, action)

    act.__doc__ = {
        "validate": "Read everything and say what is wrong, each fault with file, line and key.",
        "show": "Print the configuration as it is understood; secrets as where they are.",
        "schema": "Print the JSON Schema of vault.yaml.",
    }[action]
    return act


for _action in ("validate", "show", "schema"):
    config.command(_action)(_config_action(_action))


def call(session: Session, words: list[str]) -> int:
    """Run the command that the words name; give its exit code. CoffreError passes through."""
    command = typer.main.get_command(app)
    tell_help(command)
    try:
        code = command.main(args=words, prog_name="coffre", standalone_mode=False, obj=session)
    except _ParserError as error:
        if type(error).__name__ == "NoArgsIsHelpError" and not session.as_json:
            print(error.format_message())  # noqa: T201
            return int(ExitCode.USAGE)
        if type(error).__name__ == "NoArgsIsHelpError":
            raise UsageError("no command was given", hint="coffre --help lists them") from None
        raise UsageError("{words}", words=error.format_message()) from None
    except typer.Abort:
        raise Interrupted("ended at the terminal") from None
    return int(code or 0)
