"""A repeat of a cross-validation: its folds, one run each, and the record that pools their test pixels.

Each fold is trained, resumed and recorded like any run, in its own folder inside the repeat's. Every labelled pixel is
tested in one of them, so the pooled accuracies are those of one map of the whole ground truth.
"""

import statistics
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from shared_data.errors import RecordError
from shared_data.evaluation import maps
from shared_data.evaluation.distances import add_distances
from shared_data.evaluation.metrics import evaluate
from shared_data.files.npz import read_npy
from shared_data.records.audit_file import audit_of_folds
from shared_data.records.map_codec import maps_of
from shared_data.records.record import read_record, write_record
from shared_data.runs.directory import InUseError, empty, take_lock, withdraw_record, writing
from shared_data.runs.method import Method
from shared_data.runs.outputs import write_own_truth
from shared_data.runs.pixels import resolve
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Outcome, Request, run_directory_of
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import Split, describe, load_split
from shared_data.splits.shared_protocols import check_fold, folds_of

# how the selection of a pooled record begins; that of a fold follows
EACH_FOLD = "each fold on its own: "

# in all folds of a repeat
_ALIKE = ("scene", "own_scene", "modified", "truncated", "data", "data_verified", "config", "decisions")
_PER_FOLD = ("fold", "metrics", "split", "selection", "times", "weights", "environment", "revision", "resumed_from",
             "context", "untrained", "truth_opened", "audit", "history", "finished_at")  # fmt: skip


def reproduce_all(method: Method, request: Request) -> Outcome:
    """Run a request: of a cross-validation every fold, or the one it names, then the pooled record of all folds.

    The outcome is the repeat's, or that of the last run where no pooled record can be made yet, or another process is
    making it.
    Raises: what `reproduce` raises; RecordError where the folds do not belong together.
    """
    folds = folds_of(request.protocol)
    if not folds or request.settings_alone:
        return reproduce(method, request)
    if request.force:
        request = _start_over(method, request)
    for fold in folds if request.fold is None else [request.fold]:
        outcome = reproduce(method, request._replace(fold=fold))
        if outcome.record is None:
            return outcome
    repeat = request._replace(fold=None)
    folders = [run_directory_of(method.slug, repeat._replace(fold=fold)) for fold in folds]
    if not all((folder / "run.json").exists() for folder in folders):
        return outcome
    try:
        return _pool(method, repeat, folders)
    except InUseError:  # by a fold that ended at the same time: all folds are finished, so it pools the same ones
        print("%s: another process pools the folds" % run_directory_of(method.slug, repeat))
        return outcome


def _start_over(method: Method, request: Request) -> Request:
    """Delete what a forced request of a repeat, or of one of its folds, makes anew; the request to go on with."""
    resolve(method, request)  # wrong input is found before anything is deleted
    repeat = run_directory_of(method.slug, request._replace(fold=None))
    if request.fold is None:
        empty(repeat)
        return request._replace(force=False)  # a repeat that is stopped now resumes with the folds it has finished
    check_fold(request.protocol, request.fold)
    withdraw_record(repeat)  # it pools the fold that is about to be deleted
    return request


def _pool(method: Method, repeat: Request, folders: List[Path]) -> Outcome:
    """Write map, errors and record of a repeat into its folder.

    Raises: InUseError where another process does; RunDirectoryError where the folder cannot be written; RecordError.
    """
    _, loaded = resolve(method, repeat)
    folder = run_directory_of(method.slug, repeat)
    records = [read_record(path / "run.json") for path in folders]
    _check_alike(records, folders)
    with take_lock(folder), writing(folder, " The folds are finished; the same command pools them."):
        truth = loaded.ground_truth
        splits = [load_split(path / "split.npz", truth.size) for path in folders]
        prediction = _joined(folders, splits, loaded)
        record = _record_of(records, splits, prediction, loaded)
        audited = audit_of_folds(records)
        record = dict(record, audit=audited) if audited else record
        title = "%s · %s · %s · seed %d" % (method.slug.upper(), loaded.scene.title, repeat.protocol, repeat.seed)
        tested = truth > 0
        maps.write_map(folder / "map.png", prediction, loaded.scene, title + ", each pixel when tested", mask=tested)
        maps.write_errors(folder / "errors.png", truth, prediction, loaded.scene, title + ", errors")
        write_own_truth(folder, loaded)
        write_record(folder / "run.json", record)
    return Outcome(folder, record)


def _check_alike(records: List[Dict[str, Any]], folders: List[Path]) -> None:
    for record, folder in zip(records[1:], folders[1:]):
        differing = [name for name in _ALIKE if record.get(name) != records[0].get(name)]
        if differing:
            raise RecordError(
                "%s and %s are no folds of one repeat: they differ in %s; run one of them again with FORCE=1."
                % (folders[0], folder, ", ".join(differing))
            )


def _joined(folders: List[Path], splits: List[Split], loaded: LoadedScene) -> np.ndarray:
    """(H, W) uint8: each labelled pixel's class in the fold that tests it; that of the first fold elsewhere, so that a
    kept record does not show which pixels are labelled.

    Raises: RecordError where a fold's files are damaged, or a labelled pixel is not tested exactly once.
    """
    truth = loaded.ground_truth
    tested = np.sort(np.concatenate([split.test for split in splits]))
    if not np.array_equal(tested, np.flatnonzero(truth)):
        raise RecordError(
            "%s: the folds do not test every labelled pixel once; run them again with FORCE=1." % folders[0].parent
        )
    predictions = [_prediction(folder, truth.shape) for folder in folders]
    result = predictions[0].copy()
    for prediction, split in zip(predictions, splits):
        result.ravel()[split.test] = prediction.ravel()[split.test]
    return result


def _prediction(folder: Path, shape: Any) -> np.ndarray:
    try:
        return read_npy(folder / "prediction.npy", shape)
    except ValueError as error:
        raise RecordError(
            "%s cannot be used: %s; run it again with FORCE=1." % (folder / "prediction.npy", error)
        ) from error


def _record_of(
    records: List[Dict[str, Any]], splits: List[Split], prediction: np.ndarray, loaded: LoadedScene
) -> Dict[str, Any]:
    """The pooled record. Its training pixels are those of any fold."""
    truth, num_classes = loaded.ground_truth, loaded.scene.num_classes
    labelled = np.flatnonzero(truth)
    pooled = Split(*(np.unique(np.concatenate(part)) for part in zip(*splits)))
    first, last = records[0], max(records, key=lambda record: record["finished_at"])
    common = {name: first[name] for name in ("schema_version", "paper", "experiment", "protocol", "seed", "status")}
    common.update((name, first[name]) for name in _ALIKE if name in first)
    return dict(
        common,
        metrics=evaluate(truth.ravel()[labelled], prediction.ravel()[labelled], num_classes)._asdict(),
        selection={
            "step": max(record["selection"]["step"] for record in records),
            "on": EACH_FOLD + first["selection"]["on"],
        },
        split=describe(pooled, truth, num_classes),
        environment=last["environment"],
        revision=last["revision"],
        times=_times(records),
        memory={name: _largest(record["memory"][name] for record in records) for name in first["memory"]},
        history=[],
        folds=[{name: record[name] for name in _PER_FOLD if name in record} for record in records],
        context=_context(records),
        untrained=[dict(entry, fold=record["fold"]) for record in records for entry in record["untrained"]],
        units=[entry for record in records for entry in record["units"]],
        distances=add_distances(record["distances"] for record in records),
        truth_opened=[opening for record in records for opening in record["truth_opened"]],
        maps=maps_of(prediction, pooled, truth),
        finished_at=last["finished_at"],
    )


def _times(records: List[Dict[str, Any]]) -> Dict[str, float]:
    """Seconds of all folds together; the step's are a median."""
    times = [record["times"] for record in records]
    total = {name: sum(time[name] for time in times) for name in times[0]}
    return dict(total, step_s=statistics.median(time["step_s"] for time in times))


def _largest(values: Any) -> Any:
    return max((value for value in values if value is not None), default=None)


def _context(records: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Shares over all test pixels; of distances and of validation classes the least of all folds."""
    contexts = [record["context"] for record in records]
    sizes = [record["split"]["test"]["size"] for record in records]
    pooled = dict(contexts[0])
    for name in ("test_with_training_pixel", "test_with_training_patch"):
        pooled[name] = sum(context[name] * size for context, size in zip(contexts, sizes)) / sum(sizes)
    for name in ("test_to_training", "test_to_validation"):
        distances = [context[name] for context in contexts if context[name] is not None]
        pooled[name] = min(distances) if distances else None
    pooled["validation_classes"] = min(context["validation_classes"] for context in contexts)
    if any(context["test_spectra"] == "seen" for context in contexts):
        pooled["test_spectra"] = "seen"
    return pooled
