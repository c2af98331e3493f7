"""The laws of child processes."""

import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rigs.waiting import wait_until, wait_until_ended
from vault.errors import Interrupted, ProcessError
from vault.process import STDERR_TAIL_BYTES, TimedOut, run, run_together, sealed
from vault.secret import Secret

ROOT = Path(__file__).resolve().parents[1]


def wait_for_pid(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def raise_interrupted(number, frame):
    raise Interrupted("told to stop")


@contextmanager
def sigterm_raises():
    before = signal.signal(signal.SIGTERM, raise_interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def test_child_gets_no_variable_but_what_is_named(monkeypatch):
    """A variable of ours, RESTIC_PASSWORD of all, does not reach a child."""
    monkeypatch.setenv("RESTIC_PASSWORD", "from outside")
    monkeypatch.setenv("TZ", "Europe/Paris")
    said = run(["env"], timeout_s=10, env={"GIVEN": "1"}).stdout.decode().split()
    names = {line.partition("=")[0] for line in said}
    assert names <= {"PATH", "LANG", "HOME", "TZ", "GIVEN"}
    assert "LANG=C.UTF-8" in said
    assert "GIVEN=1" in said


def test_secret_reaches_child_through_a_descriptor_it_cannot_change():
    """The variable names a path; what is there can be read, not written."""
    script = 'cat "$PW"; echo; { echo other >"$PW"; } 2>/dev/null || echo refused'
    said = run(["sh", "-c", script], timeout_s=10, secrets={"PW": Secret(b"s3cret")}).stdout
    assert said == b"s3cret\nrefused\n"


def test_fault_77_secret_is_in_no_command_line_and_no_environment(tmp_path):
    """While the child runs its secret is nowhere in /proc/*/cmdline or environ."""
    seen = []

    def look(line):
        pid = int(line)
        for place in ("cmdline", "environ"):
            seen.extend(Path(f"/proc/{who}", place).read_bytes() for who in (pid, "self"))

    argv = ["sh", "-c", "echo $$; sleep 0.2"]
    run(argv, timeout_s=10, secrets={"PW": Secret(b"pa55-of-77")}, on_line=look)
    assert len(seen) == 4
    assert not any(b"pa55-of-77" in content for content in seen)


def test_fault_40_child_inherits_no_descriptor_but_those_named():
    """Even a descriptor that was left inheritable stays with us."""
    leaked = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    given = sealed(b"given")
    try:
        script = (
            "import os; fds = os.listdir('/proc/self/fd');"
            "print(*(fd for fd in fds if os.path.lexists('/proc/self/fd/' + fd)))"
        )
        said = run([sys.executable, "-c", script], timeout_s=10, pass_fds=(given,)).stdout
    finally:
        os.close(leaked)
        os.close(given)
    assert {int(fd) for fd in said.split()} <= {0, 1, 2, given}


def test_fault_40_running_a_child_leaves_no_descriptor_open():
    """Whether it succeeds, fails to start or times out, we hold what we held."""
    before = os.listdir("/proc/self/fd")
    run(["true"], timeout_s=10, stdin=b"x", secrets={"PW": Secret(b"x")})
    with pytest.raises(ProcessError):
        run(["/nonesuch"], timeout_s=10, secrets={"PW": Secret(b"x")})
    with pytest.raises(TimedOut):
        run(["sleep", "9"], timeout_s=0.05, secrets={"PW": Secret(b"x")})
    assert os.listdir("/proc/self/fd") == before


def test_deadline_kills_the_whole_group_even_when_it_will_not_end(tmp_path):
    """Child and grandchild ignore the polite signal; both are gone when run raises."""
    script = f"trap '' TERM; sleep 100 & echo $! >{tmp_path}/pid; wait; sleep 100"
    with pytest.raises(TimedOut):
        run(["sh", "-c", script], timeout_s=0.3, grace_s=0.2)
    grandchild = int((tmp_path / "pid").read_text())
    wait_until_ended(grandchild)


def test_child_is_asked_by_the_named_signal_before_it_is_killed(tmp_path):
    """An old restic cleans up on SIGINT only, so the signal is the caller's choice."""
    script = f"trap 'echo clean >{tmp_path}/told; exit 130' INT; while :; do sleep 0.05; done"
    with pytest.raises(TimedOut):
        run(["sh", "-c", script], timeout_s=0.3, end_signal=signal.SIGINT, grace_s=5)
    assert (tmp_path / "told").read_text() == "clean\n"


def test_what_a_child_leaves_behind_neither_delays_nor_outlives_it(tmp_path, monkeypatch):
    """A daemon that holds the pipes is killed with the group, and its output is not waited for."""
    monkeypatch.setattr("vault.process.DRAIN_S", 20.0)
    script = f"sleep 100 & echo $! >{tmp_path}/pid; echo said"
    finished = run(["sh", "-c", script], timeout_s=30)
    assert finished.stdout == b"said\n"
    assert finished.duration_s < 5
    wait_until_ended(int((tmp_path / "pid").read_text()))


def test_interruption_kills_the_child_and_is_raised_on(tmp_path):
    """A handler that raises gets through, after the child is gone."""
    script = f"echo $$ >{tmp_path}/pid; exec sleep 100"

    def interrupt():
        wait_for_pid(tmp_path / "pid")
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=interrupt)
    sender.start()
    with sigterm_raises(), pytest.raises(Interrupted):
        run(["sh", "-c", script], timeout_s=30)
    sender.join()
    wait_until_ended(int((tmp_path / "pid").read_text()))


def children_of_ours() -> set[str]:
    """Give our children, the dead that nobody reaped among them."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_interruption_at_any_moment_leaves_no_child():
    """Before the start, during it, while running, at the end: there is nothing to reap."""
    chance = random.Random(40)
    before = children_of_ours()  # of other tests of this session
    with sigterm_raises():
        for _ in range(40):
            delay_s = chance.uniform(0, 0.012)
            sender = threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGTERM))
            with pytest.raises(Interrupted):  # noqa: PT012, it may come before run begins
                sender.start()
                run(["sleep", "100"], timeout_s=30)
            sender.join()
            assert children_of_ours() <= before, "a child was left, or is not reaped"


def test_child_dies_when_we_are_killed(tmp_path):
    """SIGKILL leaves us no last word: the kernel ends the child."""
    script = (
        "from vault.process import run\n"
        f"run(['sh', '-c', 'echo $$ >{tmp_path}/pid; exec sleep 100'], timeout_s=100)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    try:
        child = wait_for_pid(tmp_path / "pid")
    finally:
        parent.kill()
        parent.wait()
    wait_until_ended(child, timeout_s=2)


def test_ignored_interrupts_are_heard_again_by_a_child(tmp_path):
    """Under nohup we may ignore SIGINT; restic must still be able to hear it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ignored = run(["grep", "SigIgn", "/proc/self/status"], timeout_s=10).stdout.split()[1]
    finally:
        signal.signal(signal.SIGINT, before)
    assert not int(ignored, 16) & 1 << (signal.SIGINT - 1)


def test_missing_program_is_an_error_that_names_it():
    """What is not there cannot be started, and the message says what it was."""
    with pytest.raises(ProcessError, match="nonesuch could not be started"):
        run(["nonesuch"], timeout_s=10)


def test_output_beyond_its_bound_ends_the_child():
    """A program gone mad fills neither memory nor the night."""
    with pytest.raises(ProcessError, match="more than 100000 bytes"):
        run(["yes"], timeout_s=30, stdout_limit_bytes=100_000)
    with pytest.raises(ProcessError, match="more than"):
        run(["cat", "/dev/zero"], timeout_s=30, on_line=lambda line: None)


def test_error_output_keeps_its_last_words_only():
    """Of much that was complained the end is kept, which names the cause."""
    finished = run(["sh", "-c", "seq 20000 >&2; echo last >&2"], timeout_s=30)
    assert len(finished.stderr_tail) == STDERR_TAIL_BYTES
    assert finished.stderr_tail.endswith("20000\nlast\n")


def test_lines_arrive_whole_and_in_order():
    """Every line is handed over once, the last one even without its end."""
    lines = []
    run(["sh", "-c", "seq 30000; printf last"], timeout_s=30, on_line=lines.append)
    assert lines == [b"%d" % number for number in range(1, 30001)] + [b"last"]


def test_standard_input_and_output_are_what_was_given(tmp_path):
    """Bytes go in, a descriptor takes what comes out, and by default there is nothing to read."""
    with open(tmp_path / "out", "wb") as file:
        finished = run(["cat"], timeout_s=10, stdin=b"a dump" * 50_000, stdout=file.fileno())
    assert finished.stdout == b""
    assert (tmp_path / "out").read_bytes() == b"a dump" * 50_000
    assert run(["cat"], timeout_s=10).stdout == b""


def test_exit_code_is_told_and_not_judged():
    """Seven is seven, and a death by signal is minus its number."""
    assert run(["sh", "-c", "exit 7"], timeout_s=10).returncode == 7
    assert run(["sh", "-c", "kill -9 $$"], timeout_s=10).returncode == -9


def test_child_is_not_run_from_another_thread():
    """The kernel ties a child to the thread that made it: from a thread it would die early."""
    raised = []

    def attempt():
        try:
            run(["true"], timeout_s=10)
        except AssertionError as error:
            raised.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(raised) == 1


def answers(count: int) -> list[int]:
    return [os.memfd_create(f"answer-{n}") for n in range(count)]


def test_programs_together_run_at_the_same_time_and_answer_apart():
    """Each is given its own words; the second does not wait for the first."""
    script = "import sys, time; time.sleep(0.5); print(sys.stdin.read(), time.monotonic())"
    fds = answers(2)
    run_together(
        [[sys.executable, "-c", script]] * 2, stdins=[b"a", b"b"], stdouts=fds, timeout_s=30
    )
    (one, began), (other, ended) = (os.pread(fd, 100, 0).split() for fd in fds)
    assert (one, other) == (b"a", b"b")
    assert abs(float(began) - float(ended)) < 0.5


@pytest.mark.parametrize(
    ("second", "error"), [(["sleep", "60"], TimedOut), (["/nonexistent/program"], ProcessError)]
)
def test_programs_together_are_all_gone_when_one_fails(second, error):
    """By the deadline, or because one cannot be started."""
    fds = answers(2)
    first = ["sh", "-c", "echo $$; exec sleep 60"]
    with pytest.raises(error):
        run_together([first, second], stdins=[b"", b""], stdouts=fds, timeout_s=1)
    told = os.pread(fds[0], 100, 0).strip()
    assert not told or not os.path.exists(f"/proc/{int(told)}")
