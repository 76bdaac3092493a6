"""The block-wise partition: windows around drawn centres give training and validation labels; labels outside are
tested.

No labelled pixel of a training window is tested, whether its label is trained on or held out inside the window ("op").
So a test label is never a training label, although test patches may contain pixels of training windows as context
without labels.
"""

import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from shared_data.errors import SplitError


class Rule(NamedTuple):
    """window: w, side of a window; patch: b, side of the network's input; per_window: training labels of a training
    window; train_ratio, val_ratio: shares of a class, divided by `per_window`, that give window centres; lowest,
    highest: counts of training and of validation pixels with which a draw is accepted; blank_cut: whether training
    windows that the border cuts, and that are not trained on, still remove their labels from validation and test."""

    window: int
    patch: int
    per_window: int
    train_ratio: float
    val_ratio: float
    lowest: int
    highest: int
    blank_cut: bool = False


class Partition(NamedTuple):
    """One drawn partition, or one that the authors shipped. T training and V validation windows, by their top-left
    corners, in order.

    labels, op_labels: (T, w, w) uint8, the labels of each window that train and those held out inside it.
    val_labels: (V, w, w) uint8, the labels of each validation window outside of the blanked training windows.
    train_map, op_map, val_map: (H, W) uint8, the labels window after window; a later one overwrites, zeros included.
    test_labels: (H, W) uint8, the labels outside all windows.
    draws: how many were made; accepted: whether this one satisfies the rule.
    kept_of: one in this number of patches with a training label is kept; 1 where the windows are the kept patches.
    flips: (n) of the kept patches' copies, see `da_imrn.patches`; None where they are random.
    facts: entries of the record on its origin, at least `partition`: drawn, recovered or shipped.
    """

    corners: np.ndarray
    labels: np.ndarray
    op_labels: np.ndarray
    val_corners: np.ndarray
    val_labels: np.ndarray
    train_map: np.ndarray
    op_map: np.ndarray
    val_map: np.ndarray
    test_labels: np.ndarray
    draws: int = 1
    accepted: bool = False
    kept_of: int = 2
    flips: Optional[np.ndarray] = None
    facts: Dict[str, Any] = {"partition": "drawn"}

    @property
    def counts(self) -> Tuple[int, int]:
        """Training and validation pixels of the count maps."""
        return int(np.count_nonzero(self.train_map)), int(np.count_nonzero(self.val_map))


def check_rule(rule: Rule) -> None:
    """Raises: ValueError where the sides do not fit each other, a window trains nothing, or the interval is empty."""
    if rule.patch < 2 or rule.patch % 2:
        raise ValueError("the patch side must be even, so that it can be halved, not %d" % rule.patch)
    if rule.window < rule.patch:
        raise ValueError("a window of %d pixels is smaller than a patch of %d" % (rule.window, rule.patch))
    if rule.per_window < 1:
        raise ValueError("a training window needs at least one label that trains, not %d" % rule.per_window)
    if rule.lowest > rule.highest:
        raise ValueError("the accepted counts begin at %d and end at %d before" % (rule.lowest, rule.highest))


def centres_of(ground_truth: np.ndarray, label: int, window: int) -> np.ndarray:
    """(n, 2) pixels of a class at least int((w − 1)/2) from the border, row by row."""
    margin = int((window - 1) / 2)
    height, width = ground_truth.shape
    inner = ground_truth[margin : height - margin, margin : width - margin]
    return np.argwhere(inner == label) + margin


def _rows_and_columns(centres: np.ndarray, window: int, shape: Tuple[int, int]) -> Tuple[np.ndarray, ...]:
    """First and last (exclusive) row and column (n, 2) of windows, and (n) bool: which of them the border does not cut.

    A window holds the rows int(x − (w−1)/2) up to, not including, int(x + (w−1)/2 + 1), and columns alike. int()
    truncates toward zero, so a window that begins half a pixel outside begins at 0, is one short, and is cut.
    """
    half = (window - 1) / 2
    first = np.trunc(centres - half).astype(np.int64)
    last = np.trunc(centres + half + 1).astype(np.int64)
    whole = (first >= 0) & (last <= np.array(shape)) & (last - first == window)
    return first, last, whole.all(axis=1)


def corners_of(centres: np.ndarray, window: int, shape: Tuple[int, int]) -> np.ndarray:
    """Top-left corners of the windows around (n, 2) centres; windows that the border cuts are dropped."""
    first, _, whole = _rows_and_columns(centres, window, shape)
    return first[whole]


def cut_window_pixels(centres: np.ndarray, window: int, shape: Tuple[int, int]) -> np.ndarray:
    """(n) flat C-order indices of the pixels of those windows around centres that the border cuts."""
    first, last, whole = _rows_and_columns(centres, window, shape)
    inside = np.zeros(shape, bool)
    for (top, left), (bottom, right) in zip(np.maximum(first[~whole], 0), last[~whole]):
        inside[top:bottom, left:right] = True
    return np.flatnonzero(inside)


def window_pixels(corners: np.ndarray, side: int, width: int) -> np.ndarray:
    """(n, side, side) flat C-order indices of the pixels of square windows."""
    steps = np.arange(side)
    rows, columns = corners[:, :1] + steps, corners[:, 1:] + steps
    return rows[:, :, None] * width + columns[:, None, :]


def written_one_after_the_other(pixels: np.ndarray, labels: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    """(H, W) uint8: windows written in their order, so that a later one overwrites an earlier one, zeros included."""
    result = np.zeros(shape, np.uint8)
    # numpy guarantees no order for repeated indices, so the last window of each pixel is found first
    flat = pixels.ravel()[::-1]
    unique, position = np.unique(flat, return_index=True)
    result.ravel()[unique] = labels.ravel()[::-1][position]
    return result


class _Drawer:
    """Draws partitions of one scene; values that all draws share are computed once. Raises: SplitError, see
    `draw_partition`."""

    def __init__(self, ground_truth: np.ndarray, rule: Rule, class_names: Sequence[str]) -> None:
        check_rule(rule)
        self.truth, self.rule = ground_truth, rule
        self.candidates: List[np.ndarray] = []
        for label in range(1, (len(class_names) or int(ground_truth.max())) + 1):
            name = "class %d%s" % (label, " (%s)" % class_names[label - 1] if class_names else "")
            if not (ground_truth == label).any():
                raise SplitError("%s has no labelled pixel in the ground truth; the split needs every class." % name)
            self.candidates.append(centres_of(ground_truth, label, rule.window))
            if not len(self.candidates[-1]):
                raise SplitError(
                    "%s has no labelled pixel far enough from the border for a window of %d pixels; choose a smaller "
                    "window (partition.window, and a partition.patch that it holds), or another protocol."
                    % (name, rule.window)
                )
        self.class_counts = np.bincount(ground_truth.ravel(), minlength=len(self.candidates) + 1)[1:]

    def _centres(self, random: np.random.RandomState) -> Tuple[np.ndarray, np.ndarray]:
        """Centres of training and of validation windows: per class first those of training, then those of
        validation."""
        drawn: Tuple[List[np.ndarray], List[np.ndarray]] = ([], [])
        for centres, count in zip(self.candidates, self.class_counts):
            for chosen, ratio in zip(drawn, (self.rule.train_ratio, self.rule.val_ratio)):
                wanted = math.ceil(count * ratio / self.rule.per_window)
                chosen.append(centres[random.randint(0, len(centres), wanted)])
        training, validation = (np.concatenate(chosen) for chosen in drawn)
        return training, validation

    def draw(self, random: np.random.RandomState) -> Partition:
        return partition_of(self.truth, self.rule, *self._centres(random), random=random)


def partition_of(
    ground_truth: np.ndarray,
    rule: Rule,
    centres: np.ndarray,
    val_centres: np.ndarray,
    random: np.random.RandomState,
) -> Partition:
    """The partition of windows around these centres (n, 2); `random` chooses the labels that train where a window has
    more than enough."""
    shape, width = ground_truth.shape, ground_truth.shape[1]
    flat = ground_truth.ravel()
    corners, val_corners = (corners_of(some, rule.window, shape) for some in (centres, val_centres))
    pixels = window_pixels(corners, rule.window, width)
    inside = flat[pixels].astype(np.uint8)
    kept = _chosen(inside > 0, rule.per_window, random)
    labels, op_labels = np.where(kept, inside, 0).astype(np.uint8), np.where(kept, 0, inside).astype(np.uint8)
    left = flat.astype(np.uint8).copy()
    left[pixels.ravel()] = 0
    if rule.blank_cut:
        left[cut_window_pixels(centres, rule.window, shape)] = 0
    val_pixels = window_pixels(val_corners, rule.window, width)
    val_labels = left[val_pixels]
    left[val_pixels.ravel()] = 0
    partition = Partition(
        corners, labels, op_labels, val_corners, val_labels,
        written_one_after_the_other(pixels, labels, shape), written_one_after_the_other(pixels, op_labels, shape),
        written_one_after_the_other(val_pixels, val_labels, shape), left.reshape(shape),
    )  # fmt: skip
    return with_acceptance(partition, rule)


def with_acceptance(partition: Partition, rule: Rule) -> Partition:
    """The partition, `accepted` where both counts lie in the rule's interval."""
    return partition._replace(accepted=_distance(partition, rule) == 0)


def _chosen(labelled: np.ndarray, most: int, random: np.random.RandomState) -> np.ndarray:
    """(T, w, w) bool: at most `most` of each window's labelled pixels, drawn at random."""
    windows, side = labelled.shape[:2]
    keys = np.where(labelled.reshape(windows, side * side), random.rand(windows, side * side), 2.0)
    ranks = keys.argsort(axis=1).argsort(axis=1).reshape(labelled.shape)
    return labelled & (ranks < most)


def _distance(partition: Partition, rule: Rule) -> int:
    """The sum of the two counts' distances from the accepted interval."""
    return sum(max(rule.lowest - count, 0, count - rule.highest) for count in partition.counts)


def draw_partition(ground_truth: np.ndarray, rule: Rule, random: np.random.RandomState) -> Partition:
    """One draw, accepted or not.

    ground_truth: (H, W) labels, 0 unlabelled. random: draws the centres with replacement, per class first those of
    training, then of validation windows, and then the labels that train.
    Raises: SplitError naming a class without pixels or without one far enough from the border; ValueError for a rule
    whose sides do not fit.
    """
    return _Drawer(ground_truth, rule, ()).draw(random)


def find_partition(
    ground_truth: np.ndarray, rule: Rule, seed: int, most_draws: int, nearest: bool, class_names: Sequence[str] = ()
) -> Partition:
    """Draws until one has both counts in the rule's interval.

    nearest: after `most_draws` take the one whose counts lie nearest, with `accepted` False; else that is an error.
    Raises: SplitError where no draw was accepted; see `draw_partition`.
    """
    drawer, random = _Drawer(ground_truth, rule, class_names), np.random.RandomState(seed)
    best: Optional[Partition] = None
    seen = []
    for number in range(1, most_draws + 1):
        partition = drawer.draw(random)._replace(draws=number)
        if partition.accepted:
            return partition
        seen.append(partition.counts)
        if best is None or _distance(partition, rule) < _distance(best, rule):
            best = partition
    if nearest:
        assert best is not None  # set by the first draw
        return best._replace(draws=most_draws)
    (train_low, val_low), (train_high, val_high) = np.min(seen, axis=0), np.max(seen, axis=0)
    raise SplitError(
        "none of %d draws gave %d to %d training and as many validation pixels; they gave %d to %d and %d to %d. "
        "Change the shares of a class or the accepted counts."
        % (most_draws, rule.lowest, rule.highest, train_low, train_high, val_low, val_high)
    )
