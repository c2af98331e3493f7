"""The words ``coffre pmsi`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import fields
from vault.cli.root import root

pmsi = typer.Typer(
    help="The PMSI calendar: which exports are safe, by establishment, field and month.",
    invoke_without_command=True,
)
root.add_typer(pmsi, name="pmsi")


@pmsi.callback()
def pmsi_calendar(
    context: typer.Context,
    year: Annotated[
        int | None, typer.Option("--year", metavar="YEAR", help="Only this year.")
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(
            "--field", metavar="FIELD", help="MCO, SMR, HAD or PSY.", autocompletion=fields
        ),
    ] = None,
    finess: Annotated[
        str | None, typer.Option("--finess", metavar="FINESS", help="Only this one.")
    ] = None,
) -> int:
    """Show the PMSI calendar: which exports are safe, by establishment, field and month."""
    if context.invoked_subcommand is not None:
        return 0
    from vault.cli.pmsi import pmsi_command

    return pmsi_command(context.obj, year=year, field=field, finess=finess)


@pmsi.command("learn")
def pmsi_learn(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A record file, not an archive.")],
) -> int:
    """Say whether a record file fits the tables, and which row to add; shows no line of it."""
    from vault.cli.pmsi_learn import learn_command

    return learn_command(context.obj, file)


@pmsi.command("explain")
def pmsi_explain(
    context: typer.Context,
    cell: Annotated[str, typer.Argument(metavar="CELL", help="990000010/SMR/2024/M11")],
) -> int:
    """Say why a cell has its state, where its exports are, and what to do."""
    from vault.cli.pmsi import explain_command

    return explain_command(context.obj, cell)
