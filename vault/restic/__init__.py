"""restic, behind one adapter: the landing repository and everything asked of the program.

Rule 1: the real program does the work; what differs between its versions stands in one table.
Rule 2: an argument vector and an environment come from pure functions, so that restic can run
    elsewhere with the same words: inside a vault's namespace, on a view.
Rule 3: snapshots are named by their full id; ``latest`` and file names from its output are never
    used.
"""

from vault.restic.binary import Restic, find_restic
from vault.restic.capabilities import OLDEST, Capabilities, Version, capabilities
from vault.restic.environment import environment
from vault.restic.landing import BackupIncomplete, LandingRepository
from vault.restic.outcome import judge

__all__ = [
    "OLDEST",
    "BackupIncomplete",
    "Capabilities",
    "LandingRepository",
    "Restic",
    "Version",
    "capabilities",
    "environment",
    "find_restic",
    "judge",
]
