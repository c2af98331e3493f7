"""The words ``coffre drill`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import drill_numbers, fiche_forms, levels, origin_names, source_names
from vault.cli.root import root
from vault.errors import UsageError

drill = typer.Typer(help="Restore tests: run, list, show, sign.", no_args_is_help=True)
root.add_typer(drill, name="drill")


@drill.command("run")
def drill_run(
    context: typer.Context,
    source_name: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="This source; else the oldest proof.",
            autocompletion=source_names,
        ),
    ] = None,
    level: Annotated[
        str,
        typer.Option("--level", metavar="LEVEL", help="L0, L1, L2 or L3.", autocompletion=levels),
    ] = "L1",
    origin: Annotated[
        str,
        typer.Option(
            "--from", metavar="PLACE", help="landing, or a target.", autocompletion=origin_names
        ),
    ] = "landing",
    sample: Annotated[
        str | None, typer.Option("--sample", metavar="N", help="So many files at random, or all.")
    ] = None,
    seed: Annotated[
        str | None, typer.Option("--seed", metavar="SEED", help="To choose as an earlier test did.")
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="What policies owe, the oldest proof first.")
    ] = False,
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="With --due: how long at most, as 30m."),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who operates, as declared.")
    ] = "",
    asked_by: Annotated[
        str, typer.Option("--asked-by", metavar="NAME", help="Who asked for it.")
    ] = "",
    validated_by: Annotated[
        str,
        typer.Option(
            "--validated-by", metavar="NAME", help="Who validates: another than who operates."
        ),
    ] = "",
) -> int:
    """Test a restore: every byte against the manifest taken at the source."""
    from vault.cli.drilling import run_command

    if duration is not None and not due:
        raise UsageError("--for is for --due", hint="coffre drill run --due --for 30m")
    if due:
        if source_name or sample or seed or by or asked_by or validated_by or origin != "landing":
            raise UsageError("--due chooses by itself", hint="coffre drill run --due --for 30m")
        from vault.cli.owed import due_command

        return due_command(context.obj, duration=duration)
    return run_command(
        context.obj,
        source=source_name,
        level=level,
        origin=origin,
        sample=sample,
        seed=seed,
        people=(by, asked_by, validated_by),
    )


@drill.command("list")
def drill_list(
    context: typer.Context,
    source_name: Annotated[
        str | None,
        typer.Option("--source", metavar="SOURCE", help="Only this.", autocompletion=source_names),
    ] = None,
) -> int:
    """List restore tests, newest first."""
    from vault.cli.drilling import list_command

    return list_command(context.obj, source=source_name)


@drill.command("show")
def drill_show(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="DRILL", autocompletion=drill_numbers)],
    fiche: Annotated[
        bool, typer.Option("--fiche", help="Write its fiche de restauration, to be signed.")
    ] = False,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="html, pdf, or dsse: signed.",
            autocompletion=fiche_forms,
        ),
    ] = "html",
    to: Annotated[
        str | None, typer.Option("--to", metavar="FILE", help="The file to write.")
    ] = None,
) -> int:
    """Show one restore test, or write its fiche de restauration."""
    from vault.cli.drilling import show_command

    if fiche:
        from vault.cli.fiches import fiche_command

        return fiche_command(context.obj, number, form=form, to=to)

    return show_command(context.obj, number)


@drill.command("cosign")
def drill_cosign(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE")],
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="FILE", help="The cosigner's key file; without it, only look."
        ),
    ] = None,
    vault_key: Annotated[
        str | None,
        typer.Option("--vault-key", metavar="KEY", help="Refuse a record of another vault."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="The file to write.")
    ] = None,
) -> int:
    """Sign the record of a restore test with one's own key, on any machine."""
    from vault.cli.signing import cosign_command

    return cosign_command(context.obj, file, key=key, vault_key=vault_key, out=out)


@drill.command("sign")
def drill_sign(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="DRILL", autocompletion=drill_numbers)],
    envelope: Annotated[
        str | None,
        typer.Option("--envelope", metavar="FILE", help="The record that a cosigner signed."),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            "--by", metavar="NAME", help="Who, as declared; a cosigner's role without it."
        ),
    ] = "",
) -> int:
    """Sign as the business referent that the data are back in production."""
    from vault.cli.signing import sign_command

    return sign_command(context.obj, number, by=by, envelope=envelope)
