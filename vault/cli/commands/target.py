"""The words ``coffre target`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import page_forms, target_names
from vault.cli.root import Reason, Yes, root

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=target_names)]
target = typer.Typer(
    help="Offline media: enrol, list, due, slip, open, close, retire.", no_args_is_help=True
)
root.add_typer(target, name="target")


@target.command("enrol")
def target_enrol(
    context: typer.Context,
    name: Name,
    device: Annotated[
        str | None, typer.Option("--device", metavar="DEVICE", help="The disk.")
    ] = None,
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


@target.command("due")
def target_due(
    context: typer.Context,
    days: Annotated[int, typer.Option("--days", help="How many nights.")] = 7,
) -> int:
    """List which medium to bring, by when, from whose safe, and when it goes back."""
    from vault.cli.carrying_media import due_command

    return due_command(context.obj, days=days)


@target.command("slip")
def target_slip(
    context: typer.Context,
    name: Name,
    to: Annotated[str, typer.Option("--to", help="The file to write.")],
    form: Annotated[
        str, typer.Option("--format", help="html or pdf.", autocompletion=page_forms)
    ] = "html",
) -> int:
    """Write the slip of a medium: its label and its card, one page to print."""
    from vault.cli.carrying_media import slip_command

    return slip_command(context.obj, name, form=form, to=to)


@target.command("open")
def target_open(
    context: typer.Context,
    name: Name,
    reason: Reason,
    duration: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long at most, as 20m.")
    ],
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- CMD...]")] = None,
) -> int:
    """Open a target read-only for a shell or a command; ends with it, or at the deadline."""
    from vault.cli.media import open_command

    return open_command(context.obj, name, duration=duration, reason=reason, command=command or ())


@target.command("close")
def target_close(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", autocompletion=target_names)] = None,
) -> int:
    """Shut one or every door and ask the world; safe at any hour."""
    from vault.cli.media import close_command

    return close_command(context.obj, name)


@target.command("retire")
def target_retire(context: typer.Context, name: Name, yes: Yes = False) -> int:
    """Retire a target; nothing on it is erased."""
    from vault.cli.media import retire_command

    return retire_command(context.obj, name, yes=yes)
