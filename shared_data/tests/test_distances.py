"""Test pixels by their distance to the nearest training pixel, against a loop, and accuracy in bins of it."""

import numpy as np
import pytest

from shared_data.evaluation.distances import STARTS, accuracy_by_distance, add_distances, count_distances


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_a_loop(seed):
    random = np.random.RandomState(seed)
    shape = (random.randint(2, 25), random.randint(2, 25))
    truth, prediction = random.randint(1, 3, (2,) + shape)
    order = random.permutation(truth.size)
    train, test = order[: random.randint(1, 4)], order[4:]
    expected = {}
    for pixel in test:
        (row, column), (rows, columns) = divmod(pixel, shape[1]), np.divmod(train, shape[1])
        found = expected.setdefault(np.maximum(abs(rows - row), abs(columns - column)).min(), [])
        found.append(truth.flat[pixel] == prediction.flat[pixel])
    entries = count_distances(truth, prediction, train, test)
    assert entries == [
        {"distance": one, "pixels": len(right), "right": sum(right)} for one, right in sorted(expected.items())
    ]


def entry(distance, pixels, right):
    return {"distance": distance, "pixels": pixels, "right": right}


def test_accuracies_in_bins():
    entries = [entry(1, 3, 2), entry(2, 1, 1), entry(5, 2, 0), entry(40, 1, 1)]
    bins = {part.name: part for part in accuracy_by_distance(entries, (1, 2, 4, 6, 30))}
    assert list(bins) == ["1", "2–3", "4–5", "6–29", "30+"]
    assert bins["1"].accuracy == pytest.approx(2 / 3) and bins["2–3"].accuracy == 1 and bins["4–5"].accuracy == 0
    assert (bins["6–29"].pixels, bins["6–29"].accuracy) == (0, None) and bins["30+"].pixels == 1


def test_the_bins_hold_every_pixel_once():
    entries = [entry(distance, 7, 3) for distance in range(1, 60)]
    assert sum(part.pixels for part in accuracy_by_distance(entries)) == 7 * 59
    assert list(STARTS) == sorted(set(STARTS)) and STARTS[0] == 1


def test_folds_add_up():
    one, other = [entry(1, 4, 4), entry(2, 2, 0)], [entry(2, 6, 4), entry(7, 2, 2)]
    assert add_distances([one, other]) == [entry(1, 4, 4), entry(2, 8, 4), entry(7, 2, 2)]
    assert one[1] == entry(2, 2, 0)
