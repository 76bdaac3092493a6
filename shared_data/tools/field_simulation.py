"""Two equally good methods whose errors lie in patches, on real fields: how often does a test say that they differ?

    python -m tools.field_simulation [TRIALS]

A test at a level of 5 % should say so in 5 % of the trials. The sign-flip test of connected fields does where errors of
different fields are independent; it says so too often where patches of errors reach over several fields. A test of
pixels, such as McNemar's, nearly always says so. And how often does the 95 % interval of one method's accuracy, by a
bootstrap over spatial units, leave out the true one? Needs the ground truth of Indian Pines (HSI_DATA).
"""

import sys
from functools import lru_cache
from typing import Any, NamedTuple, Optional, Tuple

import numpy as np
from scipy import ndimage, stats

from shared_data.evaluation.field_statistics import bootstrap_intervals, sign_flip_p
from shared_data.evaluation.unit_counts import UnitCounts
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import candidates, data_folders, read_array
from shared_data.splits.spatial import connected_fields, spatial_units

ACCURACY = 0.7
LEVEL = 0.05


def right_pixels(random: np.random.RandomState, shape: Tuple[int, int], smoothness: float) -> np.ndarray:
    """(H, W) bool: where a method is right; it errs where a smooth Gaussian random function is small.

    The threshold is a quantile of the function's distribution, so the accuracy itself varies from trial to trial.
    smoothness: standard deviation, in pixels, of the filter that smooths white noise.
    """
    margin = int(5 * smoothness) + 1
    noise = random.standard_normal([side + 2 * margin for side in shape])
    smooth = ndimage.gaussian_filter(noise, smoothness)[margin:-margin, margin:-margin]
    return smooth > _deviation(smoothness) * stats.norm.ppf(1 - ACCURACY)


@lru_cache(maxsize=None)
def _deviation(smoothness: float) -> float:
    """Standard deviation of filtered white noise."""
    margin = int(5 * smoothness) + 1
    impulse = np.zeros((2 * margin + 1, 2 * margin + 1))
    impulse[margin, margin] = 1
    return float(np.sqrt(np.square(ndimage.gaussian_filter(impulse, smoothness, mode="constant")).sum()))


def right_by_field(random: np.random.RandomState, fields: np.ndarray, smoothness: float) -> np.ndarray:
    """The same, drawn anew for each field (H, W; 0 none), so that no patch reaches over two fields."""
    right = np.zeros(fields.shape, bool)
    for number, place in enumerate(ndimage.find_objects(fields), start=1):
        inside = fields[place] == number
        right[place][inside] = right_pixels(random, inside.shape, smoothness)[inside]
    return right


def mcnemar_p(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """McNemar's test of pixels, with the continuity correction."""
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    return float(stats.chi2.sf(max(abs(only_a - only_b) - 1, 0) ** 2 / max(only_a + only_b, 1), 1))


class Rates(NamedTuple):
    """Shares of trials: the test of fields rejects, McNemar's of pixels rejects, the interval leaves out the truth."""

    by_field: float
    by_pixel: float
    missed: float


def rates(truth: np.ndarray, smoothness: float, trials: int, across: bool) -> Rates:
    """Of tests and intervals at the level. truth: (H, W) classes, 0 unlabelled. across: whether patches of errors reach
    over several fields."""
    random, fields, units = np.random.RandomState(0), connected_fields(truth), spatial_units(truth)
    tested = truth > 0
    places = fields[tested] - 1
    found = np.zeros((trials, 3), bool)
    for trial in range(trials):
        right_a, right_b = (
            (right_pixels(random, fields.shape, smoothness) if across else right_by_field(random, fields, smoothness))[
                tested
            ]
            for _ in range(2)
        )
        shares = np.bincount(places, right_a.astype(float) - right_b)
        low, high = bootstrap_intervals(_counts(units[tested], right_a), draws=500, seed=trial).oa
        found[trial] = (
            sign_flip_p(shares, flips=499, seed=trial) <= LEVEL,
            mcnemar_p(right_a, right_b) <= LEVEL,
            not low <= ACCURACY <= high,
        )
    return Rates(*map(float, found.mean(axis=0)))


def _counts(units: np.ndarray, right: np.ndarray) -> UnitCounts:
    """Of pixels (n) in units: all of the first of two classes, in one fold."""
    numbers, place = np.unique(units, return_inverse=True)
    predicted = np.stack([np.bincount(place, right), np.bincount(place, ~right)], axis=1)
    zeros = np.zeros(len(numbers), int)
    return UnitCounts(numbers, zeros, zeros + 1, predicted, numbers)


def real_truth(folders: Any = None) -> Optional[np.ndarray]:
    """(H, W) classes of Indian Pines; None where its ground truth is in none of the data folders."""
    scene = get_scene("indianpines")
    assert scene.ground_truth is not None
    for file in candidates(scene.ground_truth, data_folders(folders)):
        return read_array(scene.ground_truth, file, (scene.height, scene.width)).astype(np.uint8)
    return None


def main() -> int:
    truth = real_truth()
    if truth is None:
        print(
            "error: Indian_pines_gt.mat is in none of the data folders; name its folder in HSI_DATA.", file=sys.stderr
        )
        return 1
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print("%-10s %-22s %8s %8s %8s" % ("smoothness", "patches of errors", "fields", "McNemar", "missed"))
    for across in (False, True):
        for smoothness in (1, 2, 3, 5):
            shares = [100 * share for share in rates(truth, smoothness, trials, across)]
            words = "reach over fields" if across else "within fields"
            print("%-10g %-22s %6.1f %% %6.1f %% %6.1f %%" % (smoothness, words, *shares), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
