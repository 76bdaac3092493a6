"""The audit of a paper's run: its own training code on altered scenes, and what it found beside the run."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Callable, NamedTuple, Optional

import numpy as np

from shared_data.audit import Audit, Trained, add_to_record, as_record, audit, find_golden, write_audit
from shared_data.errors import RecordError, RunDirectoryError
from shared_data.paper_cli import Request, run_directory_of
from shared_data.records import read_record
from shared_data.reproduction import PreparedRun, modifications
from shared_data.scene import LoadedScene
from shared_data.splits import Split, index_hash


class Subject(NamedTuple):
    """A run to be audited.

    prepare: the run of another state of the scene, on the pixels of `split` and from the same seed; runs made before
        need not work any longer.
    """

    loaded: LoadedScene
    split: Split
    prepare: Callable[[LoadedScene], PreparedRun]


def audit_run(
    paper: str, make_subject: Callable[[Request], Subject], request: Request, kept_record: Optional[Path] = None
) -> Audit:
    """Audit a request's run, of `request.iterations` steps, and leave what was found beside the run and in its record.

    kept_record: the record of the same run, elsewhere, that takes the verdicts too. Where the run directory holds the
    finished run, its prediction gives the accuracies.
    Raises: SharedDataError; what the run raises.
    """
    if kept_record is not None:
        _check_same_run(kept_record, paper, request)
    folder = run_directory_of(paper, request)
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        # nothing of the altered scenes may be found by a real run
        subject = make_subject(request._replace(out=Path(scratch)))
        trials = _Trials(subject, Path(scratch))
        finished = _finished_prediction(folder, subject.split)
        trials.wanted = finished is None
        run = trials.prepare(subject.loaded)
        unchanged = all(word.startswith("train.") for word in modifications(request))
        found = audit(
            trials.train, subject.loaded, subject.split, trials.inputs, run.sees, finished,
            find_golden(paper, request.experiment, request.protocol, request.seed) if unchanged else None,
        )  # fmt: skip
    entries = as_record(found, steps=request.iterations)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(
            "%s cannot be written (%s); choose another folder with OUT= or --out." % (folder, error.strerror)
        ) from error
    write_audit(folder, entries)
    if kept_record is not None:
        add_to_record(kept_record, entries, subject.split)
    return found


def _check_same_run(path: Path, paper: str, request: Request) -> None:
    record = read_record(path)
    audited = {"paper": paper, "experiment": request.experiment, "protocol": request.protocol, "seed": request.seed}
    for name, value in audited.items():
        if record[name] != value:
            raise RecordError(
                "%s is the record of another run: its %s is %s, the audited one %s." % (path, name, record[name], value)
            )


def _finished_prediction(folder: Path, split: Split) -> Optional[np.ndarray]:
    """(H, W) classes of the finished run in a directory; None without one, or where it is of another split."""
    record, prediction = folder / "run.json", folder / "prediction.npy"
    if not (record.exists() and prediction.exists()):
        return None
    if read_record(record)["split"]["test"]["sha256"] != index_hash(split.test):
        return None
    return np.load(str(prediction), allow_pickle=False)


class _Trials:
    """What `audit` calls, for a subject. wanted: whether the first training also predicts."""

    def __init__(self, subject: Subject, scratch: Path) -> None:
        self._subject, self._scratch = subject, scratch
        self._count = 0
        self.wanted = True

    def prepare(self, altered: LoadedScene) -> PreparedRun:
        """The run of a state of the scene, without what it would print."""
        with contextlib.redirect_stdout(io.StringIO()):
            return self._subject.prepare(altered)

    def train(self, cube: np.ndarray, ground_truth: np.ndarray, _split: Split) -> Trained:
        run = self.prepare(self._subject.loaded._replace(cube=cube, ground_truth=ground_truth))
        folder = self._scratch / ("training-%d" % self._count)
        folder.mkdir()
        self._count += 1
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            if not run.train(folder):
                raise KeyboardInterrupt
        shown = [dict(entry) for entry in run.history.entries]
        prediction = run.predict() if self.wanted else None
        self.wanted = False
        return Trained(run.last_weights, run.selection_state(), prediction, shown)

    def inputs(self, cube: np.ndarray, split: Split) -> np.ndarray:
        return self.prepare(self._subject.loaded._replace(cube=cube)).inputs(split.train)
