"""List scheduling by hand: a schedule, its bounds, where more workers stop helping, and wrong input."""

import random

import pytest

from tools.matrix.simulate import efficiency, lower_bound, makespan, saturation, schedule


def test_a_schedule_by_hand():
    # 5 and 4 begin; 3 follows the 4 (free at 4), 3 follows the 5 (free at 5), 3 follows the first of these (at 7)
    assert [tuple(assignment) for assignment in schedule([3, 5, 3, 4, 3], 2)] == [
        (1, 0, 0, 5), (3, 1, 0, 4), (0, 1, 4, 7), (2, 0, 5, 8), (4, 1, 7, 10)
    ]  # fmt: skip
    assert makespan([3, 5, 3, 4, 3], 2) == 10
    assert efficiency([3, 5, 3, 4, 3], 2) == 0.9


def test_the_bound_of_grahams_factor_is_reached():
    # 3 3 | 2 2 2 would be best; longest first gives 3 2 2 | 3 2, and 7/6 = 4/3 − 1/6
    assert (lower_bound([3, 3, 2, 2, 2], 2), makespan([3, 3, 2, 2, 2], 2)) == (6, 7)


def test_saturation_by_hand():
    # on three it is 6 | 3 2 2 | 3 2, on four 6 | 3 2 | 3 2 | 2
    assert saturation([6, 3, 3, 2, 2, 2]) == 4
    assert saturation([6, 3, 3, 2, 2, 2], 0.5) == 3  # 7 ≤ 9; two would need 10
    assert saturation([1] * 10) == 10
    assert saturation([5]) == saturation([]) == saturation([0, 0]) == 1


def test_thousands_of_jobs():
    draw = random.Random(1)
    minutes = [draw.expovariate(0.01) for _ in range(2000)]
    assert makespan(minutes, 8) / lower_bound(minutes, 8) < 1.001
    assert makespan(minutes, saturation(minutes)) == max(minutes)


# no work, wrong input


def test_without_jobs():
    assert schedule([], 3) == []
    assert (makespan([], 3), lower_bound([], 3), efficiency([], 3), efficiency([0.0], 3)) == (0, 0, 1, 1)


@pytest.mark.parametrize("function", [schedule, makespan, lower_bound, efficiency])
@pytest.mark.parametrize("minutes, workers, what", [
    ([1.0], 0, "at least one worker, found 0"),
    ([1.0, -2.0], 1, "found -2.0"),
    ([float("nan")], 2, "found nan"),
    ([float("inf")], 2, "found inf"),
])  # fmt: skip
def test_wrong_input_is_refused(function, minutes, workers, what):
    with pytest.raises(ValueError, match=what):
        function(minutes, workers)


def test_a_wrong_tolerance_is_refused():
    for tolerance in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="tolerance of 0 or more"):
            saturation([1.0], tolerance)
