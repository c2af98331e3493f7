"""What a person calls an outcome or a class of disconnection, in commands and on pages alike.

Rule: the texts are English and their own keys; ``vault/locale`` holds the French.
"""

from __future__ import annotations

OUTCOMES = {
    "sound": "sound",
    "incomplete": "incomplete",
    "partial": "partial",
    "corrupt": "CORRUPT",
    "refused": "REFUSED",
    "failed": "FAILED",
    "media-absent": "media absent",
    "interrupted": "interrupted",
    "secured": "SECURED",
    "degraded": "DEGRADED",
    "impostor": "IMPOSTOR",
    "full": "FULL",
    "missing": "MISSING",
    "empty": "EMPTY",
    "no-evidence": "NO EVIDENCE",
}

DISCONNECTIONS = {
    "removed": "removed",
    "powered-off": "powered off",
    "link-down": "link down",
    "detached": "detached",
    "unmounted": "unmounted",
    "none": "not disconnected",
}
