"""Two verifiers, one without a line of ours, say the same of sound and tampered evidence."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import random
import re
import shutil
import subprocess
import sys

import pytest

from tests.rigs.evidence import (
    SCRIPT,
    Export,
    Writer,
    ask_alone,
    ask_ours,
    flip,
    make_export,
    private,
    restore_test,
    wrong_key,
)
from vault.ledger.checkpoint import Checkpoint
from vault.ledger.cosigning import CosignerKey
from vault.ledger.lines import Stamp, read_line, write_line
from vault.ledger.notes import VaultKey
from vault.records import LedgerHead


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    return make_export(tmp_path_factory.mktemp("golden") / "export")


@pytest.fixture
def export(golden, tmp_path):
    """Give a copy that may be tampered with."""
    shutil.copytree(golden.folder, tmp_path / "export")
    from dataclasses import replace

    return replace(golden, folder=tmp_path / "export")


def both(export, **more):
    """Ask both and insist that they agree; give the standalone's answer."""
    ours, alone = ask_ours(export, **more), ask_alone(export, **more)
    assert (ours.code, ours.first) == (alone.code, alone.first), (ours.text, alone.text)
    return alone


def rechain(lines: list[bytes], start: int) -> list[bytes]:
    """Write entries anew from ``start`` on, chained as if nothing had been."""
    made = lines[:start]
    before = read_line(made[-1][:-1]) if made else None
    head = (
        LedgerHead(n=before.n, sha256=before.sha256)
        if before
        else LedgerHead(n=-1, sha256="0" * 64)
    )
    for line in lines[start:]:
        old = read_line(line[:-1])
        stamp = Stamp(at=old.at, boot=old.boot, mono=old.mono)
        text, entry = write_line(head, stamp=stamp, kind=old.kind, body=old.body)
        made.append(text)
        head = LedgerHead(n=entry.n, sha256=entry.sha256)
    return made


# -- the file itself


def test_the_verifier_is_short_and_imports_the_standard_library_only():
    """An auditor reads it in one sitting, and it runs where nothing is installed."""
    source = SCRIPT.read_text("utf-8")
    assert source.count("\n") < 300
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported <= set(sys.stdlib_module_names)
    assert not {"subprocess", "socket", "urllib", "importlib", "ctypes"} & imported


def test_the_exported_file_runs_isolated_and_ends_with_0_1_and_2(export):
    """``python3 -I DIR/verify_evidence.py DIR --key KEY``, as the contract has it."""
    script = export.folder / "verify_evidence.py"
    shutil.copyfile(SCRIPT, script)
    argv = [sys.executable, "-I", str(script), str(export.folder)]
    keys = [word for key in export.keys for word in ("--key", key)]

    def run(*words):
        return subprocess.run([*argv, *words], capture_output=True, text=True, check=False)

    good = run(*keys, "--head", str(export.medium_head))
    assert (good.returncode, good.stderr) == (0, "")
    assert "all holds: 13 entries" in good.stdout
    assert run("--key", "nonsense").returncode == 2
    lines = export.lines()
    export.put([*lines[:4], lines[4].replace(b'"opening":2', b'"opening":9'), *lines[5:]])
    bad = run(*keys)
    assert (bad.returncode, bad.stdout.startswith("BAD entry 4: ")) == (1, True)


def test_ed25519_of_the_verifier_is_that_of_the_paper(monkeypatch):
    """The first vectors of RFC 8032, and random messages against the library, right and wrong."""
    from tests.rigs.evidence import load_script

    is_signed = load_script().is_signed
    vectors = """
        d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a -
        e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
        5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b
        3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c 72
        92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00
        fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025 af82
        6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
        18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a
    """.replace("-", "").split()  # RFC 8032, section 7.1: public key, message, signature
    vectors.insert(1, "")
    assert len(vectors) == 12
    for at in range(0, 12, 4):
        raw, data, *halves = (bytes.fromhex(one) for one in vectors[at : at + 4])
        made = b"".join(halves)
        assert is_signed(raw, made, data)
        assert not is_signed(raw, made, data + b"x")
    chance = random.Random(11)
    for _ in range(6):
        key, data = private(str(chance.random())), chance.randbytes(40)
        raw, made = key.public_key().public_bytes_raw(), key.sign(data)
        assert is_signed(raw, made, data)
        assert not is_signed(raw, flip(made, chance.randrange(64), 1 << chance.randrange(8)), data)
    order = 2**252 + 27742317777372353535851937790883648493
    larger = (int.from_bytes(made[32:], "little") + order).to_bytes(32, "little")
    assert not is_signed(raw, made[:32] + larger, data)  # the same signature, written otherwise


# -- sound evidence


def test_a_golden_export_holds_for_both(golden):
    """Three keys, a rotation, two cosignatures, a record, and a head from a medium."""
    answer = both(golden, heads=[golden.medium_head])
    assert answer.code == 0
    assert "openings: 3, proven shut: 3" in answer.text
    assert "disk-a: open 2 times, 1.0 s, longest 0.8 s" in answer.text
    assert "restores and restore tests: 2" in answer.text
    assert "entry 10: record signed by coffre-990000010, dim" in ask_alone(golden).text
    assert "entries to 5 are from before 2026-03-04T04:53:20Z, rssi's clock" in answer.text


def test_the_export_is_golden(golden):
    """The formats do not move under the ledgers that exist: one hash over ledger and heads."""
    digest = hashlib.sha256(golden.ledger.read_bytes())
    for path in golden.heads():
        digest.update(path.read_bytes())
    assert digest.hexdigest() == GOLDEN


GOLDEN = "1b161f7924df5410c7ac8dbe7d5c62337d0dbaa27691ff0358f2a635897c03dc"


@pytest.mark.parametrize("which", [0, 1])
def test_81_either_key_of_a_rotation_vouches_for_the_whole_chain(golden, which):
    """The auditor may hold the sheet of before the exchange, or the one of after it."""
    founding = json.loads(golden.lines()[0])["body"]["vault_key"]
    key = (founding, golden.vault.public.to_text())[which]
    assert both(golden, keys=[key, *golden.keys[1:]]).code == 0


def test_an_old_ledger_without_any_tree_still_verifies(tmp_path):
    """Written before there were heads: the first head signs it all."""
    writer = Writer(tmp_path / "old", VaultKey("old.example", private("old")))
    for night in range(1, 5):
        writer.opening(night)
    assert writer.ledger.verify() == []
    assert Checkpoint.peek(writer.sign()).size == 8


def test_a_restore_test_is_drawn_by_a_seed_and_by_the_same_seed_again(golden):
    """The auditor names the seed; every seed names one of the tests, and not always the same."""
    told = [ask_alone(golden, "--draw", str(seed)).text for seed in range(12)]
    drawn = {re.search(r"drawn with .*: entry (\d+)", text)[1] for text in told}
    assert drawn == {"5", "12"}
    again = [ask_alone(golden, "--draw", "2026").text for _ in range(2)]
    assert again[0] == again[1]


# -- tampered evidence


def points(data: bytes, long_run: bool, count: int) -> list[tuple[int, int]]:
    chance = random.Random(len(data))
    if long_run:
        return [(at, 1 << chance.randrange(8)) for at in range(len(data))]
    return [(chance.randrange(len(data)), 1 << chance.randrange(8)) for _ in range(count)]


@pytest.mark.matrix
def test_78_no_byte_of_the_ledger_changes_unseen(export, long_run):
    """A few bytes of each line, or every byte; the entry named is the one, or beside it."""
    whole = export.ledger.read_bytes()
    for at, bit in points(whole, long_run, 60):
        export.ledger.write_bytes(flip(whole, at, bit))
        answer = both(export)
        touched = whole[:at].count(b"\n")
        assert answer.code == 1, at
        if answer.first is not None:  # else a key or a head in the entry could not be read
            assert answer.first <= touched + 1, (at, answer.text)


@pytest.mark.matrix
def test_no_byte_of_a_head_changes_unseen(export, long_run):
    """A flipped byte breaks the text, its signature, or a cosignature that the ledger tells of."""
    for path in export.heads():
        note = path.read_bytes()
        for at, bit in points(note, long_run, 8):
            path.write_bytes(flip(note, at, bit))
            # A head that is no note any more has no entry to name: one of them names the file.
            ours, alone = ask_ours(export), ask_alone(export)
            assert (ours.code, alone.code) == (1, 1), (path.name, at, bit)
            assert None in (ours.first, alone.first) or ours.first == alone.first
        path.write_bytes(note)


def drop(lines):
    del lines[4]


def swap(lines):
    lines[4], lines[5] = lines[5], lines[4]


def double(lines):
    lines.insert(4, lines[3])


def edit(lines):
    lines[4] = lines[4].replace(b"0.5", b"0.1")


@pytest.mark.parametrize("tamper", [drop, swap, double, edit])
@pytest.mark.parametrize("chained", [False, True], ids=["as-is", "chained-anew"])
def test_78_an_entry_dropped_moved_doubled_or_edited_is_named(export, tamper, chained):
    """Whether the rest is left as it is, or written anew so that the chain holds."""
    lines = export.lines()
    tamper(lines)
    export.put(rechain(lines, 3) if chained else lines)
    answer = both(export)
    assert answer.code == 1
    assert answer.first == (3 if chained else 4)  # 3: all that a head of five can say


def test_79_a_tail_that_was_cut_with_its_heads_shows_to_whoever_holds_a_later_one(export, tmp_path):
    """Without that head it looks like an older export, and is one."""
    newest = export.heads()[-1]
    held = tmp_path / "held"
    shutil.copyfile(newest, held)
    for path in export.heads()[-3:]:
        path.unlink()
    export.put(export.lines()[:7])
    keys = [json.loads(export.lines()[0])["body"]["vault_key"], *export.keys[1:]]
    assert both(export, keys=keys).code == 0
    assert both(export, keys=keys, heads=[held]).code == 1


def test_a_tail_under_no_head_is_named(export):
    """Entries may not be added below the last head."""
    export.heads()[-1].unlink()
    answer = both(export)
    assert (answer.code, answer.first) == (1, 11)


def test_80_a_ledger_of_another_key_is_refused(export, golden):
    """Replaced wholly, sound in itself: the key on the sheet is not its own."""
    answer = both(export, keys=[wrong_key(), *golden.keys[1:]])
    assert (answer.code, answer.first) == (1, None)


def test_80_a_ledger_of_another_vault_is_refused_without_any_rotation(tmp_path):
    """The same, where no chain of keys is in the ledger."""
    stranger = make_export(tmp_path / "other", seed="other", rotate=False)
    assert both(stranger).code == 0
    assert both(stranger, keys=[wrong_key()]).code == 1


def test_81_a_key_that_was_exchanged_signs_nothing_more(export, golden):
    """Who stole the old key cannot sign a head of after the exchange."""
    old = VaultKey("coffre-990000010", private("golden vault"))
    newest = export.heads()[-1]
    newest.write_bytes(old.sign(Checkpoint.peek(newest.read_bytes()).to_text()))
    assert both(export).code == 1


def test_81_a_rotation_that_the_old_key_did_not_sign_is_named(tmp_path):
    """Nobody makes himself the vault's key, whatever he signs afterwards."""
    key = VaultKey("coffre-990000010", private("k"))
    thief = VaultKey("coffre-990000010", private("thief"))
    writer = Writer(tmp_path / "stolen", key)
    writer.opening(1)
    writer.sign()
    text = f"coffre key rotation v1\n{key.public.to_text()}\n{thief.public.to_text()}\n"
    writer.ledger.append("key-rotated", note=thief.sign(text.encode()).decode())
    writer.key = thief
    writer.sign()
    made = Export(folder=tmp_path / "stolen", vault=key, rssi=None, dim=None)
    answer = ask_alone(made, keys=[key.public.to_text()])
    assert (answer.code, answer.first) == (1, 2)
    ours = ask_ours(made, keys=[key.public.to_text()])
    assert "2: the note is not signed by coffre-990000010" in ours.text


def test_82_a_fork_shows_to_whoever_holds_a_head_of_the_other_branch(export, tmp_path):
    """A copied host goes on by itself: both branches are sound, and deny each other."""
    other = make_export(tmp_path / "fork")
    lines = other.lines()
    lines[9] = lines[9].replace(b"detached", b"removed ")
    assert rechain(lines, 9) != other.lines()
    forked = rechain(lines, 9)
    from vault.ledger.merkle import leaf_hash, root_of

    root = root_of(leaf_hash(line[:-1]) for line in forked)
    held = tmp_path / "held"
    held.write_bytes(
        export.vault.sign(Checkpoint(origin="coffre-990000010", size=13, root=root).to_text())
    )
    assert both(export).code == 0
    assert both(export, heads=[held]).code == 1


def test_82_a_head_of_a_medium_that_names_another_entry_is_seen(export, tmp_path):
    """Heads on media name the ledger's newest entry of then."""
    lines = export.lines()
    lines[2] = lines[2].replace(b"0.25", b"0.15")
    for path in export.heads():
        path.unlink()
    export.put(rechain(lines, 2))
    answer = both(export, heads=[export.medium_head])
    assert answer.code == 1


def test_a_head_that_nobody_of_ours_signed_is_no_witness(export, tmp_path):
    """A head brought by anybody must be the vault's own."""
    held = tmp_path / "held"
    held.write_bytes(
        VaultKey("coffre-990000010", private("x")).sign(b"coffre-990000010\n3\nAAAA\n")
    )
    assert both(export, heads=[held]).code == 1


def test_a_cosignature_that_is_gone_is_missed(export):
    """The ledger tells of it, so it cannot be taken off its head."""
    path = export.folder / "checkpoints" / "6"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith("— rssi".encode())))
    answer = both(export)
    assert (answer.code, answer.first) == (1, 6)


def test_a_record_is_refused_when_no_known_key_signed_it(export):
    """A record of a restore test stands by its signers, not by its place in the ledger."""
    lines = export.lines()
    entry = json.loads(lines[10])
    for one in entry["body"]["envelope"]["signatures"]:
        one["sig"] = "AAAA"
    lines[10] = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    export.put(lines)
    assert both(export).first == 10


def test_a_door_that_was_not_proven_shut_is_told_and_holds_all_the_same(tmp_path):
    """What happened is not for the verifier to forgive; that it is written down is."""
    writer = Writer(tmp_path / "open", key := VaultKey("coffre-990000010", private("k")))
    writer.opening(1, proof="unknown")
    writer.ledger.append("vault-opening", opening=2, target="disk-a", purpose="carry")
    writer.sign()
    made = Export(folder=tmp_path / "open", vault=key, rssi=None, dim=None)
    answer = ask_alone(made, keys=[key.public.to_text()])
    assert answer.code == 0
    assert answer.text.count("NOT PROVEN SHUT") == 2
    assert "proven shut: 0" in answer.text


def bend_payload(envelope):
    text = base64.b64decode(envelope["payload"]).replace(b'"mismatches":0', b'"mismatches":1')
    envelope["payload"] = base64.b64encode(text).decode()


def bend_signature(number):
    def bend(envelope):
        made = base64.b64decode(envelope["signatures"][number]["sig"])
        envelope["signatures"][number]["sig"] = base64.b64encode(flip(made, 9, 1)).decode()

    return bend


def lose_cosigner(envelope):
    del envelope["signatures"][1]


def keep(envelope):
    pass


@pytest.mark.parametrize(
    ("bend", "code", "with_the_vaults_key_alone"),
    [
        (keep, 0, 0),
        (bend_payload, 1, 1),
        (bend_signature(0), 0, 1),  # the cosigner's holds: the record is the one that was signed
        (bend_signature(1), 1, 0),  # who does not bring the cosigner's key cannot tell
        (lose_cosigner, 1, 0),
    ],
)
def test_a_record_that_was_bent_in_its_entry_is_named_by_both(
    tmp_path, bend, code, with_the_vaults_key_alone
):
    """By who writes the ledger and signs its heads himself: the envelope still denies it."""
    key = VaultKey("coffre-990000010", private("bent vault"))
    dim = CosignerKey(str(tmp_path / "dim.key"), "dim", private("dim"))
    writer = Writer(tmp_path / "bent", key)
    writer.restored(1)
    record = restore_test().to_statement().to_envelope().signed_by(key).signed_by(dim)
    envelope = record.to_members()
    bend(envelope)
    writer.ledger.append("drill-signed", drill=1, key=dim.public.to_text(), envelope=envelope)
    writer.sign()
    made = Export(folder=tmp_path / "bent", vault=key, rssi=None, dim=dim)
    made.keys = [key.public.to_text(), dim.public.to_text()]
    answer = both(made)
    assert (answer.code, answer.first) == (code, 1 if code else None), answer.text
    assert both(made, keys=made.keys[:1]).code == with_the_vaults_key_alone
