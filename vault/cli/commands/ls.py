"""The words ``coffre ls``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import cycle_numbers, source_names
from vault.cli.root import root


@root.command("ls")
def list_files(
    context: typer.Context,
    source_name: Annotated[str, typer.Argument(metavar="SOURCE", autocompletion=source_names)],
    at: Annotated[
        str | None, typer.Option("--at", metavar="DATE", help="A date or time of the site.")
    ] = None,
    cycle: Annotated[
        int | None,
        typer.Option(
            "--cycle", metavar="N", help="A night's number.", autocompletion=cycle_numbers
        ),
    ] = None,
    all_points: Annotated[bool, typer.Option("--all", help="The points, not the files.")] = False,
) -> int:
    """List the files of a source, or its points in time."""
    from vault.cli.giving_back import ls_command

    return ls_command(context.obj, source_name, at=at, cycle=cycle, all_points=all_points)
