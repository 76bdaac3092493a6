"""TensorBoard's event file, written where it is called: what a full disk refuses is an error there.

The writer that comes with tensorboardX has a thread, which would die of a full disk unnoticed and leave the training
waiting for it; of its parts, the one that knows the file's format is used.
"""

import socket
import time
from pathlib import Path
from typing import Any

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter


class EventFile:
    """Events in a file named by time and host."""

    def __init__(self, folder: Any) -> None:
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
        self._records = RecordWriter(str(Path(folder) / name))
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, summary: Any, step: int) -> None:
        """A summary of tensorboardX at a step. Raises: OSError where it cannot be written."""
        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()

    def close(self) -> None:
        self._records.close()
