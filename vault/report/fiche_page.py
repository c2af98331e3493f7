"""The fiche de restauration: one page that people sign, and its annex; HTML, or PDF of the same.

Rule 1: what was not tested stands on the first page and is never empty.
Rule 2: nothing is claimed above the level that was reached; a typed name is called declared.
Rule 3: the page needs nothing else: its picture, the QR code of the ledger's entry, is inside it.
Source: PGSSI-S, canevas 7.4.5.3; ISO/IEC 18004 for the QR code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vault.amount import amount
from vault.report.pages import template
from vault.report.teller import OFFLINE, Teller

_SIGNS = {"passed": "✓", "warned": "!", "failed": "✗", "skipped": "–"}
_KINDS = {"passed": "good", "warned": "warn", "failed": "bad", "skipped": "quiet"}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
# What a level may be laid beside, and no more; level: what it means, where it is asked for.
_LEVELS = {
    "L0": "the repository was checked",
    "L1": "every byte restored equals the manifest taken at the source",
    "L2": "the restored files open as what they claim to be",
    "L3": "an application reads the restored data",
    "L4": "back in production, as the business referent declared",
}
_CLAUSES = {
    "L0": "PGSSI-S 7.4.2.5",
    "L1": "PGSSI-S 7.4.5.2",
    "L2": "ENISA 4.2.3",
    "L3": "NIST CP-9(2); ENISA 4.2.3",
    "L4": "CaRE D2.O4",
}
_OF_A_MEDIUM = {"L1": "PGSSI-S 7.4.5.1, 7.4.5.2; NIST CP-9(1)"}  # only when one was read
_VERDICTS = {
    "sound": "RESTORED AND PROVEN",
    "incomplete": "RESTORED, NOT PROVEN AS FAR AS ASKED",
    "corrupt": "NOT RESTORED AS IT WAS",
    "no-evidence": "NO EVIDENCE TO COMPARE WITH",
    "failed": "FAILED",
    "interrupted": "INTERRUPTED",
}


def render_fiche(document: Mapping[str, Any], language: str) -> str:
    """Give the fiche as HTML; the document is that of ``drill show`` with the site's facts."""
    page = _Fiche(document, Teller(language, document["time_zone"]))
    return str(template("fiche.html").render(page.context()))


def qr_of(text: str) -> str:
    """Give a text as a QR code: an SVG inside a ``data:`` address."""
    import segno

    return str(segno.make(text, error="m").svg_data_uri(border=2, scale=4))


class _Fiche:
    """The words of one fiche."""

    def __init__(self, document: Mapping[str, Any], teller: Teller) -> None:
        self.d = document
        self.t = teller

    def context(self) -> dict[str, object]:
        """Give what the template places."""
        t, d = self.t, self.d
        clauses = _CLAUSES if d["from"] == "landing" else {**_CLAUSES, **_OF_A_MEDIUM}
        return {
            "language": t.language,
            "title": t.tell("Restore record no. {number}", number=d["drill"]),
            "site": d["site"],
            "finess": d["finess"],
            "made": t.tell("printed on {at}", at=t.moment(d["printed_at"])),
            "banner": self._banner(),
            "heads": self._heads(),
            "facts": self._facts(),
            "checks": [self._check(check) for check in d["checks"]],
            "objectives": self._objectives(),
            "not_tested": d["told_not_tested"],
            "signatures": self._signatures(),
            "qr": qr_of(self._qr_text()),
            "qr_alt": self._qr_text(),
            **self._ledger(),
            "details": self._details(),
            "redo": self._redo(),
            "levels": [
                (level, t.tell(text), t.tell("may be laid beside {clause}", clause=clauses[level]))
                for level, text in _LEVELS.items()
            ],
            "limits": self._limits(),
        }

    def _heads(self) -> dict[str, str]:
        t = self.t
        return {
            "fiche": t.tell("What was restored, by whom"),
            "checks": t.tell("Checks"),
            "objectives": t.tell("Objectives and next date"),
            "not_tested": t.tell("Not tested"),
            "signatures": t.tell("Signatures"),
            "annex": t.tell("Annex"),
            "point": t.tell("The point, to the letter"),
            "redo": t.tell("Doing it again"),
            "levels": t.tell("Levels of proof"),
            "limits": t.tell("What this page does not say"),
        }

    def _banner(self) -> dict[str, str]:
        t, d = self.t, self.d
        verdict, level = d["verdict"], d["level_reached"]
        kind = {"sound": "good", "incomplete": "warn"}.get(verdict, "bad")
        if level is None:
            line = t.tell("No level of proof was reached; {asked} was asked for.", asked=d["level"])
        else:
            line = t.tell(
                "Level reached: {level} ({meaning}); {asked} was asked for.",
                level=level,
                meaning=t.tell(_LEVELS[level]),
                asked=d["level"],
            )
        if d["signature"]:
            line += " " + self._signed_line()
        sign = {"good": "✓", "warn": "!", "bad": "✗"}[kind]
        return {"kind": kind, "sign": sign, "word": t.tell(_VERDICTS[verdict]), "line": line}

    def _signed_line(self) -> str:
        t, signature = self.t, self.d["signature"]
        at = t.moment(signature["at"])
        if signature["proof"] != "proven":
            return t.tell("L4 declared on {at}.", at=at)
        return t.tell(
            "L4 signed on {at}, proven by a cosignature: {role}, key {key_id}.",
            at=at,
            role=signature["role"],
            key_id=signature["key_id"],
        )

    def _facts(self) -> list[tuple[str, str, str]]:
        t, d = self.t, self.d
        files = t.tell(
            "{files} of {of}, {size}",
            files=t.number(d["files"]), of=t.number(d["of_files"]), size=self._size(d["bytes"]),
        )  # fmt: skip
        names = t.tell("restored and compared; their names stay in the manifest")
        declared = t.tell("declared")
        people = d["people"]
        return [
            (t.tell("Asked by"), people["asked_by"] or "–", declared if people["asked_by"] else ""),
            (t.tell("Backup operator"), people["by"] or "–", declared if people["by"] else ""),
            (
                t.tell("Validated by"),
                people["validated_by"] or "–",
                declared if people["validated_by"] else t.tell("nobody yet"),
            ),
            (t.tell("Source"), f"{d['source']} – {d['class_title']}", d["owner"]),
            (t.tell("Files restored"), files, names),
            (t.tell("Date of the backup"), self._moment(d["point_at"]), self._night()),
            (t.tell("Date of the restore"), self._moment(d["begun_at"]), self._why()),
            (t.tell("Restored from"), self._origin(), self._opening()),
        ]

    def _night(self) -> str:
        return self.t.tell("night {cycle}", cycle=self.d["cycle"]) if self.d["cycle"] else ""

    def _why(self) -> str:
        due = self.d["reason"] == "due"
        return self.t.tell("owed by its policy") if due else self.t.tell("asked for")

    def _origin(self) -> str:
        origin = self.d["from"]
        if origin == "landing":
            return self.t.tell("the landing repository of the vault host")
        return self.t.tell("target {name}, read-only", name=origin)

    def _opening(self) -> str:
        d, t = self.d, self.t
        if not d["opening"]:
            return t.tell("no vault door was opened")
        kind = d["disconnection"]
        offline = t.tell("offline") if kind in OFFLINE else t.tell("not offline")
        return t.tell(
            "opening {number}, open for {time}, then {kind} ({offline})",
            number=d["opening"],
            time=self._time(d["exposure_s"]),
            kind=t.called(kind),
            offline=offline,
        )

    def _check(self, check: Mapping[str, str]) -> dict[str, str]:
        outcome = check["outcome"]
        words = {
            "passed": self.t.tell("passed"),
            "warned": self.t.tell("worth reading"),
            "failed": self.t.tell("FAILED"),
            "skipped": self.t.tell("not tested"),
        }
        line = check["told"]
        return {
            "level": check["level"],
            "kind": _KINDS[outcome],
            "sign": _SIGNS[outcome],
            "word": words[outcome],
            "line": line[:1].upper() + line[1:],
        }

    def _objectives(self) -> list[tuple[str, str, str]]:
        t, d = self.t, self.d
        rows = [(t.tell("Restored in"), self._time(d["duration_s"]), "")]
        if d["dmia_s"] is not None:
            whole = d["projected_s"]
            told = t.tell("whole point: {time}", time=self._time(whole)) if whole else ""
            rows.append((t.tell("DMIA"), self._time(d["dmia_s"]), told))
        if d["age_s"] is not None and d["pdma_s"] is not None:
            told = t.tell("newest point: {time} old", time=self._time(d["age_s"]))
            rows.append((t.tell("PDMA"), self._time(d["pdma_s"]), told))
        rows.append((t.tell("Bound"), self._bound(), ""))
        rows += [
            (t.tell("Next {level}", level=level), t.day(day), "")
            for level, day in sorted(d["next_due"].items())
        ]
        return rows

    def _bound(self) -> str:
        bound, t = self.d["bound"], self.t
        if bound is None:
            return t.tell("none: no random sample without a failure")
        if bound == 0:
            return t.tell("every file was compared")
        percent = f"{100 * bound:.3g}".replace(".", "," if t.language == "fr" else ".")
        return t.tell("at most {percent} % of the files are bad, at 95 %", percent=percent)

    def _signatures(self) -> list[tuple[str, str, str]]:
        t, people, signature = self.t, self.d["people"], self.d["signature"]
        rows = [
            (t.tell("Asked by"), people["asked_by"], ""),
            (t.tell("Backup operator"), people["by"], ""),
            (t.tell("Validated by"), people["validated_by"], ""),
        ]
        name, proof = "", ""
        if signature:
            proven = signature["proof"] == "proven"
            how = t.tell("proven by a cosignature") if proven else t.tell("declared")
            how += f" ({signature['role']}, {signature['key_id']})" if proven else ""
            name, proof = signature["by"], f"{how}, {t.moment(signature['at'])}"
        return [*rows, (t.tell("Business referent (L4)"), name, proof)]

    def _qr_text(self) -> str:
        d = self.d
        ledger = d["ledger"] or {"n": "-", "sha256": "-"}
        return (
            f"coffre drill {d['drill']} {d['finess']} {d['verdict']} {d['level_reached'] or '-'} "
            f"ledger {ledger['n']} {ledger['sha256']}"
        )

    def _ledger(self) -> dict[str, str]:
        t, ledger = self.t, self.d["ledger"]
        if not ledger:
            line = t.tell("The ledger does not have the end of this test yet.")
            return {"ledger_line": line, "ledger_hash": "", "ledger_note": ""}
        return {
            "ledger_line": t.tell("Entry {n} of the ledger; its SHA-256:", n=ledger["n"]),
            "ledger_hash": ledger["sha256"],
            "ledger_note": t.tell(
                "Whoever keeps this page, or scans the code, holds a head of the ledger: nothing "
                "up to this entry can be changed or left out without its showing."
            ),
        }

    def _details(self) -> list[tuple[str, str, str]]:
        t, d = self.t, self.d
        return [
            (t.tell("Snapshot"), d["snapshot_id"] or "–", "hash"),
            (t.tell("Repository"), d["repository_id"] or "–", "hash"),
            (t.tell("Seed"), d["seed"], "hash"),
            (t.tell("Whole test"), self._time(d["total_s"]), ""),
            (t.tell("Begun, ended"), self._span(), ""),
            (t.tell("Program"), d["program"], ""),
            (t.tell("Host"), d["host"], ""),
        ]

    def _span(self) -> str:
        return f"{self._moment(self.d['begun_at'])} – {self._moment(self.d['ended_at'])}"

    def _redo(self) -> Sequence[str]:
        t, d = self.t, self.d
        return [
            t.tell(
                "The seed chose the point and the files with SHA-256 alone; docs/auditor.md says "
                "how. With Coffre: coffre drill run --source {source} --seed {seed}",
                source=d["source"],
                seed=d["seed"],
            ),
            t.tell(
                "Without Coffre: restic restore of the snapshot above, from the target, and "
                "sha256sum against coffre/manifest.jsonl.zst inside it."
            ),
        ]

    def _limits(self) -> Sequence[str]:
        t = self.t
        return [
            t.tell("A typed name is declared; only a cosignature proves a second person."),
            t.tell("The clock is that of the vault host, which is isolated and not certified."),
            t.tell(
                "A level may be laid beside a clause; whether the clause is met is judged by "
                "whoever judges it."
            ),
            t.tell(
                "That the export was right at the source: the test compares with what was taken."
            ),
        ]

    # -- figures

    def _moment(self, value: str | None) -> str:
        return self.t.moment(value) if value else "–"

    def _time(self, seconds: float) -> str:
        """Tell a duration as a person would."""
        t = self.t
        if seconds < _MINUTE_S:
            text = f"{seconds:.2g}" if seconds < 1 else f"{seconds:.1f}"
            return f"{text.replace('.', ',') if t.language == 'fr' else text}\u00a0s"
        if seconds < _HOUR_S:
            return f"{seconds // 60:.0f}\u00a0min {seconds % 60:02.0f}\u00a0s"
        if seconds < 2 * _DAY_S:
            return f"{seconds // 3600:.0f}\u00a0h {seconds % 3600 // 60:02.0f}"
        return t.plural("{count} day", "{count} days", int(seconds // _DAY_S))

    def _size(self, count: float) -> str:
        return amount(count, self.t.language).replace(" ", "\u00a0")
