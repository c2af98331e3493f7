"""People and monitoring are told by real servers, once, and no night pays for it."""

from __future__ import annotations

import errno
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.test_doors_whatever import held_open
from tests.cli.test_json import one_document
from tests.rigs.mail import SECRET, Post, address_file, monitoring, post_office, text_of
from tests.rigs.vaults import ScratchVault, write_file
from vault.doors.folder import FolderDoor
from vault.errors import Interrupted
from vault.ledger import expected
from vault.notices.spool import Notice, Spool
from vault.notices.textfile import METRICS
from vault.statefile import StateFolder

pytestmark = pytest.mark.xdist_group("cli")

SYSADMIN, DIM, CHIEF = "sys@lande.example", "dim@lande.example", "chief@lande.example"
DEPUTY = "deputy@lande.example"


@pytest.fixture
def post():
    with post_office() as running:
        yield running


PEOPLE = {
    "sysadmin": (SYSADMIN, ""),
    "deputy": (DEPUTY, ""),
    "dim": (DIM, ', owner: "DIM physician", language: fr'),
    "chief": (CHIEF, ", owner: head of radiology"),
}


def tell(vault: ScratchVault, post: Post, *names: str, more: str = "") -> ScratchVault:
    """Have a vault tell these people, over the server of this test."""
    people = []
    for name in names:
        address, only = PEOPLE[name]
        address_file(vault.folder / "secrets" / f"{name}.url", post.url(address))
        people.append(f"{name}: {{url: {{file: secrets/{name}.url}}{only}}}")
    with vault.config.open("a") as config:
        config.write(f"notices: {{to: {{{', '.join(people)}}}, timeout: 1s{more}}}\n")
    return vault


@pytest.fixture
def told(mine, post) -> ScratchVault:
    """Give a vault that tells its sysadmin."""
    return tell(mine, post, "sysadmin")


def waiting(vault: ScratchVault) -> list[dict]:
    folder = vault.state / "notices"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def ledger_of(vault: ScratchVault) -> list[dict]:
    lines = (vault.state / "ledger" / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def kept_in(state: Path) -> Iterator[bytes]:
    """Give what stands in every file of the state; the database's helper files come and go."""
    for path in state.rglob("*"):
        if "landing" not in path.parts and path.is_file():
            with suppress(FileNotFoundError):
                yield path.read_bytes()


def ransom(vault: ScratchVault) -> Path:
    path = vault.exports("hr") / "HOW_TO_DECRYPT_FILES.txt"
    write_file(os.fsencode(path), b"pay")
    return path


def test_a_night_sends_one_digest_to_each_who_has_something_to_do(mine, post, ask):
    """In the reader's words: all of it to the sysadmin, only theirs to the others; no file."""
    told = tell(mine, post, "sysadmin", "dim", "chief")
    ask(told, "run", "--now").ok()
    assert [mail["To"] for mail in post.taken] == [SYSADMIN, DIM]
    (whole,), (dim,) = post.to(SYSADMIN), post.to(DIM)
    assert "NOW" in whole["Subject"]
    assert "CH de la Lande" in whole["Subject"]
    text = text_of(whole)
    assert "Every vault door is proven shut." in text
    assert "hr: between nights the copies are no more than" in text
    assert "→ use a door that disconnects more" in text
    french = text_of(dim)
    assert "À FAIRE MAINTENANT" in french.upper()
    assert "pmsi" in french
    assert "hr" not in french.replace("chr", "")
    names = {path.name for source in ("hr", "pmsi") for path in told.exports(source).rglob("*")}
    assert not [name for name in names if len(name) > 4 and name in text + french]
    assert waiting(told) == []


def test_who_wants_it_is_told_that_nothing_is_missing(mine, post, ask):
    """Some must show that they were told each day."""
    told = tell(mine, post, "chief", more=", success: true")
    ask(told, "run", "--now").ok()
    (mail,) = post.taken
    assert "nothing is missing" in mail["Subject"]
    assert "Every vault door is proven shut." in text_of(mail)
    assert "Nothing is missing." in text_of(mail)


@pytest.mark.parametrize("fault", ["refuses", "hangs", "absent"])
def test_what_is_not_taken_waits_and_is_sent_once_later(told, post, ask, fault):
    """The night ends as it would have; no password in any argv, line or file but its own."""
    url = post.url(SYSADMIN, password=SECRET)
    if fault == "absent":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = url.replace(str(post.port), str(closed.getsockname()[1]))
    else:
        setattr(post, fault, True)
    address_file(told.folder / "secrets" / "sysadmin.url", url)
    night = ask(told, "run", "--now")
    assert (night.code, night.document["verdict"]) == (0, "sound")
    assert [one["attempts"] for one in waiting(told)] == [1]
    why = "no answer came in 1 s" if fault == "hangs" else "nobody there took it"
    assert f"the notice to sysadmin waits: {why}" in night.stderr
    assert not post.seen_in_argv
    kept = list(kept_in(told.state))
    assert kept
    assert not [content for content in kept if SECRET.encode() in content]
    assert SECRET not in night.stdout + night.stderr
    post.refuses = post.hangs = False
    address_file(told.folder / "secrets" / "sysadmin.url", post.url(SYSADMIN))
    assert one_document(ask(told, "notify"))["sent"] == 1
    assert one_document(ask(told, "notify"))["sent"] == 0
    assert len(post.taken) == 1


def test_the_ledger_says_how_many_notices_had_to_go(told, post, ask, monkeypatch):
    """For newer ones, while no network came for long."""
    monkeypatch.setattr("vault.notices.spool.MOST", 1)
    post.refuses = True
    for night in (3, 4):
        told.grow(night)
        ask(told, "run", "--now").ok()
    assert len(waiting(told)) == 1
    told_of = [entry for entry in ledger_of(told) if entry["kind"] == "notices-dropped"]
    assert [entry["body"] for entry in told_of] == [{"count": 1}]


def spool_some(vault: ScratchVault, *subjects: str, to: str) -> None:
    spool = Spool(str(vault.state / "notices"))
    for subject in subjects:
        spool.add(Notice(to=to, subject=subject, body="b", at="2026-03-02T08:00:00+00:00"))


def test_whoever_takes_nothing_costs_one_attempt_and_holds_up_nobody(mine, post, ask):
    """Thirty notices to one that is gone, then one to one that is there."""
    tell(mine, post, "dim", "sysadmin")
    spool_some(mine, *(f"old {n}" for n in range(30)), to="dim")
    spool_some(mine, "new", to="sysadmin")
    post.refuses_to = DIM
    came = one_document(ask(mine, "notify"))
    assert (came["sent"], came["waiting"]) == (1, 30)
    assert [mail["Subject"] for mail in post.taken] == ["new"]
    assert sum(one["attempts"] for one in waiting(mine)) == 1


def test_a_notice_that_nobody_takes_holds_up_no_other(told, post, ask):
    """The server refuses one text for ever; what came after it goes with the next attempt."""
    post.refuses_subject = "poison"
    spool_some(told, "poison", "sound", to="sysadmin")
    assert one_document(ask(told, "notify"))["sent"] == 0
    assert one_document(ask(told, "notify"))["sent"] == 1
    assert [mail["Subject"] for mail in post.taken] == ["sound"]


def test_a_digest_counts_as_told_once_it_stands_in_the_spool(mine, post, ask, monkeypatch):
    """No room for it tonight: it is new tomorrow as well."""
    tell(mine, post, "sysadmin", more=", digest: changed")
    ransom(mine)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as tonight:
        tonight.setattr(Spool, "add", full)
        ask(mine, "run", "--now")
    assert waiting(mine) == []
    post.taken.clear()
    ask(mine, "run", "--now")
    assert post.to(SYSADMIN)


def test_an_alarm_that_could_not_be_written_of_is_told_by_the_next_look(
    mine, post, ask, monkeypatch
):
    """The disk was full when it was raised; it is kept, and told once there is room."""
    tell(mine, post, "sysadmin", more=", digest: never")
    ransom(mine)
    adding = Spool.add

    def full(spool: Spool, notice: Notice) -> None:
        if notice.is_urgent:
            raise OSError(errno.ENOSPC, "No space left on device")
        adding(spool, notice)

    with monkeypatch.context() as tonight:
        tonight.setattr(Spool, "add", full)
        night = ask(mine, "run", "--now")
    assert "No space left" in night.stderr
    assert "source-refused/hr" in [one["alarm"] for one in ask(mine, "ack").document["alarms"]]
    assert waiting(mine) == post.taken == []
    for expected_mails in (1, 1):
        ask(mine, "schedule", "evaluate").ok()
        assert len(post.to(SYSADMIN)) == expected_mails, "told, and told once"
    raised = [e["body"]["alarm"] for e in ledger_of(mine) if e["kind"] == "alarm-raised"]
    assert raised.count("source-refused/hr") == 1


def _full_for(monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    """Have no room for what is written to one recipient: a file of theirs was set immutable."""
    adding = Spool.add

    def full(spool: Spool, notice: Notice) -> None:
        if notice.to == to:
            raise OSError(errno.EPERM, "Operation not permitted")
        adding(spool, notice)

    monkeypatch.setattr(Spool, "add", full)


def test_one_who_cannot_be_written_to_keeps_nobody_untold_and_has_nobody_told_again(
    mine, post, ask, monkeypatch
):
    """The first of two: the alarm and the digest reach the second, once; the first when it can."""
    tell(mine, post, "sysadmin", "deputy")
    ransom(mine)
    with monkeypatch.context() as while_broken:
        _full_for(while_broken, "sysadmin")
        night = ask(mine, "run", "--now")
        assert night.stderr.count("Operation not permitted") == 2, "the alarm's, and the digest's"
        first = [mail["Subject"] for mail in post.to(DEPUTY)]
        assert len(first) == 2
        for _look in range(2):
            ask(mine, "schedule", "evaluate").ok()
        assert [mail["Subject"] for mail in post.to(DEPUTY)] == first
        assert post.to(SYSADMIN) == []
    for _look in range(2):
        ask(mine, "schedule", "evaluate").ok()
        assert len(post.to(SYSADMIN)) == 2, "the alarm and what is grave, and each once"
    assert [mail["Subject"] for mail in post.to(DEPUTY)] == first


def test_a_unit_that_failed_is_told_to_whoever_can_be_written_to(mine, post, ask, monkeypatch):
    """And the command fails, for the one who could not."""
    tell(mine, post, "sysadmin", "deputy")
    _full_for(monkeypatch, "sysadmin")
    monkeypatch.setattr("vault.cli.notifying._JUST_NOW_S", -1.0)
    assert ask(mine, "notify", "--unit", "coffre-run.service").code == 1
    assert [mail["To"] for mail in post.taken] == [DEPUTY]


def test_what_went_unsent_while_another_was_at_work_is_recorded_by_the_next(
    told, post, ask, monkeypatch
):
    """The unit of a failed night finds the lock held: it writes no ledger."""
    monkeypatch.setattr("vault.notices.spool.MOST", 1)
    monkeypatch.setattr("vault.cli.notifying._JUST_NOW_S", -1.0)
    spool_some(told, "old", to="sysadmin")
    with StateFolder(str(told.state)).lock():
        ask(told, "notify", "--unit", "coffre-drills.service").ok()
    dropped = [line["body"] for line in ledger_of(told) if line["kind"] == "notices-dropped"]
    assert dropped == []
    for _again in range(2):
        ask(told, "notify").ok()
        dropped = [line["body"] for line in ledger_of(told) if line["kind"] == "notices-dropped"]
        assert dropped == [{"count": 1}]


def test_a_notice_to_somebody_who_is_named_no_more_is_counted_and_said(told, post, ask):
    """A recipient was renamed while the network was down: what waited for the old name goes."""
    spool_some(told, "one", "two", to="night-duty")
    came = ask(told, "notify", "--lang", "fr")
    document = one_document(came)
    assert (document["waiting"], waiting(told)) == (0, [])
    assert any("night-duty" in line and "2" in line for line in document["warnings"])
    assert "ne nomme plus night-duty" in came.stderr.replace("\u00a0", " ")
    dropped = [line["body"] for line in ledger_of(told) if line["kind"] == "notices-dropped"]
    assert dropped == [{"count": 2}]


def test_one_for_nobody_that_cannot_be_dropped_keeps_no_other(told, post, ask, monkeypatch):
    """On a full disk nothing counts it; what waits for others goes all the same."""
    spool_some(told, "old", to="night-duty")
    spool_some(told, "new", to="sysadmin")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Spool, "drop_unsent", full)
    ask(told, "notify")
    assert [mail["Subject"] for mail in post.taken] == ["new"]


def test_a_file_that_is_no_notice_is_said(told, post, ask):
    (told.state / "notices").mkdir(exist_ok=True)
    (told.state / "notices" / "00000001-sysadmin.json").write_text('{"subject": "half')
    assert any("none" in line for line in one_document(ask(told, "notify"))["warnings"])


def test_the_ledger_says_too_what_had_to_go_for_a_unit_that_failed(told, post, ask, monkeypatch):
    """The spool is full of what is not urgent, and no network for long."""
    monkeypatch.setattr("vault.notices.spool.MOST", 1)
    monkeypatch.setattr("vault.cli.notifying._JUST_NOW_S", -1.0)
    post.refuses = True
    spool_some(told, "old", to="sysadmin")
    ask(told, "notify", "--unit", "coffre-drills.service").ok()
    assert [line["body"] for line in ledger_of(told) if line["kind"] == "notices-dropped"] == [
        {"count": 1}
    ]


def test_a_death_between_sending_and_letting_go_sends_twice_and_never_not_at_all(
    told, post, ask, monkeypatch
):
    """The file goes last."""

    def die(*_: object) -> None:
        raise Interrupted("ended by SIGTERM")

    with monkeypatch.context() as patched:
        patched.setattr(Spool, "drop", die)
        assert ask(told, "notify", "--test").code == 130
    assert len(waiting(told)) == 1
    ask(told, "notify").ok()
    assert [mail["To"] for mail in post.taken] == [SYSADMIN, SYSADMIN]


def test_an_alarm_is_told_at_once_and_escalated_when_nobody_acknowledges(mine, post, ask):
    """Not to those whom it does not concern, but for whoever is named for it; once."""
    told = tell(mine, post, "sysadmin", "chief", more=", digest: changed, escalate_to: chief")
    ransom(told)
    ask(told, "run", "--now").ok(3)
    first, digest = post.to(SYSADMIN)
    assert "ALARM" in first["Subject"]
    assert "coffre inspect accept hr" in text_of(first)
    assert "ALARM" not in digest["Subject"]
    assert post.to(CHIEF) == []
    post.taken.clear()
    long_ago = (datetime.now(UTC) - timedelta(days=3)).isoformat(timespec="microseconds")
    with closing(sqlite3.connect(told.state / "catalogue.sqlite")) as records:
        records.execute("UPDATE alarm SET raised_at = ?", (long_ago,))
        records.commit()
    ask(told, "run", "--now").ok(3)
    (late,) = post.taken  # nothing changed: no digest, no second alarm
    assert (late["To"], "nobody has seen" in late["Subject"]) == (CHIEF, True)
    assert "for 2 days" in text_of(late)
    assert '"kind":"alarm-escalated"' in (told.state / "ledger" / "ledger.jsonl").read_text()
    assert one_document(ask(told, "ack"))["alarms"][0]["escalated_at"]


def test_what_turns_grave_between_nights_is_told_once_by_the_next_look(told, post, ask):
    """Where no night runs, no night can tell of it."""
    ask(told, "run", "--now").ok()
    post.taken.clear()
    assert ask(told, "schedule", "evaluate").code == 0
    assert post.taken == []
    with closing(sqlite3.connect(told.state / "catalogue.sqlite")) as records:
        for column in ("started_at", "ended_at"):
            records.execute(f"UPDATE cycle SET {column} = '2026-01-01T01:00:00.000000+00:00'")
        records.commit()
    for _twice in range(2):
        ask(told, "schedule", "evaluate").ok()
    (mail,) = post.taken
    assert "no night has run" in text_of(mail)


def test_a_degraded_vault_says_so_and_nothing_else(told, post, ask, monkeypatch):
    """The loudest alarm leaves while a door is not proven shut; a digest waits for the doors."""
    monkeypatch.setitem(FolderDoor.__init__.__kwdefaults__, "shut_timeout_s", 0.2)
    ask(told, "doctor")
    with held_open(told):
        assert ask(told, "run", "--now").code == 5
        (mail,) = post.taken
        assert "ALARM: trial: its door could not be proven shut" in mail["Subject"]
        assert "pull the medium's cable" in text_of(mail)
        assert [one["is_urgent"] for one in waiting(told)] == [False]
    ask(told, "doctor")
    assert one_document(ask(told, "notify"))["sent"] == 1


def test_after_a_run_that_was_killed_only_what_is_urgent_leaves(told, post, ask):
    """Its doors were not asked since; that its unit failed is told all the same."""
    airlock = told.state / "airlock.json"
    airlock.write_text(airlock.read_text().replace('"locked"', '"carrying"'))
    (told.state / "public" / "status.json").unlink()
    Spool(str(told.state / "notices")).add(
        Notice(to="sysadmin", subject="a digest", body="", at="2026-01-01T00:00:00+00:00")
    )
    ask(told, "notify", "--unit", "coffre-run.service").ok()
    assert ["failed" in mail["Subject"] for mail in post.taken] == [True]
    assert [one["subject"] for one in waiting(told)] == ["a digest"]


def test_a_unit_that_failed_is_told_unless_its_night_has_told_more(told, post, ask, faults):
    """OnFailure calls it; it needs no catalogue."""
    done = one_document(ask(told, "notify", "--unit", "coffre-run.service"))
    assert faults(done) == []
    assert (done["sent"], post.taken) == (0, [])
    status = told.state / "public" / "status.json"
    document = json.loads(status.read_text())
    document["last_cycle"]["ended_at"] = "2026-01-01T00:00:00+00:00"
    status.write_text(json.dumps(document))
    (told.state / "catalogue.sqlite").write_bytes(b"spoilt")
    assert one_document(ask(told, "notify", "--unit", "coffre-run.service"))["sent"] == 1
    (mail,) = post.taken
    assert (mail["To"], "coffre-run.service failed" in mail["Subject"]) == (SYSADMIN, True)


def test_a_unit_that_failed_where_nobody_is_named_is_no_second_failure(mine, ask, faults):
    """The units call it; only whoever tries it out wants to know that it reaches nobody."""
    done = ask(mine, "notify", "--unit", "coffre-run.service").ok().document
    assert faults(done) == []
    assert (done["sent"], done["waiting"]) == (0, 0)
    assert ask(mine, "notify", "--test").code == 2


def test_what_comes_last_and_cannot_be_done_is_said_and_people_are_told(
    told, post, ask, monkeypatch
):
    """A hook's record cannot be written: the night is as it was, and its digest leaves."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vault.wiring.moments.tell_gaps", full)
    night = ask(told, "run", "--now").ok()
    assert night.document["verdict"] == "sound"
    assert "what comes after an act could not be done to its end: No space" in night.stderr
    assert len(post.to(SYSADMIN)) == 1


def test_a_trial_says_whom_it_does_not_reach(mine, post, ask, faults):
    """The code is for whoever sets it up."""
    told = tell(mine, post, "sysadmin", "dim")
    address_file(told.folder / "secrets" / "dim.url", "nonsense")
    done = one_document(ask(told, "notify", "--test"))
    assert faults(done) == []
    assert (done["exit_code"], done["sent"], done["waiting"]) == (1, 1, 1)
    assert done["warnings"] == ["the notice to dim waits: its address is not understood"]


def test_a_night_at_the_same_time_waits_for_the_notices(told, post, ask):
    """Else a timer of notices could make a night fail."""
    post.hangs = True
    words = told.argv("notify", "--test")
    with subprocess.Popen(words, env=told.environment(), stdout=subprocess.PIPE) as notify:
        while b" 180" not in (told.state / "lock").read_bytes():
            assert notify.poll() is None
        assert ask(told, "exercise", "record", "rebuild-kit", "--by", "Ana").code == 0
        assert notify.wait(60) == 1


# -- monitoring


def test_a_night_is_pinged_at_its_beginning_and_end_with_every_door_shut(mine, ask):
    """Success, failure; a service that hangs or says no is a warning."""
    with monitoring() as checks:
        address_file(mine.folder / "secrets" / "ping.url", checks.url)
        with mine.config.open("a") as config:
            config.write("ping: {url: {file: secrets/ping.url}, timeout: 1s}\n")
        checks.watch = mine.state
        ask(mine, "run", "--now").ok()
        assert checks.seen == ["/ping/secret-id/start", "/ping/secret-id"]
        assert not [told for told in checks.doors if "carrying" in told or "pulling" in told]
        ransom(mine)
        checks.hangs = True
        failed = ask(mine, "run", "--now").ok(3)
        assert checks.seen[2:] == ["/ping/secret-id/start", "/ping/secret-id/fail"]
        assert "not pinged: no answer came in 1 s" in failed.stderr
        assert "not pinged" in " ".join(failed.document["warnings"])  # the first of the two
        assert "secret-id" not in failed.stdout + failed.stderr


def test_the_metrics_are_those_of_the_table_and_say_what_the_night_was(mine, ask):
    """Nothing else of the process; labels are names of vault.yaml."""
    with mine.config.open("a") as config:
        config.write("metrics: {textfile: coffre.prom}\n")
    before = len(ask(mine, "ack").document["alarms"])  # another test of the shared vault's
    ransom(mine)
    ask(mine, "run", "--now").ok(3)
    ask(mine, "drill", "run", "--source", "pmsi").ok()
    path = mine.folder / "coffre.prom"
    assert path.stat().st_mode & 0o777 == 0o644
    found = {family.name: family for family in text_string_to_metric_families(path.read_text())}
    assert set(found) == set(METRICS)
    value = {name: family.samples[0].value for name, family in found.items()}
    assert (value["coffre_last_cycle_exit_code"], value["coffre_status_code"]) == (3, 0)
    assert value["coffre_alarms_open"] == before + 1
    ratios = found["coffre_source_objective_ratio"].samples
    assert {sample.labels["source"] for sample in ratios} == {"pmsi", "hr"}
    assert all(0 <= sample.value < 1 for sample in ratios)
    levels = found["coffre_source_drill_timestamp_seconds"].samples
    assert {"source": "pmsi", "level": "L1"} in [sample.labels for sample in levels]


@pytest.mark.parametrize("name", ["journal/socket", "log"])
def test_events_reach_the_journal_of_the_host_with_their_fields(mine, ask, name):
    """Journald's own protocol, and RFC 5424 for any other daemon."""
    path = mine.folder / name
    path.parent.mkdir(exist_ok=True)
    with mine.config.open("a") as config:
        config.write(f"syslog: {name}\n")
    ransom(mine)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(path))
        ask(mine, "run", "--now").ok(3)
        daemon.settimeout(5)
        raised, ended = daemon.recv(65536).decode(), daemon.recv(65536).decode()
    if name == "log":
        assert raised.startswith("<26>1 ")
        assert 'coffre@32473 alarm="source-refused/hr" kind="source-refused" source="hr"' in raised
        assert ended.startswith("<28>1 ")
        assert 'verdict="incomplete" status="locked" exit_code="3"' in ended
    else:
        assert "COFFRE_ALARM=source-refused/hr\n" in raised
        assert "COFFRE_VERDICT=incomplete\n" in ended
        assert "PRIORITY=4\n" in ended
    if name == "log":  # nobody listens: a warning
        assert "Connection refused" in ask(mine, "run", "--now").ok(3).stderr


# -- the dead man's switch

CHECKER = Path(expected.__file__).with_name("check_expected.py")


def check(*words: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", str(CHECKER), *map(str, words)], capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_monitoring_host_knows_by_one_signed_file_that_nights_run(mine, founded, ask, faults):
    """Handed to the publish hook; another key, a changed byte or an old date is no OK."""
    key = founded[1]["vault_key"]
    night = ask(mine, "run", "--now").ok().document["cycle"]
    path = mine.state / "public" / "expected-next"
    assert path.stat().st_mode & 0o777 == 0o640
    code, said = check(path, "--key", key)
    assert (code, f"night {night} ended" in said) == (2, True), said  # its copies are not offline
    done = one_document(ask(mine, "deadman", "check", str(path), "--key", key))
    assert faults(done) == []
    assert (done["exit_code"], done["says"]) == (2, said.rstrip("\n"))
    changed = mine.folder / "changed"
    changed.write_text(path.read_text().replace("verdict sound", "verdict  sound"))
    assert check(changed, "--key", key) == (
        2, f"COFFRE CRITICAL - {changed}: its signature does not fit: it was changed\n",
    )  # fmt: skip
    stranger = one_document(ask(mine, "evidence", "keygen", "x", "--to", str(mine.folder / "k")))
    assert check(path, "--key", stranger["key"])[0] == 3
    assert check(mine.folder / "nothing", "--key", key)[0] == 2
    written = mine.folder / "check.py"
    ask(mine, "deadman", "checker", "--to", str(written)).ok()
    assert written.read_bytes() == CHECKER.read_bytes()


def test_a_monitoring_host_knows_of_what_came_after_the_night_and_no_later_date(mine, ask):
    """A door that a look finds open is in the signed word; when a night is due is as it was."""
    ask(mine, "run", "--now").ok()
    path = mine.state / "public" / "expected-next"

    def members() -> dict[str, str]:
        lines = path.read_text().split("\n\n")[0].splitlines()
        return dict(line.split(" ", 1) for line in lines[1:])

    before = members()
    assert before["status"] == "locked"
    with held_open(mine):
        assert ask(mine, "schedule", "evaluate").code == 5
        during = members()
    assert during["status"] == "degraded"
    for kept in ("ended", "next-before", "cycle"):
        assert during[kept] == before[kept] != ""
    ask(mine, "schedule", "evaluate").ok()
    assert members()["status"] == "locked"


def test_the_checker_verifies_as_the_auditors_does():
    """One file each, for people without our software: the same lines in both."""

    def part(path: Path, first: str, last: str) -> str:
        text = path.read_text("utf-8")
        return text[text.index(first) : text.index(last)].strip()

    verifier = CHECKER.with_name("verify_evidence.py")
    ours = part(CHECKER, "# Ed25519 as in", "def unbase64")
    assert ours == part(verifier, "# Ed25519 as in", "class Key:")
    ours = part(CHECKER, "def unbase64", "def signed_text")
    assert ours == part(verifier, "def unbase64", "# The ledger is a chain")


def test_what_cannot_be_told_or_written_is_a_line_and_no_failed_night(mine, ask):
    """No address, no folder for metrics, no journal, a file where the spool should be."""
    with mine.config.open("a") as config:
        config.write(
            "notices: {to: {a: {url: {file: secrets/none}}}}\nping: {url: {file: secrets/none}}\n"
            "metrics: {textfile: nowhere/x.prom}\nsyslog: nowhere/socket\n"
        )
    (mine.state / "notices").write_text("a file")
    night = ask(mine, "run", "--now", "--lang", "fr")
    assert (night.code, night.document["verdict"]) == (0, "sound")
    said = night.stderr.replace("\u00a0", " ")
    for line in ("n’a pas été averti", "un message n’a pas pu être écrit", "prévenu : "):
        assert line in said, (line, said)
    assert "les métriques n’ont pas pu être écrites" in said
