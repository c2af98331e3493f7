"""``coffre version``: what runs here."""

from __future__ import annotations

from vault import __version__
from vault.cli.session import Session


def version_command(session: Session) -> int:
    """Print the versions of coffre and of the restic it uses."""
    from vault.restic import find_restic

    restic = find_restic()
    session.say(f"coffre {__version__}, restic {restic.version}")
    return session.emit({"coffre": __version__, "restic": str(restic.version)})
