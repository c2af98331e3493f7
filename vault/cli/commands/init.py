"""The words ``coffre init``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root


@root.command()
def init(
    context: typer.Context, folder: Annotated[str | None, typer.Argument(metavar="DIR")] = None
) -> int:
    """Make what vault.yaml names and is missing: landing, keys, folders."""
    from vault.cli.making import init_command

    return init_command(context.obj, folder)
