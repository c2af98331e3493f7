"""The words ``coffre release``."""

from __future__ import annotations

import typer

from vault.cli.root import By, root


@root.command()
def release(context: typer.Context, by: By) -> int:
    """Release the red button; another person than who pressed it."""
    from vault.cli.button import release_command

    return release_command(context.obj, by=by)
