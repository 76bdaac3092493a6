"""The arrays behind a run's pictures: its prediction, the ground truth, and which pixels were tested.

They lie beside the run's record (prediction.npy, split.npz, own_truth.npy), or in the record itself where it was kept
with maps; a split of a protocol that all methods share is drawn again from the ground truth. Missing or unusable arrays
are left out with a remark, so that a report never fails for lack of a picture.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.errors import SharedDataError, UnknownNameError
from shared_data.files.npz import read_npy
from shared_data.records.map_codec import has_maps, prediction_of
from shared_data.records.record_scene import scene_of_record
from shared_data.report.truth import Truths
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import Split, index_hash, load_split
from shared_data.splits.shared_protocols import SHARED, draw_shared

UNLABELLED, RIGHT, WRONG, NOT_TESTED = range(4)
TRAIN, VAL, TEST = 1, 2, 3  # sets of a split, 0 none
NO_MAP = "No map was kept with this record."
NO_SPLIT = "This record does not hold which pixels were tested, so neither its split nor its errors are drawn."


class RunMaps(NamedTuple):
    """The arrays behind a run's pictures; each is (H, W), or None where it is missing.

    scene: None where the catalogue does not know it. prediction, truth: uint8 classes, 0 unlabelled. sets: uint8, 0
    none, TRAIN, VAL, TEST; TEST at all labelled pixels where folds are pooled. splits: the run's, or those of its
    folds, in order; empty where they are not known. remarks: what is missing and why, one sentence each.
    """

    scene: Optional[Scene]
    prediction: Optional[np.ndarray] = None
    truth: Optional[np.ndarray] = None
    sets: Optional[np.ndarray] = None
    splits: Tuple[Split, ...] = ()
    remarks: Tuple[str, ...] = ()

    def outcome(self) -> Optional[np.ndarray]:
        """(H, W) uint8 of UNLABELLED, RIGHT, WRONG and NOT_TESTED; None without a ground truth or the test pixels."""
        if self.prediction is None or self.truth is None or self.sets is None:
            return None
        outcome = np.where(self.prediction == self.truth, RIGHT, WRONG).astype(np.uint8)
        outcome[self.sets != TEST] = NOT_TESTED
        outcome[self.truth == 0] = UNLABELLED
        return outcome


def load_maps(path: Path, record: Dict[str, Any], truths: Truths) -> RunMaps:
    """What can be drawn of the record read from `path`. Raises nothing for files that are missing or damaged."""
    try:
        scene = scene_of_record(record)
    except UnknownNameError:
        return RunMaps(None, remarks=("The catalogue knows no scene '%s', so no map is drawn." % record["scene"],))
    remarks: List[str] = []
    prediction = _attempt("The prediction", remarks, _prediction, path, record, scene)
    if prediction is None:
        return RunMaps(scene, remarks=tuple(remarks or [NO_MAP]))
    truth = truths.of(record, scene, path)
    if truth.remark:
        remarks.append(truth.remark)
    splits: Tuple[Split, ...] = _attempt("The split", remarks, _splits, path, record, scene) or ()
    splits = splits or _attempt("The split", remarks, _drawn_again, record, scene, truth.labels) or ()
    sets = _sets(splits[0], scene) if len(splits) == 1 else None
    if sets is not None and index_hash(np.flatnonzero(sets == TEST)) != record["split"]["test"]["sha256"]:
        remarks.append("The test pixels kept with the map are not those of the record.")
    if record.get("folds") and truth.labels is not None:
        sets = np.where(truth.labels > 0, TEST, 0).astype(np.uint8)
    elif sets is None and truth.labels is not None:
        remarks.append(NO_SPLIT)
    return RunMaps(scene, prediction, truth.labels, sets, splits, tuple(remarks))


def _attempt(what: str, remarks: List[str], load: Any, *arguments: Any) -> Any:
    """What `load` returns; None, with a remark, where it fails."""
    try:
        return load(*arguments)
    except (SharedDataError, OSError, ValueError, KeyError, EOFError) as error:
        remarks.append("%s kept with this run cannot be used: %s." % (what, str(error).rstrip(".")))
    return None


def _prediction(path: Path, record: Dict[str, Any], scene: Scene) -> Optional[np.ndarray]:
    beside = path.with_name("prediction.npy")
    prediction: Optional[np.ndarray] = None
    if path.name == "run.json" and beside.is_file():
        prediction = read_npy(beside, (scene.height, scene.width))
    elif has_maps(record):
        prediction = prediction_of(record, scene)
    if prediction is None:
        return None
    if prediction.dtype.kind not in "iu":
        raise ValueError("expected whole numbers, found %s" % prediction.dtype)
    if prediction.min() < 0 or prediction.max() > scene.num_classes:
        raise ValueError(
            "expected classes 0..%d, found %d..%d" % (scene.num_classes, prediction.min(), prediction.max())
        )
    return prediction.astype(np.uint8)


def _splits(path: Path, record: Dict[str, Any], scene: Scene) -> Tuple[Split, ...]:
    """The splits that lie beside a run's record, or in the folders of its folds; empty where one is missing."""
    if path.name != "run.json":
        return ()
    folders = [path.with_name("fold-%d" % part["fold"]) for part in record.get("folds", [])] or [path.parent]
    files = [folder / "split.npz" for folder in folders]
    if not all(file.is_file() for file in files):
        return ()
    return tuple(load_split(file, scene.height * scene.width) for file in files)


def _drawn_again(record: Dict[str, Any], scene: Scene, truth: Optional[np.ndarray]) -> Tuple[Split, ...]:
    """The splits of a protocol of `SHARED`, of every fold; empty under other protocols, and where the test pixels are
    not those of the record, which was made with other files, or by other code."""
    if truth is None or record["protocol"] not in SHARED:
        return ()
    loaded = LoadedScene(scene, np.empty(0), truth, (), False)  # a draw reads the labels alone
    parts = record.get("folds") or [record]
    splits = tuple(draw_shared(loaded, record["protocol"], record["seed"], part.get("fold")) for part in parts)
    same = all(index_hash(split.test) == part["split"]["test"]["sha256"] for split, part in zip(splits, parts))
    return splits if same else ()


def _sets(split: Split, scene: Scene) -> np.ndarray:
    sets = np.zeros(scene.height * scene.width, np.uint8)
    for value, pixels in ((TRAIN, split.train), (VAL, split.val), (TEST, split.test)):
        sets[pixels] = value
    return sets.reshape(scene.height, scene.width)
