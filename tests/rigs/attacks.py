"""Everything an intruder was seen to do to a landing, as functions on a repository folder.

Rule 1: ``check`` says what a plain ``restic check`` answers to it, measured on 0.14 and 0.18:
    where it stays clean, something else must stand before the door; where it hangs, the landing
    must be looked at before any restic opens it.
Rule 2: what the words of ``expected`` mean stands in ``attack.py``.
Source: the catalogue of faults; each attack names its numbers there.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

from tests.rigs import rcrypt
from tests.rigs.attack import (
    ATTACKS,
    Attack,
    attack,
    in_its_shard,
    newest_pack,
    oldest_pack,
    overwrite,
    packs,
    run_restic,
)

__all__ = ["ATTACKS", "Attack", "run_restic"]

JUNK_FILES = 2_000  # of a normal run; the catalogue's 200,000 are for the long one


# -- packs -------------------------------------------------------------------------------------


@attack("new-pack-bit-flipped", 1, expected="refuse", check="clean", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    path = newest_pack(repository)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x10
    overwrite(path, bytes(content))


@attack("new-pack-truncated", 2, expected="gate", check="complains")
def _(repository: Path, restic: str, password: bytes) -> None:
    path = newest_pack(repository)
    overwrite(path, path.read_bytes()[:-1])


@attack("new-pack-encrypted", 3, expected="refuse", check="clean", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    path = newest_pack(repository)
    overwrite(path, os.urandom(path.stat().st_size))


@attack("old-pack-encrypted", 4, expected="gate", check="complains", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    # A ransom program leaves its header: the size differs.
    path = oldest_pack(repository)
    overwrite(path, os.urandom(path.stat().st_size + 512))


@attack("old-pack-overwritten", 4, expected="unharmed", check="clean", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    path = oldest_pack(repository)
    overwrite(path, os.urandom(path.stat().st_size))


@attack("garbage-pack", 7, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    rcrypt.put(repository, "data", os.urandom(5000))


@attack("packs-lost", 26, expected="gate", check="complains", poisons=None)
def _(repository: Path, restic: str, password: bytes) -> None:
    # The data go and the trees stay: a restore would try again for minutes before it gives up.
    found = packs(repository)
    for path in found[: len(found) // 2]:
        path.unlink()


# -- indexes and snapshots ---------------------------------------------------------------------


@attack("garbage-index", 5, expected="gate", check="complains", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    rcrypt.put(repository, "index", os.urandom(5000))


@attack("garbage-snapshot", 6, expected="gate", check="complains", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    rcrypt.put(repository, "snapshots", os.urandom(300))


@attack("forged-index", 10, expected="gate", check="complains", poisons=None)
def _(repository: Path, restic: str, password: bytes) -> None:
    # The MAC holds; every blob is said to lie where another one lies. 0.14 cannot restore then,
    # 0.18 goes by the entry of the other index.
    key = rcrypt.master_key(repository, password)
    for path in list((repository / "index").iterdir()):
        document = rcrypt.read_json(path, key)
        for pack in document["packs"]:
            for blob in pack["blobs"]:
                blob["offset"] = 7
        rcrypt.put_json(repository, "index", {"packs": document["packs"]}, key)


@attack("index-of-a-missing-pack", 11, expected="gate", check="complains")
def _(repository: Path, restic: str, password: bytes) -> None:
    key = rcrypt.master_key(repository, password)
    blob = {"id": os.urandom(32).hex(), "type": "data", "offset": 0, "length": 100}
    document = {"packs": [{"id": os.urandom(32).hex(), "blobs": [blob]}]}
    rcrypt.put_json(repository, "index", document, key)


def _forge_snapshot(repository: Path, password: bytes, time: str) -> None:
    key = rcrypt.master_key(repository, password)
    newest = max((repository / "snapshots").iterdir(), key=lambda p: p.stat().st_mtime_ns)
    document = rcrypt.read_json(newest, key)
    document |= {"time": time, "tree": os.urandom(32).hex()}
    rcrypt.put_json(repository, "snapshots", document, key)


@attack("forged-snapshot-2099", 12, expected="gate", check="complains", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    _forge_snapshot(repository, password, "2099-01-01T00:00:00Z")


@attack("forged-snapshot-1970", 12, expected="gate", check="complains")
def _(repository: Path, restic: str, password: bytes) -> None:
    _forge_snapshot(repository, password, "1970-01-01T00:00:00Z")


@attack("lawful-snapshot-2099", 12, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    # restic itself made it: nothing about it is wrong but that it was no run of ours.
    with tempfile.TemporaryDirectory() as evil:
        Path(evil, "ransom-note.txt").write_bytes(os.urandom(2000))
        when = ("--time", "2099-01-01 00:00:00")
        run_restic(restic, repository, password, "backup", *when, evil)


@attack("snapshots-lost", 26, expected="unharmed", check="clean", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    for path in (repository / "snapshots").iterdir():
        path.unlink()


# -- keys and config ---------------------------------------------------------------------------


def _bogus_keys(repository: Path, number: int) -> None:
    for _ in range(number):
        slot = {
            "created": "2026-01-01T00:00:00Z",
            "username": "root",
            "hostname": "h",
            "kdf": "scrypt",
            # Cheap: what the attack rests on is restic's limit of 20 keys, not on the seconds.
            "N": 1024,
            "r": 8,
            "p": 1,
            "salt": base64.b64encode(os.urandom(64)).decode(),
            "data": base64.b64encode(os.urandom(188)).decode(),
        }
        rcrypt.put(repository, "keys", json.dumps(slot).encode())


@attack("one-bogus-key", 8, expected="pin", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    _bogus_keys(repository, 1)


@attack("bogus-keys-25", 8, expected="pin", check="either", poisons=None)
def _(repository: Path, restic: str, password: bytes) -> None:
    _bogus_keys(repository, 25)


@attack("bogus-keys-60", 8, expected="pin", check="either", poisons=None)
def _(repository: Path, restic: str, password: bytes) -> None:
    # restic tries twenty, in the order of the folder, which nobody chooses: ours may be among them.
    _bogus_keys(repository, 60)


@attack("key-not-json", 9, expected="pin", check="either", poisons=None)
def _(repository: Path, restic: str, password: bytes) -> None:
    # Nothing opens any more, unless the folder happens to give our key first.
    rcrypt.put(repository, "keys", b"not json at all")


@attack("key-added", 15, expected="pin", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    with tempfile.NamedTemporaryFile() as new:
        new.write(b"the intruder's own")
        new.flush()
        run_restic(restic, repository, password, "key", "add", "--new-password-file", new.name)


@attack("key-password-changed", 15, expected="pin", check="complains", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    with tempfile.NamedTemporaryFile() as new:
        new.write(b"the intruder's own")
        new.flush()
        run_restic(restic, repository, password, "key", "passwd", "--new-password-file", new.name)


@attack("landing-made-anew", 13, expected="pin", check="clean", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    for path in list(repository.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    run_restic(restic, repository, password, "init")


@attack("config-resealed", 14, expected="pin", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    # The same words under a new nonce: only the hash of the file tells.
    key, path = rcrypt.master_key(repository, password), repository / "config"
    overwrite(path, key.seal(key.open(path.read_bytes())))


@attack("config-upgraded", 14, expected="pin", check="clean", version=1)
def _(repository: Path, restic: str, password: bytes) -> None:
    run_restic(restic, repository, password, "migrate", "upgrade_repo_v2")


@attack("config-removed", 14, expected="gate", check="complains", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    (repository / "config").unlink()


@attack("config-overwritten", 14, expected="gate", check="complains", poisons=True)
def _(repository: Path, restic: str, password: bytes) -> None:
    overwrite(repository / "config", os.urandom(155))


# -- what is no regular file, and names ----------------------------------------------------------


@attack("symlink-named-as-what-it-shows", 16, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    shadow = Path("/etc/shadow" if os.access("/etc/shadow", os.R_OK) else "/etc/passwd")
    in_its_shard(repository, shadow.read_bytes()).symlink_to(shadow)


@attack("new-pack-became-a-symlink", 16, expected="gate", check="complains")
def _(repository: Path, restic: str, password: bytes) -> None:
    path = newest_pack(repository)
    aside = repository.parent / "aside"
    aside.mkdir(exist_ok=True)
    path.rename(aside / path.name)
    path.symlink_to(aside / path.name)


@attack("fifo", 17, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    os.mkfifo(in_its_shard(repository, b"fifo"))


@attack("fifo-among-the-indexes", 17, expected="gate", check="hangs", poisons=None)
def _(repository: Path, restic: str, password: bytes) -> None:
    os.mkfifo(repository / "index" / os.urandom(32).hex())


@attack("socket", 17, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    path = in_its_shard(repository, b"socket")
    with socket.socket(socket.AF_UNIX) as server:
        # A socket's name has at most 107 bytes; the folder is reached by its descriptor.
        folder = os.open(path.parent, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


@attack("device-node", 17, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    os.mknod(in_its_shard(repository, b"device"), 0o600 | stat.S_IFCHR, os.makedev(1, 5))


@attack("folder-named-as-a-hash", 18, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    in_its_shard(repository, b"folder").mkdir()


@attack("upper-case-hash", 18, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    path = in_its_shard(repository, b"upper")
    path.with_name(path.name.upper()).write_bytes(b"upper")


@attack("wrong-shard", 18, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    content = os.urandom(3000)
    name = hashlib.sha256(content).hexdigest()
    wrong = f"{(int(name[:2], 16) + 1) % 256:02x}"
    (repository / "data" / wrong).mkdir(exist_ok=True)
    (repository / "data" / wrong / name).write_bytes(content)


@attack("newline-in-a-name", 18, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    path = in_its_shard(repository, b"newline")
    path.with_name(path.name + "\n[2J").write_bytes(b"newline")


@attack("name-that-is-not-utf-8", 18, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    folder = os.fsencode(in_its_shard(repository, b"latin").parent)
    Path(os.fsdecode(folder + b"/export\xe9")).write_bytes(b"latin")


@attack("hard-link-from-outside", 19, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    outside = repository.parent / "outside"
    outside.write_bytes(b"a file of somebody else")
    os.link(outside, in_its_shard(repository, outside.read_bytes()))


@attack("new-pack-with-a-second-name", 19, expected="refuse", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    os.link(newest_pack(repository), repository.parent / "second-name")


@attack("sparse-terabyte", 20, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    path = in_its_shard(repository, b"sparse")
    path.touch()
    # ext4 stops at 16 TB a file, tmpfs at the machine's memory: as much as may be had.
    for size in (1 << 40, 1 << 36, 1 << 33):
        with contextlib.suppress(OSError):
            os.truncate(path, size)
            return


@attack("junk-files", 21, expected="alien", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    for _ in range(JUNK_FILES):
        in_its_shard(repository, content := os.urandom(8)).write_bytes(content)


@attack("stale-lock", 24, expected="unharmed", check="clean")
def _(repository: Path, restic: str, password: bytes) -> None:
    # What a restic leaves that was killed: an exclusive lock of a process that is gone.
    key = rcrypt.master_key(repository, password)
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    lock = {
        "time": "2026-01-01T00:00:00Z",
        "exclusive": True,
        "hostname": socket.gethostname(),
        "username": "root",
        "pid": gone.pid,
    }
    rcrypt.put_json(repository, "locks", lock, key)
