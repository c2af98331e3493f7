"""The words ``coffre compliance``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import root


@root.command()
def compliance(
    context: typer.Context,
    framework: Annotated[
        str | None, typer.Option("--framework", metavar="NAME", help="Only this.")
    ] = None,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write a CSV file.")
    ] = None,
) -> int:
    """Lay the clauses of frameworks beside what the vault can show of each, with dates."""
    from vault.cli.compliance import compliance_command

    return compliance_command(context.obj, framework=framework, csv=csv)
