"""Run directories: one process at a time, one run per directory, and clear words for everything else."""

import errno
import os
import signal
import socket
import subprocess
import sys

import pytest
from toy_method import METHOD

from shared_data.errors import RunDirectoryError
from shared_data.runs.directory import RunDirectory
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Request, run_directory_of

SETTINGS = {"config": {"train": {"num_iters": 10, "lr": 0.1}}, "data": ["abc"]}

HOLDER = """
import sys, time
from shared_data.runs.directory import RunDirectory
with RunDirectory(sys.argv[1], {}) as run:
    run.begin()
    print("held", flush=True)
    time.sleep(100)
"""


def begun(path, settings):
    """A directory that holds an unfinished run."""
    with RunDirectory(path, settings) as run:
        run.begin()


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path/run."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "run")], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_process_is_refused_until_the_first_is_gone_however_it_ended(tmp_path, holder):
    with pytest.raises(RunDirectoryError) as error, RunDirectory(tmp_path / "run", {}, force=True):
        pass
    assert "in use by process %d on %s" % (holder.pid, socket.gethostname()) in str(error.value)
    assert str(tmp_path / "run") in str(error.value)
    assert (tmp_path / "run" / "settings.json").exists()  # not even force empties what another process holds
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with RunDirectory(tmp_path / "run", {}) as run:
        assert run.record() is None


def test_the_directory_is_free_after_a_failure_inside(tmp_path):
    with pytest.raises(ZeroDivisionError), RunDirectory(tmp_path / "run", SETTINGS):
        raise ZeroDivisionError
    with RunDirectory(tmp_path / "run", SETTINGS):
        pass


def test_the_directory_is_free_after_a_refusal(tmp_path):
    begun(tmp_path / "run", SETTINGS)
    refused = RunDirectory(tmp_path / "run", {})  # kept: the lock must not wait for the object to be forgotten
    with pytest.raises(RunDirectoryError), refused:
        pass
    with RunDirectory(tmp_path / "run", SETTINGS):
        pass


def test_other_settings_are_named_key_by_key(tmp_path):
    begun(tmp_path / "run", SETTINGS)
    other = {"config": {"train": {"num_iters": 20, "lr": 0.1}}, "data": ["abc"], "seed": 3}
    with pytest.raises(RunDirectoryError) as error, RunDirectory(tmp_path / "run", other):
        pass
    message = str(error.value)
    assert "config.train.num_iters was 10 and is now 20, seed was null and is now 3." in message
    assert "lr" not in message and "abc" not in message
    assert "FORCE=1" in message


def test_settings_are_compared_as_json(tmp_path):
    begun(tmp_path / "run", {"sizes": (1, 2), "names": {1: "a"}})
    with RunDirectory(tmp_path / "run", {"sizes": [1, 2], "names": {"1": "a"}}):
        pass


def test_force_starts_over(tmp_path, record):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("")
    with RunDirectory(tmp_path / "run", SETTINGS) as run:
        run.begin()
        run.finish(record)
        (run.path / "checkpoints").mkdir()
        (run.path / "checkpoints" / "1.pth").write_text("")
        (run.path / "link").symlink_to(outside)
    with RunDirectory(tmp_path / "run", {}, force=True) as run:
        assert run.record() is None
        assert (run.path / "run.json").exists()  # nothing is gone before the new run begins
        run.begin()
        assert sorted(path.name for path in run.path.iterdir()) == [".lock", "settings.json"]
    assert (outside / "keep.txt").exists()


def test_a_run_that_fails_before_it_begins_leaves_no_settings(tmp_path):
    with pytest.raises(ZeroDivisionError), RunDirectory(tmp_path / "run", SETTINGS):
        raise ZeroDivisionError
    with RunDirectory(tmp_path / "run", {"other": 1}) as run:
        run.begin()


def test_a_finished_run_returns_its_record(tmp_path, record):
    with RunDirectory(tmp_path / "run", SETTINGS) as run:
        assert run.record() is None
        run.finish(record)
    with RunDirectory(tmp_path / "run", SETTINGS) as run:
        assert run.record() == record


@pytest.mark.parametrize("below", ["", "deeper/run"])
def test_a_file_in_place_of_the_folder(tmp_path, below):
    (tmp_path / "file").write_text("not a folder")
    expected = r"file.* cannot be written .*OUT= or --out"
    with pytest.raises(RunDirectoryError, match=expected), RunDirectory(tmp_path / "file" / below, SETTINGS):
        pass


@pytest.mark.parametrize("content", [b"", b'{"config": ', b"\xff\xfe", b"[" * 100000], ids=len)
def test_damaged_settings(tmp_path, content):
    begun(tmp_path / "run", SETTINGS)
    (tmp_path / "run" / "settings.json").write_bytes(content)
    expected = r"settings\.json cannot be read .*FORCE=1 or --force"
    with pytest.raises(RunDirectoryError, match=expected), RunDirectory(tmp_path / "run", SETTINGS):
        pass
    with RunDirectory(tmp_path / "run", SETTINGS, force=True):
        pass


def test_settings_of_another_kind(tmp_path):
    (tmp_path / "settings.json").write_text("[]")
    expected = r"other settings: all was \[\] and is now"
    with pytest.raises(RunDirectoryError, match=expected), RunDirectory(tmp_path, SETTINGS):
        pass


def test_a_record_that_cannot_be_written(tmp_path, record):
    with RunDirectory(tmp_path / "run", SETTINGS) as run:
        (run.path / "run.json").mkdir()
        with pytest.raises(RunDirectoryError, match="run cannot be written"):
            run.finish(record)


@pytest.mark.parametrize(
    "error, told",
    [
        (OSError(errno.ENOSPC, "No space left on device", "log.txt"), "{} cannot be written: No space left on device."),
        (OSError(errno.EACCES, "Permission denied", "log.txt"), "{} cannot be written: Permission denied."),
        (OSError(errno.ENOENT, "No such file or directory", "/data/cube.npy"),
         "/data/cube.npy: No such file or directory;"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "{}: Cannot allocate memory;"),
        (OSError("the loader died"), "{}: the loader died;"),
    ],
)  # fmt: skip
def test_an_error_of_the_system_in_a_training_says_what_it_is_about(tmp_path, error, told):
    def fit(*_):
        raise error

    request = Request("synthetic", "paper", 1, None, False, "cpu", None, (), tmp_path, False)
    with pytest.raises(RunDirectoryError) as raised:
        reproduce(METHOD._replace(fit=fit), request)
    assert str(raised.value).startswith(told.format(run_directory_of("ssdgl", request)))
    assert str(raised.value).endswith("the same command resumes the run.")


def test_a_link_in_place_of_the_lock_does_not_empty_its_target(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(precious)
    with pytest.raises(RunDirectoryError, match="cannot be written"):
        RunDirectory(tmp_path / "run", SETTINGS).__enter__()
    assert precious.read_text() == "kept"


def test_a_pipe_in_place_of_the_settings_is_not_waited_for(tmp_path):
    begun(tmp_path, SETTINGS)
    (tmp_path / "settings.json").unlink()
    os.mkfifo(str(tmp_path / "settings.json"))
    with pytest.raises(RunDirectoryError, match="not an ordinary file"):
        RunDirectory(tmp_path, SETTINGS).__enter__()


BEFORE = {"environment": {"threads": 1}, "revision": {"git": "abc"}}
AFTER = {"environment": {"threads": 2}, "revision": {"git": "abc"}}


def test_what_a_run_was_resumed_under_is_kept_where_it_changed(tmp_path):
    for circumstances in (BEFORE, BEFORE, AFTER):
        with RunDirectory(tmp_path / "run", SETTINGS) as run:
            run.begin(circumstances)
            seen = run.circumstances()
    assert seen == [BEFORE, AFTER]
    with RunDirectory(tmp_path / "run", SETTINGS, force=True) as run:
        run.begin(AFTER)
        assert run.circumstances() == [AFTER]


def test_circumstances_that_cannot_be_read_are_one_sentence_before_the_run(tmp_path):
    begun(tmp_path / "run", SETTINGS)
    (tmp_path / "run" / "circumstances.json").write_text("{}")
    expected = r"circumstances.json is damaged \(expected a list\); start over with FORCE=1"
    with pytest.raises(RunDirectoryError, match=expected), RunDirectory(tmp_path / "run", SETTINGS):
        pass
