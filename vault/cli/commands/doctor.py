"""The words ``coffre doctor``."""

from __future__ import annotations

import typer

from vault.cli.root import root


@root.command()
def doctor(context: typer.Context) -> int:
    """Look at host, configuration, doors and locks; say the mend of each fault."""
    from vault.cli.doctor import doctor_command

    return doctor_command(context.obj)
