"""``coffre init``, ``coffre keys confirm`` and ``coffre config``."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING

from vault.cli.session import Session
from vault.cli.standing import publish
from vault.cli.words import _
from vault.errors import UsageError
from vault.secret import Secret

if TYPE_CHECKING:
    from vault.founding import RecoverySheet
    from vault.wiring.wired import Wired


def init_command(session: Session, folder: str | None) -> int:
    """Make what the configuration names and is missing, or, where there is none, an example.

    Run twice it changes nothing.
    """
    from vault.wiring.making import make_vault, place_configuration

    if folder is not None and session.config is not None:
        raise UsageError("init takes a folder or --config, not both")
    if folder is not None:
        session.config = os.path.join(folder, "vault.yaml")
    made = place_configuration(session.config)
    session.config = made.config
    if made.is_new:
        line = _("Made {path}: name your exports and targets in it, then coffre init again.")
        session.say(line.format(path=made.config))
        # The example names a hospital that does not exist: no keys are made for it.
        return session.emit({"made": [*made.paths], "repository_id": None, "vault_key": None})
    wired = session.wired()
    founded = make_vault(wired)
    publish(wired)
    if founded.sheet is not None and not session.as_json:
        _print_sheet(session, wired, founded.sheet)
    if not founded.made and founded.sheet is None:
        session.say(_("Nothing is missing; nothing was changed."))
    members: dict[str, object] = {
        "made": [*founded.made],
        "repository_id": wired.catalogue.fact("repository_id"),
        "vault_key": wired.key.public.to_text(),
    }
    if founded.sheet is not None:
        # The document is the only place where the password can be shown: it is kept nowhere.
        members["recovery_password"] = founded.sheet.password.reveal().decode()
    code = session.emit(members)
    if founded.sheet is not None:
        wired.founding.note_printed(founded.sheet)
    return code


def _print_sheet(session: Session, wired: Wired, sheet: RecoverySheet) -> None:
    rule = "─" * 72
    lines = [
        rule,
        _("RECOVERY SHEET of {site}").format(site=wired.settings.site.name),
        _("Print it, put it in a safe away from this host. It is shown this once."),
        "",
        _("Recovery password:"),
        "  " + sheet.password.reveal().decode(),
        _("Repository: {id}").format(id=sheet.repository_id),
        _("Vault key: {key}").format(key=sheet.vault_key),
        "",
        _("Without this host, on any Linux computer with restic, with a target attached:"),
        "  mount -o ro,noload /dev/DISK /mnt",
        "  restic -r /mnt/repository --no-lock snapshots",
        "  restic -r /mnt/repository --no-lock restore SNAPSHOT --target FOLDER",
        _("restic asks for the recovery password above, with its hyphens."),
        rule,
        _("Until coffre keys confirm has read this password back, the vault stays red."),
    ]
    for line in lines:
        session.say(line)


def confirm_command(session: Session) -> int:
    """Read the recovery password back from the terminal or from standard input."""
    from vault.ledger.recovery_password import normalise

    wired = session.wired()
    if sys.stdin.isatty():
        typed = getpass.getpass(_("Recovery password, from the printed sheet: "))
    else:
        typed = sys.stdin.readline()
    with wired.locked():
        wired.founding.confirm(Secret(normalise(typed.strip()).encode()))
        publish(wired)
    session.say(_("The recovery password opens the landing: noted."))
    return session.emit({"confirmed": True})


# -- config


def config_command(session: Session, action: str) -> int:
    """Validate, show, or give the schema of the configuration."""
    import json

    from vault.config import schema, show

    if action == "schema":
        if session.as_json:
            return session.emit({"json_schema": schema()})
        session.say(json.dumps(schema(), indent=2, ensure_ascii=False))
        return 0
    settings = session.settings()
    if action == "show":
        if session.as_json:
            return session.emit({"file": settings.file, "config": settings.model_dump(mode="json")})
        session.say(show(settings).rstrip())
        return 0
    session.say(_("{file} is sound.").format(file=settings.file))
    return session.emit({"file": settings.file, "valid": True})
