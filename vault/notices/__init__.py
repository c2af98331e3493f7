"""What leaves the vault host for people and for monitoring, and never at any price.

    spool.py        notices that wait for a network: a file each, sent the oldest first
    sending.py      hands one notice to a child, which has a deadline
    mail_child.py   the child: the only place that knows apprise
    pinging.py      pings a monitoring service over HTTP, in a child too
    ping_child.py   that child
    textfile.py     metrics as a file for Prometheus
    journal.py      events with their fields, to journald or syslog

Rule 1: nothing here raises for what the network does: what could not be told is told as such.
Rule 2: an address may hold a password: it goes to a child by a sealed descriptor, never onto a
    command line, into a log or into an error.
Rule 3: whoever calls has made sure that no vault door is open: ``docs/decisions/0027``.
"""
