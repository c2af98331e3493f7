"""The words ``coffre version``."""

from __future__ import annotations

import typer

from vault.cli.root import root


@root.command()
def version(context: typer.Context) -> int:
    """Print the versions of coffre and of the restic it uses."""
    from vault.cli.version import version_command

    return version_command(context.obj)
