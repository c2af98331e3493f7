"""Who is told of what goes on, and where monitoring finds it.

Rule: an address may hold a password, so it is a secret like any other: only its place stands here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from vault.config.fields import Duration, Line, Model, Name, Path, SecretRef

TELLING_S = 10


class Recipient(Model):
    """Somebody who is told."""

    url: SecretRef = Field(
        description="the address as apprise writes it, mailtos://USER:PASSWORD@HOST?from=…&to=…"
    )
    owner: Line | None = Field(
        default=None, description="only what this role answers for, as policies name their owner"
    )
    language: Literal["fr", "en"] | None = Field(
        default=None, description="of what is sent; without it, the site's"
    )


class NoticeSettings(Model):
    """Who is told by mail or otherwise, and of what."""

    to: dict[Name, Recipient] = Field(default_factory=dict, description="recipients, by name")
    digest: Literal["nightly", "changed", "never"] = Field(
        default="nightly",
        description="after each night in which something is missing, or only when that changed",
    )
    success: StrictBool = Field(
        default=False, description="also after a night in which nothing is missing"
    )
    escalate_after: Annotated[Duration, Field(ge=60)] = Field(
        default=2 * 86_400, description="how long an alarm may go unacknowledged"
    )
    escalate_to: Name | None = Field(
        default=None, description="who is told then, among the recipients"
    )
    timeout: Annotated[Duration, Field(ge=1, le=60)] = Field(
        default=TELLING_S, description="of each notice; what was not taken waits for the next time"
    )


class PingSettings(Model):
    """A monitoring service that is pinged at each night's beginning and end."""

    url: SecretRef = Field(description="the check's address; /start and /fail are put behind it")
    timeout: Annotated[Duration, Field(ge=1, le=60)] = Field(
        default=TELLING_S, description="of each ping; one that fails is a warning"
    )


class MetricsSettings(Model):
    """Metrics for Prometheus."""

    textfile: Path = Field(description="a .prom file in the node exporter's folder")
