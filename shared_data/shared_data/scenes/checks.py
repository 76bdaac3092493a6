"""Checks of a scene's arrays against its entry in the catalogue or its description."""

from typing import Iterator, Optional, Sequence, Tuple

import numpy as np

from shared_data.errors import SceneFormatError
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.mapped import is_mapped, row_blocks


def checked_labels(ground_truth: np.ndarray, scene: Scene, path: str, labelled: bool = True) -> np.ndarray:
    """The labels as C-ordered (H, W) uint8.

    path: of their file, for messages. labelled: whether some pixel must have a label.
    Raises: SceneFormatError when they are not 0..K, or not as many of a class as the catalogue says.
    """
    if ground_truth.dtype.kind == "f" and not np.array_equal(ground_truth, np.floor(ground_truth)):
        raise SceneFormatError(f"{path}: expected whole numbers as labels, found fractions or NaN.")
    lowest, highest = ground_truth.min(), ground_truth.max()
    if lowest < 0 or highest > scene.num_classes:
        raise SceneFormatError(f"{path}: expected labels 0..{scene.num_classes}, found {lowest:.0f}..{highest:.0f}.")
    if highest == 0 and labelled:
        raise SceneFormatError(f"{path}: expected labels 1..{scene.num_classes}, found no labelled pixel at all.")
    labels = np.ascontiguousarray(ground_truth, dtype=np.uint8)
    if labels.any() and scene.class_counts is not None:
        counted = np.bincount(labels.ravel(), minlength=scene.num_classes + 1).tolist()
        check_counts(counted[1:], scene, scene.class_counts, path)
    return labels


def check_counts(found: Sequence[int], scene: Scene, stated: Sequence[int], path: str) -> None:
    """Compare the pixels of the classes 1..K with those stated. Raises: SceneFormatError naming the first that differs.

    path: of the labels, for the message.
    """
    for name, pixels, expected in zip(scene.class_names, found, stated):
        if pixels != expected:
            raise SceneFormatError(
                f"{path}: expected {expected} pixels of the class '{name}' of {scene.slug}, found {pixels}; correct "
                "the pixels of its classes where they are stated, or take the file that belongs to them."
            )


def check_finite(cube: np.ndarray, path: str, valid: Optional[np.ndarray] = None) -> None:
    """Raises: SceneFormatError naming the file and the first place in a (H, W, B) cube with NaN or infinity.

    valid: (H, W) bool, the pixels that count; None for all.
    """
    if cube.dtype.kind != "f":
        return
    for part in parts_of(cube):  # block by block: a mask of the whole cube takes memory
        odd = ~np.isfinite(cube[part])
        if valid is not None:
            odd &= valid[part[:2]][:, :, None]
        bad = np.argwhere(odd)
        if len(bad):
            row, column, band = bad[0] + [side.start or 0 for side in part]
            raise SceneFormatError(
                f"{path}: expected finite values, found NaN or infinity, first in row {row}, column {column}, "
                f"band {band} (counted from 0)."
            )


def parts_of(cube: np.ndarray) -> Iterator[Tuple[slice, slice, slice]]:
    """Parts that cover the cube, contiguous in storage: blocks of rows of a memory-mapped cube, else single bands."""
    whole = slice(None)
    if is_mapped(cube):
        for rows in row_blocks(cube):
            yield rows, whole, whole
    else:
        for band in range(cube.shape[2]):
            yield whole, whole, slice(band, band + 1)
