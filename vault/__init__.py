"""Coffre: the air-gapped backup vault that a hospital runs itself.

Rule 1: arrows go down only: cli, wiring, stories and outside, ports, domain, errors.
Rule 2: the package is ``vault``; the distribution and the command are ``coffre``.
Source: ``docs/architecture.md``.
"""

__version__ = "0.1.0"
