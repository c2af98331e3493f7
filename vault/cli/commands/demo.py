"""The words ``coffre demo``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root


@root.command()
def demo(
    context: typer.Context,
    folder: Annotated[
        str | None, typer.Option("--in", metavar="DIR", help="Where; kept afterwards.")
    ] = None,
) -> int:
    """Watch one night happen on a small generated hospital."""
    from vault.cli.demo import demo_command

    return demo_command(context.obj, folder)
