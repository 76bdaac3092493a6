"""Distances to the nearest training pixel, against a loop, and accuracy in bins of them."""

import numpy as np
import pytest

from shared_data.evaluation.distances import (
    STARTS,
    DistanceCounts,
    accuracy_by_distance,
    count_distances,
    distance_to,
    mean_distances,
)


@pytest.mark.parametrize("seed", range(5))
def test_distances_are_those_of_a_loop(seed):
    random = np.random.RandomState(seed)
    shape = (random.randint(1, 25), random.randint(1, 25))
    pixels = random.permutation(shape[0] * shape[1])[: random.randint(1, 6)]
    rows, columns = np.divmod(pixels, shape[1])
    found = distance_to(pixels, shape)
    for (row, column), value in np.ndenumerate(found):
        assert value == np.maximum(abs(rows - row), abs(columns - column)).min()


def test_without_a_training_pixel_there_is_no_distance():
    with pytest.raises(ValueError, match="no training pixel"):
        distance_to(np.zeros(0, int), (3, 3))


def test_accuracies_in_bins():
    distance, right = np.array([1, 1, 1, 2, 5, 5, 40]), np.array([1, 1, 0, 1, 0, 0, 1], bool)
    counts = count_distances(distance, right)
    assert [part.tolist() for part in counts] == [[1, 2, 5, 40], [3, 1, 2, 1], [2, 1, 0, 1]]
    bins = {part.name: part for part in accuracy_by_distance(counts, (1, 2, 4, 6, 30))}
    assert list(bins) == ["1", "2–3", "4–5", "6–29", "30+"]
    assert bins["1"].accuracy == pytest.approx(2 / 3) and bins["2–3"].accuracy == 1 and bins["4–5"].accuracy == 0
    assert (bins["6–29"].pixels, bins["6–29"].accuracy) == (0, None) and bins["30+"].pixels == 1


def test_the_bins_hold_every_pixel_once():
    distance = np.random.RandomState(0).randint(1, 60, 500)
    assert sum(part.pixels for part in accuracy_by_distance(count_distances(distance, distance > 3))) == 500
    assert STARTS[0] == 1 and list(STARTS) == sorted(set(STARTS))


def test_the_mean_over_repeats():
    one = DistanceCounts(np.array([1, 2]), np.array([4.0, 2.0]), np.array([4.0, 0.0]))
    other = DistanceCounts(np.array([2, 7]), np.array([6.0, 2.0]), np.array([4.0, 2.0]))
    assert [part.tolist() for part in mean_distances([one, other])] == [[1, 2, 7], [2, 4, 1], [2, 2, 1]]
