"""A training progress bar on terminals; silent where the output is a file, which has the log lines instead."""

import sys
from typing import Any

from tqdm import tqdm


class TrainingProgress:
    """Context manager around tqdm: step count, loss, learning rate, accuracy, time left."""

    def __init__(self, total: int, done: int) -> None:
        self._bar = tqdm(total=total, initial=done, unit="step", disable=not sys.stderr.isatty(), dynamic_ncols=True)

    def __enter__(self) -> "TrainingProgress":
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.close()

    @property
    def visible(self) -> bool:
        """Whether a bar is drawn; where it is not, the caller need not compute its numbers."""
        return not self._bar.disable

    def update(self, **shown: str) -> None:
        """One step further; values given stand beside the bar until the next ones."""
        if shown:
            self._bar.set_postfix(shown, refresh=False)
        self._bar.update()
