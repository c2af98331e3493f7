"""The view: the signed list of the landing's files at one cycle, as it lies on a target.

Rule 1: it is zstd over a signed note, whose text is a JSON header and one line ``PATH SIZE`` a
    file, sorted by path: names are hashes, so that nothing of a patient or an export is in it.
Rule 2: a view is read within bounds, so that no medium can fill the memory of who reads it.
Rule 3: the files are parsed one at a time; only the text is held whole, for its signature is
    over all of it.
Source: contract, "On a target"; ``docs/ledger.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from vault.errors import SignatureError
from vault.ledger.canonical import from_json, to_json
from vault.results import RepositoryFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vault.ledger.notes import PublicKey, VaultKey

FORMAT = "coffre view v1"
TEXT_MAX = 200_000_000  # 2.4 million files
_LEVEL = 1  # hashes do not compress beyond one half; a higher level only takes longer
_PATH = rb"(?:data/([0-9a-f]{2})/(?=\2)|index/|keys/|snapshots/)[0-9a-f]{64}|config"
_LINE = re.compile(rb"(%s) (0|[1-9][0-9]{0,18})" % _PATH)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The list of one cycle."""

    cycle: int
    files: int
    size_bytes: int  # of all of them
    lines: bytes = field(repr=False)  # PATH SIZE, one a file, as signed

    @classmethod
    def of(cls, cycle: int, files: Iterable[RepositoryFile]) -> Self:
        """Make the view of a list sorted by path."""
        lines = bytearray()
        count = total = 0
        for file in files:
            lines += b"%s %d\n" % (file.path.encode(), file.size_bytes)
            count += 1
            total += file.size_bytes
        return cls(cycle=cycle, files=count, size_bytes=total, lines=bytes(lines))

    def entries(self) -> Iterator[RepositoryFile]:
        """Give the files, sorted by path."""
        start = 0
        while (end := self.lines.find(b"\n", start)) >= 0:
            path, _, size = self.lines[start:end].partition(b" ")
            yield RepositoryFile(path=path.decode("ascii"), size_bytes=int(size))
            start = end + 1

    def to_note(self, key: VaultKey) -> bytes:
        """Sign and compress; SignatureError when the list is longer than a view may be."""
        import zstandard

        text = b"".join((self._header(), self.lines))
        if len(text) > TEXT_MAX:
            raise SignatureError("a view of {files} files is too long to sign", files=self.files)
        _judge_lines(self)
        return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(key.sign(text))

    @classmethod
    def from_note(cls, data: bytes, public: PublicKey) -> Self:
        """Decompress within bounds, verify, read; SignatureError when any of it fails."""
        text = public.verify(_decompress(data))
        head, _, lines = text.partition(b"\n")
        try:
            members = from_json(head)
        except ValueError:
            raise _malformed() from None
        if not isinstance(members, dict) or set(members) != {"format", "cycle", "files", "bytes"}:
            raise _malformed()
        cycle, files, total = members["cycle"], members["files"], members["bytes"]
        if members["format"] != FORMAT:
            raise _malformed()
        if not (type(cycle) is int and type(files) is int and type(total) is int):
            raise _malformed()
        view = cls(cycle=cycle, files=files, size_bytes=total, lines=lines)
        _judge_lines(view)
        return view

    def _header(self) -> bytes:
        members = {
            "format": FORMAT,
            "cycle": self.cycle,
            "files": self.files,
            "bytes": self.size_bytes,
        }
        return to_json(members) + b"\n"


def _judge_lines(view: View) -> None:
    """Refuse lines that are no lawful, sorted list of as many files and bytes as the header says.

    A path of a view is handed to mount and to restic: it may not leave the repository, even
    when the vault's own key signed it.
    """
    start = count = total = 0
    before = b""
    while start < len(view.lines):
        found = _LINE.match(view.lines, start)
        if found is None or view.lines[found.end() : found.end() + 1] != b"\n":
            raise _malformed()
        path = found[1]
        if path <= before:
            raise _malformed()
        before, start, count, total = path, found.end() + 1, count + 1, total + int(found[3])
    if (count, total) != (view.files, view.size_bytes):
        raise _malformed()


def _decompress(data: bytes) -> bytes:
    import zstandard

    whole = bytearray()
    if len(data) > TEXT_MAX:
        raise _malformed()
    try:
        # The default window of a reader is bounded too (128 MB), whatever the frame asks for.
        reader = zstandard.ZstdDecompressor().stream_reader(data)
        while block := reader.read(1 << 20):
            whole += block
            if len(whole) > TEXT_MAX + (1 << 16):
                raise _malformed()
    except zstandard.ZstdError:
        raise _malformed() from None
    return bytes(whole)


def _malformed() -> SignatureError:
    return SignatureError(
        "the signed document is not a {kind}",
        hint="is the file whole, and of this coffre's version?",
        kind=FORMAT,
    )
