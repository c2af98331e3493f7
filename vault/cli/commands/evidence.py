"""The words ``coffre evidence`` …."""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.root import By, Reason, Yes, root
from vault.errors import UsageError

evidence = typer.Typer(help="The ledger and who vouches for it.", no_args_is_help=True)
root.add_typer(evidence, name="evidence")
Qr = Annotated[bool, typer.Option("--qr", help="As a QR code in the terminal.")]
HeadFile = Annotated[
    str | None,
    typer.Option("--to", metavar="FILE", help="Into a file; .svg and .png are pictures."),
]


@evidence.command("export")
def evidence_export(
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="DIR", help="An empty folder.")],
) -> int:
    """Write ledger, signed heads and the stand-alone verifier into a folder."""
    from vault.cli.evidence import export_command

    return export_command(context.obj, to=to)


@evidence.command("verify")
def evidence_verify(
    context: typer.Context,
    folder: Annotated[str | None, typer.Argument(metavar="DIR")] = None,
    ledger: Annotated[bool, typer.Option("--ledger", help="This host's own.")] = False,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="KEY", help="A public key.")
    ] = None,
    head: Annotated[
        list[str] | None, typer.Option("--head", metavar="FILE", help="One kept elsewhere.")
    ] = None,
) -> int:
    """Judge an export or this host's ledger: chain, tree, signatures, heads kept elsewhere."""
    from vault.cli.evidence import verify_command

    return verify_command(context.obj, folder, ledger=ledger, keys=key or (), heads=head or ())


@evidence.command("head")
def evidence_head(
    context: typer.Context,
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="N", help="Prove that it continues a head of this size."),
    ] = None,
    qr: Qr = False,
    to: HeadFile = None,
) -> int:
    """Sign the ledger as it stands and print its head, for a cosigner."""
    from vault.cli.evidence import head_command

    return head_command(context.obj, since=since, qr=qr, to=to)


@evidence.command("cosign")
def evidence_cosign(
    context: typer.Context,
    head: Annotated[str | None, typer.Argument(metavar="HEAD")] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="FILE", help="The cosigner's key file.")
    ] = None,
    add: Annotated[
        str | None, typer.Option("--add", metavar="FILE", help="Import a cosigned head.")
    ] = None,
    vault_key: Annotated[
        str | None,
        typer.Option("--vault-key", metavar="KEY", help="Refuse a head of another vault."),
    ] = None,
    qr: Qr = False,
    to: HeadFile = None,
) -> int:
    """Sign a head with one's own key, on any machine; or --add one that was signed."""
    from vault.cli.evidence import add_command, cosign_command

    if (key is None) is (add is None):
        raise UsageError("cosign takes --key to sign, or --add to import")
    if add is not None:
        return add_command(context.obj, add)
    assert key is not None
    return cosign_command(context.obj, head, key=key, vault_key=vault_key, qr=qr, to=to)


@evidence.command("keygen")
def evidence_keygen(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="FILE", help="The key's file; NAME.key.")
    ] = None,
) -> int:
    """Make a cosigner's key, on the cosigner's own machine."""
    from vault.cli.evidence import keygen_command

    return keygen_command(context.obj, name, to=to)


@evidence.command("rotate")
def evidence_rotate(context: typer.Context, reason: Reason, by: By, yes: Yes = False) -> int:
    """Exchange the vault's signing key; both keys sign the exchange."""
    from vault.cli.evidence import rotate_command

    return rotate_command(context.obj, reason=reason, by=by, yes=yes)
