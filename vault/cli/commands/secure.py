"""The words ``coffre secure``."""

from __future__ import annotations

import typer

from vault.cli.root import By, Reason, root


@root.command()
def secure(context: typer.Context, reason: Reason, by: By) -> int:
    """Press the red button: stop what runs, shut every door, let nothing open."""
    from vault.cli.button import secure_command

    return secure_command(context.obj, reason=reason, by=by)
