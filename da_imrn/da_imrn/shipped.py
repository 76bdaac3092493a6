"""The partitions of Indian Pines that the authors shipped and trained on, as far as they were recovered.

`partitions/indianpines.npz`, made by tools/recover_partitions.py, holds places and label bits of five partitions. Test
and validation pixels are exactly the shipped ones; where label patterns fit several places of a training window, one
was drawn. Per partition n = 1 .. 5, with T windows and N kept patches:

    sets_n (H, W)      VALIDATED, TESTED, or TRAINED for every other labelled pixel; 0 unlabelled. TRAINED: inside a
                       training window or, near the border, inside none but those that the border cuts: such pixels
                       are in no recovered window, and so in no set (37, 57, 30, 43 and 72 of partitions 1 to 5)
    val_places_n       (V, 2) corners of the validation patches, in their order
    corners_n (T, 2)   of the training windows, in their order
    trains_n (T, 5)    packed bits: which of a window's 36 labels train
    placed_n (T) bool  whether one place alone fits; patches_n (T): how many of the kept patches are the window's
    flips_n (N)        the flip of each kept patch's copy
"""

import hashlib
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np

from da_imrn.partition import Partition, window_pixels, written_one_after_the_other
from shared_data.errors import SplitError
from shared_data.files.npz import read_npz

RECOVERED = Path(__file__).resolve().parent / "partitions" / "indianpines.npz"
NUMBERS = range(1, 6)
WINDOW, PATCH = 6, 4
TRAINED, VALIDATED, TESTED = 1, 2, 3


def truth_sha256(ground_truth: np.ndarray) -> str:
    """Of the labels (H, W), as uint8 in C order."""
    return hashlib.sha256(np.ascontiguousarray(ground_truth, np.uint8).tobytes()).hexdigest()


def recovered_partition(ground_truth: np.ndarray, number: int) -> Optional[Partition]:
    """The recovered partition of a number, or None where there is none: of another number than 1 to 5, or of other
    labels than those of the official Indian Pines.

    ground_truth: (H, W). Raises: SplitError where the package's file cannot be read.
    """
    if number not in NUMBERS:
        return None
    try:
        stored = read_npz(RECOVERED)
    except ValueError as error:
        raise SplitError(
            "%s: expected the recovered partitions, found: %s; install the package again." % (RECOVERED, error)
        ) from error
    if str(stored["truth_sha256"]) != truth_sha256(ground_truth):
        return None
    suffix = "_%d" % number
    return _partition({name[:-2]: part for name, part in stored.items() if name.endswith(suffix)}, ground_truth)


def _partition(parts: Dict[str, np.ndarray], truth: np.ndarray) -> Partition:
    corners, val_corners = parts["corners"].astype(np.int64), parts["val_places"].astype(np.int64)
    shape, width = truth.shape, truth.shape[1]
    pixels = window_pixels(corners, WINDOW, width)
    inside = truth.ravel()[pixels]
    trains = np.unpackbits(parts["trains"], axis=1)[:, : WINDOW**2].reshape(inside.shape).astype(bool)
    labels, op_labels = np.where(trains, inside, 0), np.where(trains, 0, inside)
    val_map, test_labels = (np.where(parts["sets"] == code, truth, 0) for code in (VALIDATED, TESTED))
    return Partition(
        corners, labels, op_labels, val_corners, val_map.ravel()[window_pixels(val_corners, PATCH, width)],
        written_one_after_the_other(pixels, labels, shape), written_one_after_the_other(pixels, op_labels, shape),
        val_map, test_labels, draws=0, flips=parts["flips"], facts=_facts(parts),
    )  # fmt: skip


def _facts(parts: Dict[str, np.ndarray]) -> Dict[str, Any]:
    placed = int(parts["patches"][parts["placed"]].sum())
    return {
        "partition": "recovered",
        "patches_placed": placed,
        "patches_drawn": int(parts["patches"].sum()) - placed,
    }
