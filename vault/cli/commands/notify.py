"""The words ``coffre notify``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root


@root.command()
def notify(
    context: typer.Context,
    unit: Annotated[
        str | None, typer.Option("--unit", help="Say first that this systemd unit failed.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Send a trial to each recipient.")] = False,
) -> int:
    """Send the notices that wait for a network."""
    from vault.cli.notifying import notify_command

    return notify_command(context.obj, unit=unit, is_test=test)
