"""Properties of spatial cross-validation on ground truths that hypothesis makes up."""

import os
import tempfile

import numpy as np
import pytest

from shared_data.errors import SplitError
from shared_data.splits.disjoint import near
from shared_data.splits.spatial import FOLDS, SpatialRule, deal_folds, draw_fold, spatial_units, untrained_classes

hypothesis = pytest.importorskip("hypothesis")
given, st = hypothesis.given, hypothesis.strategies
hypothesis.configuration.set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "hypothesis"))
some = hypothesis.settings(max_examples=80, deadline=None, derandomize=True)
pytestmark = pytest.mark.stack_independent


@st.composite
def ground_truths(draw):
    """(H, W) uint8, at least one labelled pixel: single pixels, or fields of several."""
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    labels = draw(st.lists(st.integers(0, 4), min_size=height * width, max_size=height * width).filter(any))
    side = draw(st.integers(1, 4))
    return np.kron(np.array(labels).reshape(height, width), np.ones((side, side), int)).astype(np.uint8)


@some
@given(ground_truths(), st.integers(0, 2**32 - 1))
def test_every_labelled_pixel_is_tested_once_with_its_whole_unit(truth, seed):
    units = spatial_units(truth)
    folds = deal_folds(truth, units, seed)
    assert np.array_equal(units > 0, truth > 0) and np.array_equal(folds >= 0, truth > 0)
    for unit in range(1, units.max() + 1):
        inside = units == unit
        assert len(np.unique(truth[inside])) == 1 and len(np.unique(folds[inside])) == 1
    for label in np.unique(truth[truth > 0]):
        of_class = len(np.unique(units[truth == label]))
        assert len(np.unique(folds[truth == label])) == min(of_class, FOLDS)


@some
@given(ground_truths(), st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_the_sets_of_a_fold_keep_their_distance(truth, seed, distance):
    tested = []
    for fold in range(FOLDS):
        try:
            split = draw_fold(truth, SpatialRule(distance), seed, fold)
        except SplitError:
            continue
        tested.append(split.test)
        train, val, test = (np.unique(pixels) for pixels in split)
        assert [len(train), len(val), len(test)] == [len(pixels) for pixels in split]
        assert not np.intersect1d(train, val).size and truth.ravel()[np.concatenate([train, val, test])].all()
        tests = np.zeros(truth.shape, bool)
        tests.ravel()[test] = True
        for row, column in zip(*np.divmod(np.concatenate([train, val]), truth.shape[1])):
            window = tests[
                max(row - distance, 0) : row + distance + 1, max(column - distance, 0) : column + distance + 1
            ]
            assert not window.any()
        # a class is without training pixels only where it has none at that distance
        free = (truth > 0) & ~near(tests, distance)
        assert all(not (free & (truth == entry.label)).any() for entry in untrained_classes(truth, split))
    if len(tested) == FOLDS:
        assert np.array_equal(np.sort(np.concatenate(tested)), np.flatnonzero(truth))
