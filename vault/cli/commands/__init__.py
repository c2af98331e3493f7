"""The commands of ``coffre`` and their options, one module a first word of the command line.

A new word is a new module here, named after it, that registers itself with ``vault.cli.root``;
nothing else has to know it.

Rule: every command's body imports what it needs when it runs.
"""
