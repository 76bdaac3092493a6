"""The audit of a paper's run: its own training code on altered scenes, and what it found beside the run."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.audit import Audit, Trained, add_to_record, as_record, audit, find_golden, write_audit
from shared_data.cli.paper import Request, run_directory_of
from shared_data.errors import RecordError, SharedDataError
from shared_data.files.npz import read_npy
from shared_data.records.audit_file import check_fits, settings_sha256
from shared_data.records.record import read_record
from shared_data.runs.directory import take_lock
from shared_data.runs.reproduce import PreparedRun
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import Split, index_hash


class Subject(NamedTuple):
    """A run to be audited.

    config: the resolved configuration, JSON values. prepare: the run of another state of the scene, on the pixels of
    `split` and from the same seed; runs made before need not work any longer.
    """

    config: Dict[str, Any]
    loaded: LoadedScene
    split: Split
    prepare: Callable[[LoadedScene], PreparedRun]


def audit_run(
    paper: str, make_subject: Callable[[Request], Subject], request: Request, kept_record: Optional[Path] = None
) -> Audit:
    """Audit a request's run, of `request.iterations` steps, and leave what was found beside the run and in its record.

    kept_record: the record of the same run, elsewhere, that takes the verdicts too. Where the run directory holds the
    finished run, its prediction gives the accuracies; without one they are left out.
    Raises: SharedDataError; what the run raises.
    """
    folder = run_directory_of(paper, request)
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        # nothing of the altered scenes may be found by a real run
        subject = make_subject(request._replace(out=Path(scratch)))
        facts = _facts(subject, request)
        # before the trainings, which take minutes
        for path in filter(None, (folder / "run.json", kept_record)):
            if path == kept_record or path.exists():
                record = read_record(path)
                _check_same_run(record, path, paper, request)
                check_fits(record, facts, path)
        trials = _Trials(subject, Path(scratch))
        finished = _finished_prediction(folder, subject.loaded.ground_truth.shape)
        unchanged = all(override.strip().startswith("train.") for override in request.overrides)
        golden = find_golden(paper, request.experiment, request.protocol, request.seed) if unchanged else None
        found = audit(trials.train, subject.loaded, subject.split, trials.inputs, trials.sees, finished, golden)
    entries = dict(as_record(found, steps=request.iterations), **facts)
    with take_lock(folder):
        write_audit(folder, entries)
    if kept_record is not None:
        add_to_record(kept_record, entries)
    return found


def _facts(subject: Subject, request: Request) -> Dict[str, Any]:
    """What says to which run an audit belongs: hashes of its pixels and of its settings."""
    facts = {"audit_split_%s_sha256" % name: index_hash(part) for name, part in subject.split._asdict().items()}
    data = {file.name: file.identity for file in subject.loaded.files}
    facts["audit_settings_sha256"] = settings_sha256(subject.config, request.protocol, request.seed, data)
    return facts


def _check_same_run(record: Dict[str, Any], path: Path, paper: str, request: Request) -> None:
    audited = {"paper": paper, "experiment": request.experiment, "protocol": request.protocol, "seed": request.seed}
    for name, value in audited.items():
        if record[name] != value:
            raise RecordError(
                "%s is the record of another run: its %s is %s, the audited one %s." % (path, name, record[name], value)
            )


def _finished_prediction(folder: Path, shape: Tuple[int, ...]) -> Optional[np.ndarray]:
    """(H, W) classes of the finished run in a directory; None without one. Raises: RecordError where it is damaged."""
    path = folder / "prediction.npy"
    if not ((folder / "run.json").exists() and path.exists()):
        return None
    try:
        return read_npy(path, shape)
    except ValueError as error:
        raise RecordError("%s cannot be used: %s; run it again with FORCE=1." % (path, error)) from error


class _Trials:
    """What `audit` calls, for a subject. Nothing is predicted: a few steps say nothing by their accuracy."""

    def __init__(self, subject: Subject, scratch: Path) -> None:
        self._subject, self._scratch = subject, scratch
        self._count = 0

    def prepare(self, altered: LoadedScene) -> PreparedRun:
        """The run of a state of the scene, without what it would print."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._run = self._subject.prepare(altered)
        return self._run

    def train(self, cube: np.ndarray, ground_truth: np.ndarray, _split: Split) -> Trained:
        run = self.prepare(self._subject.loaded._replace(cube=cube, ground_truth=ground_truth))
        folder = self._scratch / ("training-%d" % self._count)
        folder.mkdir()
        self._count += 1
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            if not run.train(folder):
                raise SharedDataError("stopped; the audit wrote nothing, and the same command starts it over.")
        shown = [dict(entry) for entry in run.history.entries]
        return Trained(run.last_weights, run.selection_state(), shown=shown)

    def inputs(self, cube: np.ndarray, split: Split) -> np.ndarray:
        return self.prepare(self._subject.loaded._replace(cube=cube)).inputs(split.train)

    def sees(self, mask: np.ndarray) -> np.ndarray:
        """Of the run made last: what a network sees depends on no value of the scene."""
        return self._run.sees(mask)
