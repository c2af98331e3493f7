"""The mount tables of all processes, read while processes come and go."""

from __future__ import annotations

import os
import shutil
import threading
import time

import pytest

from vault.mount_tables import processes, read_table
from vault.sources.mounting import prove_gone


@pytest.fixture
def coming_and_going():
    """Let children end all the time, each with a mount namespace to let go of."""
    unshare, is_over = shutil.which("unshare"), threading.Event()
    assert unshare

    def churn() -> None:
        while not is_over.is_set():
            child = os.posix_spawn(unshare, ["unshare", "--mount", "true"], os.environ)
            os.waitpid(child, 0)

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield
    is_over.set()
    for thread in threads:
        thread.join()


@pytest.mark.root
def test_a_process_that_is_about_to_end_leaves_no_doubt(coming_and_going) -> None:
    """It has let go of its namespaces before it is a zombie; a door that was shut stays proven."""
    ends_at = time.monotonic() + 1.5
    reports = []
    while time.monotonic() < ends_at:
        reports.append(prove_gone("//nowhere/share$"))
    assert [report for report in reports if not report.is_shut] == []
    assert len(reports) > 20


def test_our_own_table_is_read_and_that_of_nobody_is_none() -> None:
    """Whole lines, as many as the kernel gives."""
    assert os.getpid() in processes()
    with open("/proc/self/mountinfo", "rb") as file:
        assert read_table(os.getpid()) == file.readlines()
    assert read_table(2**22 + 1) is None
