"""The manual and the schema know every key, and no other."""

from __future__ import annotations

import json
import os
import re

import pytest
import yaml

from vault import config
from vault.config import (
    declaration,
    doors,
    fields,
    policy_file,
    rotation,
    settings,
    sources,
    telling,
    timetable_file,
)
from vault.config.faults import walk

SECTIONS = {
    settings.Settings: "The whole file",
    settings.Site: "`site`",
    settings.Landing: "`landing`",
    fields.SecretRef: "A secret's place",
    doors.Production: "`production`",
    doors.ProductionDoor: "`production.door`",
    doors.LinkDoor: "`production.door.link`",
    settings.Evidence: "`evidence`",
    settings.Cosigner: "`evidence.cosigners.NAME`",
    settings.WindowSettings: "`windows.NAME`",
    sources.SourceSettings: "`sources.NAME`",
    sources.Mount: "`sources.NAME.mount`",
    sources.Sftp: "`sources.NAME.sftp`",
    settings.TargetSettings: "`targets.NAME`",
    doors.DoorSettings: "`targets.NAME.door`",
    doors.DiskDoor: "`targets.NAME.door.disk`",
    settings.ExerciseSettings: "`exercises`",
    settings.HookSettings: "`hooks`",
    settings.ScheduleSettings: "`schedule`",
    declaration.DeclarationSettings: "`declarations.FRAMEWORK/CLAUSE`",
    telling.NoticeSettings: "`notices`",
    telling.Recipient: "`notices.to.NAME`",
    telling.PingSettings: "`ping`",
    telling.MetricsSettings: "`metrics`",
    settings.TargetRetention: "`targets.NAME.retention`",
    rotation.SetSettings: "`sets.NAME`",
    policy_file.PolicyFile: "A policy",
    policy_file.TitlesFile: "`titles`",
    policy_file.DueFile: "`due`",
    policy_file.MonthlyFile: "`due.monthly`",
    policy_file.DrillsFile: "`drills`",
    policy_file.RetentionFile: "`retention`",
    timetable_file.TimetableFile: "`formats/calendar.yaml`",
    timetable_file.CadenceRow: "`periods.FIELD`",
    timetable_file.DueRow: "`due.FIELD`",
    timetable_file.ExceptionRow: "`exceptions`",
    timetable_file.WeekRow: "`weeks`",
}
ROOT = os.path.dirname(config.shipped("vault.example.yaml"))


def _keys() -> dict[str, set[str]]:
    """Give the keys of every model, by the manual's section."""
    found: dict[str, set[str]] = {}
    for root in (settings.Settings, policy_file.PolicyFile, timetable_file.TimetableFile):
        walk(root, lambda model, key, _f: found.setdefault(SECTIONS[model], set()).add(key))
    return found


def _manual() -> dict[str, set[str]]:
    """Give the keys in the first column of every table of the manual, by section."""
    with open(os.path.join(ROOT, "docs", "configuration.md")) as file:
        parts = re.split(r"^### (.+)$", file.read(), flags=re.MULTILINE)[1:]
    tables = zip(parts[::2], parts[1::2], strict=True)
    rows = {name: set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) for name, text in tables}
    return {name: keys for name, keys in rows.items() if keys}


def test_every_key_stands_in_the_manual_and_no_other():
    """A key without its paragraph, or a paragraph without its key, is a fault."""
    assert _manual() == _keys()


def test_every_key_is_described_in_the_schema():
    """Editors show the description."""
    missing = []
    for root in (settings.Settings, policy_file.PolicyFile, timetable_file.TimetableFile):
        walk(root, lambda model, key, f: None if f.description else missing.append((model, key)))
    assert missing == []


def test_the_example_holds_every_key():
    """A newcomer finds each key of vault.yaml in the example, with a comment near it."""
    with open(config.shipped("vault.example.yaml")) as file:
        text = file.read()
    keys: set[str] = set()
    walk(settings.Settings, lambda _model, key, _f: keys.add(key))
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}:", text)] == []


def _faults(schema, value, root, at="$"):
    """Judge a value by the part of JSON Schema that ours uses."""
    if "$ref" in schema:
        yield from _faults(root["$defs"][schema["$ref"].split("/")[-1]], value, root, at)
    if "anyOf" in schema:
        tried = [list(_faults(one, value, root, at)) for one in schema["anyOf"]]
        if all(tried):
            yield min(tried, key=len)[0]
    types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if wanted := schema.get("type"):
        names = [wanted] if isinstance(wanted, str) else wanted
        if not any(name != "null" and isinstance(value, types[name]) for name in names):
            yield f"{at}: not {wanted}"
            return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: not one of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: not {schema['const']}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{at}: pattern"
    if isinstance(value, dict):
        missing = [key for key in schema.get("required", []) if key not in value]
        yield from (f"{at}: {key} is missing" for key in missing)
        shapes = schema.get("patternProperties", {})
        for key, item in value.items():
            below = schema.get("additionalProperties", {})
            below = next((s for shape, s in shapes.items() if re.search(shape, key)), below)
            below = schema.get("properties", {}).get(key, below)
            if below is False:
                yield f"{at}.{key}: unknown"
            elif below:
                yield from _faults(below, item, root, f"{at}.{key}")
    if isinstance(value, list) and "items" in schema:
        for item in value:
            yield from _faults(schema["items"], item, root, f"{at}[]")


def test_the_schema_takes_the_example_and_the_contract(contract):
    """What loads is lawful by the schema, shorthands included."""
    schema = json.loads(json.dumps(config.schema()))
    with open(config.shipped("vault.example.yaml")) as file:
        example = yaml.safe_load(file)
    assert list(_faults(schema, example, schema)) == []
    assert list(_faults(schema, yaml.safe_load(contract), schema)) == []


def test_the_schema_refuses_an_unknown_key(contract):
    """An editor marks the mistake that loading refuses."""
    schema = config.schema()
    value = yaml.safe_load(contract)
    value["sources"]["pmsi"]["polcy"] = "x"
    assert list(_faults(schema, value, schema)) == ["$.sources.pmsi.polcy: unknown"]


@pytest.mark.parametrize("name", ["pmsi", "mail"])
def test_the_schema_takes_the_shipped_policies(name):
    """The schema of a policy file stands in the same document."""
    schema = config.schema()
    with open(os.path.join(config.shipped("policies"), f"{name}.yaml")) as file:
        value = yaml.safe_load(file)
    assert list(_faults(schema["$defs"]["PolicyFile"], value, schema)) == []
