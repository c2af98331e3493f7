"""What is sent to people: plain text that a tired person understands, with what to do.

Rule 1: it is made of the public status alone; no exported file and no content is named.
Rule 2: the subject says by itself whether anything is to be done.
Rule 3: the worst comes first; what somebody has acknowledged comes last, with who did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import Any

from vault.called import OUTCOMES
from vault.gap_groups import group_gaps
from vault.report.teller import Teller

Text = tuple[str, str]  # subject and body
_Gap = Mapping[str, Any]
_SUBJECT = 140  # letters; a telephone shows no more


class Writer:
    """Writes to one recipient, in one language, for one site."""

    def __init__(self, teller: Teller, site: str, owner: str | None = None) -> None:
        self.t = teller
        self.site = site
        self.owner = owner  # told of what this role answers for, and of nothing else

    def concerns(self, gap: _Gap) -> bool:
        """Whether the recipient is to be told of a gap."""
        return gap["severity"] != "info" and self.owner in (None, gap["owner"])

    def digest(self, status: Mapping[str, Any], verdict: str) -> Text:
        """Write what a night came to, and everything that is missing."""
        t, gaps = self.t, [gap for gap in status["gaps"] if self.concerns(gap)]
        waiting = [gap for gap in gaps if not gap["acknowledged"]]
        grave = sum(gap["severity"] == "critical" for gap in waiting)
        if grave:
            subject = t.plural("{count} thing to do NOW", "{count} things to do NOW", grave)
        elif waiting:
            subject = t.plural("{count} thing to do", "{count} things to do", len(waiting))
        elif gaps and verdict == "sound":
            subject = t.plural(
                "{count} thing is still there, and acknowledged",
                "{count} things are still there, and acknowledged",
                len(gaps),
            )
        elif verdict == "sound":
            subject = t.tell("nothing is missing")
        else:
            subject = t.tell("the night was: {verdict}", verdict=t.tell(OUTCOMES[verdict]))
        return self._whole(subject, [*self._night(status, verdict), *self._list(gaps)])

    def alarm(self, gaps: Sequence[_Gap]) -> Text:
        """Write at once of what cannot wait for a digest."""
        t = self.t
        first = group_gaps(gaps)[0]
        lines = [t.tell("This cannot wait for the morning:"), "", *self._list(gaps)]
        return self._whole(t.tell("ALARM: {what}", what=self._sentence(first)), lines)

    def escalation(self, gaps: Sequence[_Gap], days: str) -> Text:
        """Write to whoever is told when nobody has acknowledged."""
        t = self.t
        subject = t.plural(
            "{count} alarm that nobody has seen", "{count} alarms that nobody has seen", len(gaps)
        )
        why = t.tell(
            "Nobody has acknowledged the following for {days}. Please see who looks after it.",
            days=days,
        )
        return self._whole(subject, [why, "", *self._list(gaps)])

    def unit(self, name: str) -> Text:
        """Write that a unit of systemd failed, when nothing else could say why."""
        t = self.t
        what = t.tell(
            "on the vault host, as root: coffre status, then coffre doctor; journalctl -u {name} "
            "says more",
            name=name,
        )
        says = t.tell("systemd says that the unit {name} failed on the vault host.", name=name)
        lines = [says, "", t.tell("To do: {what}", what=what)]
        return self._whole(t.tell("{name} failed", name=name), lines)

    def trial(self) -> Text:
        """Write that notices arrive."""
        t = self.t
        lines = [
            t.tell("This is a trial: notices of the vault arrive here. Nothing is to be done.")
        ]
        return self._whole(t.tell("a trial"), lines)

    def _whole(self, subject: str, lines: Sequence[str]) -> Text:
        t = self.t
        said = "\n".join(lines).rstrip()
        body = [self.site, "", said, "", "-- "]
        if self.owner is None:
            body.append(
                t.tell(
                    "The same on the vault host: coffre gaps. Whoever has understood an alarm "
                    "says so: coffre ack."
                )
            )
        else:
            body.append(
                t.tell(
                    "You are told of what you answer for. The IT department gets this list too: "
                    "ask it for help, nobody expects you to type."
                )
            )
        head = t.tell("{what}: {text}", what=f"Coffre, {self.site}", text=subject)
        return shorten(head, _SUBJECT, placeholder=" …"), "\n".join(body) + "\n"

    def _night(self, status: Mapping[str, Any], verdict: str) -> Iterator[str]:
        t, last = self.t, status["last_cycle"]
        doors = {
            "locked": t.tell("Every vault door is proven shut."),
            "unlocked": t.tell("A vault door is open, under a deadline."),
            "secured": t.tell("The red button is pressed: nothing opens."),
            "degraded": t.tell("A DOOR IS NOT PROVEN SHUT. Pull the cable."),
        }
        if last:
            yield t.tell(
                "Night {cycle}, ended on {at}: {verdict}.",
                cycle=last["cycle"],
                at=t.moment(last["ended_at"]),
                verdict=t.tell(OUTCOMES[verdict]),
            )
        yield doors[status["status"]]
        yield ""

    def _list(self, gaps: Sequence[_Gap]) -> Iterator[str]:
        """List gaps under their heads, numbered through."""
        t, number = self.t, 0
        heads = [
            (t.tell("To do NOW:"), "critical", False),
            (t.tell("To do soon:"), "warning", False),
            (t.tell("Still there, and acknowledged:"), None, True),
        ]
        for head, severity, is_acknowledged in heads:
            found = [
                gap
                for gap in group_gaps(gaps)
                if bool(gap["acknowledged"]) is is_acknowledged
                and severity in (None, gap["severity"])
            ]
            if found:
                yield from (head, "")
            for gap in found:
                number += 1
                yield f"{number}. {self._sentence(gap)}"
                yield from self._more(gap)
                yield ""
        if not gaps:
            yield t.tell("Nothing is missing.")

    def _sentence(self, gap: _Gap) -> str:
        text = self.t.of_gap(gap["template"], gap)
        what = gap["source"] or gap["target"]
        return self.t.tell("{what}: {text}", what=what, text=text) if what else text

    def _more(self, gap: _Gap) -> Iterator[str]:
        t, word = self.t, gap["acknowledged"]
        if gap["since"]:
            yield "   " + t.tell("since {at}", at=t.moment(gap["since"]))
        if gap["over_since"]:
            at = t.moment(gap["over_since"])
            yield "   " + t.tell("over since {at}; nobody has acknowledged it", at=at)
        if word:
            said = {"by": word["by"], "at": t.moment(word["at"]), "reason": word["reason"]}
            yield "   " + t.tell("acknowledged by {by} on {at}: {reason}", **said)
            return
        yield "   → " + self.t.of_gap(gap["mend_template"], gap)
