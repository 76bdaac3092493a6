"""The log of a training: lines in log.txt, warnings on the console as well, curves for TensorBoard.

Every call flushes what it writes, so that a full disk raises an OSError there. For this, tensorboardX's EventsWriter is
used directly: SummaryWriter writes in a thread, which would end unnoticed on a full disk and leave the run waiting for
it. SSDGL and RSSGL log through SimpleCV, which must not import this library.
"""

import contextlib
import logging
import sys
import time
from pathlib import Path
from typing import Any, Dict

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import scalar

_FORMAT = logging.Formatter("%(asctime)s, %(message)s", "%Y-%m-%d %H:%M:%S")


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        raise  # raise the error of the write, which logging would only print


class RunLog:
    """Context manager: appends to <folder>/log.txt, writes events to <folder>/checkpoints.

    verbose: show every line on the console, too.
    Raises: OSError from every method, where a file cannot be written.
    """

    def __init__(self, folder: Path, verbose: bool) -> None:
        # not shared by name: two runs in one process must not write into each other's file
        self._logger = logging.Logger("run", logging.INFO)
        console = logging.StreamHandler(sys.stderr)
        console.setLevel(logging.INFO if verbose else logging.WARNING)
        with contextlib.ExitStack() as opened:  # closes the first file where the second cannot be opened
            for handler in (console, _LogFile(str(folder / "log.txt"), encoding="utf-8")):
                handler.setFormatter(_FORMAT)
                self._logger.addHandler(handler)
                opened.callback(handler.close)
            self._events = EventsWriter(str(folder / "checkpoints" / "events"))
            opened.callback(self._events.close)
            self._open = opened.pop_all()

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: Any) -> None:
        self._open.close()

    def info(self, message: str, *values: Any) -> None:
        self._logger.info(message, *values)

    def warning(self, message: str, *values: Any) -> None:
        self._logger.warning(message, *values)

    def curves(self, step: int, values: Dict[str, float]) -> None:
        """A point of every curve."""
        for name, value in values.items():
            self._events.write_event(Event(wall_time=time.time(), step=step, summary=scalar(name, value)))
        self._events.flush()
