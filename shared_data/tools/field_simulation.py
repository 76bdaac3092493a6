"""Two equally good methods whose errors lie in patches, on real fields: how often does a test say that they differ?

    python -m tools.field_simulation [TRIALS]

A test at a level of 5 % should say so in 5 % of the trials. The sign-flip test of connected fields does where errors of
different fields are independent; it says so too often where patches of errors reach over several fields. A test of
pixels, such as McNemar's, nearly always says so. Needs the ground truth of Indian Pines (HSI_DATA).
"""

import sys
from functools import lru_cache
from typing import Any, Optional, Tuple

import numpy as np
from scipy import ndimage, stats

from shared_data.evaluation.field_statistics import sign_flip_p
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import candidates, data_folders, read_array
from shared_data.splits.spatial import connected_fields

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


def rates(fields: np.ndarray, smoothness: float, trials: int, across: bool) -> Tuple[float, float]:
    """The shares of trials in which the test of fields, and McNemar's of pixels, reject at the level.

    fields: (H, W), 0 unlabelled. across: whether patches of errors reach over several fields.
    """
    random, tested = np.random.RandomState(0), fields > 0
    places = fields[tested] - 1
    rejected = np.zeros((trials, 2), bool)
    for trial in range(trials):
        right_a, right_b = (
            (right_pixels(random, fields.shape, smoothness) if across else right_by_field(random, fields, smoothness))[
                tested
            ]
            for _ in range(2)
        )
        shares = np.bincount(places, right_a.astype(float) - right_b)
        rejected[trial] = sign_flip_p(shares, flips=499, seed=trial) <= LEVEL, mcnemar_p(right_a, right_b) <= LEVEL
    by_field, by_pixel = rejected.mean(axis=0)
    return float(by_field), float(by_pixel)


def real_fields(folders: Any = None) -> Optional[np.ndarray]:
    """(H, W) connected fields of Indian Pines; None where its ground truth is in none of the data folders."""
    scene = get_scene("indianpines")
    assert scene.ground_truth is not None
    for file in candidates(scene.ground_truth, data_folders(folders)):
        return connected_fields(read_array(scene.ground_truth, file, (scene.height, scene.width)).astype(np.uint8))
    return None


def main() -> int:
    fields = real_fields()
    if fields is None:
        print(
            "error: Indian_pines_gt.mat is in none of the data folders; name its folder in HSI_DATA.", file=sys.stderr
        )
        return 1
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print("%-10s %-22s %8s %8s" % ("smoothness", "patches of errors", "fields", "McNemar"))
    for across in (False, True):
        for smoothness in (1, 2, 3, 5):
            found = rates(fields, smoothness, trials, across)
            words = "reach over fields" if across else "within fields"
            print("%-10g %-22s %6.1f %% %6.1f %%" % (smoothness, words, 100 * found[0], 100 * found[1]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
