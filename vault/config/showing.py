"""Show the configuration: effective values as YAML, and the JSON Schema that editors use.

Rule 1: what is shown is itself a lawful vault.yaml with the same meaning; paths are absolute.
Rule 2: secrets are shown as the places where they are found; nothing is read.
"""

from __future__ import annotations

from typing import Any

import yaml
from pydantic.json_schema import models_json_schema

from vault.config.policy_file import PolicyFile
from vault.config.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def show(settings: Settings) -> str:
    """Write the effective configuration, every default included."""
    values = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    head = [f"# effective values of {settings.file}"]
    head += [f"# policy {name}: {path}" for name, path in sorted(settings.policy_files.items())]
    body = yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=100)
    return "\n".join(head) + "\n" + body


def schema() -> dict[str, Any]:
    """Give the JSON Schema of vault.yaml; that of a policy file is its ``$defs/PolicyFile``."""
    references, whole = models_json_schema(
        [(Settings, "validation"), (PolicyFile, "validation")], by_alias=True
    )
    assert len(references) == 2
    definitions: dict[str, Any] = whole["$defs"]
    root = definitions.pop("Settings")
    return {"$schema": _DIALECT, **root, "title": "vault.yaml", "$defs": definitions}
