"""Templates of pages, and pages as PDF.

Rule 1: everything a template places is escaped, and nothing may be missing.
Rule 2: a PDF is made of the page alone: nothing is fetched, from nowhere.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from vault.errors import UsageError

_FOLDER = os.path.dirname(os.path.abspath(__file__))


@lru_cache(maxsize=8)
def template(name: str) -> Any:  # noqa: ANN401, jinja2 is imported where a page is rendered only
    """Give a template of this folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def to_pdf(page: str) -> bytes:
    """Give the page as PDF; UsageError where the extra is not installed."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError):  # OSError: its system libraries are missing
        raise UsageError(
            "a PDF needs weasyprint, which is not installed",
            hint="pip install 'coffre[pdf]' and libpango-1.0-0, or --format html and print it",
        ) from None
    inside_only = URLFetcher(allowed_protocols=["data"])
    return bytes(HTML(string=page, url_fetcher=inside_only).write_pdf())
