"""Audit a run of a method, and store the findings in the run's directory."""

import tempfile
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np

from shared_data.audit import Audit, add_to_record, as_record, find_golden, write_audit
from shared_data.audit.examine import examine_trials
from shared_data.audit.trials import Trials
from shared_data.errors import RecordError
from shared_data.files.npz import read_npy
from shared_data.records.audit_file import check_fits, fold_of, settings_sha256
from shared_data.records.record import read_record
from shared_data.runs.directory import take_lock
from shared_data.runs.generic import announce
from shared_data.runs.method import Method
from shared_data.runs.request import Request, run_directory_of
from shared_data.splits.draws import index_hash
from shared_data.splits.shared_protocols import folds_of


def audit_run(method: Method, request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Audit a request's run, of a cross-validation the first fold if none is named, and write the findings into the
    run's directory and record.

    `request.iterations` limits the steps of each training; None trains to the end.

    kept_record: the record of the same run, or of the repeat whose fold it is, elsewhere, that takes the verdicts too.
    Where the run directory holds the finished run, its prediction gives the accuracies; without one they are left out.
    Raises: SharedDataError; what the method raises.
    """
    if request.fold is None and folds_of(request.protocol):
        request = request._replace(fold=0)
    folder = run_directory_of(method.slug, request)
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        trials = Trials(method, request, Path(scratch))
        announce(trials.configuration)
        facts = _facts(trials)
        # fail before the trainings, which take minutes
        for path in filter(None, (folder / "run.json", kept_record)):
            if path == kept_record or path.exists():
                record = read_record(path)
                _check_same_run(fold_of(record, request.fold), path, method.slug, request)
                check_fits(record, facts, path)
        finished = _finished_prediction(folder, trials.loaded.ground_truth.shape)
        unchanged = all(override.strip().startswith("train.") for override in request.overrides)
        golden = find_golden(method.slug, request.experiment, request.protocol, request.seed) if unchanged else None
        found = examine_trials(trials, finished, golden)
    entries = dict(as_record(found), **facts)
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


def _facts(trials: Trials) -> Dict[str, Any]:
    """Hashes of the pixels and of the settings, which identify the run that the audit belongs to."""
    facts: Dict[str, Any] = {
        "audit_split_%s_sha256" % name: index_hash(part) for name, part in trials.draw.split._asdict().items()
    }
    data = {file.name: file.identity for file in trials.loaded.files}
    settings, request = trials.configuration.settings, trials.request
    facts["audit_settings_sha256"] = settings_sha256(settings, request.protocol, request.seed, data, request.fold)
    if request.fold is not None:
        facts["audit_fold"] = request.fold
    return facts
