"""A stress test: a split by blocks whose test pixels lie far from every training pixel, the same for every method.

The scene is cut into square blocks. Whole blocks are set aside for training, others for validation; the wanted number
of pixels of each class is drawn inside them. Every labelled pixel outside of both that is further than the distances
from all training and validation pixels is tested; pixels in between are unused. Fields differ in size and shape, so of
several seeded attempts the best is taken: first by the number of classes with test pixels, then by how evenly classes
are tested. On small scenes some classes stay untested all the same, and results differ much between seeds;
`splits.spatial` tests every labelled pixel.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from scipy.ndimage import distance_transform_cdt, maximum_filter

from shared_data.errors import SharedDataError, SplitError
from shared_data.files.atomic import write_text
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import Split, describe

DISTANCE = 13  # pixels: half the widest patch of the five methods, 27×27
ATTEMPTS = 40


class DisjointRule(NamedTuple):
    """The parameters that, with the seed, determine a disjoint split.

    train, val: shares of a class's pixels, rounded up. minimum: pixels of a class in each of the two sets, at least,
    where the class has them. distance: test and validation pixels are further than this from every training pixel, in
    rows or in columns. val_distance: test pixels are further than this from every validation pixel. block: side of the
    blocks in pixels.
    """

    train: float = 0.05
    val: float = 0.02
    minimum: int = 5
    distance: int = DISTANCE
    val_distance: int = 6
    block: int = 12


class DisjointSplit(NamedTuple):
    """split: flat indices. unsplit: classes (1..K) without a test pixel, which are used in training only."""

    split: Split
    unsplit: List[int]


def draw_disjoint(
    ground_truth: np.ndarray, rule: DisjointRule, seed: int, class_names: Sequence[str] = ()
) -> DisjointSplit:
    """The split of a seed.

    ground_truth: (H, W) labels, 0 unlabelled. class_names: of all K classes; K is the largest label without them.
    Raises: SplitError where a class has no pixel, or no class at all can be tested.
    """
    num_classes = len(class_names) or int(ground_truth.max())
    counts = np.bincount(ground_truth.ravel(), minlength=num_classes + 1)[1:]
    for label in np.flatnonzero(counts == 0) + 1:
        name = " (%s)" % class_names[label - 1] if class_names else ""
        raise SplitError("class %d%s has no labelled pixel; the split needs every class." % (label, name))
    random = np.random.RandomState(seed)
    attempts = (_Attempt(ground_truth, counts, rule, random) for _ in range(ATTEMPTS))
    best = max(attempts, key=lambda attempt: attempt.merit)  # of equally good attempts the first
    if not best.split.test.size:
        raise SplitError(
            "no labelled pixel lies further than %d from all training pixels; the scene is too small for a disjoint "
            "split: take another seed or protocol." % rule.distance
        )
    return DisjointSplit(best.split, best.unsplit)


def common_split(loaded: LoadedScene, seed: int) -> Split:
    """The split of a scene and a seed that all methods share: `DisjointRule` as it stands.

    Raises: SplitError, as `draw_disjoint`, and where no pixel is left to validate.
    """
    split = draw_disjoint(loaded.ground_truth, DisjointRule(), seed, loaded.scene.class_names).split
    if not split.val.size:
        raise SplitError("%s, seed %d: the disjoint split leaves no pixel to validate; take another seed."
                         % (loaded.scene.slug, seed))  # fmt: skip
    return split


class _Attempt:
    """One random assignment of blocks."""

    def __init__(self, truth: np.ndarray, counts: np.ndarray, rule: DisjointRule, random: np.random.RandomState):
        self._truth, self._counts, self._rule, self._random = truth, counts, rule, random
        self._blocks = self._number_blocks()
        free = truth > 0
        train = self._take(self._wanted(rule.train), free)
        far = (truth > 0) & ~near(train, rule.distance)
        val = self._take(self._wanted(rule.val), far, scarce=True)
        test = far & ~self._in_blocks_of(val) & ~near(val, rule.val_distance)
        self.split = Split(*(np.flatnonzero(part) for part in (train, val, test)))
        tested = np.bincount(truth[test], minlength=len(counts) + 1)[1:]
        self.unsplit = (np.flatnonzero(tested == 0) + 1).tolist()
        shares = tested / counts
        self.merit = (-len(self.unsplit), float(np.minimum(shares, 0.5).mean()))

    def _number_blocks(self) -> np.ndarray:
        """(H, W) number of the block that holds a pixel; the grid's offset is random."""
        side = self._rule.block
        down, right = self._random.randint(0, side, 2)
        rows, columns = (np.arange(n) + shift for n, shift in zip(self._truth.shape, (down, right)))
        across = columns[-1] // side + 1
        return (rows // side)[:, None] * across + (columns // side)[None]

    def _wanted(self, share: float) -> np.ndarray:
        return np.minimum(np.maximum(np.ceil(self._counts * share), self._rule.minimum), self._counts).astype(int)

    def _take(self, wanted: np.ndarray, free: np.ndarray, scarce: bool = False) -> np.ndarray:
        """(H, W) bool: the wanted pixels of each class, drawn inside whole blocks of free pixels.

        Blocks are taken one by one, at random with a preference for those that supply most of the pixels still missing.
        scarce: leave at least half of a class's free pixels, whatever is wanted.
        """
        number = int(self._blocks.max()) + 1
        held: np.ndarray = np.zeros((number, len(wanted) + 1), int)
        np.add.at(held, (self._blocks[free], self._truth[free]), 1)
        held = held[:, 1:]
        if scarce:
            wanted = np.minimum(wanted, held.sum(axis=0) // 2)
        lacking, left, chosen = wanted.copy(), held.copy(), np.zeros(number, bool)
        whim = np.exp(self._random.standard_normal(number))
        while lacking.any():
            # by the share of a class's wanted pixels that a block supplies, so that rare classes weigh as much as
            # others
            served = np.minimum(left, lacking) / np.maximum(wanted, 1)
            gain = np.where(chosen, -1.0, served.sum(axis=1)) * whim
            block = int(gain.argmax())
            if gain[block] <= 0:
                break  # no remaining block holds a missing pixel
            chosen[block] = True
            lacking = np.maximum(lacking - left[block], 0)
        return self._draw(wanted, free & chosen[self._blocks])

    def _draw(self, wanted: np.ndarray, among: np.ndarray) -> np.ndarray:
        result = np.zeros(among.size, bool)
        labels = np.where(among, self._truth, 0).ravel()
        for label, count in enumerate(wanted, start=1):
            pixels = np.flatnonzero(labels == label)
            result[self._random.permutation(pixels)[:count]] = True
        return result.reshape(among.shape)

    def _in_blocks_of(self, pixels: np.ndarray) -> np.ndarray:
        return np.isin(self._blocks, np.unique(self._blocks[pixels]))


def near(pixels: np.ndarray, distance: int) -> np.ndarray:
    """(H, W) bool: within the distance of some pixel of a (H, W) mask, in rows and in columns."""
    return maximum_filter(pixels.astype(np.uint8), size=2 * distance + 1, mode="constant").astype(bool)


def distance_to(pixels: np.ndarray, shape: Any) -> np.ndarray:
    """(H, W) int: distance of every pixel to the nearest of these flat indices, in rows or columns; −1 without any."""
    outside = np.ones(shape, bool)
    outside.ravel()[pixels] = False
    return distance_transform_cdt(outside, "chessboard")


def least_distance(pixels: np.ndarray, others: np.ndarray, shape: Any) -> Optional[int]:
    """The smallest distance, in rows or in columns, of flat indices to others; None where there are none."""
    if not len(pixels) or not len(others):
        return None
    return int(distance_to(pixels, shape).ravel()[others].min())


def manifest(
    drawn: DisjointSplit, rule: DisjointRule, seed: int, ground_truth: np.ndarray, scene: Any
) -> Dict[str, Any]:
    """The split for use in other tools, as JSON values; index lists are flat C-order.

    scene: of the catalogue.
    """
    split = drawn.split
    return {
        "scene": scene.slug,
        "shape": list(ground_truth.shape),
        "seed": seed,
        "rule": dict(rule._asdict()),
        "least_distance": least_distance(split.train, split.test, ground_truth.shape),
        "classes_not_tested": [scene.class_names[label - 1] for label in drawn.unsplit],
        "sets": describe(split, ground_truth, scene.num_classes),
        "indices": {name: part.tolist() for name, part in split._asdict().items()},
    }


def write_manifest(path: Any, content: Dict[str, Any]) -> None:
    """Write a manifest as JSON, making its folder. Raises: SharedDataError where that is not possible."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content) + "\n")
    except OSError as error:
        raise SharedDataError("%s cannot be written: %s; choose another file." % (path, error.strerror)) from error
