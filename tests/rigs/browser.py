"""A real browser for the pages: what it draws, and what axe finds wrong with it.

Rule 1: headless Chromium with a profile of its own, no network, ended before the call returns.
Rule 2: axe-core runs inside a copy of the page; the page itself is never changed.
Source: axe-core's rules for WCAG 2.0, 2.1 and 2.2, levels A and AA, as its package ships them.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

_FLAGS = (
    "--headless",
    "--no-sandbox",  # tests run as root, where Chromium's own sandbox does not start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)
_DARK = "--blink-settings=preferredColorScheme=0"
_LIGHT = "--blink-settings=preferredColorScheme=1"
_TIMEOUT_S = 120
_RUN_AXE = """
<script>%s</script>
<script>
axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
  .then(found => {
    const out = document.createElement("pre");
    out.id = "axe-result";
    out.textContent = JSON.stringify(found.violations.map(v => ({
      id: v.id, impact: v.impact, help: v.help,
      nodes: v.nodes.map(n => n.html.slice(0, 200) + " | " + n.failureSummary.slice(0, 300))
    })));
    document.body.appendChild(out);
  });
</script>
"""


def why_no_browser() -> str | None:
    """Say what is missing, or None."""
    return None if _chromium() else "no chromium on this host"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def _browse(*words: str) -> bytes:
    browser = _chromium()
    assert browser is not None, why_no_browser()
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        done = subprocess.run(
            [browser, *_FLAGS, f"--user-data-dir={profile}", *words],
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
            env={**os.environ, "HOME": profile},
        )
    return done.stdout


def screenshot(page: Path, to: Path, *, width: int = 1280, height: int = 1600, dark: bool = False):
    """Draw a page into a PNG file."""
    _browse(
        _DARK if dark else _LIGHT,
        f"--window-size={width},{height}",
        f"--screenshot={to}",
        page.resolve().as_uri(),
    )


def faults(page: Path, scratch: Path, *, dark: bool = False) -> list[dict[str, Any]]:
    """Give what axe finds wrong with a page: id, impact, help and the nodes."""
    axe = (files("axe_core_python") / "axe.min.js").read_text("utf-8")
    text = page.read_text("utf-8")
    # The page's own policy forbids scripts, and rightly: the copy goes without it.
    text = re.sub(r"<meta[^>]*Content-Security-Policy[^>]*>", "", text, flags=re.I)
    copy = scratch / f"axe-{page.name}"
    copy.write_text(text.replace("</body>", _RUN_AXE % axe + "</body>"), "utf-8")
    scheme = _DARK if dark else _LIGHT
    drawn = _browse(scheme, "--virtual-time-budget=20000", "--dump-dom", copy.resolve().as_uri())
    found = re.search(r'<pre id="axe-result">(.*?)</pre>', drawn.decode("utf-8"), re.S)
    assert found is not None, "axe did not end"
    violations: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return violations
