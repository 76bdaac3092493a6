"""Probabilities of every class at every pixel, as float16, with which the classes of the map agree exactly.

A network computes them in float32. Rounded to float16, the two largest of a pixel may become equal; the one of the
pixel's class is then stored one float16 step larger, so that it stays the largest.
"""

from pathlib import Path
from typing import Any, Optional, Tuple

import numpy as np
from scipy.special import softmax

from shared_data.errors import RunDirectoryError
from shared_data.files.atomic import atomic_path
from shared_data.scenes.loading import SceneImage
from shared_data.scenes.mapped import map_new, row_blocks

NAME = "probabilities.npy"
_DTYPE = np.dtype(np.float16)


def space_for(shape: Tuple[int, int], num_classes: int, out: Optional[np.ndarray] = None) -> np.ndarray:
    """(H, W, K) float16 to be filled: `out` where it is given. shape: (H, W)."""
    return np.empty((*shape, num_classes), _DTYPE) if out is None else out


def of_logits(logits: np.ndarray) -> np.ndarray:
    """(..., K) float32 logits → float16 softmax values, of which that of the largest logit is the largest."""
    return _rounded(softmax(logits, axis=-1), logits.argmax(axis=-1))


def of_probabilities(probabilities: np.ndarray) -> np.ndarray:
    """(..., K) probabilities → the same as float16; the one that was the largest still is."""
    return _rounded(probabilities, probabilities.argmax(axis=-1))


def _rounded(probabilities: np.ndarray, winner: np.ndarray) -> np.ndarray:
    result, winner = probabilities.astype(_DTYPE), winner[..., None]
    own = np.take_along_axis(result, winner, axis=-1)
    np.put_along_axis(result, winner, _DTYPE.type(-1), axis=-1)
    larger = np.nextafter(result.max(axis=-1, keepdims=True), _DTYPE.type(np.inf))
    np.put_along_axis(result, winner, np.maximum(own, larger), axis=-1)
    return result


def write_probabilities(folder: Path, fitted: Any, image: SceneImage, tile: int = 0) -> np.ndarray:
    """Predict a scene into `probabilities.npy`, (H, W, K) float16; return the classes, (H, W) uint8.

    The file is filled block by block, memory-mapped. Pixels that are not valid hold NaN, and have no class, 0.
    fitted: `Fitted`. tile: as of `Fitted.predict`.
    Raises: RunDirectoryError where the folder cannot be written; what `Fitted.predict_probabilities` raises.
    """
    shape = (*image.shape, fitted.model.num_classes)
    classes = np.empty(image.shape, np.uint8)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / NAME) as temporary:
            values = map_new(temporary, shape, _DTYPE)
            fitted.predict_probabilities(image, tile, values)
            for rows in row_blocks(values):
                classes[rows] = values[rows].argmax(axis=-1) + 1
                if image.valid is not None:
                    values[rows][~image.valid[rows]] = np.nan
                    classes[rows][~image.valid[rows]] = 0
            values.flush()
    except OSError as error:
        raise RunDirectoryError("%s cannot be written: %s." % (folder, error.strerror or error)) from error
    return classes


def remove_probabilities(folder: Path) -> None:
    """Those of an earlier prediction, which may not be those of the next one. Raises: RunDirectoryError."""
    try:
        if (folder / NAME).exists():
            (folder / NAME).unlink()
    except OSError as error:
        raise RunDirectoryError("%s cannot be removed: %s." % (folder / NAME, error.strerror or error)) from error
