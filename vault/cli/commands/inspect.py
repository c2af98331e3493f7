"""The words ``coffre inspect`` …."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from vault.cli.completing import source_names
from vault.cli.root import By, Reason, root


class _PathFirst(typer.core.TyperGroup):
    """Takes a first word that is no command for a path, so that ``inspect PATH`` is enough."""

    # Any: newer releases of typer carry a click of their own, whose types these are.
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        """Name the command that is meant by a path alone."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["path", *args])


inspect = typer.Typer(
    cls=_PathFirst,
    help="What files are, and whether they are sound; a refused export that may pass.",
    no_args_is_help=True,
)
root.add_typer(inspect, name="inspect")


@inspect.command("path")
def inspect_path(
    context: typer.Context, path: Annotated[str, typer.Argument(metavar="PATH")]
) -> int:
    """Say what a file or the files of a folder are: kind, soundness, counts, periods."""
    from vault.cli.looking import look_command

    return look_command(context.obj, path)


@inspect.command("accept")
def inspect_accept(
    context: typer.Context,
    source_name: Annotated[str, typer.Argument(metavar="SOURCE", autocompletion=source_names)],
    reason: Reason,
    by: By,
) -> int:
    """Let the refused export of a source pass at the next run, once; no other passes by it."""
    from vault.cli.inspecting import accept_command

    return accept_command(context.obj, source_name, reason=reason, by=by)
