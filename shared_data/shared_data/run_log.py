"""What a run tells while it trains: lines on the console and in log.txt, curves for TensorBoard."""

import logging
import sys
from pathlib import Path
from typing import Any, Dict

from tensorboardX import SummaryWriter

_FORMAT = logging.Formatter("%(asctime)s, %(message)s", "%Y-%m-%d %H:%M:%S")


class RunLog:
    """Context manager: appends to <folder>/log.txt, writes events to <folder>/checkpoints.

    quiet: keep information off the console, where a progress bar is.
    """

    def __init__(self, folder: Path, quiet: bool) -> None:
        # not shared by name: two runs in one process must not write into each other's file
        self._logger = logging.Logger("run", logging.INFO)
        console = logging.StreamHandler(sys.stderr)
        console.setLevel(logging.WARNING if quiet else logging.INFO)
        for handler in (console, logging.FileHandler(str(folder / "log.txt"), encoding="utf-8")):
            handler.setFormatter(_FORMAT)
            self._logger.addHandler(handler)
        self._writer = SummaryWriter(logdir=str(folder / "checkpoints"))

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: Any) -> None:
        for handler in self._logger.handlers:
            handler.close()
        self._writer.close()

    def info(self, message: str, *values: Any) -> None:
        self._logger.info(message, *values)

    def warning(self, message: str, *values: Any) -> None:
        self._logger.warning(message, *values)

    def curves(self, step: int, values: Dict[str, float]) -> None:
        """A point of every curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
