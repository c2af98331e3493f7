"""The words ``coffre report``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import readers, report_forms
from vault.cli.root import root


@root.command()
def report(
    context: typer.Context,
    reader: Annotated[
        str,
        typer.Option(
            "--for", metavar="READER", help="dim, sysadmin or auditor.", autocompletion=readers
        ),
    ] = "dim",
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first night.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last night.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="html, pdf, csv or json.",
            autocompletion=report_forms,
        ),
    ] = "html",
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="A new file for it.")
    ] = None,
) -> int:
    """Write what a person reads: the page of the night, or a report of its own."""
    from vault.cli.reporting import Wanted, report_command

    wanted = Wanted(reader=reader, form=form, first=first, last=last, out=out)
    return report_command(context.obj, wanted)
