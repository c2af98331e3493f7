"""The pages that people read: self-contained HTML, in French and English.

    teller.py      the words: states, dates, what to do, in one language
    document.py    the PMSI calendar as plain members: what the pages are made of
    pmsi_page.py   the PMSI calendar as a page
    fiche_page.py  the fiche de restauration of one restore test, as a page to be signed
    fiche.html     how that is laid out, on paper first
    slip_page.py   the slip of a medium: its label, and the card that goes with it
    slip.html      how that is laid out
    overview.py    sysadmin and auditor: doors, gaps, seconds open, restore tests, media, clauses
    tables.py      its tables
    strip.py       the picture of the seconds open
    pages.py       finds a template; what it places is escaped
    style.css      how all of them look; its colours are held to WCAG AA by a test

Rule 1: a page is made of the public documents alone, so it can show nothing that they do not name.
Rule 2: a page needs nothing else to be read: no script, no font, no picture, no network.
Rule 3: a colour only repeats what a symbol and a word say.
"""

from vault.report.document import document_of, shown_cells
from vault.report.overview import READERS, render_overview
from vault.report.pmsi_page import render_pmsi
from vault.report.teller import Teller

__all__ = ["READERS", "Teller", "document_of", "render_overview", "render_pmsi", "shown_cells"]
