"""Measuring a tree of processes that comes and goes meanwhile."""

import gc
import os
import subprocess  # noqa: TID251  (processes that come and go are the subject)
import threading
import warnings

from f2fbuild.builder.usage import tree, tree_usage


def test_a_tree_has_every_descendant_with_its_threads() -> None:
    command = ["sh", "-c", "sleep 60 & echo ready; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == "ready\n"
        found = dict(tree(shell.pid))
        assert len(found) == 2
        assert set(found.values()) == {1}
        assert tree_usage(shell.pid).processes == 2
        for process in found:
            os.kill(process, 9)
    assert list(tree(shell.pid)) == []


def test_processes_that_end_while_they_are_measured_leave_no_directory_open() -> None:
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            threads = [threading.Thread(target=os.getpid) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    lives = threading.Thread(target=come_and_go)
    lives.start()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(2000):
                list(tree(os.getpid()))
            gc.collect()
    finally:
        stop.set()
        lives.join()
    assert [str(warning.message) for warning in caught] == []
