"""Whole scratch vaults for whole-program tests.

Rule 1: the program is run as a person runs it: a process, its words, its standard output, its end.
Rule 2: what every export ever was is remembered, for the judge to compare restores with.
Rule 3: exports are small, seeded, and named as real ones are: Latin-1, twice-normalised, with a
    newline, a leading dash, and as long as a name can be.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rigs.judge import Files, files_of

TREE = Path(__file__).resolve().parents[2]
SOURCES = {"pmsi": "pmsi", "hr": "hr"}  # name: policy
ODD_NAMES = (
    b"r\xe9sum\xe9 2026.txt",  # Latin-1
    "é-nfc.txt".encode(),
    "é-nfd.txt".encode(),
    b"new\nline.txt",
    b"-rf",
    b"n" * 255,
    b"back\\slash [a]*?.txt",
    b"deep/er/than/most.bin",
)


# -- exports ------------------------------------------------------------------------------------


def write_file(path: bytes, content: bytes) -> None:
    """Write an export file that was finished an hour ago."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    an_hour_ago = time.time() - 3600
    os.utime(path, (an_hour_ago, an_hour_ago))


def rows(chance: random.Random, size: int) -> bytes:
    """Give rows of numbers, which look like an export, and not like something encrypted."""
    line = b"%08d;%06d;%03d;2026-03\n"
    wanted = (
        line % (chance.randrange(10**8), chance.randrange(10**6), chance.randrange(10**3))
        for _ in range(size // 24 + 1)
    )
    return b"".join(wanted)[:size]


def write_exports(folder: Path, *, seed: int, bytes_each: int = 20_000) -> None:
    """Write the exports of a first night: every odd name, and a few ordinary ones."""
    chance = random.Random(seed)
    names = [*ODD_NAMES, *(f"2026/M{month:02}.txt".encode() for month in range(1, 4))]
    for name in names:
        content = rows(chance, chance.randrange(1, bytes_each))
        write_file(os.path.join(os.fsencode(folder), name), content)


def grow_exports(folder: Path, *, night: int, bytes_each: int = 20_000) -> None:
    """Change what a night changes: one file new, one longer."""
    chance = random.Random(night)
    root = os.fsencode(folder)
    write_file(os.path.join(root, f"night-{night}.txt".encode()), rows(chance, bytes_each))
    grown = os.path.join(root, ODD_NAMES[0])
    with open(grown, "rb") as file:
        content = file.read()
    write_file(grown, content + rows(chance, 500))


# -- the vault ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a command of Coffre ended, and what it said."""

    words: tuple[str, ...]
    code: int
    document: dict[str, Any]  # empty when there was none
    stdout: str
    stderr: str

    def ok(self, *codes: int) -> Answer:
        """Insist on an exit code (0 when none is given); give the answer itself."""
        told = f"{self.words} ended with {self.code}\n{self.stdout[-4000:]}\n{self.stderr[-4000:]}"
        assert self.code in (codes or (0,)), told
        return self


@dataclass(slots=True, kw_only=True)
class ScratchVault:
    """A vault in a folder of its own; nothing of it is outside."""

    folder: Path
    restic: str = "restic"
    python: str = sys.executable
    recovery_password: str = ""
    history: dict[str, list[Files]] = field(default_factory=dict)  # what each export ever was

    @property
    def config(self) -> Path:
        """Where ``vault.yaml`` is."""
        return self.folder / "vault.yaml"

    @property
    def state(self) -> Path:
        """Where the vault keeps everything."""
        return self.folder / "state"

    @property
    def landing(self) -> Path:
        """The landing repository."""
        return self.state / "landing"

    @property
    def trial(self) -> Path:
        """The folder of a target with the door ``folder``."""
        return self.folder / "trial"

    @property
    def password(self) -> bytes:
        """The landing's password, as restic reads it."""
        return (self.folder / "secrets" / "landing.pw").read_bytes().removesuffix(b"\n")

    def exports(self, source: str) -> Path:
        """Where a source's exports are."""
        return self.folder / "exports" / source

    def argv(self, *words: str) -> list[str]:
        """Give the words that run a command of Coffre on this vault, as JSON."""
        return [self.python, "-m", "vault.cli.main", "-c", str(self.config), "--json", *words]

    def environment(self, **more: str) -> dict[str, str]:
        """Give the environment the commands run in."""
        path = os.environ.get("PATH", "")
        return {**os.environ, "PATH": path, "PYTHONPATH": str(TREE), "LC_ALL": "C.UTF-8", **more}

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own, and do not wait for it."""
        return subprocess.Popen(
            self.argv(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=self.environment(**more),
            cwd=self.folder,
            start_new_session=True,
        )

    def coffre(self, *words: str, stdin: str = "", timeout_s: float = 120, **more: str) -> Answer:
        """Run a command to its end."""
        with self.start(*words, **more) as process:
            try:
                out, err = process.communicate(stdin, timeout=timeout_s)
            except BaseException:
                process.kill()
                raise
        return answer(words, process.returncode, out, err)

    def remember(self) -> None:
        """Keep what every export is now, to compare restores with."""
        for source in SOURCES:
            seen = self.history.setdefault(source, [])
            if (now := files_of(self.exports(source))) not in seen:
                seen.append(now)

    def grow(self, night: int) -> None:
        """Change all exports as one night does, and remember them."""
        for source in SOURCES:
            grow_exports(self.exports(source), night=night)
        self.remember()

    def init(self, *, cheap: bool = True) -> Answer:
        """Make the vault and read the recovery password back.

        With ``cheap`` keys a call of restic costs milliseconds and not half a second.
        """
        shim = cheap_restic(self.folder / "cheap", self.restic) if cheap else None
        path = f"{shim}:{os.environ['PATH']}" if shim else os.environ["PATH"]
        made = self.coffre("init", PATH=path).ok()
        self.recovery_password = str(made.document["recovery_password"])
        self.coffre("keys", "confirm", stdin=self.recovery_password + "\n").ok()
        return made

    def enrol(self, target: str, *, device: str | None = None) -> Answer:
        """Enrol a target; a device is formatted."""
        words = ["target", "enrol", target, "--yes"]
        return self.coffre(*words, *(["--device", device, "--format"] if device else [])).ok()

    def run(self, *words: str, timeout_s: float = 120, **more: str) -> Answer:
        """Run one night now."""
        return self.coffre("run", "--now", *words, timeout_s=timeout_s, **more)


def answer(words: Sequence[str], code: int, out: str, err: str) -> Answer:
    """Read what a command said; a document that is none is left out."""
    document: dict[str, Any] = {}
    with contextlib.suppress(json.JSONDecodeError):
        document = json.loads(out)
    return Answer(words=tuple(words), code=code, document=document, stdout=out, stderr=err)


CONFIG = """\
site: {{name: CH de la Lande, finess: "990000010", time_zone: Europe/Paris, language: en}}
state: state
landing: {{password: {{file: secrets/landing.pw}}}}
production: {{door: none}}
sources:
{sources}
targets:
{targets}
"""


def make_vault(
    folder: Path, *, targets: Mapping[str, str], seed: int = 1, restic: str = "restic"
) -> ScratchVault:
    """Write ``vault.yaml`` and the exports; nothing of Coffre has run yet.

    ``targets`` gives each target's kind: ``disk`` or ``folder`` (then in the vault's folder
    ``trial``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    doors = {"disk": "disk", "folder": "{folder: trial}"}
    sources = [
        f"  {name}: {{policy: {policy}, folder: exports/{name}, stable_for: 1s}}"
        for name, policy in SOURCES.items()
    ]
    lines = [f"  {name}: {{door: {doors[kind]}, store: files}}" for name, kind in targets.items()]
    vault = ScratchVault(folder=folder, restic=restic)
    vault.config.write_text(CONFIG.format(sources="\n".join(sources), targets="\n".join(lines)))
    vault.config.chmod(0o600)
    for number, name in enumerate(SOURCES):
        write_exports(vault.exports(name), seed=seed * 100 + number)
    vault.remember()
    return vault


def cheap_restic(folder: Path, restic: str) -> Path:
    """Make a ``restic`` for the founding only: the keys it makes are cheap; give its folder.

    The keys must be cheap before they are pinned, and Coffre has no switch for that.
    """
    folder.mkdir(exist_ok=True)
    real = shutil.which(restic)  # absolute: the stand-in goes before it on the path
    shim = folder / "restic"
    shim.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(TREE)!r})\n"
        f"from tests.rigs.vaults import make_key_cheaply\nmake_key_cheaply({real!r})\n"
    )
    shim.chmod(0o755)
    return folder


def make_key_cheaply(restic: str) -> None:
    """Stand in for restic: run the real one, then make the key cheap that it has just made."""
    from tests.rigs.cheap_key import make_keys_cheap

    words, environ = sys.argv[1:], dict(os.environ)
    makes = "init" in words or ("key" in words and "add" in words)
    if not makes:
        os.execv(restic, [restic, *words])
    password = Path(environ["RESTIC_PASSWORD_FILE"]).read_bytes()
    fds = [_memory(password)]
    environ["RESTIC_PASSWORD_FILE"] = f"/proc/self/fd/{fds[0]}"
    if "--new-password-file" in words:
        place = words.index("--new-password-file") + 1
        password = Path(words[place]).read_bytes()
        fds.append(_memory(password))
        words[place] = f"/proc/self/fd/{fds[1]}"
    done = subprocess.run([restic, *words], env=environ, pass_fds=fds, check=False)
    if done.returncode == 0:
        make_keys_cheap(environ["RESTIC_REPOSITORY"], password.removesuffix(b"\n"))
    sys.exit(done.returncode)


def _memory(content: bytes) -> int:
    fd = os.memfd_create("password")
    os.write(fd, content)
    return fd
