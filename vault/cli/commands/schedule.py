"""The words ``coffre schedule`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root

schedule = typer.Typer(
    help="When nights run: units for systemd, the next ones, the look between them.",
    no_args_is_help=True,
)
root.add_typer(schedule, name="schedule")

To = Annotated[str, typer.Option("--to", help="The folder of systemd's units.")]
_FOLDER = "/etc/systemd/system"


@schedule.command("install")
def schedule_install(
    context: typer.Context,
    _systemd: Annotated[
        bool, typer.Option("--systemd", help="For systemd: the only kind there is.")
    ] = True,
    is_printed: Annotated[bool, typer.Option("--print", help="Print them; write nothing.")] = False,
    as_daemon: Annotated[
        bool, typer.Option("--daemon", help="A unit for coffre serve, and no timers.")
    ] = False,
    to: To = _FOLDER,
) -> int:
    """Write units and timers for the windows; switches nothing on."""
    from vault.cli.unit_files import install_command

    return install_command(context.obj, is_printed=is_printed, as_daemon=as_daemon, to=to)


@schedule.command("remove")
def schedule_remove(context: typer.Context, to: To = _FOLDER) -> int:
    """Remove the units that install wrote, once they are switched off."""
    from vault.cli.unit_files import remove_command

    return remove_command(context.obj, to=to)


@schedule.command("show")
def schedule_show(context: typer.Context) -> int:
    """Show each window: when it opens next, what it missed, and who waits for it."""
    from vault.cli.schedule import show_command

    return show_command(context.obj)


@schedule.command("evaluate")
def schedule_evaluate(context: typer.Context) -> int:
    """Judge what is missing now, publish it, tell the hooks; for the time between nights."""
    from vault.cli.schedule import evaluate_command

    return evaluate_command(context.obj)
