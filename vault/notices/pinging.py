"""Pings of a monitoring service, as healthchecks takes them: URL/start, URL, URL/fail.

Rule 1: a ping that fails is a warning; nothing waits longer for it than its deadline.
Rule 2: no log is sent along: a line says the verdict, and no more.
Source: https://healthchecks.io/docs/http_api/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.notices.sending import in_child, reason

if TYPE_CHECKING:
    from vault.secret import Secret

_ENDINGS = {"start": "/start", "success": "", "fail": "/fail"}


def ping(address: Secret, event: str, says: str, *, timeout_s: float) -> str:
    """Ping; give why that failed, empty when it did not."""
    base = address.reveal().decode("utf-8", "replace").rstrip("/")
    told = {"address": base + _ENDINGS[event], "says": says, "timeout_s": timeout_s}
    return reason(in_child("vault.notices.ping_child", told, timeout_s=timeout_s), timeout_s)
