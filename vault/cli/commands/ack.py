"""The words ``coffre ack``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root


@root.command()
def ack(
    context: typer.Context,
    alarm: Annotated[str | None, typer.Argument(metavar="[ALARM]")] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who, as declared; kept in the ledger.")
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", metavar="WHY", help="Why; kept in the ledger.")
    ] = "",
) -> int:
    """Acknowledge an alarm; without a name, list those that stand."""
    from vault.cli.acking import ack_command

    return ack_command(context.obj, alarm, by=by, reason=reason)
