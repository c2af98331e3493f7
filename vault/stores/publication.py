"""Our own small files on their way onto the target: identity, heads, lists.

    write, (the caller syncs), compare, link, (the caller syncs)

Rule 1: they have the discipline of a pack: synced and read back before they get a name; the
    caller may share its barriers with other files.
Rule 2: they get their names in the order given.
Rule 3: what stands already with the same content is left alone; with another it is an error.
Source: design, section 5; decision 0002.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vault.stores.folders import split_path
from vault.stores.new_file import NewFile, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    path: str
    name: str
    digest: str
    file: NewFile


@dataclass(slots=True, kw_only=True)
class Publication:
    """Small files that are published together."""

    target: Target
    files: Sequence[tuple[str, bytes]]
    stands: Callable[[str, bytes], bool]  # StoreError when it stands with another content
    _begun: list[_Begun] = field(default_factory=list)

    def write(self) -> None:
        """Write what does not stand yet, without names."""
        for path, content in self.files:
            folder, name = split_path(path)
            if self.stands(path, content):
                continue
            file = self.target.begin(folder)
            digest = hashlib.sha256(content).hexdigest()
            self._begun.append(_Begun(path=path, name=name, digest=digest, file=file))
            file.write(content)

    def differing(self) -> list[str]:
        """Read all back from the medium, after a sync; give the paths of what differs."""
        return [one.path for one in self._begun if one.file.read_back() != one.digest]

    def link(self) -> bool:
        """Give them their names; False when there was nothing to name."""
        for one in self._begun:
            one.file.link(one.name)
        return bool(self._begun)

    def close(self) -> None:
        """Let go; what has no name is gone."""
        for one in self._begun:
            one.file.close()
        self._begun.clear()
