"""What a file of ``policies/compliance/`` may say, as frozen models that yield domain values.

Rule 1: one file is one framework; a site's file replaces the package's file of the same name.
Rule 2: a row says at least one of: shown by a fact, declared, not covered.
Source: ``policies/compliance/README.md``.
"""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr, model_validator

from vault.compliance import PROOFS, Clause, Framework, Words
from vault.config.faults import validate
from vault.config.fields import Line, Model, Unlawful
from vault.config.nodes import read_document
from vault.config.safety import POLICY, read_safely
from vault.config.shipping import shipped
from vault.policy import Level

FOLDER = "compliance"
_Text = Annotated[StrictStr, Field(min_length=1, max_length=600)]


class WordsFile(Model):
    """A text in both languages."""

    fr: _Text = Field(description="in French")
    en: _Text = Field(description="in English")

    def to_words(self) -> Words:
        """Give the domain's text."""
        return Words(fr=self.fr, en=self.en)


class ClauseFile(Model):
    """One clause."""

    id: Annotated[StrictStr, Field(min_length=1, max_length=40)] = Field(
        description="as the publisher numbers it"
    )
    text: WordsFile = Field(description="what it asks, in our words")
    confidence: Literal["P", "S", "G"] = Field(description="how well the text is known")
    level: Level | None = Field(default=None, description="the least level of proof that counts")
    shown_by: tuple[StrictStr, ...] = Field(default=(), description="facts that the vault measures")
    declared: StrictBool = Field(default=False, description="whether a person must declare it")
    not_covered: WordsFile | None = Field(default=None, description="why it is not covered")

    @model_validator(mode="after")
    def _says_something(self) -> ClauseFile:
        unknown = sorted(set(self.shown_by) - PROOFS)
        if unknown:
            raise Unlawful(
                "no such fact: {unknown}; known: {known}",
                unknown=", ".join(unknown),
                known=", ".join(sorted(PROOFS)),
            )
        if not (self.shown_by or self.declared or self.not_covered):
            raise Unlawful("say at least one of shown_by, declared, not_covered")
        return self

    def to_clause(self) -> Clause:
        """Give the domain's clause."""
        return Clause(
            id=self.id,
            text=self.text.to_words(),
            confidence=self.confidence,
            level=self.level,
            shown_by=self.shown_by,
            declared=self.declared,
            not_covered=self.not_covered.to_words() if self.not_covered else None,
        )


class FrameworkFile(Model):
    """The whole of one file."""

    titles: WordsFile = Field(description="the framework's name")
    publisher: Line = Field(description="who publishes it")
    edition: Line = Field(description="which edition, and how it was read")
    clauses: Annotated[tuple[ClauseFile, ...], Field(min_length=1)] = Field(
        description="its clauses"
    )

    @model_validator(mode="after")
    def _once(self) -> FrameworkFile:
        seen: set[str] = set()
        for clause in self.clauses:
            if clause.id in seen:
                raise Unlawful("the clause {id} stands twice", id=clause.id)
            seen.add(clause.id)
        return self


def load_frameworks(sites_policies: str | None) -> tuple[Framework, ...]:
    """Read every framework, the site's files before the package's; raises ConfigProblems."""
    files = _files(os.path.join(shipped("policies"), FOLDER))
    sites = _files(os.path.join(sites_policies, FOLDER)) if sites_policies else {}
    found = []
    for name, path in sorted({**files, **sites}.items()):
        content = read_safely(path, POLICY) if name in sites else _read(path)
        file = validate(FrameworkFile, read_document(content, path), folder=os.path.dirname(path))
        found.append(
            Framework(
                name=name,
                titles=file.titles.to_words(),
                publisher=file.publisher,
                edition=file.edition,
                clauses=tuple(clause.to_clause() for clause in file.clauses),
            )
        )
    return tuple(found)


def _files(folder: str) -> dict[str, str]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return {}
    return {
        name.removesuffix(".yaml"): os.path.join(folder, name)
        for name in names
        if name.endswith(".yaml") and not name.startswith(".")
    }


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
