"""The end of every run: prediction, split, maps and, last, the record."""

import time
from typing import Any, Dict, NamedTuple, Optional, Sequence

import numpy as np

from shared_data import environment, maps
from shared_data.atomic import atomic_path
from shared_data.audit.file import with_audit
from shared_data.errors import RunDirectoryError
from shared_data.history import History
from shared_data.metrics import evaluate
from shared_data.paper_cli import Request
from shared_data.record_maps import maps_of
from shared_data.records import SCHEMA_VERSION
from shared_data.run_directory import RunDirectory
from shared_data.scene import LoadedScene
from shared_data.splits import Split, describe, save_split


class Results(NamedTuple):
    """What a trained run hands over for its record."""

    split: Split
    prediction: np.ndarray  # (H, W) uint8, classes 1..K
    history: History
    decisions: Dict[str, Any]
    selection: Dict[str, Any]  # which step's weights were kept, and on what
    environment: Dict[str, Any]
    times: Dict[str, float]
    memory: Dict[str, Optional[float]]
    extra_metrics: Dict[str, float] = {}
    audit: Dict[str, Any] = {}  # facts about the split or the run that are no metrics: numbers, booleans, short texts


def write_prediction(folder: Any, prediction: np.ndarray, loaded: LoadedScene, split: Split, title: str) -> None:
    """prediction.npy (H, W) uint8, split.npz, map.png (labelled pixels), map_full.png, errors.png.

    Raises: RunDirectoryError where the folder cannot be written.
    """
    truth, scene = loaded.ground_truth, loaded.scene
    train_mask = np.zeros(truth.size, bool)
    train_mask[np.concatenate([split.train, split.val])] = True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / "prediction.npy") as temporary:
            np.save(temporary, prediction)
        save_split(folder / "split.npz", split)
        maps.write_map(folder / "map.png", prediction, scene, title + ", labelled pixels", mask=truth > 0)
        maps.write_map(folder / "map_full.png", prediction, scene, title + ", every pixel")
        maps.write_errors(
            folder / "errors.png",
            truth,
            prediction,
            scene,
            title + ", errors",
            train_mask=train_mask.reshape(truth.shape),
        )
    except OSError as error:
        raise RunDirectoryError("%s cannot be written: %s." % (folder, error.strerror or error)) from error


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
    This is where test labels are read; under the protocols that hide them, for the first time.
    """
    title = "%s · %s · %s · seed %d" % (paper.upper(), loaded.scene.title, request.protocol, request.seed)
    split = results.split
    known = run.circumstances()  # the code is that of the process's start; the checkout may have moved on since
    write_prediction(run.path, results.prediction, loaded, split, title)
    truth = loaded.ground_truth.ravel()[split.test]
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
    if results.audit:
        record["audit"] = results.audit
    record = with_audit(record, run.path)
    run.finish(record)
    return record
