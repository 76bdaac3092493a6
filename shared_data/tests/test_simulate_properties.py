"""List scheduling: what every schedule must fulfil, over drawn jobs, and its bounds against the best there is."""

import itertools
import math
import os
import tempfile

import pytest

from tools.matrix.simulate import efficiency, lower_bound, makespan, saturation, schedule

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
hypothesis.configuration.set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "hypothesis"))

DURATIONS = st.floats(min_value=0, max_value=1e4, allow_nan=False)
JOBS = st.lists(DURATIONS, max_size=40)
# whole minutes, so that sums are exact and equal ones are frequent
WHOLE = st.lists(st.integers(1, 20), min_size=1, max_size=30)
WORKERS = st.integers(1, 12)
A_LITTLE = 1 + 1e-9  # rounding of sums
SETTINGS = hypothesis.settings(max_examples=200, derandomize=True, deadline=None, database=None)


def given(*strategies):
    """The same 200 draws every time, however slow the machine is."""
    return lambda test: SETTINGS(hypothesis.given(*strategies)(test))


def best_makespan(minutes, workers):
    """Of all ways to hand the jobs out, the one that ends first."""
    ends = []
    for choice in itertools.product(range(workers), repeat=len(minutes)):
        loads = [0] * workers
        for duration, worker in zip(minutes, choice):
            loads[worker] += duration
        ends.append(max(loads))
    return min(ends)


# what a schedule is


@given(JOBS, WORKERS)
def test_every_job_runs_once_and_for_as_long_as_it_takes(minutes, workers):
    assignments = schedule(minutes, workers)
    assert sorted(assignment.job for assignment in assignments) == list(range(len(minutes)))
    for assignment in assignments:
        assert assignment.end == assignment.start + minutes[assignment.job]
        assert 0 <= assignment.worker < workers


@given(JOBS, WORKERS)
def test_no_worker_runs_two_at_once_or_waits_between_them(minutes, workers):
    assignments = schedule(minutes, workers)
    for worker in range(workers):
        own = [assignment for assignment in assignments if assignment.worker == worker]
        assert [assignment.start for assignment in own] == [0.0, *(assignment.end for assignment in own)][: len(own)]


@given(JOBS, WORKERS)
def test_longest_first_and_equal_ones_as_given(minutes, workers):
    order = [assignment.job for assignment in schedule(minutes, workers)]
    for before, after in zip(order, order[1:]):
        assert minutes[before] > minutes[after] or (minutes[before] == minutes[after] and before < after)


# bounds


@given(JOBS, WORKERS)
def test_the_makespan_is_between_the_lower_bound_and_twice_it(minutes, workers):
    bound = lower_bound(minutes, workers)
    assert bound <= makespan(minutes, workers) * A_LITTLE
    # any list scheduling: the last job began no later than an equal share of the others' work
    assert makespan(minutes, workers) <= (2 - 1 / workers) * bound * A_LITTLE


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(1, 3))
def test_the_makespan_is_within_grahams_factor_of_the_best(minutes, workers):
    best = best_makespan(minutes, workers)
    assert lower_bound(minutes, workers) <= best <= makespan(minutes, workers)
    assert makespan(minutes, workers) <= (4 / 3 - 1 / (3 * workers)) * best * A_LITTLE


@given(st.lists(st.floats(1, 4), min_size=12, max_size=40), st.integers(1, 5))
def test_grahams_factor_holds_for_the_lower_bound_where_the_last_job_to_end_is_short(minutes, workers):
    # its start is at most the others' work / m, so the makespan is at most the bound + (1 − 1/m) of that job
    last = max(schedule(minutes, workers), key=lambda assignment: assignment.end)
    bound = lower_bound(minutes, workers)
    hypothesis.assume(minutes[last.job] <= bound / 3)
    assert last.end <= (4 / 3 - 1 / (3 * workers)) * bound * A_LITTLE


@given(JOBS)
def test_one_worker_needs_the_sum(minutes):
    assert makespan(minutes, 1) == pytest.approx(math.fsum(minutes))


@given(JOBS, st.integers(0, 5))
def test_as_many_workers_as_jobs_need_the_longest(minutes, more):
    assert makespan(minutes, max(len(minutes), 1) + more) == max(minutes, default=0)


@given(JOBS, WORKERS, st.randoms(use_true_random=False))
def test_the_order_of_the_jobs_does_not_matter(minutes, workers, order):
    shuffled = list(minutes)
    order.shuffle(shuffled)
    assert makespan(shuffled, workers) == makespan(minutes, workers)


@given(JOBS, WORKERS)
def test_more_workers_never_make_it_later(minutes, workers):
    assert makespan(minutes, workers + 1) <= makespan(minutes, workers)


@given(WHOLE, WORKERS)
def test_faster_workers_divide_the_makespan(minutes, workers):
    assert makespan([4 * duration for duration in minutes], workers) == 4 * makespan(minutes, workers)


@given(JOBS, WORKERS)
def test_efficiency_is_a_share(minutes, workers):
    assert 0 < efficiency(minutes, workers) <= A_LITTLE
    assert efficiency(minutes, 1) == pytest.approx(1)


# where more workers stop helping


@given(JOBS.filter(len), st.sampled_from([0.0, 0.01, 0.1, 1.0]))
def test_saturation_is_the_smallest_number_that_reaches_the_longest_job(minutes, tolerance):
    workers, limit = saturation(minutes, tolerance), max(minutes) * (1 + tolerance)
    assert makespan(minutes, workers) <= limit
    assert workers == 1 or makespan(minutes, workers - 1) > limit
