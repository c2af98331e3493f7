"""The child that pings one address: reads it as JSON on standard input, and ends with a code.

0 answered with 2xx   1 anything else   killed by SIGALRM: no answer in time
"""

from __future__ import annotations

import json
import signal
import sys
import urllib.request


def main() -> int:
    """Ping what standard input says; http and https only."""
    told = json.load(sys.stdin)
    if not told["address"].startswith(("http://", "https://")):
        return 1
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, told["timeout_s"])
    request = urllib.request.Request(  # noqa: S310, the scheme was looked at
        told["address"], data=told["says"].encode(), headers={"User-Agent": "coffre"}
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310, killed at its deadline
            return 0 if 200 <= answer.status < 300 else 1
    except (OSError, ValueError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
