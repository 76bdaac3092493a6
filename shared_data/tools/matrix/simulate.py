"""How long jobs take on a number of equal workers, by list scheduling: longest first, each to the worker free soonest.

Jobs are independent, run on one worker each and are not interrupted. No schedule ends before `lower_bound`; this one
ends at most (4/3 − 1/(3m)) times as late as the best on m workers (Graham 1969, Bounds on multiprocessing timing
anomalies). More workers never make it later, and from `saturation` on they make it no earlier: the longest job remains.
"""

import heapq
import math
from typing import List, NamedTuple, Sequence


class Assignment(NamedTuple):
    """A job's place in a schedule.

    job: its index in the given minutes; worker: 0 to workers − 1; start, end: minutes from the start of the whole.
    """

    job: int
    worker: int
    start: float
    end: float


def schedule(minutes: Sequence[float], workers: int) -> List[Assignment]:
    """The place of every job, in the order in which the jobs are handed out: longest first, equal ones as given.

    minutes: duration of each job, finite and not negative.
    Raises: ValueError for another duration, or less than one worker.
    """
    _check(minutes, workers)
    free = [(0.0, worker) for worker in range(min(workers, max(len(minutes), 1)))]  # a heap: (free from, worker)
    assignments = []
    for job in sorted(range(len(minutes)), key=lambda job: -minutes[job]):
        start, worker = free[0]
        end = start + minutes[job]
        heapq.heapreplace(free, (end, worker))
        assignments.append(Assignment(job, worker, start, end))
    return assignments


def makespan(minutes: Sequence[float], workers: int) -> float:
    """Minutes from the start to the end of the last job; 0 without jobs. Raises: ValueError as `schedule`."""
    return max((assignment.end for assignment in schedule(minutes, workers)), default=0.0)


def lower_bound(minutes: Sequence[float], workers: int) -> float:
    """Minutes that no schedule undercuts: an equal share of the work, or the longest job. Raises: as `schedule`."""
    _check(minutes, workers)
    return max([math.fsum(minutes) / workers] + list(minutes))


def efficiency(minutes: Sequence[float], workers: int) -> float:
    """The share of the workers' time in which they work, until the last job ends; 1 where there is no work."""
    total, end = math.fsum(minutes), makespan(minutes, workers)
    return total / (workers * end) if end else 1.0


def saturation(minutes: Sequence[float], tolerance: float = 0.0) -> int:
    """The smallest number of workers on which the makespan is the longest job's time, to a share `tolerance` of it.

    More workers save no more than that share. 1 without work.
    Raises: ValueError as `schedule`, or for a tolerance below 0.
    """
    if not tolerance >= 0:
        raise ValueError("expected a tolerance of 0 or more, found %r" % (tolerance,))
    _check(minutes, 1)
    limit = max(minutes, default=0.0) * (1 + tolerance)
    too_few, enough = 0, max(len(minutes), 1)
    while enough - too_few > 1:  # bisection: the makespan never rises with the number of workers
        middle = (too_few + enough) // 2
        if makespan(minutes, middle) <= limit:
            enough = middle
        else:
            too_few = middle
    return enough


def _check(minutes: Sequence[float], workers: int) -> None:
    if workers < 1:
        raise ValueError("expected at least one worker, found %r" % (workers,))
    for duration in minutes:
        if not 0 <= duration < math.inf:
            raise ValueError("expected a job's minutes to be finite and not negative, found %r" % (duration,))
