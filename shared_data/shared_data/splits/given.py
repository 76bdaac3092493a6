"""Splits that were not drawn here: from sets of pixels to a split, checked against the ground truth.

Their pixels train and are tested with the labels of the ground truth, whatever label the given map has there. Pixels
that the ground truth leaves unlabelled are left out and counted. Where a split has no validation pixels, a seeded tenth
of each class's training pixels is held out, because some methods select weights or settings on validation pixels.
"""

from typing import Any, Dict, NamedTuple, Tuple, Union

import numpy as np

from shared_data.errors import SplitError
from shared_data.scenes.loading import FileEvidence
from shared_data.splits.disjoint import distance_to
from shared_data.splits.draws import Split

Facts = Dict[str, Union[int, float, str]]
DISTANCES = (3, 6, 13)  # pixels: half of patches of 7×7, 13×13 and 27×27
HELD_OUT = 10  # one in this number of a class's training pixels validates
_OPPOSED = (("train", "test"), ("train", "val"), ("val", "test"))


class FixedSplit(NamedTuple):
    """A split from files.

    facts: for the `audit` entry of the run's record, see `split_of_sets`. files: what it was read from; with the
    scene's own files they identify the data of a run, so that it does not resume with another split.
    """

    split: Split
    facts: Facts
    files: Tuple[FileEvidence, ...]


def split_of_sets(
    sets: Dict[str, np.ndarray], ground_truth: np.ndarray, seed: int, kind: str, where: Any
) -> Tuple[Split, Facts]:
    """The split of given sets, and facts about it whose names begin with `kind`.

    sets: flat C-order indices `train`, `test` and possibly `val`. ground_truth: (H, W) labels, 0 unlabelled. seed: of
    the run, for the validation pixels, where none are given. where: the file or the split, for messages.

    Facts: `_train_outside_gt`, `_test_outside_gt`: unlabelled pixels, left out (those of `val` count as training);
    `_gt_unused`: labelled pixels in no set; `_val_held_out`: training pixels that became validation pixels;
    `_labels`: where labels come from; `_test_within_3`, `_6`, `_13`: share of the test pixels with a labelled training
    pixel (before validation pixels are held out) within this distance, in rows and in columns.
    Raises: SplitError where a pixel is in two sets or twice in one, or nothing is left to train or to test.
    """
    _check_disjoint(sets, ground_truth.shape[1], where)
    labelled = ground_truth.ravel() > 0
    kept = {name: np.sort(pixels[labelled[pixels]]).astype(np.int64) for name, pixels in sets.items()}
    outside = {name: len(pixels) - len(kept[name]) for name, pixels in sets.items()}
    for name in ("train", "test"):
        if not len(kept[name]):
            raise SplitError(
                "%s: expected pixels of the ground truth in the set '%s', found %d pixels, none of them labelled; give "
                "a split of this scene." % (where, name, len(sets[name]))
            )
    facts: Facts = {
        kind + "_train_outside_gt": outside["train"] + outside.get("val", 0),
        kind + "_test_outside_gt": outside["test"],
        kind + "_gt_unused": int(labelled.sum()) - sum(map(len, kept.values())),
        kind + "_labels": "ground truth",
    }
    facts.update(_distances(kept["train"], kept["test"], ground_truth.shape, kind))
    given_val = len(kept.get("val", ()))
    if given_val:
        split = Split(kept["train"], kept["val"], kept["test"])
    else:
        split = hold_out_validation(kept["train"], kept["test"], ground_truth, seed)
    facts[kind + "_val_held_out"] = len(split.val) - given_val
    return split, facts


def hold_out_validation(train: np.ndarray, test: np.ndarray, ground_truth: np.ndarray, seed: int) -> Split:
    """The split in which a seeded tenth of each class's training pixels validates.

    The tenth is rounded down, and is at least one pixel where a class has two. train, test: flat C-order indices of
    labelled pixels. seed: of the run; the held-out pixels differ from seed to seed, the tested ones do not.
    Raises: SplitError where no class has two training pixels.
    """
    random = np.random.RandomState(seed)
    labels = ground_truth.ravel()[train]
    held_out = np.zeros(len(train), bool)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        if len(members) > 1:
            held_out[members[: max(len(members) // HELD_OUT, 1)]] = True
    if not held_out.any():
        raise SplitError(
            "the split has no validation pixels, and no class has two training pixels, so that one could validate; "
            "add a set 'val'."
        )
    return Split(train[~held_out], train[held_out], test)


def pixel_name(pixel: int, width: int) -> str:
    """A flat index as row and column."""
    return "row %d, column %d (counted from 0)" % divmod(int(pixel), width)


def _check_disjoint(sets: Dict[str, np.ndarray], width: int, where: Any) -> None:
    for name, pixels in sets.items():
        found, times = np.unique(pixels, return_counts=True)
        if len(found) != len(pixels):
            raise SplitError(
                "%s: the pixel in %s is twice in the set '%s'; name each pixel once."
                % (where, pixel_name(found[times > 1][0], width), name)
            )
    for name, other in _OPPOSED:
        common = np.intersect1d(sets.get(name, ()), sets.get(other, ()))
        if len(common):
            raise SplitError(
                "%s: the sets '%s' and '%s' overlap in %d pixels, first in %s; take them out of one of the sets."
                % (where, name, other, len(common), pixel_name(common[0], width))
            )


def _distances(train: np.ndarray, test: np.ndarray, shape: Tuple[int, ...], kind: str) -> Dict[str, float]:
    distances = distance_to(train, shape).ravel()[test]
    return {
        "%s_test_within_%d" % (kind, distance): round(float((distances <= distance).mean()), 4)
        for distance in DISTANCES
    }
