"""The policies that travel with the package, and what is said about a wrong one."""

from __future__ import annotations

import os

import pytest

from vault import config
from vault.policy import Level, Monthly, Nightly, Weekly

CLASSES = {
    "pmsi",
    "hr",
    "finance",
    "clinical",
    "rosters",
    "billing",
    "laboratory",
    "imaging",
    "radiotherapy",
    "prescriptions",
    "sterilisation",
    "stock",
    "appointments",
    "directory",
    "mail",
}

MINE = """\
titles: {fr: Essai, en: Trial}
owner: nobody in particular
priority: 1
due: nightly
pdma: 24h
dmia: 72h
drills: {L0: 7d, L1: 30d}
"""


def test_every_class_of_data_has_its_policy():
    """One file for each system that a hospital lost to ransomware."""
    assert set(config.load_shipped_policies()) == CLASSES


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_shipped_policy_keeps_ninety_nights_and_is_drilled(name):
    """57 days went by before detonation at HSE Ireland; proof is owed at two levels at least."""
    policy = config.load_shipped_policies()[name]
    assert policy.retention.nightly_days >= 90
    assert not policy.allow_empty
    assert policy.drills.every_s(Level.L1) >= policy.drills.every_s(Level.L0)
    assert policy.titles.fr
    assert policy.titles.en


def test_what_is_small_and_lost_for_good_goes_before_what_is_large():
    """A first copy that takes several nights is restorable in this order."""
    policies = config.load_shipped_policies()
    order = sorted(policies, key=lambda name: policies[name].priority)
    assert order[:2] == ["directory", "pmsi"]
    assert order[-2:] == ["imaging", "mail"]
    assert len({policy.priority for policy in policies.values()}) == len(policies)


def test_december_archives_of_five_years_are_kept():
    """Audits and late corrections of the PMSI reach back five years."""
    policies = config.load_shipped_policies()
    kept = {name: policy.retention.keep_m12_years for name, policy in policies.items()}
    assert kept.pop("pmsi") == 5
    assert set(kept.values()) == {0}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_figures_of_a_policy_are_argued(name):
    """A figure without a reason is an opinion."""
    with open(os.path.join(config.shipped("policies"), f"{name}.yaml")) as file:
        assert sum("#" in line for line in file) >= 3


@pytest.mark.parametrize(
    ("due", "means"),
    [
        ("nightly", Nightly()),
        ("{weekly: mon}", Weekly(weekday=0)),
        ("{monthly: {by: 25}}", Monthly(by_day=25)),
    ],
)
def test_due_is_read_in_its_three_ways(write, due, means):
    """The three cadences become the domain's."""
    text = MINE.replace("due: nightly", f"due: {due}").replace("24h", "40d")
    assert config.load_policy(write(text, "mine.yaml")).due == means


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("pdma: 24h", "rpo: 24h", 'mine.yaml:5: rpo: unknown key; did you mean "pdma"?'),
        ("due: nightly", "due: daily", "mine.yaml:4: due: must be nightly, or weekly: DAY"),
        ("due: nightly", "due: {weekly: lundi}", "due.weekly: must be one of 'mon'"),
        ("due: nightly", "due: {monthly: {by: 32}}", "due.monthly.by: must be at most 31"),
        ("due: nightly", "due: {weekly: mon, monthly: {by: 3}}", "exactly one of weekly, monthly"),
        ("due: nightly", "due: {weekly: mon}", "cannot be kept by a source that is due every 7d"),
        ("L0: 7d", "L5: 7d", 'drills.L5: unknown key; did you mean "L'),
        ("L0: 7d, ", "", "drills.L0: the key is missing"),
        ("priority: 1", "priority: first", "mine.yaml:3: priority: must be a whole number"),
        ("priority: 1", "priority: 1\ncopies: 0", "copies: must be at least 1"),
        ("priority: 1", "priority: 1\nallow_empty: no", "allow_empty: must be true or false"),
        (
            "priority: 1",
            "priority: 1\nmin_disconnection: off",
            "min_disconnection: must be one of 'removed', 'powered-off'",
        ),
        (
            "priority: 1",
            "priority: 1\nretention: {nightly: 90}",
            'retention.nightly: unknown key; did you mean "nightly_days"?',
        ),
    ],
)
def test_a_mistake_in_a_policy_is_named_by_line_and_key(write, old, new, said):
    """A policy's errors are of the same quality as the configuration's."""
    path = write(MINE.replace(old, new), "mine.yaml")
    with pytest.raises(config.ConfigProblems) as caught:
        config.load_policy(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"), [("hr.yml", "name it hr.yaml"), ("HR.yaml", "a policy's")]
)
def test_a_policy_that_would_be_passed_over_is_an_error(write, small, name, said):
    """A file that is nearly a policy is a promise somebody thinks is kept."""
    write(MINE, f"policies/{name}")
    with pytest.raises(config.ConfigProblems, match=said):
        config.load(write(small))
