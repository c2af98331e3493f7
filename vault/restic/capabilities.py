"""What each version of restic can do, as one table.

Rule 1: a pure lookup; nothing here runs the program.
Rule 2: a version newer than the table has what the newest row has, since restic keeps its words.
Rule 3: what is older than ``OLDEST`` is refused, not worked around.
Source: restic's changelog, and runs of 0.14.0 and 0.18.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_VERSION = re.compile(r"\Arestic v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?![\d.])")


class Version(NamedTuple):
    """A version of restic; ordered."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


OLDEST = Version(0, 14, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a version can do beyond 0.14."""

    no_scan: bool  # backup --no-scan: no second walk to estimate the size
    full_id_in_summary: bool  # backup --json tells all 64 digits, not 8
    json_init: bool
    json_restore: bool
    json_check: bool
    retry_lock: bool
    subfolder_restore: bool  # restore SNAPSHOT:FOLDER
    skip_if_unchanged: bool
    clean_on_sigterm: bool  # older ones leave their lock behind on SIGTERM
    exit_code_10_11: bool  # no repository, locked
    exit_code_12: bool  # wrong password
    missing_path_fails: bool  # older ones exit 0 when a source path does not exist


def parse_version(output: str) -> Version | None:
    """Read the output of ``restic version``; None when it is not restic's."""
    found = _VERSION.match(output)
    return Version(*map(int, found.groups())) if found else None


def capabilities(version: Version) -> Capabilities:
    """Give what a version can do."""
    return Capabilities(
        no_scan=version >= (0, 15, 0),
        full_id_in_summary=version >= (0, 15, 0),
        json_init=version >= (0, 15, 0),
        json_restore=version >= (0, 16, 0),
        json_check=version >= (0, 18, 0),
        retry_lock=version >= (0, 16, 0),
        subfolder_restore=version >= (0, 16, 0),
        skip_if_unchanged=version >= (0, 17, 0),
        clean_on_sigterm=version >= (0, 17, 0),
        exit_code_10_11=version >= (0, 17, 0),
        exit_code_12=version >= (0, 17, 1),
        missing_path_fails=version >= (0, 19, 0),
    )
