"""Two or more sides of a benchmark, timed in turn, so that a busy moment of the machine meets them all alike."""

import math
import statistics
import time
from typing import Callable, Dict, List, Mapping, Tuple


def seconds(action: Callable[[], object], wait: Callable[[], None] = lambda: None) -> float:
    """Wall time of one call. wait: returns when the device has done what it was given."""
    wait()
    start = time.perf_counter()
    action()
    wait()
    return time.perf_counter() - start


def medians(
    sides: Mapping[str, Callable[[], float]], repeats: int, minutes: float = math.inf
) -> Tuple[Dict[str, float], int]:
    """Median seconds of each side, and the number of turns: at most `repeats`, fewer when the minutes are over.

    sides: functions that do something once and return the seconds it took. Each is called once before, to warm up.
    """
    start = time.perf_counter()
    for side in sides.values():
        side()
    times: Dict[str, List[float]] = {name: [] for name in sides}
    turns = 0
    while turns < repeats and (turns == 0 or time.perf_counter() - start < 60 * minutes):
        for name, side in sides.items():
            times[name].append(side())
        turns += 1
    return {name: statistics.median(values) for name, values in times.items()}, turns
