"""Opens files and says what they are: one module a format, one small protocol.

    inspector.py   the protocol that each format implements
    content.py     one file as an inspector sees it: bounded, read once, hashed on the way
    budget.py      how much one file may unfold to, and how long it may take
    registry.py    the inspectors of this installation, and which of them judges a file
    examiner.py    one file of a reception: hashed, sampled and inspected in one pass
    signs.py       entropy, chi-square and magic of what was sampled

Rule 1: an inspector judges one file by itself; whether an export may pass is the gate's business.
Rule 2: nothing read here leaves as text: a ``Finding`` holds counts, versions and periods.
Rule 3: whatever an inspector meets, it answers; a parser that fails is a malformed file, a bound
    that is met is a remark.
Source: design, section 4, step 4.
"""

from vault.inspection.budget import Limits
from vault.inspection.examiner import FileExaminer
from vault.inspection.pes import Exchange, exchange_of
from vault.inspection.registry import Registry, Unloaded, load_registry

__all__ = [
    "Exchange",
    "FileExaminer",
    "Limits",
    "Registry",
    "Unloaded",
    "exchange_of",
    "load_registry",
]
