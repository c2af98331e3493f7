"""The members of a ZIP file, opened within bounds.

Rule 1: a directory of more members than the bound is not even loaded.
Rule 2: only what is stored or deflated is unfolded: zipfile unfolds bzip2 and LZMA a whole piece at
    a time, however large that becomes, and a kilobyte may become all the memory of the host.
Source: APPNOTE.TXT of PKWARE.
"""

from __future__ import annotations

import os
import zipfile
from typing import IO

from vault.inspection.budget import OverBudget
from vault.inspection.content import Content

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_TAIL_BYTES = 22 + 65536 + 76
_UNFOLDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def open_archive(content: Content) -> zipfile.ZipFile:
    """Load the list of members; raises OverBudget, and what zipfile raises for a damaged one."""
    file = content.seekable()
    check_directory(file, content.budget.limits.members)
    return zipfile.ZipFile(file)


def is_unfolded(info: zipfile.ZipInfo) -> bool:
    """Say whether a member is folded in a way that is unfolded here."""
    return info.compress_type in _UNFOLDED


def open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """Open a member; NotImplementedError when it is folded in another way."""
    if not is_unfolded(info):
        raise NotImplementedError
    return archive.open(info)


def check_directory(file: IO[bytes], most: int) -> None:
    """Raise OverBudget when a ZIP file lists more members than the bound, before it is loaded."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)
    file.seek(0)
    at = tail.rfind(_END)
    listed = int.from_bytes(tail[at + 10 : at + 12], "little") if at >= 0 else 0
    directory = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    at = tail.rfind(_END_64)
    if at >= 0 and listed == 0xFFFF:
        listed = int.from_bytes(tail[at + 32 : at + 40], "little")
    # 46 bytes are the least that an entry takes; what lies of its length is not to be believed.
    if directory != 0xFFFFFFFF:
        listed = max(listed, min(directory, size) // 128)
    if listed > most:
        raise OverBudget("members")
