"""The child that sends one notice: reads it as JSON on standard input, and ends with a code.

    0 taken   1 not taken   3 the address is not understood   killed by SIGALRM: no answer in time

Rule: nothing is printed; what a library says of an address may hold its password.
"""

from __future__ import annotations

import json
import logging
import signal
import sys


def main() -> int:
    """Send what standard input says."""
    told = json.load(sys.stdin)
    import apprise

    logging.disable(logging.CRITICAL)
    channel = apprise.Apprise.instantiate(told["address"])
    if channel is None:
        return 3
    channel.notify_format = apprise.NotifyFormat.TEXT
    together = apprise.Apprise()
    together.add(channel)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, told["timeout_s"])
    taken = together.notify(
        title=told["subject"], body=told["body"], body_format=apprise.NotifyFormat.TEXT
    )
    return 0 if taken else 1


if __name__ == "__main__":
    sys.exit(main())
