"""The words ``coffre retention`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import target_names
from vault.cli.root import By, Reason, Yes, root
from vault.errors import UsageError

retention = typer.Typer(help="What is kept and what goes: plan, apply.", no_args_is_help=True)
root.add_typer(retention, name="retention")
Target = Annotated[
    str | None,
    typer.Option("--target", help="A target's views.", autocompletion=target_names),
]


@retention.command("plan")
def retention_plan(
    context: typer.Context,
    target: Target = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="Propose it: the hold begins.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="With --propose: who, as declared.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="With --propose: why.")] = "",
) -> int:
    """Tell what stays, each point with its reasons, and what goes; propose what a target loses."""
    from vault.cli.retaining import plan_command, propose_command

    if not propose:
        if by or reason:
            raise UsageError("--by and --reason go with --propose")
        return plan_command(context.obj, target=target)
    if target is None:
        raise UsageError(
            "--propose is for a target: the landing needs one person",
            hint="coffre retention apply --by NAME --yes",
        )
    return propose_command(context.obj, target, by=by, reason=reason)


@retention.command("apply")
def retention_apply(
    context: typer.Context,
    by: By,
    proposal: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A target's proposal.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Give the room back now, not once in 28 days.")
    ] = False,
    due: Annotated[
        bool, typer.Option("--due", help="For a timer: says and records nothing when nothing goes.")
    ] = False,
    yes: Yes = False,
) -> int:
    """Let go of what the plan lets go of; refused under any alarm. With ID: from a target."""
    from vault.cli.retaining import apply_command, remove_command

    if proposal is None:
        return apply_command(context.obj, by=by, prune=prune, is_timer=due, yes=yes)
    if prune or due:
        raise UsageError("--prune and --due are for the landing")
    return remove_command(context.obj, proposal, by=by, yes=yes)


@retention.command("withdraw")
def retention_withdraw(
    context: typer.Context,
    proposal: Annotated[str, typer.Argument(metavar="ID", help="A target's proposal.")],
    reason: Reason,
    by: By,
) -> int:
    """Take back a proposed removal, whoever proposed it; nothing goes by it any more."""
    from vault.cli.retaining import withdraw_command

    return withdraw_command(context.obj, proposal, by=by, reason=reason)


@retention.command("persons")
def retention_persons(
    context: typer.Context,
    count: Annotated[str, typer.Argument(metavar="one|two")],
    reason: Reason,
    by: By,
) -> int:
    """Say how many persons a removal from a target takes; that one suffices takes two to say."""
    from vault.cli.retaining import persons_command

    return persons_command(context.obj, count, by=by, reason=reason)
