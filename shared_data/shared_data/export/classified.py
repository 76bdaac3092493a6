"""A class map with the meaning of its numbers, and a run's record: read from a run, a prediction or a kept record."""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.errors import RecordError, UnknownNameError
from shared_data.files.npz import read_npy
from shared_data.records import prediction_file
from shared_data.records.map_codec import prediction_of
from shared_data.records.record import read_record
from shared_data.records.record_scene import scene_of_record
from shared_data.scenes.catalogue import Georeference

_RECORD, _PREDICTION = "run.json", "prediction.npy"


class Classified(NamedTuple):
    """prediction: (H, W) uint8, 0 not classified, k in 1..K the class `class_names[k - 1]` with the colour
    `palette[k - 1]` ("#rrggbb"). title: one line that says what it is of. record: of a run; None of a prediction."""

    title: str
    prediction: np.ndarray
    class_names: Tuple[str, ...]
    palette: Tuple[str, ...]
    georeference: Optional[Georeference] = None
    record: Optional[Dict[str, Any]] = None


def read_classified(source: Path) -> Classified:
    """source: folder of a finished run or of a prediction, or file of a kept record.

    Raises: RecordError where it is none, or damaged.
    """
    if source.is_file():
        return _of_record(source)
    if (source / _RECORD).is_file():
        return _of_record(source / _RECORD)
    if (source / prediction_file.NAME).is_file():
        return _of_prediction(source)
    raise RecordError(
        "%s holds neither %s, which a finished run has, nor %s, which a prediction has; name the folder of one of them."
        % (source, _RECORD, prediction_file.NAME)
    )


def _of_record(path: Path) -> Classified:
    record = read_record(path)
    try:
        scene = scene_of_record(record)
    except UnknownNameError as error:
        raise RecordError("%s: %s" % (path, error)) from error
    stored = path.with_name(_PREDICTION)
    if path.name == _RECORD and stored.is_file():
        prediction = _stored_prediction(stored, scene.height, scene.width, scene.num_classes)
    else:  # of a kept record, or of several folds together
        prediction = prediction_of(record, scene)
    title = "%s %s, protocol %s, seed %d: %s" % (
        record["paper"], record["experiment"], record["protocol"], record["seed"], scene.title
    )  # fmt: skip
    return Classified(title, prediction, scene.class_names, scene.palette, scene.georeference, record)


def _of_prediction(folder: Path) -> Classified:
    described = prediction_file.read_prediction_file(folder)
    names = described.class_names
    prediction = _stored_prediction(folder / _PREDICTION, described.height, described.width, len(names))
    title = "%s on %s" % (described.paper, described.title)
    return Classified(title, prediction, names, described.palette, described.georeference)


def _stored_prediction(path: Path, height: int, width: int, num_classes: int) -> np.ndarray:
    """(H, W) uint8. Raises: RecordError where the file is missing, damaged, or of another scene."""
    try:
        prediction = read_npy(path, (height, width))
        if prediction.dtype.kind not in "iu" or prediction.min() < 0 or prediction.max() > num_classes:
            raise ValueError("expected whole numbers 0..%d" % num_classes)
    except ValueError as error:
        raise RecordError("%s cannot be used: %s; run it again." % (path, error)) from error
    return prediction.astype(np.uint8)
