"""The gate: each sign is raised by what it is for, and not by what only resembles it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rigs.looks import (
    ARCHIVE,
    BROKEN,
    NOISE,
    OPAQUE,
    POLICY,
    TEXT,
    File,
    Source,
    entries_of,
    look,
    many,
)  # fmt: skip
from vault.finding import Signs, Soundness
from vault.gate import Evidence, inspect_pull, is_attack
from vault.habit import Habit
from vault.look import is_random
from vault.records import Acceptance, RefusedExport
from vault.results import Pull, Refusal
from vault.shape import Shape


def changed(export, paths, **how):
    """Give the export with some files replaced by others of the given look."""
    return {
        path: replace(file, content=file.content + "'", **how) if path in paths else file
        for path, file in export.items()
    }


def first(export, count):
    return list(export)[:count]


def said(found):
    return "; ".join(found.reasons)


# -- empty, shrunk, deleted


def test_an_export_without_files_is_empty():
    """Or of files without content; an allowed emptiness is a warning."""
    assert Source().offer({}).judgement == "empty"
    assert Source().offer(many(3, size_bytes=0)).judgement == "empty"
    assert Source(replace(POLICY, allow_empty=True)).offer({}).judgement.startswith("accepted with")


@pytest.mark.parametrize(
    ("left", "judgement"),
    [
        (71, "accepted"),
        (69, "accepted with a warning"),
        (25, "accepted with a warning"),
        (24, "refused"),
    ],
)
def test_files_that_vanish_are_warned_of_then_refused(left, judgement):
    """Past max_shrink_percent a warning, past max_deleted_percent a refusal."""
    source = Source()
    source.offer(many(100))
    found = source.offer(dict(list(many(100).items())[:left]))
    assert found.judgement == judgement, found


def test_bytes_that_vanish_inside_files_are_refused():
    """The names are all there; four fifths of the content are not."""
    source = Source()
    source.offer(many(20))
    found = source.offer(many(20, size_bytes=200))
    assert (found.judgement, "mass deletion: 4000 bytes" in said(found)) == ("refused", True)
    assert source.offer(many(20, size_bytes=800)).judgement == "accepted"


def test_records_that_an_inspector_counted_and_that_vanish_are_refused():
    """The file is as large as ever, and holds a tenth of its stays."""
    full, thin = (look(counts={"stays": n}) for n in (1000, 100))
    source = Source()
    source.offer(many(5, look=full))
    found = source.offer(changed(many(5), first(many(5), 5), look=thin))
    assert found.judgement == "refused"
    assert "mass deletion: 500 records, 5000 at the last export" in found.reasons
    assert "shrunk: 500 stays, 5000 at the last export" in found.reasons
    slightly = changed(many(5), first(many(5), 5), look=look(counts={"stays": 900}))
    assert source.offer(slightly).judgement == "accepted"


def test_counts_of_other_tables_are_not_compared():
    """A newer inspector may count other things; that is no deletion."""
    source = Source()
    source.offer(many(5, look=look(counts={"stays": 1000})))
    source.shapes[-1] = replace(source.shapes[-1], tables="t0")
    assert source.offer(many(5, look=look(counts={"stays": 1}))).judgement == "accepted"


def test_a_month_that_loses_lines_inside_a_file_is_warned_of():
    """PMSI: the file grew, January is gone from it."""
    before = look(months={("rsa", "2026-01"): 100, ("rsa", "2026-02"): 100})
    source = Source()
    source.offer({"a.txt": File("a", before)})
    lost = look(months={("rsa", "2026-02"): 100, ("rsa", "2026-03"): 100})
    found = source.offer({"a.txt": File("b", lost, 1500)})
    assert "shrunk: months of a PMSI record that lost lines: 1" in found.reasons
    grown = look(months={("rsa", "2026-02"): 71, ("rsa", "2026-03"): 100})
    assert source.offer({"a.txt": File("c", grown, 1500)}).judgement == "accepted"


# -- scrambled, spoilt


@pytest.mark.parametrize(("was", "now"), [(TEXT, NOISE), (OPAQUE, NOISE),
    (look("opaque", soundness=Soundness.OPAQUE, entropy_bits=7.9), NOISE),  # packed, then random
    (ARCHIVE, look("opaque", soundness=Soundness.OPAQUE, entropy_bits=7.9)),  # its magic is gone
    (TEXT, look("opaque", soundness=Soundness.OPAQUE, entropy_bits=6.9))])  # fmt: skip
def test_files_that_come_to_look_encrypted_are_refused(was, now):
    """Random where it was not, magic gone, or every other block encrypted: two in a hundred."""
    source = Source()
    source.offer(many(100, look=was))
    found = source.offer(changed(many(100, look=was), first(many(100), 2), look=now))
    assert found.judgement == "refused"
    assert found.is_attack
    assert "files that look encrypted and did not before: 2" in found.reasons


def test_one_file_in_a_hundred_that_looks_encrypted_is_warned_of():
    """And one in fifty is refused: the bound is a share."""
    source = Source()
    source.offer(many(100))
    found = source.offer(changed(many(100), first(many(100), 1), look=NOISE))
    assert found.judgement == "accepted with a warning"
    source = Source()
    source.offer(many(50))
    assert source.offer(changed(many(50), first(many(50), 1), look=NOISE)).judgement == "refused"


@pytest.mark.parametrize("now", [TEXT, ARCHIVE, look("xml")])
def test_files_that_change_and_stay_of_a_format_pass(now):
    """All of them at once: a full export done anew is a change, not damage."""
    was = replace(now, entropy_bits=4.0)
    source = Source()
    source.offer(many(100, look=was))
    assert source.offer(changed(many(100, look=was), many(100), look=now)).judgement == "accepted"


def test_what_always_looked_random_may_change():
    """Encrypted dumps are rewritten every night; nothing was lost."""
    source = Source()
    source.offer(many(20, "gpg", look=NOISE))
    assert source.offer(changed(many(20, "gpg", look=NOISE), many(20, "gpg"))).judgement == (
        "accepted"
    )


@pytest.mark.parametrize("now", [BROKEN, OPAQUE, look("zip")])
def test_files_that_lose_their_format_are_refused(now):
    """Malformed, unknown or of another format under the same name: three in a hundred."""
    source = Source()
    source.offer(many(100))
    found = source.offer(changed(many(100), first(many(100), 3), look=now))
    assert found.judgement == "refused"
    assert "files no more of the format they were: 3" in found.reasons


def test_one_export_that_broke_off_is_warned_of():
    """One file of a few is malformed: the night goes on, and says so."""
    source = Source()
    source.offer(many(10))
    found = source.offer(changed(many(10), first(many(10), 1), look=BROKEN))
    assert found.judgement == "accepted with a warning"
    assert "files no more of the format they were: 1" in found.reasons


def test_a_source_of_a_single_dump_is_refused_when_the_dump_is_broken():
    """One of one is all there is."""
    source = Source()
    source.offer(many(1))
    assert source.offer(changed(many(1), many(1), look=BROKEN)).judgement == "refused"


def test_files_that_were_emptied_are_refused():
    """Wiped in place."""
    source = Source()
    source.offer(many(100))
    wiped = changed(many(100), first(many(100), 3), look=OPAQUE, size_bytes=0)
    assert source.offer(wiped).judgement == "refused"
    source = Source()
    always = {**many(100), "flag": File("f", OPAQUE, 0)}
    source.offer(always)
    assert source.offer(changed(always, ["flag"])).judgement == "accepted with a warning"


def test_a_file_judged_by_other_tables_is_not_called_spoilt():
    """A stricter inspector came: what it calls malformed now, it was never asked before."""
    source = Source()
    source.offer(many(10, look=replace(TEXT, tables="t0")))
    found = source.offer(changed(many(10), many(10), look=BROKEN))
    assert found.judgement == "accepted with a warning"


def test_slow_encryption_is_refused_when_it_has_added_up():
    """One file in a hundred a night passes once, with a warning, and not twice."""
    source = Source()
    export = many(100)
    source.offer(export)
    judged = []
    for path in first(many(100), 3):
        export = changed(export, [path], look=NOISE)
        judged.append(source.offer(export).judgement)
    assert judged == ["accepted with a warning", "refused", "refused"]


def test_damage_that_was_accepted_refuses_no_night_without_any():
    """One in a hundred passed; sixty files are left later, of which one is more than its share."""
    source = Source()
    source.offer(many(100))
    export = changed(many(100), first(many(100), 1), look=NOISE)
    assert source.offer(export).judgement == "accepted with a warning"
    fewer = dict(list(export.items())[:60])
    for _night in range(2):
        assert source.offer(fewer).judgement != "refused"


def test_damage_that_healed_does_not_add_up():
    """The same file is broken and whole by turns, for a month of nights."""
    source = Source()
    export = many(100)
    source.offer(export)
    for night in range(20):
        export = changed(export, [first(export, 1)[0]], look=BROKEN if night % 2 else TEXT)
        assert source.offer(export).judgement != "refused", night


# -- names


def test_a_rename_in_mass_to_what_no_format_knows_is_refused():
    """Behind the name, instead of its ending, or another name altogether."""
    for rename in ("{name}.x7q2", "{stem}.x7q2", "{number}.x7q2"):
        source = Source()
        source.offer(many(50))
        export = dict(list(many(50).items())[5:])
        for number, path in enumerate(first(many(50), 5)):
            stem = path.removesuffix(".csv")
            name = rename.format(name=path, stem=stem, number=f"zz{number}")
            export[name] = File(f"noise {number}", NOISE)
        found = source.offer(export)
        assert (found.judgement, found.is_attack) == ("refused", True), rename


def test_files_that_are_packed_or_renamed_lawfully_pass():
    """``a.csv`` becomes ``a.csv.gz``, sound; another is only called otherwise."""
    source = Source()
    source.offer(many(50))
    gz = {f"{path}.gz": File(f"gz {path}", look("gzip", magic="gzip")) for path in many(50)}
    assert source.offer(gz).judgement == "accepted"
    source = Source()
    source.offer(many(50))
    sealed = replace(look("zip", magic="zip"), soundness=Soundness.DOUBTFUL)  # with a password
    locked = {f"{path}.zip": File(f"zip {path}", sealed) for path in many(50)}
    assert source.offer(locked).judgement == "refused"
    source = Source()
    source.offer(many(50))
    renamed = {path.replace(".csv", ".txt"): file for path, file in many(50).items()}
    assert source.offer(renamed).judgement == "accepted"


def test_bytes_that_packing_saved_are_not_lost():
    """All records are there in another format; with one of them gone, the bytes count as gone."""
    rows, gz = look(counts={"rows": 900}), look("gzip", magic="gzip", counts={"rows": 900})
    for found, judgement in (
        (gz, "accepted"),
        (replace(gz, counts={"rows": 899}), "refused"),
        (replace(gz, counts={}), "refused"),
        (replace(gz, soundness=Soundness.OPAQUE), "refused"),
    ):
        source = Source()
        source.offer(many(20, look=rows))
        packed = {f"{path}.gz": File(f"gz {path}", found, 200) for path in many(20)}
        assert source.offer(packed).judgement == judgement, found
        if judgement == "accepted":
            assert source.offer(dict(list(packed.items())[:4])).judgement == "refused"
    source = Source()
    source.offer(many(20, look=rows))
    same = changed(many(20, look=rows), first(many(20), 20), size_bytes=200)
    assert source.offer(same).judgement == "refused"


def test_dumps_that_take_turns_pass():
    """Each night a new name and the oldest gone, whether text or always random."""
    for ending, one in (("sql", TEXT), ("gpg", NOISE)):
        source = Source()
        for night in range(12):
            export = {f"dump-{n:03}.{ending}": File(str(n), one) for n in range(night, night + 3)}
            assert source.offer(export).judgement == "accepted", (ending, night)


def test_new_files_that_look_random_under_an_ending_that_never_did_are_refused():
    """Tonight's export was encrypted before anybody saw it whole."""
    source = Source()
    source.offer(many(20))
    assert source.offer({**many(20), "new.csv": File("n", NOISE)}).judgement == "refused"
    assert source.offer({**many(20), "new.csv": File("n", TEXT)}).judgement == "accepted"


def test_a_first_night_of_random_text_is_warned_of():
    """Nothing is known of it yet; a person is told."""
    found = Source().offer(many(5, look=NOISE))
    assert found.judgement == "accepted with a warning"
    assert "files named as text that look encrypted: 5" in found.reasons
    assert Source().offer(many(5, "gpg", look=NOISE)).judgement == "accepted"


@pytest.mark.parametrize("name", ["README_TO_RESTORE.txt", "how_to_decrypt.html", "a.csv.lockbit"])
def test_ransom_marks_are_refused(name):
    """Wherever it lies, and in the first night too."""
    found = Source().offer({**many(5), f"sub/{name}": File("note")})
    assert (found.judgement, found.is_attack) == ("refused", True)


@pytest.mark.parametrize("name", ["readme.txt", "how_to_export.txt", "locked.csv", "hive.txt"])
def test_names_that_only_resemble_marks_pass(name):
    """A manual beside an export is no ransom note."""
    assert Source().offer({**many(5), name: File("manual")}).judgement == "accepted"


# -- canaries


def test_a_canary_that_is_touched_or_gone_is_refused():
    """Any change of it is a sign of attack; a canary that was never there is only missed."""
    with_canary = {**many(50), "aaa.txt": File("sings")}
    for export in (many(50), changed(with_canary, ["aaa.txt"])):
        source = Source(canaries=["aaa.txt"])
        assert source.offer(with_canary).judgement == "accepted"
        found = source.offer(export)
        assert (found.judgement, found.is_attack) == ("refused", True)
        assert "canary" in said(found)
    found = Source(canaries=["aaa.txt"]).offer(many(50))
    assert found.judgement == "accepted with a warning"
    assert "canary files not there: 1" in found.reasons


# -- beyond the habit


def test_a_change_of_everything_is_warned_of_once_there_is_a_habit():
    """A month's end writes all anew; the formats vouch for it."""
    source = Source()
    source.offer(many(60))
    source.nights(8, many(60))
    found = source.offer(changed(source.accepted, many(60)))
    assert found.judgement == "accepted with a warning"
    assert any("beyond the habit" in reason for reason in found.reasons)


def test_a_source_that_always_changes_is_not_warned_of():
    """Its habit is change; and before enough nights nothing is said."""
    source = Source()
    export = many(60)
    for _night in range(12):
        assert source.offer(export).judgement == "accepted"
        export = changed(export, many(60))


def test_a_policy_may_bound_what_changes():
    """Images never change once they are written."""
    source = Source(replace(POLICY, max_changed_percent=20))
    source.offer(many(60))
    assert source.offer(changed(many(60), first(many(60), 12))).judgement == "accepted"
    assert source.offer(changed(many(60), many(60))).judgement == "refused"


def test_noise_that_is_rewritten_against_its_habit_is_refused():
    """Encrypted archives that rest are encrypted once more: nothing else shows it."""
    export = {**many(30, "gpg", look=NOISE), "today.csv": File("t")}
    source = Source()
    source.offer(export)
    for night in range(8):
        export = changed(export, ["today.csv"])
        assert source.offer(export).judgement == "accepted", night
    found = source.offer(changed(export, many(30, "gpg")))
    assert found.judgement == "refused"
    assert "rewritten" in said(found)


def test_growth_far_beyond_the_habit_is_only_warned_of():
    """A merger brings three times the data; it may well be lawful."""
    source = Source()
    source.offer(many(30))
    source.nights(8, many(30))
    found = source.offer({**source.accepted, **many(120)})
    assert found.judgement == "accepted with a warning"
    assert any(reason.startswith("grown") for reason in found.reasons)


# -- what may not be taken, and what a person accepted


def test_links_and_unlawful_names_are_warned_of_then_refused_and_are_no_attack():
    """The policy says how many; somebody's link is not ransomware."""
    things = tuple(Refusal(name=b"%d" % n, reason="a symbolic link") for n in range(3))
    assert Source().offer(many(5), refused=things[:2]).judgement == "accepted with a warning"
    found = Source().offer(many(5), refused=things)
    assert (found.judgement, found.is_attack) == ("refused", False)


def test_what_a_person_accepted_is_the_habit_from_then_on():
    """Damage is not counted again, notes and canaries are as they were accepted."""
    source = Source(canaries=["0001.csv"])
    source.offer(many(100))
    odd = changed(many(100), first(many(100), 40), look=NOISE)
    odd["README_TO_RESTORE.txt"] = File("a very lawful manual")
    assert source.offer(odd).judgement == "refused"
    source.accept(odd)
    assert source.offer(odd).judgement == "accepted"
    again = changed(odd, ["0099.csv"])
    assert source.offer(again).judgement == "accepted"


def test_no_reason_names_a_file():
    """Reasons are kept in the ledger."""
    source = Source(canaries=["secret-canary.csv"])
    export = {**many(50), "secret-canary.csv": File("c"), "DUPONT_Jean.csv": File("d")}
    source.offer(export)
    found = source.offer({"DUPONT_Jean.csv.lockbit": File("x", NOISE), "how_to_decrypt.txt": TEXT_})
    assert found.judgement == "refused"
    assert not any("DUPONT" in reason or "canary.csv" in reason for reason in found.reasons)


TEXT_ = File("note")


# -- an attack


def refusal(attack_at, *, accepted=False):
    word = None
    if accepted:
        word = Acceptance(by="Ana", reason="r", at=None, login="")
    return RefusedExport(
        source="s", identity="0" * 64, cycle=1, at=None, reasons=(), attack_at=attack_at,
        accepted=word,
    )  # fmt: skip


@pytest.mark.parametrize(("refused", "attacked"), [
    ([], False),
    ([refusal(2)], False),
    ([refusal(1)], True),
    ([refusal(2), refusal(2)], True),
    ([refusal(2), refusal(0)], False),
    ([refusal(0), refusal(0)], False),
    ([refusal(3), refusal(2)], True),
    ([refusal(2), refusal(2, accepted=True)], False),
])  # fmt: skip
def test_as_many_refusals_as_a_policy_says_mean_an_attack(refused, attacked):
    """One that is no sign of attack, or that a person accepted, does not count."""
    assert is_attack(refused) is attacked


# -- laws


@pytest.mark.parametrize(("sampled", "chi", "random"), [
    (5000, 255.0, True), (5000, 349.0, True), (5000, 434.0, False), (5000, 0.0, False),
    (255, 255.0, False), (256, 255.0, True),
])  # fmt: skip
def test_random_is_told_by_chi_square_of_enough_bytes(sampled, chi, random):
    """255 of random bytes, 434 of packed ones; of too few nothing is said."""
    signs = Signs(
        size_bytes=9999, sampled_bytes=sampled, entropy_bits=8.0, chi_square=chi, magic=""
    )
    assert is_random(signs) is random


LOOKS = st.sampled_from([TEXT, ARCHIVE, OPAQUE, NOISE, BROKEN, look("xml", magic="xml")])
NAMES = st.text("abc", min_size=1, max_size=3).map(lambda stem: stem + ".csv")
EXPORTS = st.dictionaries(
    NAMES, st.builds(File, st.text("xyz", max_size=3), LOOKS, st.integers(0, 3000)), max_size=25
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EXPORTS, max_size=5), EXPORTS)
def test_an_unchanged_export_is_never_refused(nights, export):
    """Whatever was accepted before, and however it came to be."""
    source = Source(replace(POLICY, allow_empty=True), canaries=["a.csv"])
    for night in nights:
        source.offer(night)
    source.accept(export)
    assert source.offer(export).judgement != "refused"


@settings(max_examples=200, deadline=None)
@given(
    st.builds(
        Shape,
        files=st.integers(1, 300),
        before_files=st.integers(1, 300),
        scrambled=st.integers(0, 20),
        spoilt=st.integers(0, 20),
        noise=st.integers(0, 60),
        changed=st.integers(0, 60),
        before_bytes=st.integers(0, 9000),
        bytes=st.integers(0, 9000),
    ),
    st.builds(
        Habit,
        nights=st.just(10),
        noise_share=st.none() | st.floats(0, 1),
        scrambled=st.integers(0, 5),
        spoilt=st.integers(0, 5),
    ),
    st.sampled_from(["scrambled", "spoilt", "noise", "changed"]),
    st.integers(1, 50),
)
def test_more_damage_never_turns_a_refusal_into_acceptance(shape, habit, which, more):
    """Nor a warning into silence, as long as the export is as large as before."""
    worse = replace(shape, **{which: getattr(shape, which) + more})
    pull = Pull(entries=entries_of(many(3)))
    order = ["accepted", "accepted with a warning", "refused"]
    policy = replace(POLICY, max_changed_percent=40)
    was, now = (
        order.index(
            inspect_pull(Evidence(previous=(), pull=pull, shape=one, habit=habit), policy).judgement
        )
        for one in (shape, worse)
    )
    assert now >= was
