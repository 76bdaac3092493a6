"""Classes of patches and of the whole scene, and probabilities of the classes, in bounded memory."""

from typing import Any, Iterator, Tuple

import numpy as np

from da_imrn.partition import window_pixels
from da_imrn.patches import covering_corners, gather, paste
from shared_data.runs.probabilities import of_probabilities
from shared_data.runs.progress import OpenProgress, silent

BATCH = 64  # patches at once


def predict_patches(
    model: Any, cube: np.ndarray, corners: np.ndarray, patch: int, batch: int = BATCH, progress: OpenProgress = silent
) -> np.ndarray:
    """Classes 1..K of every position of the patches at (N, 2) top-left corners: (N, b, b) uint8."""
    classes = np.empty((len(corners), patch, patch), np.uint8)
    for some, found in _probabilities(model, cube, corners, patch, batch, progress):
        classes[some] = found.argmax(axis=-1) + 1
    return classes


def _probabilities(
    model: Any, cube: np.ndarray, corners: np.ndarray, patch: int, batch: int, progress: OpenProgress
) -> Iterator[Tuple[slice, np.ndarray]]:
    """Batches of the patches, the last one first, with the softmax values of their positions, (n, b, b, K)."""
    starts = range(0, len(corners), batch)
    with progress(len(starts), "batch") as shown:
        for start in reversed(starts):
            some = slice(start, min(start + batch, len(corners)))
            yield some, np.asarray(model.predict_on_batch(gather(cube, corners[some], patch)))[..., 0, :]
            shown.update()


def predict_scene(model: Any, cube: np.ndarray, patch: int, progress: OpenProgress = silent) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8: the release's grid, and patches along the border for its remainder."""
    shape = cube.shape[:2]
    corners = covering_corners(shape[0], shape[1], patch)
    return paste(predict_patches(model, cube, corners, patch, progress=progress), corners, shape)


def scene_probabilities(
    model: Any, cube: np.ndarray, patch: int, out: np.ndarray, progress: OpenProgress = silent
) -> None:
    """Fill `out`, (H, W, K) float16, with softmax values, batch by batch.

    A pixel in several patches has those of the first patch, as `predict_scene` has its class.
    """
    height, width, num_classes = out.shape
    corners, values = covering_corners(height, width, patch), out.reshape(-1, num_classes)
    for some, found in _probabilities(model, cube, corners, patch, BATCH, progress):
        pixels, first = np.unique(window_pixels(corners[some], patch, width), return_index=True)
        values[pixels] = of_probabilities(found.reshape(-1, num_classes)[first])


def seen_by_tiles(mask: np.ndarray, patch: int) -> np.ndarray:
    """(H, W) bool: the pixels whose patch in `predict_scene` holds a pixel of a (H, W) mask."""
    corners = covering_corners(mask.shape[0], mask.shape[1], patch)
    tiles = mask.ravel()[window_pixels(corners, patch, mask.shape[1])]
    seen = np.broadcast_to(tiles.any(axis=(1, 2))[:, None, None], tiles.shape)
    return paste(seen, corners, mask.shape)
