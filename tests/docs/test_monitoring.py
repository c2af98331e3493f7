"""The dashboards and templates name the metrics that exist, and each of those."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from vault.notices.textfile import METRICS
from vault.wiring import events

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"


@pytest.mark.parametrize("name", ["grafana-coffre.json", "zabbix-coffre.yaml", "README.md"])
def test_each_metric_is_named_and_none_that_is_not_there(name):
    """A panel of a metric that was renamed would be empty, and empty reads as good."""
    text = (FOLDER / name).read_text("utf-8")
    named = set(re.findall(r"\bcoffre_[a-z_]+", text))
    assert named == set(METRICS)


def test_the_page_gives_each_metric_its_labels():
    """As the file has them."""
    rows = re.findall(
        r"^\| `(coffre_\w+)(?:{([\w,]+)})?` \|", (FOLDER / "README.md").read_text(), re.M
    )
    assert {name: tuple(labels.split(",")) if labels else () for name, labels in rows} == {
        name: labels for name, (_says, labels) in METRICS.items()
    }


def test_the_dashboard_is_whole():
    """Every panel has its own number, place and question."""
    board = json.loads((FOLDER / "grafana-coffre.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["targets"][0]["expr"] for panel in panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _y in cells) < 24


def test_the_template_asks_one_file_and_every_trigger_an_item():
    """Each item depends on the one that reads the text file."""
    (template,) = yaml.safe_load((FOLDER / "zabbix-coffre.yaml").read_text())["zabbix_export"][
        "templates"
    ]
    items = {item["key"]: item for item in template["items"]}
    (master,) = [
        key for key, item in items.items() if item["type" if "type" in item else "key"] == key
    ]
    for key, item in items.items():
        if key == master:
            continue
        assert item["master_item"]["key"] == master
        for trigger in item.get("triggers", []):
            assert set(re.findall(r"/Coffre/(\w+)\)", trigger["expression"])) == {key}
    uuids = re.findall(r"uuid: (\w+)", (FOLDER / "zabbix-coffre.yaml").read_text())
    assert len(uuids) == len(set(uuids))
    assert all(re.fullmatch(r"[0-9a-f]{32}", uuid) for uuid in uuids)


def test_the_nagios_commands_are_commands_there_are():
    """What their lines call is the program and the checker, with options they take."""
    text = (FOLDER / "nagios-coffre.cfg").read_text()
    lines = re.findall(r"command_line\s+(.+)", text)
    assert lines[0].split()[1:] == ["gaps", "--nagios"]
    checker = (Path(events.__file__).parents[1] / "ledger" / "check_expected.py").read_text()
    for option in re.findall(r"--\w+", lines[1]):
        assert f'"{option}"' in checker
    defined = set(re.findall(r"command_name\s+(\w+)", text))
    assert {one.split("!")[0] for one in re.findall(r"check_command\s+(\S+)", text)} == defined


def test_each_event_of_the_journal_stands_on_the_page():
    """With its name as the code has it."""
    code = Path(events.__file__).read_text("utf-8")
    told = set(re.findall(r'_tell\(wired, "([a-z-]+)"', code))
    page = (FOLDER / "README.md").read_text().split("## Journal")[1]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.M)) == told
