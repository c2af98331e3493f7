"""The words ``coffre man``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root


@root.command()
def man(
    context: typer.Context,
    to: Annotated[
        str, typer.Option("--to", metavar="DIR", help="As /usr/local/share/man; made if missing.")
    ],
) -> int:
    """Write the manual pages for the command man, in English and French."""
    from vault.cli.manual import man_command

    return man_command(context.obj, to=to)
