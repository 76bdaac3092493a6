"""What runs are made of: the scene as one image, signals, history, progress, environment, and the end of a run."""

import contextlib
import os
import platform
import signal
import subprocess
import sys

import numpy as np
import pytest
import sklearn

from shared_data import __version__
from shared_data.audit import write_audit
from shared_data.errors import RunDirectoryError, TrainingError
from shared_data.preprocessing.standardise import band_statistics, pad_labels, standardise_and_pad
from shared_data.records.record import read_record, validate_record
from shared_data.report.tables import costs_table
from shared_data.runs import allocator, environment
from shared_data.runs.directory import RunDirectory
from shared_data.runs.history import History
from shared_data.runs.log import RunLog
from shared_data.runs.outputs import Results, finish_run, write_prediction
from shared_data.runs.progress import Progress, training_numbers
from shared_data.runs.request import Request, run_directory_of
from shared_data.runs.signals import stop_on_signals
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import Split, load_split
from shared_data.splits.labels import Truth

# the scene as one image

WEIGHTS = {"last": "0" * 64, "used": "1" * 64}


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("shape, padded", [((6, 5, 3), (8, 8)), ((8, 16, 3), (8, 16)), ((9, 8, 1), (16, 8))])
def test_bands_are_standardised_over_the_whole_scene_and_padded_below_and_right(dtype, shape, padded):
    cube = np.asfortranarray(np.random.RandomState(0).randint(0, 9000, shape).astype(dtype))
    image = standardise_and_pad(cube, 8, band_statistics(cube))
    assert image.shape == (shape[2],) + padded and image.dtype == np.float32
    values = cube.astype(np.float64)
    expected = (values - values.mean(axis=(0, 1))) / np.sqrt(values.var(axis=(0, 1)))
    np.testing.assert_allclose(image[:, : shape[0], : shape[1]], expected.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)
    assert not image[:, shape[0] :].any() and not image[:, :, shape[1] :].any()


@pytest.mark.parametrize("constant", [0, 7, 0.3])
def test_a_constant_band_becomes_zero(constant):
    cube = np.random.RandomState(0).random_sample((61, 34, 2))
    cube[:, :, 1] = constant  # of 0.3 the standard deviation is 1e-16, not 0
    image = standardise_and_pad(cube, 1, band_statistics(cube))
    assert image[0].any() and not image[1].any()


def test_labels_are_padded_like_the_scene():
    labels = np.arange(1, 31, dtype=np.uint8).reshape(6, 5)
    padded = pad_labels(labels, 4)
    assert padded.shape == (8, 8) and padded.dtype == np.uint8
    np.testing.assert_array_equal(padded[:6, :5], labels)
    assert padded.sum() == labels.sum()
    np.testing.assert_array_equal(pad_labels(labels, 1), labels)


# signals


@pytest.fixture
def outer():
    """Signals that reach the handlers installed before the block, as a list."""
    reached = []
    before = {which: signal.signal(which, lambda number, _: reached.append(number)) for which in
              (signal.SIGINT, signal.SIGTERM)}  # fmt: skip
    yield reached
    for which, handler in before.items():
        signal.signal(which, handler)


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_to_stop_and_the_second_acts_as_usual(outer, first, second):
    reasons = []
    with stop_on_signals(reasons.append):
        os.kill(os.getpid(), first)
        assert (reasons, outer) == (["received " + first.name], [])
        os.kill(os.getpid(), second)
        assert (len(reasons), outer) == (1, [second])


def test_handlers_are_restored_after_the_block(outer):
    reasons = []
    handlers = [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ZeroDivisionError), stop_on_signals(reasons.append):
        raise ZeroDivisionError
    assert [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)] == handlers
    os.kill(os.getpid(), signal.SIGTERM)
    assert (reasons, outer) == ([], [signal.SIGTERM])


# history and progress


def test_history_survives_a_checkpoint():
    history = History()
    assert history.median_step() == 0
    for seconds in (5, 1, 2):
        history.add_step(seconds)
    history.add_entry(np.int64(3), loss=np.float32(0.5))
    state = history.state_dict()
    resumed = History()
    resumed.load_state_dict(state)
    resumed.add_entry(4, loss=0.25)
    assert resumed.median_step() == 2
    assert resumed.entries == [{"step": 3, "loss": 0.5}, {"step": 4, "loss": 0.25}]
    assert [type(value) for value in resumed.entries[0].values()] == [int, float]
    assert history.entries == state["entries"] == [{"step": 3, "loss": 0.5}]


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf")])
def test_a_training_that_diverged_ends_in_one_sentence(value):
    history = History()
    history.add_entry(6, loss=0.5, validation_loss=value)  # where there is nothing to validate on
    with pytest.raises(TrainingError, match=r"^step 7: expected a finite loss, found (nan|inf): training diverged"):
        history.add_entry(7, oa=0.5, loss=value)
    assert [entry["step"] for entry in history.entries] == [6]


class Clock:
    """Stands for the module `time`: every step of a training takes some seconds."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def progress_of(monkeypatch, steps, seconds, total=1000, terminal=False, lines=False):
    """A training of some steps on a terminal, or with standard error in a pipe."""
    clock = Clock()
    monkeypatch.setattr("shared_data.runs.progress.time", clock)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    numbers = [0]

    def loss():
        numbers[0] += 1
        return {"loss": "%d" % numbers[0]}

    with Progress(total, 0, "ssdgl pavia", loss, lines) as progress:
        for _ in range(steps):
            clock.now += seconds
            progress.update()


def test_progress_is_one_line_that_a_terminal_draws_again(monkeypatch, capsys):
    progress_of(monkeypatch, 10, 1.0, total=10, terminal=True)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and shown.count("\r") > 3
    assert "ssdgl pavia 100%" in shown and "10/10" in shown and "loss=10" in shown


def test_progress_elsewhere_is_a_line_after_every_tenth(monkeypatch, capsys):
    progress_of(monkeypatch, 1000, 1.0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "ssdgl pavia: step 100 of 1000, loss 1, 01:40 elapsed, about 15:00 left"
    assert lines[-1] == "ssdgl pavia: step 1000 of 1000, loss 10, 16:40 elapsed"


def test_progress_elsewhere_is_neither_crowded_nor_silent(monkeypatch, capsys):
    progress_of(monkeypatch, 1000, 0.1)  # a tenth takes 10 s: lines after 30 s, 60 s, 90 s, and at the end
    assert len(capsys.readouterr().err.splitlines()) == 4
    progress_of(monkeypatch, 20, 100.0)  # a tenth takes hours: a line after every 5 minutes
    assert len(capsys.readouterr().err.splitlines()) == 7


def test_progress_among_the_lines_of_the_log_is_lines_too(monkeypatch, capsys):
    progress_of(monkeypatch, 3, 1.0, total=3, terminal=True, lines=True)
    assert capsys.readouterr().err == "ssdgl pavia: step 3 of 3, loss 1, 00:03 elapsed\n"


def test_a_training_without_a_step_or_with_an_error_shows_nothing(monkeypatch, capsys):
    progress_of(monkeypatch, 0, 1.0)
    with pytest.raises(ZeroDivisionError), Progress(10, title="ssdgl pavia") as progress:
        progress.update()
        raise ZeroDivisionError
    assert capsys.readouterr().err == ""


def test_a_console_that_has_gone_away_does_not_end_a_training(monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        progress_of(monkeypatch, 5, 1.0)
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()


def test_numbers_of_a_training():
    assert list(training_numbers(0.5, 0.001, []).items()) == [("loss", "0.5000"), ("lr", "0.001")]
    entries = [{"step": 1, "validation_oa": 0.25}, {"step": 2, "loss": 0.5, "validation_oa": 0.5}]
    assert training_numbers(0.5, 0.001, entries)["val OA"] == "50.0 %"
    assert training_numbers(0.5, 0.001, [{"step": 1, "test_oa": 0.25}])["test OA"] == "25.0 %"


# the log


@pytest.mark.parametrize("verbose", [True, False])
def test_lines_and_curves_are_in_the_files_when_a_call_returns(tmp_path, capsys, verbose):
    (tmp_path / "checkpoints").mkdir()
    with RunLog(tmp_path, verbose) as log:
        log.info("epoch %d", 3)
        log.warning("a loss of %s", "nan")
        log.curves(7, {"loss": 0.5, "validation_oa": 0.25})
        (events,) = (tmp_path / "checkpoints").glob("events.out.tfevents*")
        content = events.read_bytes()
        assert b"loss" in content and b"validation_oa" in content
        lines = (tmp_path / "log.txt").read_text().splitlines()
        assert [line.split(", ", 1)[1] for line in lines] == ["epoch 3", "a loss of nan"]
    shown = capsys.readouterr().err
    assert "a loss of nan" in shown and ("epoch 3" in shown) == verbose


def test_a_line_that_the_disk_refuses_is_an_error(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "log.txt").symlink_to("/dev/full")
    log = RunLog(tmp_path, verbose=False)
    with pytest.raises(OSError, match="No space left"):
        log.info("a line")


def test_a_curve_that_the_disk_refuses_is_an_error(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    log = RunLog(tmp_path, verbose=False)
    log._events._py_recordio_writer._writer = open("/dev/full", "wb")
    with pytest.raises(OSError, match="No space left"):
        log.curves(1, {"loss": 0.5})


# environment


def test_environment_describes_this_process():
    described = environment.describe("PyTorch", "1.8.1", "cpu", None, 3)
    assert described["python"] == platform.python_version()
    assert described["cpu"] and described["cores"] >= 1
    assert (described["threads"], described["device"]) == (3, "cpu")
    assert (described["numpy"], described["scikit_learn"]) == (np.__version__, sklearn.__version__)
    block = np.ones(20 * 10**6, np.uint8)
    assert environment.peak_memory_mb() > block.nbytes / 1e6


@pytest.mark.parametrize("value, device, found", [("1", "cuda:0", True), ("0", "cuda", False), ("", "cuda:1", False)])
def test_the_environment_of_a_gpu_says_whether_cuda_graphs_are_on(record, monkeypatch, value, device, found):
    monkeypatch.setenv("HSI_CUDA_GRAPHS", value)
    described = environment.describe("PyTorch", "2.13.0", device, "A GPU", 3)
    assert described["cuda_graphs"] is found
    assert validate_record(dict(record, environment=described))["environment"] == described
    assert ("A GPU, CUDA graphs |" in costs_table("ssdgl", [dict(record, environment=described)])) is found
    assert "cuda_graphs" not in environment.describe("PyTorch", "2.13.0", "cpu", None, 3)


def test_revision_is_unknown_without_git(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("HSI_REVISION", raising=False)
    assert environment.revision() == {"version": __version__, "git": None, "dirty": None}
    monkeypatch.setenv("HSI_REVISION", "unknown")
    assert environment.revision() == {"version": __version__, "git": None, "dirty": None}


@pytest.mark.parametrize("named, dirty", [("abc", False), ("abc-dirty", True)])
def test_the_commit_an_image_was_built_from_comes_first(monkeypatch, named, dirty):
    monkeypatch.setenv("HSI_REVISION", named)
    assert environment.revision() == {"version": __version__, "git": "abc", "dirty": dirty}


def git_repository(folder):
    """A repository with one commit, which holds the file `tracked`."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    (folder / "tracked").write_text("1")
    for words in (["init", "-q"], ["add", "tracked"], identity + ["commit", "-q", "-m", "first"]):
        subprocess.check_call(["git", "-C", str(folder)] + words)
    return subprocess.check_output(["git", "-C", str(folder), "rev-parse", "HEAD"]).decode().strip()


def test_a_checkout_names_its_commit_and_whether_the_tree_differs(monkeypatch, tmp_path):
    monkeypatch.delenv("HSI_REVISION", raising=False)
    commit = git_repository(tmp_path)
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "tracked"))
    assert environment.revision() == {"version": __version__, "git": commit, "dirty": False}
    (tmp_path / "tracked").write_text("2")
    assert environment.revision() == {"version": __version__, "git": commit, "dirty": True}


def test_whether_the_tree_differs_is_unknown_where_git_does_not_say(monkeypatch):
    monkeypatch.delenv("HSI_REVISION", raising=False)
    monkeypatch.setattr(environment, "_git", lambda *words: None if words[0] == "status" else "abc")
    assert environment.revision() == {"version": __version__, "git": "abc", "dirty": None}


def test_an_installed_copy_does_not_take_the_commit_of_the_repository_around_it(monkeypatch, tmp_path):
    monkeypatch.delenv("HSI_REVISION", raising=False)
    git_repository(tmp_path)
    copy = tmp_path / ".venv" / "site-packages"
    copy.mkdir(parents=True)
    (copy / "environment.py").write_text("")
    monkeypatch.setattr(environment, "__file__", str(copy / "environment.py"))
    assert environment.revision() == {"version": __version__, "git": None, "dirty": None}


def test_freed_memory_is_kept_where_the_allocator_can(monkeypatch):
    if platform.libc_ver()[0] == "glibc":
        code = "import sys; from shared_data.runs.allocator import keep_freed_memory; sys.exit(not keep_freed_memory())"
        assert subprocess.call([sys.executable, "-c", code]) == 0
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: object())
    assert allocator.keep_freed_memory() is False


# the end of a run


@pytest.fixture
def loaded(tiny):
    return load_scene("tiny", data=tiny.folder)


def split_of(truth):
    labelled = np.flatnonzero(truth)
    return Split(labelled[:6], labelled[6:8], labelled[8:])


def test_a_finished_run_is_judged_on_its_test_pixels_and_leaves_every_file(tmp_path, loaded, record):
    truth = loaded.ground_truth
    split = split_of(truth)
    prediction = np.full(truth.shape, 1, np.uint8)
    prediction.ravel()[split.train] = truth.ravel()[split.train]  # right where it was trained: must not count
    request = Request("pavia-v2021", "paper", 3, None, False, "cpu", None, (), tmp_path, False)
    history = History()
    history.add_entry(10, loss=0.5)
    parts = {name: record[name] for name in ("decisions", "selection", "environment", "times", "memory")}
    openings = [{"by": "test", "reason": "final evaluation", "at": "2026-01-02T03:04:05Z", "while": "evaluation"}]
    opened = Truth(truth, split.test)
    context = {"test_with_training_pixel": 0.5, "test_with_training_patch": 1.0, "test_spectra": "seen"}
    further = {"aa_released": 0.5}
    results = Results(split, prediction, opened, openings, history, context=context, extra_metrics=further, **parts)
    with RunDirectory(run_directory_of("ssdgl", request), {}) as run:
        run.begin()
        finished = finish_run(run, "ssdgl", request, loaded, record["config"], results, WEIGHTS, ["b", "a"], True)
        write_audit(run.path, {"audit_labels": "clean"})
    folder = tmp_path / "ssdgl" / "pavia-v2021" / "paper" / "seed-3"
    assert finished["weights"] == WEIGHTS
    finished["audit"] = {"audit_labels": "clean"}
    assert finished == read_record(folder / "run.json")
    assert finished["metrics"]["oa"] == pytest.approx(np.mean(truth.ravel()[split.test] == 1))
    assert finished["metrics"]["aa_released"] == 0.5
    assert finished["context"] == context and finished["untrained"] == []
    assert sum(sum(unit["predicted"].values()) for unit in finished["units"]) == split.test.size
    assert (finished["scene"], finished["seed"], finished["modified"]) == ("tiny", 3, ["a", "b"])
    assert finished["truncated"] is True and finished["truth_opened"] == openings
    assert finished["split"]["test"]["size"] == split.test.size
    assert finished["data_verified"] and len(finished["data"]) == 2
    assert [(file["verified_by"], file["content_sha256"]) for file in finished["data"]] == [("file", None)] * 2
    np.testing.assert_array_equal(np.load(str(folder / "prediction.npy")), prediction)
    np.testing.assert_array_equal(load_split(folder / "split.npz").test, split.test)
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "audit.json", "errors.png", "map.png", "map_full.png", "prediction.npy", "run.json", "settings.json",
        "split.npz",
    ]  # fmt: skip


def test_errors_are_counted_of_test_pixels_alone(tmp_path, loaded, monkeypatch):
    drawn = []
    monkeypatch.setattr("shared_data.evaluation.maps.write_errors", lambda *arguments: drawn.append(arguments[-1]))
    split = split_of(loaded.ground_truth)
    near = split._replace(test=split.test[1:])  # one pixel is labelled, and in no set
    write_prediction(tmp_path, loaded.ground_truth, loaded, near, "title")
    np.testing.assert_array_equal(np.flatnonzero(drawn[0]), near.test)


def test_a_folder_that_cannot_be_written(tmp_path, loaded):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RunDirectoryError, match="file cannot be written"):
        write_prediction(tmp_path / "file", loaded.ground_truth, loaded, split_of(loaded.ground_truth), "title")


def test_bands_are_standardised_over_the_pixels_that_are_named():
    cube = np.random.RandomState(1).rand(6, 5, 3)
    cube[:2, :, 1] = 4.0  # constant where it is fitted, not elsewhere
    fitted = np.arange(10)
    image = standardise_and_pad(cube, 1, band_statistics(cube, fitted))
    spectra = cube.reshape(-1, 3)
    for band in (0, 2):
        mean, deviation = spectra[fitted, band].mean(), spectra[fitted, band].std()
        np.testing.assert_allclose(image[band].ravel(), (spectra[:, band] - mean) / deviation, rtol=1e-5, atol=1e-6)
    assert not image[1].any()
