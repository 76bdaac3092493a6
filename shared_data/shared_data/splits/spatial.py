"""Spatial cross-validation: whole fields are tested, and training pixels keep a distance from them.

Neighbouring pixels of a field are nearly copies of each other, so a random draw tests pixels whose neighbours trained.
Here the units of the draw are connected fields of one class, dealt to folds. Every labelled pixel is tested once; when
a fold is tested, pixels that train or validate lie farther than a distance from all of its pixels.
"""

from typing import List, NamedTuple

import numpy as np
from scipy import ndimage

from shared_data.errors import SplitError
from shared_data.splits.disjoint import near
from shared_data.splits.draws import Split

FOLDS = 5
LARGE_SCENE = 20000  # labelled pixels from which 1 % of a class trains instead of 5 %
_NEIGHBOURS = np.ones((3, 3), int)  # pixels that touch at a corner are of one field


class SpatialRule(NamedTuple):
    """The parameters that, with seed and fold, determine a split.

    distance: pixels that train or validate are farther than this from every test pixel, in rows or in columns. 6: two
    patches of 7×7 pixels around such pixels share none. minimum: training pixels of a class, at least, where it has
    them. val: share of a class's pixels that validates, at least `minimum` pixels where it has them.
    """

    distance: int = 6
    minimum: int = 5
    val: float = 0.02


class UntrainedClass(NamedTuple):
    """A class (1..K) that is tested in a fold without a training pixel, and the number of its test pixels."""

    label: int
    test_pixels: int


def connected_fields(ground_truth: np.ndarray) -> np.ndarray:
    """(H, W) int32: the number of the connected field of one class, 1..F; 0 where the ground truth (H, W) is 0."""
    result: np.ndarray = np.zeros(ground_truth.shape, np.int32)
    count = 0
    for label in np.unique(ground_truth[ground_truth > 0]):
        fields, number = ndimage.label(ground_truth == label, _NEIGHBOURS)
        inside = fields > 0
        result[inside] = fields[inside] + count
        count += number
    return result


def spatial_units(ground_truth: np.ndarray, least: int = FOLDS) -> np.ndarray:
    """(H, W) int32: the number of the spatial unit of each pixel, 1..U; 0 where the ground truth (H, W) is 0.

    A unit is a connected field of one class. Fields of a class with fewer than `least` are cut across their longer
    axis into strips of about equal size, the largest field first, until the class has as many units; a class with too
    few rows and columns keeps fewer.
    """
    fields = connected_fields(ground_truth)
    sizes, windows = np.bincount(fields.ravel()), ndimage.find_objects(fields)
    units: np.ndarray = np.zeros(ground_truth.shape, np.int32)
    count = 0
    for label in np.unique(ground_truth[ground_truth > 0]):
        members = np.unique(fields[ground_truth == label])
        for field, strips in zip(members, _strips_per_field(sizes[members], least)):
            window = windows[field - 1]
            rows, columns = np.nonzero(fields[window] == field)
            parts = _strips(rows, columns, strips)
            units[window][rows, columns] = count + 1 + parts
            count += int(parts.max()) + 1
    return units


def _strips_per_field(sizes: np.ndarray, least: int) -> List[int]:
    """The number of strips for each field: one, or more so that all have `least` together."""
    strips = [1] * len(sizes)
    while sum(strips) < least:
        strips[int(np.argmax(sizes / np.array(strips)))] += 1
    return strips


def _strips(rows: np.ndarray, columns: np.ndarray, number: int) -> np.ndarray:
    """The strip 0.. of each pixel of a field: bands across its longer axis with about equally many pixels."""
    along = rows if np.ptp(rows) >= np.ptp(columns) else columns
    along = along - along.min()
    before = np.cumsum(np.bincount(along)) - np.bincount(along)  # pixels in front of each line
    strip = before * number // len(along)
    return np.unique(strip, return_inverse=True)[1].ravel()[along]


def deal_folds(ground_truth: np.ndarray, units: np.ndarray, seed: int, folds: int = FOLDS) -> np.ndarray:
    """(H, W) int8: the fold 0..folds−1 in which a pixel is tested; −1 where it is unlabelled.

    Class by class, its units go one by one to the fold with the fewest pixels of the class so far, large ones first;
    the seed varies their order and decides between equal folds.
    """
    random = np.random.RandomState(seed)
    sizes = np.bincount(units.ravel())
    fold_of_unit = np.full(len(sizes), -1, np.int8)
    tested = np.zeros(folds, int)  # labelled pixels of each fold
    for label in np.unique(ground_truth[ground_truth > 0]):
        members = np.unique(units[ground_truth == label])
        order = np.argsort(-sizes[members] * random.uniform(0.5, 1.5, len(members)), kind="stable")
        of_class, whim = np.zeros(folds, int), random.permutation(folds)
        for unit in members[order]:
            fold = int(np.lexsort((whim, tested, of_class))[0])
            fold_of_unit[unit] = fold
            of_class[fold] += sizes[unit]
            tested[fold] += sizes[unit]
    return fold_of_unit[units]


def training_share(ground_truth: np.ndarray) -> float:
    """The share of each class's pixels that trains, the same for all methods: 5 %, on large scenes 1 %."""
    return 0.01 if np.count_nonzero(ground_truth) > LARGE_SCENE else 0.05


def draw_fold(ground_truth: np.ndarray, rule: SpatialRule, seed: int, fold: int) -> Split:
    """The pixels of one fold: its fields are tested; pixels farther from them than the distance train and validate.

    Validation pixels come from the fold after it (0 after the last), training pixels from the other three; a class
    with too few training pixels there takes those of the validating fold first.
    ground_truth: (H, W) labels, 0 unlabelled. Raises: SplitError where nothing can be tested or trained.
    """
    folds = deal_folds(ground_truth, spatial_units(ground_truth), seed)
    test = folds == fold
    free = (ground_truth > 0) & ~near(test, rule.distance)
    if not test.any() or not free.any():
        raise SplitError(
            "fold %d of seed %d has %d test pixels and %d pixels farther than %d from them; the scene is too small for "
            "this protocol; take another seed or protocol."
            % (fold, seed, np.count_nonzero(test), np.count_nonzero(free), rule.distance)
        )
    random = np.random.RandomState([seed, fold])
    share, validating = training_share(ground_truth), folds == (fold + 1) % FOLDS
    train: List[np.ndarray] = []
    val: List[np.ndarray] = []
    for label in np.unique(ground_truth[ground_truth > 0]):
        of_class = ground_truth == label
        count = np.count_nonzero(of_class)
        far, spare = (
            random.permutation(np.flatnonzero(of_class & free & where)) for where in (~validating, validating)
        )
        wanted = _wanted(count, share, rule.minimum)
        borrowed = max(wanted - len(far), 0)
        train.append(np.concatenate([far[:wanted], spare[:borrowed]]))
        val.append(spare[borrowed:][: _wanted(count, rule.val, rule.minimum)])
    return Split(np.concatenate(train), np.concatenate(val), np.flatnonzero(test))


def _wanted(count: int, share: float, minimum: int) -> int:
    return max(int(np.ceil(count * share)), minimum)


def untrained_classes(ground_truth: np.ndarray, split: Split) -> List[UntrainedClass]:
    """Classes that are tested without a training pixel; their test pixels count as wrong."""
    flat = ground_truth.ravel()
    tested = np.bincount(flat[split.test])
    missing = np.setdiff1d(np.flatnonzero(tested), flat[split.train])
    return [UntrainedClass(int(label), int(tested[label])) for label in missing]
