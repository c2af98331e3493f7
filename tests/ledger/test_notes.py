"""Signed notes are those of the C2SP paper, whoever reads or writes them."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import SecretError, SignatureError
from vault.ledger.notes import PublicKey, VaultKey, is_key_name

# The example of Go's golang.org/x/mod/sumdb/note: key and signature made by other code.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
""".encode()  # noqa: E501 -- one line of a note

SEED = bytes(range(32))
TEXT = "coffre — essai\nligne 2\n".encode()

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n")).map(
    lambda text: (text + "\n").encode()
)


def sign_by_the_book(text: bytes, name: str, seed: bytes) -> bytes:
    """Write a note from the paper with the bare library: nothing of ours is called."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    raw = private.public_key().public_bytes_raw()
    key_id = hashlib.sha256(name.encode() + b"\x0a\x01" + raw).digest()[:4]
    blob = base64.b64encode(key_id + private.sign(text)).decode()
    return text + b"\n" + f"— {name} {blob}\n".encode()


def key_file(tmp_path, seed: bytes, name: str) -> str:
    raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    key_id = hashlib.sha256(name.encode() + b"\x0a\x01" + raw).digest()[:4].hex()
    path = tmp_path / "golden.key"
    path.write_text(f"PRIVATE+KEY+{name}+{key_id}+{base64.b64encode(b'%c' % 1 + seed).decode()}\n")
    path.chmod(0o600)
    return str(path)


def test_a_note_signed_by_other_code_verifies():
    """Go's example key reads Go's example note."""
    public = PublicKey.from_text(GO_KEY)
    assert public.to_text() == GO_KEY
    assert public.verify(GO_NOTE).startswith(b"If you think")


def test_our_note_is_byte_for_byte_what_the_paper_says(tmp_path):
    """Ed25519 signs the same text the same way, so the golden note is exact."""
    key = VaultKey.load(key_file(tmp_path, SEED, "golden.example"))
    note = key.sign(TEXT)
    assert note == sign_by_the_book(TEXT, "golden.example", SEED)
    assert (
        hashlib.sha256(note).hexdigest()
        == "801d320961a6e7b0e669ed3281b4efc358f00237204d893a2682c655f24e0536"
    )


def test_a_stranger_verifies_our_note_with_the_bare_library(key):
    """From the printed key to the text, by the paper."""
    name, hex_id, encoded = key.public.to_text().split("+", 2)
    raw = base64.b64decode(encoded)
    assert raw[:1] == b"\x01"
    text, _, line = key.sign(TEXT).rpartition(b"\n\n")
    dash, signer, blob = line.decode().split(" ")
    signature = base64.b64decode(blob)
    assert (dash, signer, signature[:4].hex()) == ("—", name, hex_id)
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature[4:], text + b"\n")


@given(text=texts)
def test_what_was_signed_is_what_is_read(key, text):
    """Any text that a note can hold comes back as it was."""
    assert key.public.verify(key.sign(text)) == text


def test_no_byte_of_a_note_changes_unseen(key):
    """A flipped bit anywhere is refused, or, in base64's spare bits, changes no text."""
    note = key.sign(TEXT)
    for at in range(len(note)):
        for bit in (1, 0x20, 0x80):
            changed = note[:at] + bytes([note[at] ^ bit]) + note[at + 1 :]
            try:
                assert key.public.verify(changed) == TEXT
            except SignatureError:
                continue
            assert at >= len(TEXT) + 1, at


def test_80_a_note_of_another_key_of_the_same_name_is_refused(key, other_key):
    """A name is not a key."""
    with pytest.raises(SignatureError, match="not signed by"):
        key.public.verify(other_key.sign(TEXT))


def test_signatures_of_unknown_keys_are_passed_over(key, other_key):
    """A second person may sign below: each reader finds its own line."""
    ours, theirs = key.sign(TEXT), other_key.sign(TEXT)
    both = ours + theirs[len(TEXT) + 1 :]
    assert key.public.verify(both) == other_key.public.verify(both) == TEXT


def test_the_last_empty_line_parts_text_and_signatures(key):
    """A text may hold empty lines, even something that looks like a signature."""
    text = b"a\n\n\xe2\x80\x94 somebody AAAA\n\nb\n"
    assert key.public.verify(key.sign(text)) == text


@pytest.mark.parametrize("text", [b"", b"no newline", b"\x07\n", b"\xff\n", b"a\r\n"])
def test_a_text_that_no_note_can_hold_is_not_signed(key, text):
    """Control characters, missing newline, not UTF-8."""
    with pytest.raises(SignatureError, match="cannot be signed"):
        key.sign(text)


@pytest.mark.parametrize("note", [b"", b"\n\n", b"text\n", b"text\n\nno dash\n", TEXT + b"\n"])
def test_what_is_no_note_is_refused(key, note):
    """The message says so, and nothing is read from it."""
    with pytest.raises(SignatureError):
        key.public.verify(note)


@given(text=st.text(max_size=80))
def test_what_is_no_public_key_is_refused(text):
    """Never another exception, whatever was typed."""
    with pytest.raises(SignatureError):
        PublicKey.from_text(text)


def test_a_public_key_whose_id_does_not_fit_is_refused():
    """A slip in the name or in the key shows at once."""
    with pytest.raises(SignatureError, match="not a public key"):
        PublicKey.from_text(GO_KEY.replace("Peter", "Pieter"))


def test_the_private_key_is_written_once_for_its_owner_alone(tmp_path):
    """0600, whole, never overwritten, loaded as it was made."""
    path = tmp_path / "vault.key"
    made = VaultKey.create(str(path), "vault.example")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert VaultKey.load(os.fsencode(path)).public == made.public
    with pytest.raises(SecretError, match="never overwritten"):
        VaultKey.create(str(path), "vault.example")
    assert [p.name for p in tmp_path.iterdir()] == ["vault.key"]


def test_a_private_key_does_not_print_and_does_not_travel(key):
    """Neither repr nor pickle gives it away."""
    assert "***" in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_private_key_open_to_others_is_refused(tmp_path, mode):
    """Whoever may read it may sign."""
    path = tmp_path / "vault.key"
    VaultKey.create(str(path), "vault.example")
    path.chmod(mode)
    with pytest.raises(SecretError, match="open to others"):
        VaultKey.load(str(path))


def test_a_key_file_that_is_no_plain_file_or_no_key_is_refused(tmp_path):
    """Absent, a link, a pipe, another content: each with its reason, and no byte of it shown."""
    path = tmp_path / "vault.key"
    with pytest.raises(SecretError, match="cannot be read"):
        VaultKey.load(str(path))
    path.write_text("PRIVATE+KEY+x+00000000+SECRETSECRET\n")
    path.chmod(0o600)
    with pytest.raises(SecretError, match="holds no key") as told:
        VaultKey.load(str(path))
    assert "SECRET" not in str(told.value)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(SecretError, match="cannot be read"):
        VaultKey.load(str(tmp_path / "link"))
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SecretError, match="not a plain file"):
        VaultKey.load(str(tmp_path / "pipe"))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_a_name_that_would_break_a_signature_line_names_no_key(tmp_path, name):
    """No space, no plus, nothing that does not print."""
    assert not is_key_name(name)
    with pytest.raises(SecretError, match="cannot name a key"):
        VaultKey.create(str(tmp_path / "vault.key"), name)
    assert not (tmp_path / "vault.key").exists()
