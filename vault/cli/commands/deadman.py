"""The words ``coffre deadman`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root

deadman = typer.Typer(
    help="Whether nights run, asked without reaching the vault.", no_args_is_help=True
)
root.add_typer(deadman, name="deadman")


@deadman.command("check")
def deadman_check(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE")],
    key: Annotated[str, typer.Option("--key", help="The vault's public key.")],
    grace: Annotated[int, typer.Option("--grace", help="Minutes allowed besides.")] = 0,
) -> int:
    """Judge a vault's signed expected-next, as a Nagios check: 0, 1, 2 or 3."""
    from vault.cli.deadman import check_command

    return check_command(context.obj, file, key=key, grace=grace)


@deadman.command("checker")
def deadman_checker(
    context: typer.Context, to: Annotated[str, typer.Option("--to", help="A new file.")]
) -> int:
    """Write the check as one file for a host without coffre: Python alone runs it."""
    from vault.cli.deadman import checker_command

    return checker_command(context.obj, to)
