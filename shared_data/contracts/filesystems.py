"""Runs on full, read-only and different file systems, and under a clock that goes back.

The file systems are real ones, small and mounted for the test; it is skipped where mounting is not permitted.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts.faults import note
from contracts.interruption import command, result_of, run_and_kill, run_folder
from contracts.marks import LONG

NO_SPACE, READ_ONLY = "No space left on device", "Read-only file system"
PAGE = 4096  # bytes; a tmpfs gives no less
SIZES = (0, 0.1, 0.3, 0.5, 0.7, 0.85)  # disk space, as shares of the size of a finished run
LAST_FILES = ("prediction.npy", "split.npz", "map.png", "map_full.png", "errors.png", "run.json")  # in this order
DAY = 86400


# file systems


def run_quietly(*words):
    """Exit code and stderr of a program; 127 where it does not exist."""
    try:
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True)
    except FileNotFoundError as error:
        return 127, str(error)
    return done.returncode, " ".join(done.stderr.split())


@contextlib.contextmanager
def mounted(folder, *options):
    """Mount a file system on a new folder, for the duration of the block."""
    folder.mkdir()
    code, reason = run_quietly("mount", *options, str(folder))
    if code:
        pytest.skip("no file system can be mounted here: %s" % reason)
    try:
        yield folder
    finally:
        run_quietly("umount", "-l", str(folder))


def memory_disk(folder, megabytes=64):
    """A file system in memory, of some size."""
    return mounted(folder, "-t", "tmpfs", "-o", "size=%dm" % megabytes, "tmpfs")


def free_bytes(disk):
    found = os.statvfs(str(disk))
    return found.f_bavail * found.f_frsize


def fill(disk, leave=0):
    """Fill the disk, except for `leave` bytes, with one file."""
    with open(str(disk / "ballast"), "wb") as file:
        while True:
            more, size = free_bytes(disk) - leave // PAGE * PAGE, file.seek(0, os.SEEK_END)
            if more <= 0:
                return
            with contextlib.suppress(OSError):  # the run has used some of the space since
                os.posix_fallocate(file.fileno(), 0, size + more)


def make_room(disk):
    with contextlib.suppress(FileNotFoundError):
        (disk / "ballast").unlink()


# checks of a run that could not write


def run(paper, out, **environment):
    """Exit code and stderr of the paper's run in a separate process."""
    done = subprocess.run(
        command(paper, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True, timeout=600,
        env=dict(os.environ, **environment),
    )  # fmt: skip
    return done.returncode, done.stderr


def check_refusal(code, stderr, path, *reasons):
    """Exit code 1, and one sentence that names the path and one of the reasons."""
    assert code == 1, stderr
    sentences = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1 and str(path) in sentences[0], stderr
    assert any(reason in sentences[0] for reason in reasons), stderr
    for sign in ("Traceback", "Exception ignored", "Logging error"):
        assert sign not in stderr, stderr


def check_files(out):
    """No temporary file is left, and every file under a final name is complete."""
    for path in sorted(path for path in Path(str(out)).rglob("*") if path.is_file()):
        assert path.name == ".lock" or not path.name.startswith("."), path
        assert path.suffix not in (".part", ".new", ".tmp"), path
        whole = READERS.get(path.suffix, lambda path: True)(path)
        assert whole, "%s is not whole" % path


def _zip_is_whole(path):
    if path.suffix == ".pth" and not zipfile.is_zipfile(str(path)):
        # before PyTorch 1.6: pickles and bytes of tensors, of which it misses none
        return bool(pytest.importorskip("torch").load(str(path), map_location="cpu"))
    with zipfile.ZipFile(str(path)) as file:
        return file.testzip() is None


def _hdf5_is_whole(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(str(path), "r") as file:
        return bool(list(file))


def _picture_is_whole(path):
    with Image.open(str(path)) as picture:
        picture.load()
    return True


READERS = {
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")) is not None,
    ".npy": lambda path: np.load(str(path), allow_pickle=False).size > 0,
    ".png": _picture_is_whole,
    ".npz": _zip_is_whole,
    ".pth": _zip_is_whole,
    ".hdf5": _hdf5_is_whole,
}


def check_unfinished(paper, out, code, stderr, reason):
    check_refusal(code, stderr, out, reason)
    assert not (run_folder(paper, out) / "run.json").exists()
    check_files(out)


def words_for(paper, out):
    return ["reproduce", "synthetic", "--device", "cpu", "--out", str(out), *paper.short]


def noted_renames(monkeypatch):
    """Record the folders of source and target in each later call of os.replace and os.rename."""
    renamed = []
    for name in ("replace", "rename"):
        original = getattr(os, name)

        def noted(source, target, original=original, **options):
            renamed.append(tuple(os.path.dirname(os.path.abspath(str(path))) for path in (source, target)))
            original(source, target, **options)

        monkeypatch.setattr(os, name, noted)
    return renamed


def check_renames(renamed, out):
    """Files are renamed within one folder, because results may lie on another file system than /tmp."""
    ours = [pair for pair in renamed if str(out) in pair[0] + pair[1]]
    assert len(ours) > 5
    assert all(source == target for source, target in ours)


# helpers for runs in separate processes


def size_of(folder):
    """Bytes that a file, or all below a folder, take on a disk."""
    folder = Path(str(folder))
    files = [path for path in [folder] + list(folder.rglob("*")) if path.is_file()]
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in files)


def checkpoints(folder):
    """Names of a run's checkpoints, by their number."""
    numbered = [(re.fullmatch(r"\D+-(\d+)\.(pth|npz)", path.name), path.name) for path in folder.glob("checkpoints/*")]
    return [name for _, name in sorted((int(match.group(1)), name) for match, name in numbered if match)]


_WHOLE = {}


def first_missing(paper, out, whole):
    """The first file, in the order of writing, that an unfinished run lacks."""
    folder, complete = run_folder(paper, out), run_folder(paper, whole)
    expected = ["settings.json", "checkpoints/" + checkpoints(complete)[-1]]
    expected += ["checkpoints/" + path.name for path in complete.glob("checkpoints/selected.*")]
    missing = [name for name in expected + list(LAST_FILES) if not (folder / name).exists()]
    kinds = ("settings", "checkpoint", "selected", "prediction", "split", "map_full", "map", "errors", "run")
    return next(
        kind
        for kind in kinds
        if kind in missing[0].replace("checkpoints/s", "s").replace("checkpoints/", "checkpoint-")
    )


def run_until(paper, out, name, then, again=True):
    """Run, and call `then` when a file of that name appears in the run's folder; exit code and stderr.

    again: and until the run ends.
    """
    path = run_folder(paper, out) / name
    with tempfile.TemporaryFile("w+") as stderr:
        process = subprocess.Popen(command(paper, out), stdout=subprocess.DEVNULL, stderr=stderr)
        while process.poll() is None and not path.exists():
            time.sleep(0.002)
        then()
        while again and process.poll() is None:
            then()
            time.sleep(0.002)
        code = process.wait(timeout=600)
        stderr.seek(0)
        return code, stderr.read()


def forget_the_end(paper, out):
    """Delete the files that a run writes last, so that it writes them again."""
    for path in [run_folder(paper, out) / name for name in LAST_FILES]:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    for path in run_folder(paper, out).glob("checkpoints/selected.*"):
        path.unlink()


def leave_no_room_for_the_record(paper, out, whole, disk, stops):
    """Leave one page more per run, until all files but the record fit; return the number of runs."""
    kept = run_folder(paper, whole).glob("checkpoints/selected.*")
    room = sum(size_of(run_folder(paper, whole) / name) for name in LAST_FILES[:-1]) + sum(map(size_of, kept))
    for pages in range(16):
        forget_the_end(paper, out)
        fill(disk, room + pages * PAGE)
        code, stderr = run(paper, out)
        check_unfinished(paper, out, code, stderr, NO_SPACE)  # a record is larger than a page
        stops[first_missing(paper, out, whole)] += 1
        make_room(disk)
        if stops["run"]:
            break
    return pages + 1


@contextlib.contextmanager
def disk_in_a_file(folder, image):
    with mounted(folder, "-t", "ext4", "-o", "loop", str(image)):
        yield folder
    run_quietly("e2fsck", "-p", str(image))


# sets the clock back by a day and, after three seconds, by another hour
CLOCK = """
import time

_real, _begun = time.time, time.monotonic()


def _behind():
    return {day} + (3600 if time.monotonic() - _begun > 3 else 0)


class _BrokenDown:  # no function, which would become a method of logging.Formatter
    def __init__(self, original):
        self.original = original

    def __call__(self, seconds=None):
        return self.original(time.time() if seconds is None else seconds)


time.time = lambda: _real() - _behind()
time.gmtime, time.localtime = _BrokenDown(time.gmtime), _BrokenDown(time.localtime)
_strftime = time.strftime
time.strftime = lambda format, when=None: _strftime(format, time.localtime() if when is None else when)
"""


class FileSystems:
    """Runs on failing disks; for the fixture `paper`."""

    @pytest.fixture
    def whole(self, paper, tmp_path_factory):
        """The results folder of an undisturbed run, made once."""
        if paper.slug not in _WHOLE:
            out = tmp_path_factory.mktemp("whole")
            code, stderr = run(paper, out)
            assert code == 0, stderr
            _WHOLE[paper.slug] = out
        return _WHOLE[paper.slug]

    @pytest.mark.slow
    def test_a_full_disk_is_said_in_one_sentence_and_survived(self, paper, tmp_path, monkeypatch, capfd):
        whole = tmp_path / "whole"
        with monkeypatch.context() as patched:
            renamed = noted_renames(patched)
            assert paper.main(words_for(paper, whole)) == 0
        check_renames(renamed, whole)
        needed = sum(path.stat().st_size for path in run_folder(paper, whole).rglob("*") if path.is_file())
        with memory_disk(tmp_path / "disk") as disk:
            out = disk / "results"
            for part in (0.0, 0.7):
                fill(disk, int(part * needed))
                capfd.readouterr()
                code = paper.main(words_for(paper, out))
                check_unfinished(paper, out, code, capfd.readouterr().err, NO_SPACE)
                make_room(disk)
            assert paper.main(words_for(paper, out)) == 0
            assert result_of(paper, out) == result_of(paper, whole)

    def test_a_read_only_results_folder_is_said_in_one_sentence(self, paper, tmp_path, capfd):
        with memory_disk(tmp_path / "disk") as disk:
            for earlier in (disk / "new", disk / "begun"):
                if earlier.name == "begun":
                    (run_folder(paper, earlier)).mkdir(parents=True)
                    (run_folder(paper, earlier) / "log.txt").write_text("earlier\n")
            assert run_quietly("mount", "-o", "remount,ro", str(disk)) == (0, "")
            before = sorted(str(path) for path in disk.rglob("*"))
            for out in (disk / "new", disk / "begun"):
                capfd.readouterr()
                code = paper.main(words_for(paper, out))
                check_refusal(code, capfd.readouterr().err, out, READ_ONLY)
            assert sorted(str(path) for path in disk.rglob("*")) == before

    @LONG
    def test_a_full_disk_at_every_write(self, paper, whole, tmp_path):
        """One run directory, on disks with more and more free space while it trains, then on one that fills up between
        two files."""
        stops, cases = Counter(), 0
        errors_png = run_folder(paper, whole) / "errors.png"
        last_checkpoint = "checkpoints/" + checkpoints(run_folder(paper, whole))[-1]
        appearing = [(last_checkpoint, 0)] + [(name, 0) for name in LAST_FILES[:4]]
        appearing.append(("map_full.png", size_of(errors_png)))
        with memory_disk(tmp_path / "disk") as disk:
            out = disk / "results"
            for part in SIZES:
                fill(disk, max(0, int(part * size_of(whole)) - size_of(out)))
                code, stderr = run(paper, out)
                check_unfinished(paper, out, code, stderr, NO_SPACE)
                stops[first_missing(paper, out, whole)] += 1
                cases += 1
                make_room(disk)
            for name, leave in appearing:
                forget_the_end(paper, out)
                code, stderr = run_until(paper, out, name, lambda leave=leave: fill(disk, leave))
                cases += 1
                if code:
                    check_unfinished(paper, out, code, stderr, NO_SPACE)
                    stops[first_missing(paper, out, whole)] += 1
                else:  # the next file was written before the disk was full
                    stops["finished"] += 1
                make_room(disk)
            if not stops["run"]:
                cases += leave_no_room_for_the_record(paper, out, whole, disk, stops)
            forget_the_end(paper, out)
            assert run(paper, out)[0] == 0
            check_files(out)
            assert result_of(paper, out) == result_of(paper, whole)
        last = ("map", "map_full", "errors", "split", "prediction")
        assert sum(stops[kind] for kind in last) >= 3 and stops["run"], stops
        told = ", ".join("%s %d" % pair for pair in sorted(stops.items()))
        outcome = "one sentence, nothing half-written, same bits (%s)" % told
        note("disk full, resumed with room", paper.slug, cases, outcome)

    @LONG
    def test_a_disk_that_becomes_read_only_while_training(self, paper, whole, tmp_path):
        """As ext4 does after a device error. The kernel refuses a plain `remount,ro` while files are open."""
        image = tmp_path / "image"
        with open(str(image), "wb") as file:
            file.truncate(64 << 20)
        code, reason = run_quietly("mkfs.ext4", "-q", "-F", str(image))
        if code:
            pytest.skip("no ext4 file system can be made here: %s" % reason)
        first = checkpoints(run_folder(paper, whole))[-2]

        def give_up():
            assert run_quietly("mount", "-o", "remount,abort", str(tmp_path / "disk")) == (0, "")

        with disk_in_a_file(tmp_path / "disk", image) as disk:
            out = disk / "results"
            code, stderr = run_until(paper, out, "checkpoints/" + first, give_up, again=False)
            check_refusal(code, stderr, out, READ_ONLY, "Input/output error")  # the latter during a flush
        with disk_in_a_file(tmp_path / "again", image) as disk:
            (tmp_path / "disk").rmdir()
            (tmp_path / "disk").symlink_to(disk)
            assert not (run_folder(paper, out) / "run.json").exists() and checkpoints(run_folder(paper, out))
            assert run(paper, out)[0] == 0
            assert "resumed from" in (run_folder(paper, out) / "log.txt").read_text(encoding="utf-8")
            check_files(out)
            assert result_of(paper, out) == result_of(paper, whole)
        note("disk becomes read-only, resumed", paper.slug, 1, "one sentence, same bits")

    @LONG
    def test_results_and_temporary_files_on_different_file_systems(self, paper, whole, tmp_path):
        with memory_disk(tmp_path / "results") as results, memory_disk(tmp_path / "temporary") as temporary:
            code, stderr = run(paper, results / "out", TMPDIR=str(temporary))
            assert code == 0, stderr
            assert result_of(paper, results / "out") == result_of(paper, whole)
            assert not [path for path in temporary.rglob("*") if path.is_file()]
        note("results on another file system than TMPDIR", paper.slug, 1, "same bits, nothing left in TMPDIR")

    @LONG
    def test_a_clock_that_goes_back(self, paper, whole, tmp_path):
        """By a day between two processes, and by an hour during the second; the first one's files have future
        timestamps."""
        out = tmp_path / "out"
        assert run_and_kill(paper, out, signal.SIGKILL, checkpoints=3) == -9
        folder, now = run_folder(paper, out), time.time()
        found = checkpoints(folder)
        for path in folder.rglob("*"):
            os.utime(str(path), (now + DAY, now + DAY))
        for age, name in enumerate(found):  # reversed order: the oldest checkpoint gets the latest time
            os.utime(str(folder / "checkpoints" / name), (now + (3 - age) * DAY, now + (3 - age) * DAY))
        (tmp_path / "clock").mkdir()
        (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK.format(day=DAY))
        path = os.pathsep.join([str(tmp_path / "clock")] + os.environ.get("PYTHONPATH", "").split(os.pathsep))
        code, stderr = run(paper, out, PYTHONPATH=path.rstrip(os.pathsep))
        assert code == 0, stderr
        assert "resumed from %s" % found[-1] in (folder / "log.txt").read_text(encoding="utf-8")
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        assert record["finished_at"] < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        assert all(seconds >= 0 for seconds in record["times"].values())
        assert result_of(paper, out) == result_of(paper, whole)
        outcome = "newest checkpoint found, no negative times, same bits"
        note("clock back by a day, and within a run", paper.slug, 1, outcome)
