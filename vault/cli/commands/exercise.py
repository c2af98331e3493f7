"""The words ``coffre exercise`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import exercises
from vault.cli.root import By, root

exercise = typer.Typer(help="What people practise: record, list.", no_args_is_help=True)
root.add_typer(exercise, name="exercise")


@exercise.command("record")
def exercise_record(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="red-button|keys|rebuild-kit", autocompletion=exercises)
    ],
    by: By,
    note: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="Where the record of it is.")
    ] = "",
) -> int:
    """Record that an exercise was done."""
    from vault.cli.practice import record_command

    return record_command(context.obj, name, by=by, note=note)


@exercise.command("list")
def exercise_list(context: typer.Context) -> int:
    """List when each was last done and when it is due again."""
    from vault.cli.practice import list_command

    return list_command(context.obj)
