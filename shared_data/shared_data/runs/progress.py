"""One line on the console while a training or a prediction runs: how far it is, its numbers, the time left.

On a terminal tqdm updates the line in place. Where the output is a file or a pipe, such a line is written from time to
time: after every tenth of the steps, but not within 30 s of the last one, and at the latest after 5 minutes.
"""

import contextlib
import sys
import time
from collections import OrderedDict
from typing import Any, Callable, Dict, List

from tqdm import tqdm

_REDRAWN_AFTER = 0.5  # seconds between two readings of the numbers on a terminal
_SHARE = 0.1  # of all steps, between two lines elsewhere
_SHORTEST, _LONGEST = 30.0, 300.0  # seconds between two lines

# within 80 columns where the numbers are short
_BAR = "{desc} {percentage:.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
# entries of a history that are an accuracy after an epoch, with the name shown; the first one there is counts
_ACCURACIES = (("validation_oa", "val OA"), ("validation_labelled", "val OA"), ("test_oa", "test OA"))

Numbers = Callable[[], Dict[str, str]]


class Progress:
    """Context manager: counts steps and shows them with their numbers.

    done: steps of an earlier process. title: what is computed; without one nothing is shown. numbers: called only when
    they are shown, because reading a tensor waits for the device. lines: write lines on a terminal, too, where other
    lines are written. unit: what is counted.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        title: str = "",
        numbers: Numbers = OrderedDict,
        lines: bool = False,
        unit: str = "step",
    ) -> None:
        self._total, self._first, self._count = total, done, done
        self._title, self._numbers, self._unit = title, numbers, unit
        self._began = self._shown_at = time.monotonic()
        self._shown_count = done
        in_place = bool(title) and sys.stderr.isatty() and not lines
        self._bar = tqdm(
            total=total, initial=done, desc=title, disable=not in_place, dynamic_ncols=True, bar_format=_BAR
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, error: Any, *_: Any) -> None:
        with contextlib.closing(self._bar):
            if error is None and self._title and self._count > self._first:
                self._show(is_over=True)

    def update(self) -> None:
        """One step further."""
        self._count += 1
        self._bar.update()
        if self._is_due():
            self._show()

    def _is_due(self) -> bool:
        """Whether to show the numbers now; after the last step that is left to `__exit__`, which knows all of them."""
        seconds = time.monotonic() - self._shown_at
        if self._count == self._total or not self._title:
            return False
        if not self._bar.disable:
            return seconds >= _REDRAWN_AFTER
        enough = self._count - self._shown_count >= _SHARE * self._total
        return seconds >= (_SHORTEST if enough else _LONGEST)

    def _show(self, is_over: bool = False) -> None:
        numbers = self._numbers()
        if not self._bar.disable:
            self._bar.set_postfix(numbers)
        else:
            with contextlib.suppress(OSError):  # a console that has gone away is no reason to end a training
                print(self._line(numbers, is_over), file=sys.stderr, flush=True)
        self._shown_at, self._shown_count = time.monotonic(), self._count

    def _line(self, numbers: Dict[str, str], is_over: bool) -> str:
        elapsed = time.monotonic() - self._began
        parts = ["%s %d of %d" % (self._unit, self._count, self._total)]
        parts += ["%s %s" % pair for pair in numbers.items()]
        parts += ["%s elapsed" % tqdm.format_interval(elapsed)]
        if not is_over:
            left = elapsed / (self._count - self._first) * (self._total - self._count)
            parts.append("about %s left" % tqdm.format_interval(left))  # less where a training stops early
        return "%s: %s" % (self._title, ", ".join(parts))


OpenProgress = Callable[[int, str], Progress]


def silent(total: int, unit: str) -> Progress:
    """The progress of so many units, which is not shown."""
    return Progress(total, unit=unit)


def training_numbers(loss: float, rate: float, entries: List[Dict[str, float]]) -> Dict[str, str]:
    """What stands beside the steps: loss, learning rate and, after an evaluation, its accuracy.

    entries: of the training's history.
    """
    numbers = OrderedDict([("loss", "%.4f" % loss)])
    latest = entries[-1] if entries else {}
    for entry, name in _ACCURACIES:
        if entry in latest:
            numbers[name] = "%.1f %%" % (100 * latest[entry])
            break
    numbers["lr"] = "%.3g" % rate
    return numbers
