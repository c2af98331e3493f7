"""The words ``coffre config`` …."""

from __future__ import annotations

import typer

from vault.cli.root import By, root

config = typer.Typer(help="The configuration.", no_args_is_help=True)
root.add_typer(config, name="config")


@config.command("validate")
def config_validate(context: typer.Context) -> int:
    """Read everything and say what is wrong, each fault with file, line and key."""
    return _act(context, "validate")


@config.command("show")
def config_show(context: typer.Context) -> int:
    """Print the configuration as it is understood; secrets as where they are."""
    return _act(context, "show")


@config.command("schema")
def config_schema(context: typer.Context) -> int:
    """Print the JSON Schema of vault.yaml."""
    return _act(context, "schema")


def _act(context: typer.Context, action: str) -> int:
    from vault.cli.making import config_command

    return config_command(context.obj, action)


@config.command("review")
def config_review(context: typer.Context, by: By) -> int:
    """Record that a person has read the policies in force."""
    from vault.cli.practice import review_command

    return review_command(context.obj, by=by)
