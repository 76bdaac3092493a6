"""Audit a method's run: train with its `fit` on altered scenes, and store the findings in the run's directory."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np

from shared_data.audit import Audit, Trained, add_to_record, as_record, audit, find_golden, write_audit
from shared_data.errors import RecordError, SharedDataError
from shared_data.files.npz import read_npy
from shared_data.records.audit_file import check_fits, settings_sha256
from shared_data.records.record import read_record
from shared_data.runs.directory import take_lock
from shared_data.runs.method import Draw, Method, Run, seal
from shared_data.runs.pixels import draw_pixels, resolve, training_image
from shared_data.runs.request import Configuration, Request, run_directory_of
from shared_data.scenes.loading import LoadedScene, SceneImage
from shared_data.splits.draws import Split, index_hash


def audit_run(method: Method, request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Audit a request's run, of `request.iterations` steps, and write the findings into the run's directory and record.

    kept_record: the record of the same run, elsewhere, that takes the verdicts too. Where the run directory holds the
    finished run, its prediction gives the accuracies; without one they are left out.
    Raises: SharedDataError; what the method raises.
    """
    assert request.iterations is not None  # an audit never trains to the end
    folder = run_directory_of(method.slug, request)
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        trials = _Trials(method, request, Path(scratch))
        facts = trials.facts()
        # fail before the trainings, which take minutes
        for path in filter(None, (folder / "run.json", kept_record)):
            if path == kept_record or path.exists():
                record = read_record(path)
                _check_same_run(record, path, method.slug, request)
                check_fits(record, facts, path)
        finished = _finished_prediction(folder, trials.loaded.ground_truth.shape)
        unchanged = all(override.strip().startswith("train.") for override in request.overrides)
        golden = find_golden(method.slug, request.experiment, request.protocol, request.seed) if unchanged else None
        found = audit(
            trials.train, trials.loaded, trials.draw.split, trials.inputs, trials.receptive_field, finished, golden
        )
    entries = dict(as_record(found, steps=request.iterations), **facts)
    with take_lock(folder):
        write_audit(folder, entries)
    if kept_record is not None:
        add_to_record(kept_record, entries)
    return found


def _check_same_run(record: Dict[str, Any], path: Path, paper: str, request: Request) -> None:
    audited = {
        "paper": paper,
        "experiment": request.experiment,
        "protocol": request.protocol,
        "seed": request.seed,
        "fold": request.fold,
    }
    for name, value in audited.items():
        if record.get(name) != value:
            raise RecordError(
                "%s is the record of another run: its %s is %s, the audited one %s."
                % (path, name, record.get(name), value)
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
    """The functions that `audit` calls: the method on altered copies of a scene, with the split of the original.

    The trainings write into `scratch` only, so that a real run cannot reuse results of an altered scene.
    """

    def __init__(self, method: Method, request: Request, scratch: Path) -> None:
        self._method, self._request, self._scratch = method, request, scratch
        self._configuration: Configuration
        self.loaded: LoadedScene
        self._configuration, self.loaded = resolve(method, request)
        self.draw: Draw = draw_pixels(method, self.loaded, self._configuration, request.seed)
        self._count = 0

    def facts(self) -> Dict[str, Any]:
        """Hashes of the pixels and of the settings, which identify the run that the audit belongs to."""
        split, request = self.draw.split, self._request
        facts: Dict[str, Any] = {
            "audit_split_%s_sha256" % name: index_hash(part) for name, part in split._asdict().items()
        }
        data = {file.name: file.identity for file in self.loaded.files}
        settings = self._configuration.settings
        facts["audit_settings_sha256"] = settings_sha256(settings, request.protocol, request.seed, data, request.fold)
        return facts

    def train(self, cube: np.ndarray, ground_truth: np.ndarray, _split: Split) -> Trained:
        """Train without predicting, because the accuracy after a few steps is meaningless."""
        self._count += 1
        run = Run(self._scratch / ("training-%d" % self._count), self._request.device, self._scratch / "shared")
        labels, _ = seal(self._method, self._configuration, self.draw, ground_truth)
        altered = self.loaded._replace(cube=cube)
        image, quiet = training_image(altered, self._configuration, self.draw.split), io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            fitted = self._method.fit(image, labels, self._configuration, self._request.seed, run)
        if fitted is None:
            raise SharedDataError("stopped; the audit wrote nothing, and the same command starts it over.")
        report = fitted.report
        assert report is not None  # `fit` always sets it
        shown = [dict(entry) for entry in report.history.entries]
        return Trained(report.last_weights, report.selection_state, shown=shown)

    def inputs(self, cube: np.ndarray, split: Split) -> np.ndarray:
        image = SceneImage(self.loaded.scene, cube)
        labels = self._method.labels(self.draw, self.loaded.ground_truth)
        with contextlib.redirect_stdout(io.StringIO()):
            model = self._method.preprocess(image, labels, self._configuration, self._request.seed)
            return self._method.inputs(model, image, split.train)

    def receptive_field(self, mask: np.ndarray) -> np.ndarray:
        return self._method.receptive_field(self._configuration, mask)
