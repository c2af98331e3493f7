"""What is folded into a file: how members are judged and tallied, the same for every archive.

Rule 1: a member is judged by the same registry as any file; its malformation is the archive's.
Rule 2: a bound that one member meets ends that member; one that all share ends the archive.
Rule 3: members are counted by kind; their names are not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import IO

from vault.finding import Finding, Remark, Soundness, doubt, fault, judged, token
from vault.inspection.budget import OverBudget
from vault.inspection.content import Content

_OF_ONE = ("depth", "ratio", "spool_bytes")


class Members:
    """The tally of one archive."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.kinds: Counter[str] = Counter()
        self.judged = 0
        self.last: Finding | None = None
        self._sound: Counter[Soundness] = Counter()
        self._broken = 0
        self._bounds: Counter[str] = Counter()

    def take(
        self,
        name: bytes,
        size_bytes: int,
        open_again: Callable[[], IO[bytes]],
        *,
        folded_bytes: int | None = None,
    ) -> bool:
        """Judge one member; False when a bound that all share ends the archive."""
        self.judged += 1
        try:
            last_name = name.replace(b"\\", b"/").rstrip(b"/").rpartition(b"/")[2]
            member = self._content.member(
                last_name, size_bytes, open_again, folded_bytes=folded_bytes
            )
            finding = self._content.judge_member(member)
        except OverBudget as over:
            self._bounds[over.bound] += 1
            return over.bound in _OF_ONE
        except Exception:  # noqa: BLE001, a wrong checksum is an exception of each library's own
            self._broken += 1
            return True
        self.last = finding
        self.kinds[finding.kind] += 1
        self._sound[finding.soundness] += 1
        return True

    def remarks(self) -> list[Remark]:
        """Say what is wrong with the members."""
        remarks = [
            doubt("over-budget", "not read to its end: it met the bound {bound}", bound=token(one))
            for one in sorted(self._bounds)
        ]
        if self._broken:
            remarks.append(
                fault(
                    "member-broken",
                    "{count} members cannot be unfolded, or differ from their checksum",
                    count=self._broken,
                )
            )
        if bad := self._sound[Soundness.MALFORMED]:
            remarks.append(fault("member-malformed", "{count} members are malformed", count=bad))
        if odd := self._sound[Soundness.DOUBTFUL]:
            remarks.append(doubt("member-doubtful", "{count} members are doubtful", count=odd))
        return remarks

    def finding(self, kind: str, remarks: list[Remark], **counts: int) -> Finding:
        """Give the archive's finding."""
        counts = {"members": self.judged, **counts}
        return judged(kind, [*remarks, *self.remarks()], counts=counts, inside=dict(self.kinds))
