"""Time several implementations alternately, so that other load on the machine affects all of them alike."""

import importlib.util
import math
import statistics
import time
from pathlib import Path
from types import ModuleType
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from shared_data.errors import SettingsError


def seconds(action: Callable[[], object], wait: Callable[[], None] = lambda: None) -> float:
    """Wall time of one call. wait: blocks until the device has finished its work."""
    wait()
    start = time.perf_counter()
    action()
    wait()
    return time.perf_counter() - start


# what every benchmark convolves to find the practical peak: 3×3, as many channels in as out, on a square
PEAK_CHANNELS, PEAK_SIDE = 512, 160


def peak_flops(convolve: Callable[[], object], wait: Callable[[], None] = lambda: None) -> float:
    """The practical peak of a device, FLOP/s: the best of five calls of `convolve`, after a first.

    convolve: 3×3, `PEAK_CHANNELS` to as many channels, `PEAK_SIDE` squared pixels, "same" padding. wait: see `seconds`.
    """
    convolve()
    return 2 * 9 * PEAK_CHANNELS**2 * PEAK_SIDE**2 / min(seconds(convolve, wait) for _ in range(5))


def step_against_peak(work: float, peak: float) -> str:
    """A line for `work` FLOP of the literal training step and a peak of FLOP/s."""
    return "  the literal training step is %.3g GFLOP, %.3g s at the %.0f GFLOP/s of a large convolution" % (
        work / 1e9, work / peak, peak / 1e9)  # fmt: skip


def medians(
    sides: Mapping[str, Callable[[], float]], repeats: int, minutes: float = math.inf
) -> Tuple[Dict[str, float], int]:
    """Median seconds of each side, and the number of rounds: at most `repeats`, fewer when the minutes are over.

    sides: functions that run an implementation once and return the seconds it took. Each is called once before, to warm
        up.
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


def table_row(network: str, steps: Mapping[str, float], work: Optional[float] = None, peak: float = math.inf) -> str:
    """A network's row in the table of `make bench`. steps: seconds of a training step of `literal` and `ours`.

    work: FLOP of the literal step, None where it is not counted. peak: FLOP/s that the device reaches.
    """
    cells = [network, "%.4f s" % steps["literal"], "%.4f s" % steps["ours"]]
    cells.append("%.2f" % (steps["literal"] / steps["ours"]))
    cells.append("–" if work is None else "%.0f" % (work / 1e9))
    cells.append("–" if work is None else "%.0f %%" % (100 * work / peak / steps["ours"]))
    return "| %s |" % " | ".join(cells)


def load_literal(path: Path) -> ModuleType:
    """The literal network of a paper's tests, which is in no package. path: its file.

    Raises: SettingsError outside a checkout.
    """
    if not path.is_file():
        raise SettingsError("%s does not exist; run the benchmark in a checkout of the repository." % path)
    specification = importlib.util.spec_from_file_location(path.stem, str(path))
    assert specification is not None and specification.loader is not None  # a .py file always has a loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
