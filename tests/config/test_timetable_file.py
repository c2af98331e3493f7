"""The PMSI timetable: the package's holds together, a site's is refused with file, line and key."""

from __future__ import annotations

import os
from datetime import date

import pytest

from vault import config
from vault.config.timetable_file import PLACE
from vault.timetable import FIELDS, WeekRule

OURS = os.path.join(config.shipped("policies"), PLACE)


def text() -> str:
    with open(OURS) as file:
        return file.read()


@pytest.fixture
def site(tmp_path):
    """A site's folder of policies with a timetable of its own."""
    path = tmp_path / "policies" / PLACE
    path.parent.mkdir(parents=True)

    def write(content: str) -> str:
        path.write_text(content)
        path.chmod(0o644)
        return str(tmp_path / "policies")

    return write


def test_the_shipped_timetable_says_something_of_every_field():
    """And every row of it says how sure it is and where it is from: else it would not load."""
    found = config.load_timetable()
    assert set(found.cadences) == set(found.months_after) == set(FIELDS)
    assert dict(found.weeks)[2026] is WeekRule.ANY_DAY


def test_a_site_replaces_it_whole_and_can_move_one_day(site):
    """What happened in the spring of 2020 needs no new version."""
    row = (
        "exceptions: [{field: MCO, year: 2020, period: 3, day: 2020-06-30, confidence: A, "
        "source: as told}]"
    )
    found = config.load_timetable(site(text().replace("exceptions: []", row)))
    assert found.due_on("MCO", 2020, 3) == date(2020, 6, 30)


def test_a_site_without_one_has_the_packages(tmp_path):
    """A folder of policies alone changes nothing."""
    assert config.load_timetable(str(tmp_path)) == config.load_timetable()


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("from: 2016-05", "from: 2016-13", "periods.SMR[1].from", "month like 2016-05"),
        ("each: quarter", "each: season", "periods.PSY[0].each", "must be one of"),
        ("confidence: D,", "confidence: E,", "periods.PSY[0].confidence", "must be one of"),
        ("months_after: 1", "months_after: 13", "due.MCO.months_after", "at most 12"),
        ("rule: any-day", "rule: any", "weeks[1].rule", "must be one of"),
        ("from: 2026,", "from: 2008,", "", "order of time"),
        (", source: lespmsi", ", sauce: lespmsi", "weeks[1].sauce", "unknown"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(site, old, new, key, said):
    """One mistake, one line to mend."""
    text_ = text().replace('source: "lespmsi.com, campaign 2026"', "source: lespmsi")
    assert old in text_
    with pytest.raises(config.ConfigProblems) as told:
        config.load_timetable(site(text_.replace(old, new, 1)))
    problem = next(one for one in told.value.problems if said in str(one))
    assert problem.key == key
    assert problem.file.endswith(PLACE)
    assert (
        not key
        or new.split(":")[0].strip(", ")
        in text_.replace(old, new, 1).splitlines()[problem.line - 1]
    )


def test_a_field_that_is_left_out_is_missed(site):
    """Nothing would ever be due of it."""
    lines = [line for line in text().splitlines() if not line.startswith("  HAD: {months_after")]
    with pytest.raises(config.ConfigProblems, match="nothing is said of HAD"):
        config.load_timetable(site("\n".join(lines)))


def test_the_configuration_is_refused_with_a_site_timetable_that_is_wrong(write):
    """`coffre config validate` says it, not the first night."""
    file = write()
    path = write("periods: {}\n", f"policies/{PLACE}")
    with pytest.raises(config.ConfigProblems) as told:
        config.load(file)
    assert {problem.file for problem in told.value.problems} == {path}
    write(text(), f"policies/{PLACE}")
    assert config.load(file).load_timetable() == config.load_timetable()
