"""``coffre demo``: one night, then an attack, on a small generated hospital.

Rule 1: every command shown is the real one, run as a person would type it.
Rule 2: with root the target is a real file system on a loop device; without, a folder, and what
    that cannot show is said.
Rule 3: what the demo started it stops, and what it made it removes, unless ``--in`` keeps it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vault.cli.session import Session, is_root
from vault.cli.shown import colour
from vault.cli.words import _
from vault.errors import CoffreError
from vault.process import run

_SEED = 2021
_DISK_BYTES = 1 << 30
_COMMAND_S = 60.0
_CONFIG = """\
site: {{name: CH de la Lande, finess: "990000010", time_zone: Europe/Paris, language: {language}}}
state: state
landing: {{password: {{file: secrets/landing.pw}}}}
production: {{door: none}}
windows: {{night: {{start: "01:00", for: 2h, days: all}}}}
sources:
  pmsi:       {{policy: pmsi,       folder: exports/pmsi, stable_for: 0}}
  hr:         {{policy: hr,         folder: exports/hr, stable_for: 0}}
  finance:    {{policy: finance,    folder: exports/finance, stable_for: 0}}
  clinical:   {{policy: clinical,   folder: exports/clinical, stable_for: 0}}
  laboratory: {{policy: laboratory, folder: exports/laboratory, stable_for: 0}}
targets:
  {target}
"""
_DISK = "disk-a: {door: disk, store: files, window: night}"
_FOLDER = "trial: {door: {folder: trial}, store: files}"


@dataclass(slots=True, kw_only=True)
class _Stage:
    """Where the demo plays."""

    session: Session
    folder: str
    target: str
    device: str | None = None

    @property
    def config(self) -> str:
        return os.path.join(self.folder, "vault.yaml")

    def tell(self, *lines: str) -> None:
        self.session.say()
        for line in lines:
            self.session.say(colour(line, "strong"))

    def type(self, *words: str, expect: Sequence[int] = (0,)) -> int:
        """Show a command and run it; the demo ends when its end is not the expected one."""
        from vault.cli.main import run_words

        self.session.say()
        self.session.say(colour(f"$ coffre {' '.join(words)}", "dim"))
        sys.stdout.flush()
        language = self.session.language or "en"
        argv = ["--config", self.config, "--lang", language, *words]
        code = run_words(argv)
        sys.stdout.flush()
        if code not in expect:
            raise CoffreError(
                "the demo expected {expected} of {words} and got {code}",
                expected=" or ".join(str(n) for n in expect),
                words=" ".join(words),
                code=code,
            )
        return code


def demo_command(session: Session, folder: str | None) -> int:
    """Play both acts; 0 when every command ended as it should."""
    from vault.cli.words import language_of_environment

    session.language = session.language or language_of_environment()
    # With --json the play goes to standard error: standard output is for the one document.
    out = contextlib.redirect_stdout(sys.stderr if session.as_json else sys.stdout)
    with out, _place(folder) as place, _stage(session, place) as stage:
        _first_act(stage)
        _second_act(stage)
        _epilogue(stage, kept=folder is not None)
    members = {"acts": 2, "kept": os.path.abspath(folder) if folder else None, "root": is_root()}
    return session.emit(members)


def _first_act(stage: _Stage) -> None:
    from vault.hospital import generate

    stage.tell(_("ACT ONE: one night"), _("A small hospital is generated; nobody in it exists."))
    made = generate(os.path.join(stage.folder, "exports"), seed=_SEED)
    stage.session.say(_("{files} files of exports").format(files=made.files))
    _found(stage)
    _enrol(stage)
    stage.tell(_("The first night:"))
    stage.type("run", "--now")
    generate(os.path.join(stage.folder, "exports"), seed=_SEED, night=1)
    stage.tell(_("The day after, some exports have changed. The second night:"))
    stage.type("run", "--now")
    stage.type("status")


def _found(stage: _Stage) -> None:
    """Found the vault, and read the recovery password back as a person would."""
    from vault.config import load
    from vault.wiring.making import make_vault
    from vault.wiring.wired import Wired

    stage.session.say()
    stage.session.say(colour("$ coffre init", "dim"))
    wired = Wired(load(stage.config))
    sheet = make_vault(wired).sheet
    assert sheet is not None
    stage.session.say(_("The recovery sheet is printed once; the demo reads it back for you."))
    wired.founding.note_printed(sheet)
    wired.founding.confirm(sheet.password)
    wired.catalogue.close()


def _enrol(stage: _Stage) -> None:
    if stage.device is None:
        stage.tell(
            _("Without root there is no disk door: the target is a plain folder."),
            _("Not shown: a disk nobody else sees, the kernel's deadline, the proof of shut."),
        )
        stage.type("target", "enrol", stage.target, "--yes")
    else:
        stage.tell(_("A disk is enrolled: a ceremony of its own, never inside a night."))
        words = ("target", "enrol", stage.target, "--device", stage.device, "--format", "--yes")
        stage.type(*words)


def _second_act(stage: _Stage) -> None:
    from vault.hospital import generate

    stage.tell(
        _("ACT TWO: an intruder on the vault host"),
        _("The medium is away. A night runs, and keeps its snapshots in the landing."),
    )
    generate(os.path.join(stage.folder, "exports"), seed=_SEED, night=2)
    before = _packs(stage)
    with _away(stage):
        stage.type("run", "--now", expect=(75,))
    fresh = sorted(_packs(stage) - before)
    _damage(fresh[-1])
    stage.tell(
        _("Somebody alters one byte of a new file in the landing."),
        _("The medium is back. The next night must keep its door shut:"),
    )
    stage.type("run", "--now", expect=(7,))
    stage.tell(_("What crossed before is safe. It comes back, from the offline target:"))
    to = os.path.join(stage.folder, "restored")
    stage.type("restore", "pmsi", "--from", stage.target, "--to", to)
    stage.tell(_("What is missing, said before anybody asks:"))
    stage.type("gaps")


def _epilogue(stage: _Stage, *, kept: bool) -> None:
    stage.session.say()
    if kept:
        stage.session.say(_("Kept in {folder}.").format(folder=stage.folder))
    stage.session.say(_("For good: README.md, from the installation on."))


def _packs(stage: _Stage) -> set[str]:
    data = os.path.join(stage.folder, "state", "landing", "data")
    return {os.path.join(folder, name) for folder, _dirs, names in os.walk(data) for name in names}


def _damage(path: str) -> None:
    os.chmod(path, 0o600)
    fd = os.open(path, os.O_RDWR)
    try:
        byte = os.pread(fd, 1, 100)
        os.pwrite(fd, bytes([byte[0] ^ 1]), 100)
    finally:
        os.close(fd)


# -- the place


@contextlib.contextmanager
def _place(folder: str | None) -> Iterator[str]:
    if folder is not None:
        os.makedirs(folder, mode=0o755, exist_ok=False)
        yield os.path.abspath(folder)
        return
    made = tempfile.mkdtemp(prefix="coffre-demo-")
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _stage(session: Session, folder: str) -> Iterator[_Stage]:
    target = _DISK if is_root() else _FOLDER
    config = _CONFIG.format(language=session.language, target=target)
    with open(os.path.join(folder, "vault.yaml"), "w", encoding="utf-8") as file:
        file.write(config)
    stage = _Stage(session=session, folder=folder, target=target.partition(":")[0])
    if not is_root():
        yield stage
        return
    image = os.path.join(folder, "disk.img")
    with open(image, "wb") as file:
        file.truncate(_DISK_BYTES)
    stage.device = _attach(image)
    try:
        yield stage
    finally:
        _detach(stage.device)


@contextlib.contextmanager
def _away(stage: _Stage) -> Iterator[None]:
    """Take the medium away for a while."""
    if stage.device is None:
        trial = os.path.join(stage.folder, "trial")
        os.rename(trial, f"{trial}.away")
        yield
        os.rename(f"{trial}.away", trial)
        return
    _detach(stage.device)
    yield
    stage.device = _attach(os.path.join(stage.folder, "disk.img"))


def _attach(image: str) -> str:
    finished = run(["losetup", "--find", "--show", image], timeout_s=_COMMAND_S)
    if finished.returncode != 0:
        raise CoffreError(
            "no loop device is to be had: {words}",
            words=finished.stderr_tail.strip(),
            hint="is this a container without devices?",
        )
    return finished.stdout.decode().strip()


def _detach(device: str | None) -> None:
    if device is not None:
        run(["losetup", "--detach", device], timeout_s=_COMMAND_S)
