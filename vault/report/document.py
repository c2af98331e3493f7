"""The PMSI calendar as plain members: what the public document and ``--json`` hold.

Rule 1: FINESS, periods, counts, versions and targets; no name of an exported file.
Rule 2: a remark is told as template and values, besides its English sentence, so that each reader
    has it in its own language.
Source: contract, JSON of ``pmsi``; docs/json.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vault.finding import Remark
from vault.pmsi_cell import Cell, LawfulLoss, PmsiCalendar
from vault.transmission import FITNESS, Attempt, Holder, Proof


def document_of(calendar: PmsiCalendar) -> dict[str, object]:
    """Give a calendar as members."""
    return {
        "cells": [_cell(cell) for cell in calendar.cells],
        "decembers": [
            {
                "finess": december.finess,
                "field": december.field,
                "year": december.year,
                "state": str(december.cell.state) if december.cell else None,
            }
            for december in calendar.decembers
        ],
        "never_came": [
            {
                "finess": blank.series.finess,
                "field": blank.series.field,
                "year": blank.year,
                "periods": list(blank.periods),
            }
            for blank in calendar.blanks
        ],
        "test_runs": calendar.tests,
        "unplaced": calendar.unplaced,
    }


def shown_cells(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the cells of a document and, as far as a sign needs it, what never came."""
    never = [
        {**one, "category": "", "period": period, "state": "never", "attempts": ()}
        for one in document.get("never_came", ())  # older documents have none
        for period in one["periods"]
    ]
    return [*document["cells"], *never]


def _cell(cell: Cell) -> dict[str, object]:
    """Give a cell as the members of its document; the contract names most of them."""
    return {
        "cell": cell.name,
        "finess": cell.series.finess,
        "field": cell.series.field,
        "category": cell.series.category,
        "year": cell.year,
        "period": cell.period,
        "state": str(cell.state),
        "due_on": cell.due_on.isoformat(),
        "records": cell.counted.records if cell.counted else {},
        "versions": {k: list(v) for k, v in cell.counted.versions.items()} if cell.counted else {},
        "targets": [_holder(holder) for holder in cell.holders],
        "proof": _proof(cell.proof),
        "reasons": [remark.sentence for remark in cell.reasons],
        "told": [_remark(remark) for remark in cell.reasons],
        "attempts": [_attempt(attempt, cell) for attempt in cell.attempts],
        "lawful_loss": _lawful_loss(cell.lawful_loss),
    }


def _lawful_loss(said: LawfulLoss | None) -> dict[str, str] | None:
    if said is None:
        return None
    return {"by": said.by, "at": said.at.isoformat(), "reason": said.reason}


def _remark(remark: Remark) -> dict[str, object]:
    return {"code": remark.code, "template": remark.template, "values": dict(remark.values)}


def _holder(holder: Holder) -> dict[str, object]:
    return {
        "name": holder.target,
        "since": holder.since.isoformat(),
        "disconnection": str(holder.disconnection),
    }


def _proof(proof: Proof | None) -> dict[str, object] | None:
    return None if proof is None else {"level": str(proof.level), "at": proof.at.isoformat()}


def _attempt(attempt: Attempt, cell: Cell) -> dict[str, object]:
    return {
        "day": attempt.day,
        "counts": attempt is cell.counted,
        "sides": sorted(attempt.sides),
        "fitness": FITNESS[attempt.fitness],
        "records": attempt.records,
        "seen_at": attempt.seen_at.isoformat(),
        "targets": [_holder(holder) for holder in attempt.holders],
        "proof": _proof(attempt.proof),
    }
