"""Doors: what connects a medium or a network, and proves that it is connected no more.

Rule 1: a door rests on the kernel, not on our code living long enough.
Rule 2: shut is asked of the world; an error while asking counts as open.
Rule 3: nothing here knows a store, a source or restic; the vault side hands its duties in.
Source: ``docs/doors.md``.
"""
