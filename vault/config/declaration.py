"""What ``vault.yaml`` may say that somebody answers for, where the vault cannot measure.

Source: ``policies/compliance/README.md``.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from vault.config.fields import Line, Model, Unlawful

if TYPE_CHECKING:
    from vault.compliance import Declaration


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise Unlawful("must be a day like 2026-03-31") from None


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class DeclarationSettings(Model):
    """What somebody answers for, of what the vault cannot measure."""

    by: Line = Field(description="the role that answers for it, never a person's name")
    day: Day = Field(description="the day it was declared")
    review: Day = Field(description="the day it is looked at again")
    note: Line | None = Field(default=None, description="where the paper is")

    @model_validator(mode="after")
    def _in_order(self) -> DeclarationSettings:
        if self.review <= self.day:
            raise Unlawful("review must be later than day")
        return self

    def to_declaration(self) -> Declaration:
        """Give the domain's declaration."""
        from vault.compliance import Declaration

        return Declaration(by=self.by, on=self.day, review=self.review, note=self.note or "")
