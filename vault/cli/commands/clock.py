"""The words ``coffre clock`` …."""

from __future__ import annotations

import typer

from vault.cli.root import By, Reason, root

clock = typer.Typer(help="The host's clock.", no_args_is_help=True)
root.add_typer(clock, name="clock")


@clock.command("confirm")
def clock_confirm(context: typer.Context, reason: Reason, by: By) -> int:
    """Say that the clock is right and that records dated ahead are not; nights begin again."""
    from vault.cli.clock import confirm_command

    return confirm_command(context.obj, reason=reason, by=by)
