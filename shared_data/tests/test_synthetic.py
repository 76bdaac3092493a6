"""The generated scene: the same everywhere, and hard in the ways a measured scene is hard."""

import hashlib
from typing import Any, List, Tuple

import numpy as np
from scipy import ndimage
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from shared_data.scenes import synthetic
from shared_data.scenes.catalogue import get_scene
from shared_data.splits.draws import draw_per_class, training_counts
from shared_data.splits.spatial import SpatialRule, draw_fold

GROUND_TRUTH_SHA256 = "cf678243ed27c8d73473864d7222208d050edea374c823f0811e0af7d4ddb9e6"
CUBE_SHA256 = "176822ee916eaa9a40640b4c2d57721ce82bfecbb03cd75f689085c351eb461b"

CUBE, GROUND_TRUTH = synthetic.generate()


def sha256(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


def test_shapes_and_types() -> None:
    assert CUBE.shape == (128, 96, 64) and CUBE.dtype == np.uint16
    assert GROUND_TRUTH.shape == (128, 96) and GROUND_TRUTH.dtype == np.uint8
    assert CUBE.flags.c_contiguous and GROUND_TRUTH.flags.c_contiguous


def test_ground_truth_is_the_same_everywhere() -> None:
    assert sha256(GROUND_TRUTH) == GROUND_TRUTH_SHA256


def test_cube_is_the_same_everywhere() -> None:
    # No value lies closer than 2.4e-7 digital numbers to a rounding tie, far more than mathematical libraries
    # differ by (about 1e-11): numpy 1.19 with scipy 1.5 and numpy 2.2 with scipy 1.15 give the same bytes.
    assert sha256(CUBE) == CUBE_SHA256


def test_generating_twice_gives_the_same_and_leaves_the_global_generator_alone() -> None:
    np.random.seed(1)
    expected = np.random.random_sample()
    np.random.seed(1)
    cube, ground_truth = synthetic.generate()
    assert np.random.random_sample() == expected
    np.testing.assert_array_equal(cube, CUBE)
    np.testing.assert_array_equal(ground_truth, GROUND_TRUTH)


def test_catalogue_describes_this_scene() -> None:
    scene = get_scene("synthetic")
    assert scene.class_names == synthetic.CLASS_NAMES
    assert (scene.height, scene.width, scene.bands) == CUBE.shape


def test_classes_are_imbalanced_and_each_leaves_a_test_pixel() -> None:
    counts = np.bincount(GROUND_TRUTH.ravel(), minlength=10)
    assert counts[1:].tolist() == [1994, 1496, 446, 594, 85, 796, 253, 229, 8]
    assert 0.4 <= counts[0] / GROUND_TRUTH.size <= 0.6


def test_every_class_grows_in_more_than_one_place() -> None:
    # otherwise no spatially disjoint split could put a class on both sides
    for label in range(1, 10):
        assert ndimage.label(label == GROUND_TRUTH)[1] >= 2


def test_water_vapour_bands_carry_almost_no_signal() -> None:
    levels = CUBE.mean(axis=(0, 1))
    vapour = list(synthetic.WATER_VAPOUR_BANDS)
    assert levels[vapour].max() < 0.1 * np.delete(levels, vapour).min()


def test_one_band_has_stripes() -> None:
    # the step from one column's mean to the next, relative to the band's level
    columns = CUBE.mean(axis=0)
    roughness = np.abs(np.diff(columns, axis=0)).mean(axis=0) / columns.mean(axis=0)
    others = np.delete(roughness, list(synthetic.WATER_VAPOUR_BANDS) + [synthetic.STRIPED_BAND])
    assert roughness[synthetic.STRIPED_BAND] > 5 * others.max()


def test_pixels_beside_a_building_mix_with_the_roof() -> None:
    # band 6 (600 nm): a bright roof amid dark vegetation
    rows, columns = np.nonzero(ndimage.label(GROUND_TRUTH == synthetic.METAL_ROOFS)[0] == 1)
    roof, beside, away = (CUBE[rows, columns.min() - distance, 6].mean() for distance in (0, 2, 5))
    assert away * 1.2 < beside < 0.7 * roof


def test_illumination_is_spatially_correlated() -> None:
    # brightness of Corn alone, averaged over 16×16 blocks, so that neither the noise nor the cover explains it
    near_infrared = CUBE[:, :, 15].astype(float)
    corn = GROUND_TRUTH == 1
    blocks = [
        near_infrared[row : row + 16, column : column + 16][corn[row : row + 16, column : column + 16]]
        for row in range(0, 128, 16)
        for column in range(0, 96, 16)
    ]
    means = [block.mean() for block in blocks if block.size >= 40]
    assert np.ptp(means) > 0.1 * np.mean(means)


Pixels = Tuple[np.ndarray, np.ndarray]  # flat indices that train, and that are tested
SPECTRA = CUBE.astype(float)
MEANS = ndimage.uniform_filter(SPECTRA, size=(5, 5, 1))


def linear_svm() -> Any:
    return make_pipeline(StandardScaler(), SVC(kernel="linear", C=1.0))


def accuracy(classifier: Any, features: np.ndarray, splits: List[Pixels]) -> float:
    """Overall accuracy over the test pixels of all splits; features: (H, W, F)."""
    labels, features = GROUND_TRUTH.ravel(), features.reshape(GROUND_TRUTH.size, -1)
    right = []
    for train, test in splits:
        model = classifier.fit(features[train], labels[train])
        right.append(model.predict(features[test]) == labels[test])
    return float(np.concatenate(right).mean())


def random_split(seed: int) -> Pixels:
    """5 % of each class, at least 5 pixels, for training, all others for the test."""
    split = draw_per_class(GROUND_TRUTH, training_counts(GROUND_TRUTH, 0.05, 5), seed)
    return split.train, split.test


def fold(number: int) -> Pixels:
    split = draw_fold(GROUND_TRUTH, SpatialRule(), 1, number)
    return split.train, split.test


RANDOM = [random_split(seed) for seed in range(3)]
UNSEEN_FIELDS = [fold(number) for number in range(5)]
POSITIONS = np.stack(np.mgrid[: GROUND_TRUTH.shape[0], : GROUND_TRUTH.shape[1]], axis=-1).astype(float)


def test_context_helps_also_on_unseen_fields() -> None:
    # measured: 89.6 % and 92.9 %
    spectra, means = (accuracy(linear_svm(), features, UNSEEN_FIELDS) for features in (SPECTRA, MEANS))
    assert 0.85 <= spectra <= means - 0.02


def test_position_says_little_of_unseen_fields() -> None:
    # measured: 27.4 %, and 62.2 % of the nearest spectrum
    position = accuracy(KNeighborsClassifier(1), POSITIONS, UNSEEN_FIELDS)
    nearest = accuracy(make_pipeline(StandardScaler(), KNeighborsClassifier(1)), SPECTRA, UNSEEN_FIELDS)
    assert position < 0.35 < 0.55 < nearest


def test_of_a_random_split_position_says_less_than_a_spectrum() -> None:
    # measured: 87.9 %, 89.1 % and 96.1 %
    position = accuracy(KNeighborsClassifier(1), POSITIONS, RANDOM)
    spectra, means = (accuracy(linear_svm(), features, RANDOM) for features in (SPECTRA, MEANS))
    assert 0.8 < position < spectra < 0.93 < means


def test_nearest_neighbour_is_not_enough() -> None:
    # measured: 64.6 %
    nearest = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    assert 1.0 / 9.0 < accuracy(nearest, SPECTRA, RANDOM) < 0.75
