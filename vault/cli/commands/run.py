"""The words ``coffre run``."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import source_names, target_names
from vault.cli.root import root


@root.command()
def run(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print the plan.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Outside its window; recorded.")] = False,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="With --now: how long.")
    ] = None,
    catch_up: Annotated[
        bool, typer.Option("--catch-up", help="A missed opening, where its window lets it.")
    ] = False,
    sources: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="SOURCE", help="Only these.", autocompletion=source_names),
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option("--target", metavar="TARGET", help="Only these.", autocompletion=target_names),
    ] = None,
) -> int:
    """Run one night: collect, inspect, snapshot, carry across, read back, shut, prove."""
    from vault.cli.night import run_command

    return run_command(
        context.obj,
        dry_run=dry_run,
        now=now,
        duration=duration,
        catch_up=catch_up,
        sources=sources or (),
        targets=targets or (),
    )
