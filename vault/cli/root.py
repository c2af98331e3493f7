"""The word ``coffre`` itself: its help, its global options, and options that many commands share.

Rule: the global options are taken by ``main`` before typer sees a word; they are declared here so
    that the help names them.
Source: contract, "Commands"; design, section 9.
"""

from __future__ import annotations

from typing import Annotated

import typer

from vault.cli.completing import languages

_EPILOG = (
    "Exit codes: 0 sound, 1 failed, 2 usage, 3 incomplete, 4 corrupt, 5 DEGRADED: a door may be "
    "open, 6 secured, 7 refused, 75 media absent, 130 interrupted. But for 5, the doors are shut."
)

root = typer.Typer(
    help="The air-gapped backup vault that a hospital runs itself.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Reason = Annotated[str, typer.Option("--reason", metavar="WHY", help="Why; kept in the ledger.")]
By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who, as declared; kept in the ledger.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it: what is destroyed was named.")]


@root.callback()
def _globals(
    _config: Annotated[
        str | None, typer.Option("--config", "-c", metavar="FILE", help="The vault.yaml to use.")
    ] = None,
    _json: Annotated[
        bool, typer.Option("--json", help="One document on standard output, nothing else.")
    ] = False,
    _lang: Annotated[
        str | None,
        typer.Option("--lang", metavar="LANG", help="fr or en.", autocompletion=languages),
    ] = None,
    _verbose: Annotated[bool, typer.Option("-v", help="Say more.")] = False,
    _quiet: Annotated[bool, typer.Option("-q", help="Say only the result.")] = False,
) -> None:
    """Take nothing: ``main`` has taken the global options already."""
