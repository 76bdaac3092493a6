"""The end of every run: prediction, split, maps and, last, the record."""

import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from shared_data.errors import RunDirectoryError
from shared_data.evaluation import maps
from shared_data.evaluation.distances import count_distances
from shared_data.evaluation.metrics import evaluate
from shared_data.evaluation.unit_counts import count_units
from shared_data.files.atomic import atomic_path
from shared_data.records.audit_file import with_audit
from shared_data.records.map_codec import maps_of
from shared_data.records.prediction_file import write_prediction_file
from shared_data.records.record import SCHEMA_VERSION
from shared_data.records.record_scene import OWN_TRUTH, own_scene_of
from shared_data.runs import environment
from shared_data.runs.directory import RunDirectory
from shared_data.runs.history import History
from shared_data.runs.model_file import ModelFile
from shared_data.runs.pixels import untrained_of
from shared_data.runs.request import Outcome, Request
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import Split, describe, mask_of, save_split
from shared_data.splits.labels import Truth


class Results(NamedTuple):
    """The results of a trained run, for its record."""

    split: Split
    prediction: np.ndarray  # (H, W) uint8, classes 1..K
    truth: Truth
    openings: List[Dict[str, str]]  # openings of the sealed truth
    history: History
    decisions: Dict[str, Any]
    selection: Dict[str, Any]  # which step's weights were kept, and on what
    environment: Dict[str, Any]
    times: Dict[str, float]
    memory: Dict[str, Optional[float]]
    context: Dict[str, Any]  # of `shared_data.runs.pixels`
    extra_metrics: Dict[str, float] = {}
    audit: Dict[str, Any] = {}  # facts about the split or the run that are no metrics: numbers, booleans, short texts


def write_prediction(
    folder: Any,
    prediction: np.ndarray,
    loaded: LoadedScene,
    split: Optional[Split],
    title: str,
    trained: Optional[np.ndarray] = None,
) -> None:
    """prediction.npy (H, W) uint8, map_full.png; of a scene with labels map.png (labelled pixels) and errors.png, too.

    split: written as split.npz; errors.png counts its test pixels alone. None where it is unknown: then all labelled
    pixels are counted but those in `trained`, flat indices of pixels that train and validate (None: there are none).
    Raises: RunDirectoryError where the folder cannot be written.
    """
    truth, scene = loaded.ground_truth, loaded.scene
    tested: Optional[np.ndarray] = None
    if split is not None:
        tested = mask_of(split.test, truth.shape)
    elif trained is not None:
        tested = ~mask_of(trained, truth.shape)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / "prediction.npy") as temporary:
            np.save(temporary, prediction)
        if split is not None:
            save_split(folder / "split.npz", split)
        maps.write_map(folder / "map_full.png", prediction, scene, title + ", every pixel")
        if loaded.is_labelled:
            maps.write_map(folder / "map.png", prediction, scene, title + ", labelled pixels", mask=truth > 0)
            maps.write_errors(folder / "errors.png", truth, prediction, scene, title + ", errors", tested)
    except OSError as error:
        raise RunDirectoryError("%s cannot be written: %s." % (folder, error.strerror or error)) from error


def write_own_truth(folder: Path, loaded: LoadedScene) -> None:
    """own_truth.npy (H, W) uint8: the classes of an own scene, which reports of its runs cannot find elsewhere.

    Of the catalogue's scenes nothing is written. Raises: OSError.
    """
    if loaded.scene.own is not None:
        with atomic_path(folder / OWN_TRUTH) as temporary:
            np.save(temporary, loaded.ground_truth)


def write_classified(
    folder: Path,
    paper: str,
    weights: Dict[str, str],
    prediction: np.ndarray,
    loaded: LoadedScene,
    model: Optional[ModelFile],
    split: Optional[Split],
) -> Outcome:
    """Write the output of `predict` into its folder: the files of `write_prediction`, and prediction.json, which says
    what the numbers of the map mean.

    weights: name and SHA-256 of the file. model: its description; None for bare weights, which are drawn beside the
    `split` of the request. Classes have the model's names and colours; the labels of a scene with other classes are
    ignored.
    Raises: RunDirectoryError where the folder cannot be written.
    """
    title = "%s · %s · %s" % (paper.upper(), loaded.scene.title, weights["name"])
    trained = None
    if model is not None:
        if model.class_names != tuple(loaded.scene.class_names):
            loaded = loaded._replace(ground_truth=np.zeros_like(loaded.ground_truth))
        same = model.scene == loaded.scene.slug and not (model.trained >= loaded.ground_truth.size).any()
        trained, split = (model.trained if same else None), None
        scene = loaded.scene._replace(class_names=model.class_names, palette=model.palette)
        loaded = loaded._replace(scene=scene)
    write_prediction(folder, prediction, loaded, split, title, trained)
    try:
        write_prediction_file(folder, paper, loaded.scene, weights)
    except OSError as error:
        raise RunDirectoryError("%s cannot be written: %s." % (folder, error.strerror or error)) from error
    return Outcome(folder, None)


def finish_run(
    run: RunDirectory,
    paper: str,
    request: Request,
    loaded: LoadedScene,
    config: Dict[str, Any],
    results: Results,
    weights: Dict[str, str],
    modified: Sequence[str],
    truncated: bool,
) -> Dict[str, Any]:
    """Evaluate the prediction on the test pixels, write everything, return the record.

    weights: hashes of those after the `last` step and of those `used` for the prediction. modified: configuration keys
    that differ from the packaged ones; truncated: whether fewer iterations or epochs are allowed than there.
    """
    fold = "" if request.fold is None else " · fold %d" % request.fold
    title = "%s · %s · %s · seed %d%s" % (paper.upper(), loaded.scene.title, request.protocol, request.seed, fold)
    split = results.split
    known = run.circumstances()  # the revision at the process's start; the checkout may have changed since
    write_prediction(run.path, results.prediction, loaded, split, title)
    write_own_truth(run.path, loaded)
    truth = results.truth.labels.ravel()[split.test]
    metrics = evaluate(truth, results.prediction.ravel()[split.test], loaded.scene.num_classes)._asdict()
    metrics.update(results.extra_metrics)
    record = {
        "schema_version": SCHEMA_VERSION,
        "paper": paper,
        "experiment": request.experiment,
        "scene": loaded.scene.slug,
        "protocol": request.protocol,
        "seed": request.seed,
        "status": "finished",
        "modified": sorted(modified),
        "truncated": truncated,
        "metrics": metrics,
        "selection": results.selection,
        "split": describe(split, loaded.ground_truth, loaded.scene.num_classes),
        "data": [
            {
                "name": file.name,
                "sha256": file.sha256,
                "expected_sha256": file.expected_sha256,
                "verified": file.verified,
                "verified_by": file.verified_by,
                "content_sha256": file.content_sha256,
            }
            for file in loaded.files
        ],
        "data_verified": loaded.verified,
        "truth_opened": results.openings,
        "context": results.context,
        "untrained": untrained_of(loaded.ground_truth, split),
        "units": count_units(loaded.ground_truth, results.prediction, split.test, request.fold or 0),
        "distances": count_distances(loaded.ground_truth, results.prediction, split.train, split.test),
        "config": config,
        "decisions": results.decisions,
        "environment": results.environment,
        "times": results.times,
        "memory": results.memory,
        "revision": known[-1]["revision"] if known else environment.revision(),
        "resumed_from": known[:-1],
        "weights": weights,
        "history": results.history.entries,
        "maps": maps_of(results.prediction, split, loaded.ground_truth),
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    if request.fold is not None:
        record["fold"] = request.fold
    if results.audit:
        record["audit"] = results.audit
    if loaded.scene.own is not None:
        record["own_scene"] = own_scene_of(loaded.scene)
    record = with_audit(record, run.path)
    run.finish(record)
    return record
