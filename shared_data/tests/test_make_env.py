"""Sixteen processes ask for one environment at the same moment: one builds it, the others wait for it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.faults import note
from contracts.filesystems import memory_disk, run_quietly
from contracts.marks import LONG

MAKE_ENV = Path(__file__).resolve().parents[2] / ".ci" / "make_env.py"
SHARED = Path(__file__).resolve().parents[1] / "shared_data"
AT_ONCE = 16
NO_INTERPRETER = 3

pytestmark = pytest.mark.stack_independent


@pytest.fixture
def root(tmp_path):
    return small_repository(tmp_path)


def small_repository(folder):
    """This script and a requirement file that asks for nothing, so that no network is needed."""
    (folder / ".ci").mkdir()
    shutil.copy(str(MAKE_ENV), str(folder / ".ci"))
    for name in ("__init__.py", "files/__init__.py", "files/locks.py"):  # what it imports
        (folder / "shared_data" / "shared_data" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(SHARED / name), str(folder / "shared_data" / "shared_data" / name))
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "library").mkdir()
    (folder / "library" / "ours.py").write_text("")
    return folder


def ask(root, requirements="requirements.txt"):
    words = [sys.executable, str(root / ".ci" / "make_env.py"), "tiny", requirements, "--sources", "library"]
    offline = dict(os.environ, PIP_NO_INDEX="1")
    return subprocess.Popen(
        words, env=offline, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
        start_new_session=True,
    )  # fmt: skip


def answers(processes):
    """Exit codes and what was said."""
    said = [process.communicate(timeout=300)[0] for process in processes]
    codes = [process.returncode for process in processes]
    if NO_INTERPRETER in codes:
        pytest.skip("no current Python on this machine")
    return codes, said


def works(root):
    python = root / ".venvs" / "tiny" / "bin" / "python"
    return subprocess.call([str(python), "-c", "import ours"]) == 0


def test_an_environment_without_a_requirement_file_is_told_in_one_line(root):
    codes, (said,) = answers([ask(root, "mars/modern.txt")])
    assert codes == [1] and said.splitlines() == [
        "tiny: there is no such environment (no %s); make help lists the papers." % (root / "mars" / "modern.txt")
    ]


@pytest.mark.slow
def test_sixteen_ask_at_once_and_one_builds(root):
    codes, said = answers([ask(root) for _ in range(AT_ONCE)])
    assert codes == [0] * AT_ONCE, said
    assert sum("installing" in text for text in said) == 1
    assert works(root)
    assert answers([ask(root)]) == ([0], [""])
    note("one environment asked for at once", "make_env", AT_ONCE, "built once, all served")


@LONG
def test_who_waits_builds_where_the_first_was_killed(root):
    first = ask(root)
    deadline = time.time() + 60
    while not (root / ".venvs" / "tiny").exists() and first.poll() is None and time.time() < deadline:
        time.sleep(0.01)
    second = ask(root)
    os.killpg(first.pid, signal.SIGKILL)  # with the installation it has started
    first.communicate()
    codes, said = answers([second])
    assert codes == [0] and "installing" in said[0]
    assert works(root)
    note("builder of an environment killed", "make_env", 1, "the process that waited built it")


@LONG
def test_a_complete_environment_serves_a_read_only_repository(tmp_path):
    with memory_disk(tmp_path / "disk", megabytes=200) as disk:
        root = small_repository(disk)
        assert answers([ask(root)])[0] == [0]
        assert run_quietly("mount", "-o", "remount,ro", str(disk)) == (0, "")
        assert answers([ask(root)]) == ([0], [""])


def test_a_repository_that_cannot_be_written_is_said_in_one_sentence(tmp_path):
    with memory_disk(tmp_path / "disk", megabytes=1) as disk:
        root = small_repository(disk)
        assert run_quietly("mount", "-o", "remount,ro", str(disk)) == (0, "")
        codes, (said,) = answers([ask(root)])
        assert codes == [1] and "Read-only file system" in said and str(root) in said
        assert len(said.splitlines()) == 1
