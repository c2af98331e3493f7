"""The child that loads one dump, given on standard input, into a server of its own.

    isolate   as root: namespaces of mounts, network and processes; then no rights are left
    initdb    a cluster in the scratch folder
    server    started, on a socket in that folder, no network
    load      pg_restore or psql
    query     tables and rows are counted

Rule 1: the server runs as nobody where we are root; a plain dump, which can run commands, is only
    loaded there.
Rule 2: it is ended by its process id; in its own process namespace, the kernel ends the rest.
Rule 3: the answer is one line of JSON: the step, two counts; never a word of the server's.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time

_NOBODY = 65534
_NEWNS, _NEWPID, _NEWNET, _NEWIPC = 0x20000, 0x20000000, 0x40000000, 0x8000000
_REC, _PRIVATE, _BIND = 0x4000, 1 << 18, 0x1000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_PLACE = "/mnt"  # seen by this child alone: the folder is laid over it
_READY_S = 60.0
_COUNT = (
    "SELECT count(*), coalesce(sum((xpath('/row/c/text()', query_to_xml(format("
    "'select count(*) as c from %I.%I', table_schema, table_name), false, true, '')))[1]"
    "::text::bigint), 0) FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
    "AND table_schema NOT IN ('pg_catalog', 'information_schema')"
)
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A step failed; the message is the step."""


def main() -> None:
    """Load, count, answer."""
    programs, folder, kind = sys.argv[1:4]
    step = "isolate"
    tables = rows = 0
    try:
        place = _isolate(folder, plain=kind == "plain")
        step, tables, rows = _load(programs, place, kind)
    except Failed as failed:
        step = str(failed)
    sys.stdout.write(json.dumps({"step": step, "tables": tables, "rows": rows}) + "\n")
    sys.stdout.flush()


def _isolate(folder: str, *, plain: bool) -> str:
    """Shut ourselves in and give up all rights; give where the folder is then."""
    if os.geteuid() != 0:
        if plain or len(folder) > 80:  # a socket's path has 107 bytes
            raise Failed("isolate")
        return folder
    os.chown(folder, _NOBODY, _NOBODY)
    if _libc.unshare(_NEWNS | _NEWPID | _NEWNET | _NEWIPC) != 0:
        raise Failed("isolate")
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    _mount(b"none", b"/", _REC | _PRIVATE)
    _mount(os.fsencode(folder), _PLACE.encode(), _BIND)
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)  # setuid took it back
    os.chdir(_PLACE)
    return _PLACE


def _mount(source: bytes, target: bytes, flags: int) -> None:
    if _libc.mount(source, target, None, flags, None) != 0:
        raise Failed("isolate")


def _load(programs: str, place: str, kind: str) -> tuple[str, int, int]:
    data, said = os.path.join(place, "data"), os.path.join(place, "said")
    quiet = ("--no-locale", "--encoding=UTF8", "--auth=trust", "--no-sync")
    if _run(programs, "initdb", "-D", data, "-U", "drill", *quiet, said=said):
        raise Failed("initdb")
    options = ("listen_addresses=", "fsync=off", "dynamic_shared_memory_type=mmap")
    words = [word for option in options for word in ("-c", option)]
    server = _start(programs, "postgres", "-D", data, "-k", place, *words, said=said)
    try:
        _wait_ready(programs, place, server)
        to = ("-h", place, "-U", "drill", "-d", "postgres")
        if kind == "custom":
            wanted = ("--no-owner", "--no-privileges", "--exit-on-error")
            code = _run(programs, "pg_restore", *to, *wanted, said=said, stdin=0)
            if code and "unsupported version" in _read(said):
                raise Failed("version")
        else:
            code = _run(programs, "psql", *to, "-X", "-q", said=said, stdin=0)
            code = code or _errors(said)
        if code:
            raise Failed("load")
        out = os.path.join(place, "counted")
        query = ("-X", "-A", "-t", "-F", " ", "-c", _COUNT)
        if _run(programs, "psql", *to, *query, said=said, stdout=out):
            raise Failed("query")
        tables, rows = _read(out).split()
        return "done", int(tables), int(rows)
    finally:
        _stop(server)


def _errors(said: str) -> int:
    """Count what went wrong in a plain dump, but for roles that only production has."""
    lines = [line for line in _read(said).splitlines() if "ERROR:" in line]
    return sum('role "' not in line for line in lines)


def _wait_ready(programs: str, place: str, server: int) -> None:
    gives_up_at = time.monotonic() + _READY_S
    said = os.path.join(place, "ready")
    while _run(programs, "pg_isready", "-q", "-h", place, "-U", "drill", said=said):
        ended, _ = os.waitpid(server, os.WNOHANG)
        if ended or time.monotonic() > gives_up_at:
            raise Failed("server")
        time.sleep(0.1)


def _stop(server: int) -> None:
    """End the server by its process id: first at once, then by force."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        try:
            os.kill(server, number)
        except ProcessLookupError:
            return
        gives_up_at = time.monotonic() + 10
        while time.monotonic() < gives_up_at:
            try:
                if os.waitpid(server, os.WNOHANG)[0]:
                    return
            except ChildProcessError:
                return
            time.sleep(0.05)


def _run(
    programs: str, name: str, *words: str, said: str, stdin: int | None = None, stdout: str = ""
) -> int:
    child = _start(programs, name, *words, said=said, stdin=stdin, stdout=stdout)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _start(
    programs: str, name: str, *words: str, said: str, stdin: int | None = None, stdout: str = ""
) -> int:
    """Start a program; what it says goes to files of the scratch folder."""
    path = os.path.join(programs, name)
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions: list[tuple[object, ...]] = [
        (os.POSIX_SPAWN_OPEN, 2, said, new, 0o600),
        (os.POSIX_SPAWN_OPEN, 1, stdout or os.devnull, new, 0o600),
    ]
    if stdin is None:
        actions.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
    env = {"PATH": programs + ":/usr/bin:/bin", "LC_ALL": "C", "HOME": os.path.dirname(said)}
    return os.posix_spawn(path, [path, *words], env, file_actions=actions)


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(1 << 20)


if __name__ == "__main__":
    main()
