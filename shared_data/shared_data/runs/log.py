"""What a run tells while it trains: lines on the console and in log.txt, curves for TensorBoard.

All is on its way to the disk when a call returns. What a full disk refuses ends the run there: the writer that comes
with tensorboardX has a thread, which would die of it unnoticed and leave the run waiting for it.
"""

import contextlib
import logging
import socket
import sys
import time
from pathlib import Path
from typing import Any, Dict

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import scalar

_FORMAT = logging.Formatter("%(asctime)s, %(message)s", "%Y-%m-%d %H:%M:%S")


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        raise  # the error of the write, which logging would print and forget


class EventFile:
    """A TensorBoard event file, written where it is called."""

    def __init__(self, folder: Path) -> None:
        name = "events.out.tfevents.%010d.%s" % (time.time(), socket.gethostname())
        self._records = RecordWriter(str(folder / name))
        self._records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())

    def add_scalars(self, step: int, values: Dict[str, float]) -> None:
        """A point of every curve. Raises: OSError where it cannot be written."""
        for name, value in values.items():
            event = Event(wall_time=time.time(), step=step, summary=scalar(name, value))
            self._records.write(event.SerializeToString())
        self._records.flush()

    def close(self) -> None:
        self._records.close()


class RunLog:
    """Context manager: appends to <folder>/log.txt, writes events to <folder>/checkpoints.

    quiet: keep information off the console, where a progress bar is.
    Raises: OSError from every method, where a file cannot be written.
    """

    def __init__(self, folder: Path, quiet: bool) -> None:
        # not shared by name: two runs in one process must not write into each other's file
        self._logger = logging.Logger("run", logging.INFO)
        console = logging.StreamHandler(sys.stderr)
        console.setLevel(logging.WARNING if quiet else logging.INFO)
        with contextlib.ExitStack() as opened:  # closes the first file where the second cannot be opened
            for handler in (console, _LogFile(str(folder / "log.txt"), encoding="utf-8")):
                handler.setFormatter(_FORMAT)
                self._logger.addHandler(handler)
                opened.callback(handler.close)
            self._events = EventFile(folder / "checkpoints")
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
        self._events.add_scalars(step, values)
