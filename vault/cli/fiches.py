"""``coffre drill show --fiche``: the fiche de restauration of one test, as a file.

Rule 1: a file that is there is never written over: it may have been signed.
Rule 2: HTML and PDF are for people; DSSE is the same test for machines, signed by the vault's key.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vault.cli.drilling import check_members, members_of, record_of, told_check
from vault.cli.reporting import write_new
from vault.cli.session import Session
from vault.cli.words import _, called, retell, spoken
from vault.errors import UsageError

if TYPE_CHECKING:
    from vault.fiche import DrillRecord
    from vault.wiring.wired import Wired


def fiche_command(session: Session, number: int, *, form: str, to: str | None) -> int:
    """Write the fiche de restauration of one test, to be printed and signed."""
    from vault.report.fiche_page import render_fiche
    from vault.report.pages import to_pdf
    from vault.wiring.drills import signed_record

    if form not in ("html", "pdf", "dsse"):
        raise UsageError("--format is html, pdf or dsse, not {text}", text=form)
    if to is None:
        raise UsageError("--fiche writes a file", hint="--to FILE")
    wired = session.wired()
    wired.require_founded()
    record = record_of(wired, number)
    if record.verdict is None:
        raise UsageError("restore test {number} has not ended", number=number)
    if form == "dsse":
        content = signed_record(wired, record)
    else:
        page = render_fiche(_fiche_document(wired, record), spoken())
        content = page.encode() if form == "html" else to_pdf(page)
    write_new(to, content)
    session.say(_("The fiche of test {number} is in {path}.").format(number=number, path=to))
    return session.emit({"drill": number, "written": os.path.abspath(to), "format": form})


def _fiche_document(wired: Wired, record: DrillRecord) -> dict[str, object]:
    """Give a record with what the page says of site, policy and host."""
    import platform

    from vault import __version__
    from vault.proof import owed_levels
    from vault.wiring.drills import policy_of

    settings, policy = wired.settings, policy_of(wired, record.source)
    points = wired.catalogue.snapshots(record.source)
    reached = wired.catalogue.reached(record.source)
    owed = owed_levels(record.source, policy, reached, points[0].taken_at) if policy else []
    titles = policy.titles if policy else None
    zone = settings.time_zone
    return {
        **members_of(record),
        "checks": [{**check_members(c), "told": told_check(c)} for c in record.checks],
        "told_not_tested": [retell(line) for line in record.not_tested],
        "projected_s": record.projected_s,
        "site": settings.site.name,
        "finess": settings.site.finess,
        "time_zone": str(zone),
        "class_title": getattr(titles, spoken(), "") if titles else "",
        "owner": called(policy.owner) if policy else "",
        "next_due": {str(one.level): one.due_at.astimezone(zone).date() for one in owed},
        "repository_id": wired.catalogue.fact("repository_id") or "",
        "program": f"coffre {__version__}, restic {wired.restic.version}",
        "host": platform.node(),
        "printed_at": wired.clock.now().isoformat(),
    }
