"""Classes of patches and of the whole scene, in bounded memory."""

from typing import Any

import numpy as np

from da_imrn.partition import window_pixels
from da_imrn.patches import covering_corners, gather, paste

BATCH = 64  # patches at once


def predict_patches(model: Any, cube: np.ndarray, corners: np.ndarray, patch: int, batch: int = BATCH) -> np.ndarray:
    """Classes 1..K of every position of the patches at (N, 2) top-left corners: (N, b, b) uint8."""
    classes = np.empty((len(corners), patch, patch), np.uint8)
    for start in range(0, len(corners), batch):
        probability = model.predict_on_batch(gather(cube, corners[start : start + batch], patch))
        classes[start : start + batch] = np.asarray(probability)[..., 0, :].argmax(axis=-1) + 1
    return classes


def predict_scene(model: Any, cube: np.ndarray, patch: int) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8: the release's grid, and patches along the border for its remainder."""
    shape = cube.shape[:2]
    corners = covering_corners(shape[0], shape[1], patch)
    return paste(predict_patches(model, cube, corners, patch), corners, shape)


def seen_by_tiles(mask: np.ndarray, patch: int) -> np.ndarray:
    """(H, W) bool: the pixels whose patch in `predict_scene` holds a pixel of a (H, W) mask."""
    corners = covering_corners(mask.shape[0], mask.shape[1], patch)
    tiles = mask.ravel()[window_pixels(corners, patch, mask.shape[1])]
    seen = np.broadcast_to(tiles.any(axis=(1, 2))[:, None, None], tiles.shape)
    return paste(seen, corners, mask.shape)
