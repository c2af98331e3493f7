"""The words ``coffre keys`` …."""

from __future__ import annotations

import typer

from vault.cli.root import root

keys = typer.Typer(help="The recovery password.", no_args_is_help=True)
root.add_typer(keys, name="keys")


@keys.command("confirm")
def keys_confirm(context: typer.Context) -> int:
    """Read the recovery password back from the printed sheet."""
    from vault.cli.making import confirm_command

    return confirm_command(context.obj)
