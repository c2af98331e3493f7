"""The words ``coffre status``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root
from vault.errors import UsageError


@root.command()
def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Draw it anew until Ctrl-C.")] = False,
    every_s: Annotated[
        int | None, typer.Argument(metavar="SECONDS", help="With --watch: how often; 2.")
    ] = None,
) -> int:
    """Tell where the doors are, how the last night went, what needs hands."""
    if every_s is not None and not watch:
        raise UsageError("a number of seconds is for --watch", hint="coffre status --watch 5")
    if watch:
        from vault.cli.watching import watch_command

        return watch_command(context.obj, every_s)
    from vault.cli.standing import status_command

    return status_command(context.obj)
