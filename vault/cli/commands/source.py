"""The words ``coffre source`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import sftp_source_names
from vault.cli.root import Yes, root

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=sftp_source_names)]
source = typer.Typer(help="SFTP sources: key, host key, trial.", no_args_is_help=True)
root.add_typer(source, name="source")


@source.command("key")
def source_key(context: typer.Context, name: Name) -> int:
    """Make the key and print the line for the host's authorized_keys."""
    from vault.cli.feeds import key_command

    return key_command(context.obj, name)


@source.command("trust")
def source_trust(
    context: typer.Context,
    name: Name,
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", metavar="SHA256", help="As read out.")
    ] = None,
    yes: Yes = False,
) -> int:
    """Pin the host's key once a person has compared its fingerprint."""
    from vault.cli.feeds import trust_command

    return trust_command(context.obj, name, fingerprint=fingerprint, yes=yes)


@source.command("test")
def source_test(context: typer.Context, name: Name) -> int:
    """Connect as a night would, and hang up."""
    from vault.cli.feeds import test_command

    return test_command(context.obj, name)
