"""``coffre target due | slip``: for whoever carries media between the host and the safes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from vault.cli.session import Session
from vault.cli.shown import day, moment, table, wrapped
from vault.cli.standing import media_lines
from vault.cli.words import _, spoken
from vault.errors import UsageError

if TYPE_CHECKING:
    from vault.wiring.wired import Wired

_LONGEST = 400  # nights: a year of monthly media, and a month


def due_command(session: Session, *, days: int) -> int:
    """List the media of the nights to come, and what stays out of reach meanwhile."""
    from vault.wiring.turns import (
        behind_since,
        coming,
        due_members,
        media_members,
        shield,
        shield_members,
    )

    if not 1 <= days <= _LONGEST:
        raise UsageError("--days takes 1 to {most}", most=_LONGEST)
    wired = session.wired()
    wired.require_founded()
    dues = coming(wired, days)
    members = {
        "due": due_members(wired, dues),
        "media": media_members(wired, dues),
        "shield": shield_members(shield(wired, dues, behind_since(wired))),
    }
    zone = wired.settings.site.time_zone
    if not members["due"]:
        session.say(_("No medium is due in these nights."))
    else:
        session.say(_due_table(due_members(wired, dues), zone))
    told = media_lines({"shield": members["shield"]}, zone)
    session.say()
    for line in told or [_("In the next night no copy is out of reach of whoever holds the host.")]:
        session.say(wrapped(line, indent=2))
    return session.emit(members)


def _due_table(dues: Sequence[Mapping[str, Any]], zone: str) -> str:
    heads = [_("night"), _("medium"), _("set"), _("bring by"), _("take home from"), _("home")]
    rows = [
        [
            day(date.fromisoformat(one["night"])),
            one["target"],
            one["set"] or "-",
            _instant(one["bring_by"], zone),
            _instant(one["take_home_from"], zone),
            one["home"] or "-",
        ]
        for one in dues
    ]
    return table(heads, rows)


def _instant(at: str | None, zone: str) -> str:
    return moment(datetime.fromisoformat(at), zone) if at else "-"


def slip_command(session: Session, name: str, *, form: str, to: str) -> int:
    """Write the page that goes with a medium; what is there is never written over."""
    from vault.cli.reporting import write_new
    from vault.report.pages import to_pdf
    from vault.report.slip_page import render_slip

    if form not in ("html", "pdf"):
        raise UsageError("--format is html or pdf, not {text}", text=form)
    wired = session.wired()
    wired.require_founded()
    page = render_slip(_slip_document(wired, name), spoken())
    write_new(to, page.encode() if form == "html" else to_pdf(page))
    session.say(_("The slip of {name} is in {path}.").format(name=name, path=to))
    return session.emit({"target": name, "written": os.path.abspath(to), "format": form})


def _slip_document(wired: Wired, name: str) -> dict[str, Any]:
    """Give what stands on a slip."""
    from vault.wiring.turns import coming, media_members

    record = wired.catalogue.target(name)
    if record is None or name not in wired.settings.targets:
        raise UsageError(
            "{name} is not an enrolled target",
            name=name,
            hint="which ones does coffre target list show?",
        )
    dues = coming(wired, _LONGEST)
    stands = next(one for one in media_members(wired, dues) if one["name"] == name)
    one_set = wired.settings.set_of(name)
    return {
        **stands,
        "every": one_set.every if one_set else None,
        "of": len(one_set.targets) if one_set else None,
        "position": one_set.targets.index(name) + 1 if one_set else None,
        "target_id": record.target_id,
        "uuid": record.uuid,
        "fs_type": record.fs_type,
        "size_bytes": record.size_bytes,
        "enrolled_at": record.enrolled_at.isoformat(),
        "nights": [due.night.isoformat() for due in dues if due.target == name][:6],
        "site": wired.settings.site.name,
        "finess": wired.settings.site.finess,
        "time_zone": wired.settings.site.time_zone,
        "printed_at": wired.clock.now().isoformat(),
    }
