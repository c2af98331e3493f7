"""The words ``coffre serve``."""

from __future__ import annotations

import typer

from vault.cli.root import root


@root.command()
def serve(context: typer.Context) -> int:
    """Run a night in each window, and what is due between them, until told to end."""
    from vault.cli.serving import serve_command

    return serve_command(context.obj)
