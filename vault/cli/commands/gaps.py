"""The words ``coffre gaps``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import source_names
from vault.cli.root import root


@root.command()
def gaps(
    context: typer.Context,
    nagios: Annotated[bool, typer.Option("--nagios", help="Exit 0/1/2/3.")] = False,
    source_name: Annotated[
        str | None,
        typer.Option("--source", metavar="SOURCE", help="Only this.", autocompletion=source_names),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DAY", help="Only what began then.")
    ] = None,
) -> int:
    """List what is missing, the worst first, each with its mend."""
    from vault.cli.standing import gaps_command

    return gaps_command(context.obj, nagios=nagios, source=source_name, since=since)
