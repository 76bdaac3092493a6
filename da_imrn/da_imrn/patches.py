"""The network's input: patches, stored as corners and gathered from the scene when needed."""

from typing import Iterator, NamedTuple, Optional, Tuple

import numpy as np

from da_imrn.partition import Partition, window_pixels
from shared_data.splits.minibatch_order import MinibatchOrder

AS_IS, UP_DOWN, LEFT_RIGHT = 0, 1, 2  # flips
_PASTED = 4096  # tiles written at a time: the indices of their pixels take more memory than the tiles


class PatchSet(NamedTuple):
    """N patches of b×b pixels: top-left corners (N, 2), flips (N) uint8, labels (N, b, b) uint8, 0 unlabelled.

    Labels are already flipped with their patch.
    """

    corners: np.ndarray
    flips: np.ndarray
    labels: np.ndarray

    @property
    def size(self) -> int:
        """N."""
        return len(self.flips)


def flipped(tiles: np.ndarray, flips: np.ndarray) -> np.ndarray:
    """(N, b, b, ...) with each tile flipped by its entry in `flips`; a copy if any is flipped."""
    if not flips.any():
        return tiles
    result = tiles.copy()
    result[flips == UP_DOWN] = tiles[flips == UP_DOWN, ::-1]
    result[flips == LEFT_RIGHT] = tiles[flips == LEFT_RIGHT, :, ::-1]
    return result


def _inside(corners: np.ndarray, labels: np.ndarray, patch: int) -> Tuple[np.ndarray, np.ndarray]:
    """Every patch inside every window, stride 1: corners (T·s², 2) and labels (T·s², b, b), window by window."""
    window = labels.shape[1]
    count = window - patch + 1
    offsets = np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), axis=-1).reshape(-1, 2)
    flat = labels.reshape(len(labels), window * window)
    tiles = flat[:, window_pixels(offsets, patch, window)]
    return (corners[:, None] + offsets).reshape(-1, 2), tiles.reshape(-1, patch, patch)


def _kept(partition: Partition, patch: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners, training labels and op labels of the kept patches: every second one that holds a training label."""
    corners, labels = _inside(partition.corners, partition.labels, patch)
    _, op_labels = _inside(partition.corners, partition.op_labels, patch)
    kept = np.flatnonzero(labels.any(axis=(1, 2)))[:: partition.kept_of]  # the counter continues over all windows
    return corners[kept], labels[kept], op_labels[kept]


def training_patches(partition: Partition, patch: int, random: np.random.RandomState) -> PatchSet:
    """Each kept patch, followed by its copy flipped up-down or left-right, as in the partition or at random."""
    corners, labels, _ = _kept(partition, patch)
    flips = np.zeros(2 * len(corners), np.uint8)
    known = partition.flips
    flips[1::2] = random.randint(UP_DOWN, LEFT_RIGHT + 1, len(corners)) if known is None else known
    return PatchSet(np.repeat(corners, 2, axis=0), flips, flipped(np.repeat(labels, 2, axis=0), flips))


def op_patches(partition: Partition, patch: int) -> PatchSet:
    """The kept patches without flipped copies, with the labels held out in their windows; a pixel may lie in several of
    them."""
    corners, _, labels = _kept(partition, patch)
    return PatchSet(corners, np.zeros(len(corners), np.uint8), labels)


def validation_patches(partition: Partition, patch: int) -> PatchSet:
    """Every patch of the validation windows that holds a label; a pixel may lie in several of them."""
    return _labelled(*_inside(partition.val_corners, partition.val_labels, patch))


def _labelled(corners: np.ndarray, labels: np.ndarray) -> PatchSet:
    some = labels.any(axis=(1, 2))
    return PatchSet(corners[some], np.zeros(np.count_nonzero(some), np.uint8), labels[some])


def grid_corners(height: int, width: int, patch: int) -> np.ndarray:
    """(N, 2) corners of the release's test grid: stride b, without the remainder at the right and bottom border."""
    return _crossed(np.arange(0, height - patch + 1, patch), np.arange(0, width - patch + 1, patch))


def covering_corners(height: int, width: int, patch: int) -> np.ndarray:
    """The grid, followed by patches along the border that cover its remainder."""
    grid = grid_corners(height, width, patch)
    rows, columns = (
        np.unique(np.append(np.arange(0, side - patch + 1, patch), side - patch)) for side in (height, width)
    )
    everything = _crossed(rows, columns)
    return np.concatenate([grid, everything[(everything % patch).any(axis=1)]])


def _crossed(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def in_grid(height: int, width: int, patch: int) -> np.ndarray:
    """(H, W) bool: the pixels of the test grid."""
    result = np.zeros((height, width), bool)
    result[: height - height % patch, : width - width % patch] = True
    return result


def paste(tiles: np.ndarray, corners: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    """(N, b, b) tiles at their corners, (H, W); where tiles overlap the earlier one stays."""
    result = np.zeros(shape, tiles.dtype)
    for start in reversed(range(0, len(tiles), _PASTED)):
        some = slice(start, start + _PASTED)
        pixels = window_pixels(corners[some], tiles.shape[1], shape[1]).ravel()
        unique, first = np.unique(pixels, return_index=True)
        result.ravel()[unique] = tiles[some].ravel()[first]
    return result


def gather(cube: np.ndarray, corners: np.ndarray, patch: int, flips: Optional[np.ndarray] = None) -> np.ndarray:
    """Patches at (N, 2) corners of a scene (H, W, B): (N, b, b, B, 1) float32, raw digital numbers."""
    steps = np.arange(patch)
    rows, columns = corners[:, :1] + steps, corners[:, 1:] + steps
    tiles = cube[rows[:, :, None], columns[:, None, :]].astype(np.float32)
    return (tiles if flips is None else flipped(tiles, flips))[..., None]


def one_hot(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """(N, b, b) labels to targets (N, b, b, 1, K) float32, a row of zeros where unlabelled."""
    return np.eye(num_classes + 1, dtype=np.float32)[labels][..., None, 1:]


class MinibatchStream(MinibatchOrder):
    """Shuffled mini-batches (x, y): one iteration is one epoch.

    x (n, b, b, B, 1) and y (n, b, b, 1, K) float32, n = batch but for the last.
    """

    def __init__(self, cube: np.ndarray, patches: PatchSet, num_classes: int, batch: int, seed: int) -> None:
        super().__init__(patches.size, batch, seed)
        self._cube, self._patches, self._classes = cube, patches, num_classes

    def __iter__(self) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        for chosen in super().__iter__():
            corners, flips, labels = (part[chosen] for part in self._patches)
            yield gather(self._cube, corners, labels.shape[1], flips), one_hot(labels, self._classes)
