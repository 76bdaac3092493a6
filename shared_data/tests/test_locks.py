"""Locks between processes: one holder, told apart without disturbing it, and none after its end."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shared_data.files.locks import is_locked, lock, try_lock

HOLDER = """
import sys, time
sys.path.insert(0, {library!r})
from shared_data.files.locks import lock
file = open({path!r}, "a")
lock(file)
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of a file, by the standard library alone."""
    library = str(Path(__file__).resolve().parents[1])
    code = HOLDER.format(library=library, path=str(tmp_path / "lock"))
    process = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, env={})
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_one_holder_until_it_is_killed(tmp_path, holder):
    with open(str(tmp_path / "lock"), "a") as file:
        assert is_locked(tmp_path / "lock") and is_locked(tmp_path / "lock")
        assert not try_lock(file)
        holder.kill()
        holder.wait()
        assert not is_locked(tmp_path / "lock")
        assert try_lock(file)
        assert is_locked(tmp_path / "lock")
    assert not is_locked(tmp_path / "lock")


def test_waiting_ends_when_the_holder_ends(tmp_path, holder):
    with open(str(tmp_path / "lock"), "a") as file:
        waiting = threading.Thread(target=lock, args=(file,))
        waiting.start()
        time.sleep(0.2)
        assert waiting.is_alive()
        holder.kill()
        waiting.join(20)
        assert not waiting.is_alive() and is_locked(tmp_path / "lock")


def test_two_files_of_one_process_exclude_each_other_and_closing_releases(tmp_path):
    first, second = (open(str(tmp_path / "lock"), "a+") for _ in range(2))
    assert try_lock(first) and not try_lock(second)
    first.write("who holds it")
    first.flush()
    assert (tmp_path / "lock").read_text() == "who holds it"
    first.close()
    assert try_lock(second)
    second.close()


def test_a_file_that_is_not_there_is_not_locked(tmp_path):
    assert not is_locked(tmp_path / "nothing") and list(tmp_path.iterdir()) == []
