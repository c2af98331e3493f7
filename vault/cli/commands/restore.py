"""The words ``coffre restore``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import cycle_numbers, origin_names, source_names
from vault.cli.root import root


@root.command()
def restore(
    context: typer.Context,
    source_name: Annotated[str, typer.Argument(metavar="SOURCE", autocompletion=source_names)],
    to: Annotated[str, typer.Option("--to", metavar="DIR", help="An empty folder.")],
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="DATE", help="A date or time of the site.")
    ] = None,
    cycle: Annotated[
        int | None,
        typer.Option(
            "--cycle", metavar="N", help="A night's number.", autocompletion=cycle_numbers
        ),
    ] = None,
    origin: Annotated[
        str,
        typer.Option(
            "--from", metavar="PLACE", help="landing, or a target.", autocompletion=origin_names
        ),
    ] = "landing",
) -> int:
    """Restore into an empty folder; every byte is compared with the source's manifest."""
    from vault.cli.giving_back import restore_command

    return restore_command(
        context.obj, source_name, paths or (), to=to, at=at, cycle=cycle, origin=origin
    )
