"""The words ``coffre selftest``."""

from __future__ import annotations

import typer

from vault.cli.root import root


@root.command()
def selftest(context: typer.Context) -> int:
    """Break a scratch vault in seven ways and see that each is told; touches nothing of yours."""
    from vault.cli.selftest import selftest_command

    return selftest_command(context.obj)
