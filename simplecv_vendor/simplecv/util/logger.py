"""Log lines on the console and in a file, and curves for TensorBoard.

Every call flushes the events it writes, so that a full disk raises an OSError there. For this, tensorboardX's
EventsWriter is used directly: SummaryWriter writes in a thread, which would end unnoticed on a full disk and leave the
training waiting for it.
"""

import contextlib
import logging
import sys
import time
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event

# edges of a histogram's bins, each a tenth further from zero than the last, as TensorBoard's own
_EDGES = 1e-12 * 1.1 ** np.arange(775)
_BUCKETS = np.concatenate([-_EDGES[::-1], [0.0], _EDGES])

_FORMAT = logging.Formatter("%(asctime)s, %(levelname)s, %(message)s", "%Y-%m-%d %H:%M:%S")


def get_logger(name: str = "simplecv") -> logging.Logger:
    """A standard logger that writes to the console (standard error)."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        logger.addHandler(_console())
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


def _console() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_FORMAT)
    return handler


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        raise  # raise the error of the write, which logging would only print


class Logger:
    """Console, `<time>.log` and TensorBoard events in `model_dir`; without a model_dir the console alone.

    Raises: OSError from every method, where a file cannot be written.
    """

    def __init__(
        self, name: str, model_dir: Optional[Any] = None, use_tensorboard: bool = True, level: int = logging.INFO
    ):
        # a logger of its own, not one shared by name: two runs in one process must not write into each other's file
        self._logger = logging.Logger(name, level)
        self._logger.addHandler(_console())
        self._events: Optional[EventsWriter] = None
        if model_dir is not None:
            Path(model_dir).mkdir(parents=True, exist_ok=True)
            file_name = time.strftime("%Y-%m-%d-%H-%M-%S") + ".log"
            self.add_file(Path(model_dir) / file_name)
            if use_tensorboard:
                self._events = EventsWriter(str(Path(model_dir) / "events"))

    def add_file(self, path: Any) -> None:
        """Append all later lines to this file too, until `close`."""
        handler = _LogFile(str(path), encoding="utf-8")
        handler.setFormatter(_FORMAT)
        self._logger.addHandler(handler)

    def console_level(self, level: int) -> None:
        """Show only lines of this level or above on the console, for example beside a progress bar."""
        self._logger.handlers[0].setLevel(level)

    def on(self) -> None:
        """Log again after `off`."""
        self._logger.disabled = False

    def off(self) -> None:
        """Log nothing, neither lines nor curves."""
        self._logger.disabled = True

    def info(self, message: str, *args: Any) -> None:
        self._logger.info(message, *args)

    def warning(self, message: str, *args: Any) -> None:
        self._logger.warning(message, *args)

    def error(self, message: str, *args: Any) -> None:
        self._logger.error(message, *args)

    def equation(self, name: str, value: Any) -> None:
        """`name = value` as a line."""
        self.info("%s = %s", name, value)

    def train_log(self, step: int, total: Optional[int], values: Dict[str, float], lr: float, seconds: float) -> None:
        """One line: step, smoothed values, learning rate, seconds a step and the time left."""
        parts = [f"[Train] step {step}" + (f"/{total}" if total else "")]
        parts += [f"{name} = {value:.6g}" for name, value in values.items()]
        parts += [f"lr = {lr:.6g}", f"{seconds:.3f} s/step"]
        if total:
            parts.append(f"ETA {_clock(seconds * max(0, total - step))}")
        self.info("%s", ", ".join(parts))

    def eval_log(self, metric_dict: Dict[str, float], step: Optional[int] = None) -> None:
        """One line a metric, and a curve `eval/<name>` where the step is given."""
        for name, value in metric_dict.items():
            self.info("[Eval] %s = %s", name, value)
            if step is not None:
                self.scalar(f"eval/{name}", value, step)

    def scalar(self, name: str, value: float, step: int) -> None:
        """A point of a TensorBoard curve."""
        events = self._writable_events()
        if events is not None:
            _write_event(events, summary.scalar(name, value), step)

    def summary_weights(self, module: Any, step: int) -> None:
        """Histograms of all parameters."""
        for name, parameter in module.named_parameters():
            self._histogram(f"weights/{name}", parameter, step)

    def summary_grads(self, module: Any, step: int) -> None:
        """Histograms of all gradients there are."""
        for name, parameter in module.named_parameters():
            if parameter.grad is not None:
                self._histogram(f"grads/{name}", parameter.grad, step)

    def _histogram(self, name: str, tensor: Any, step: int) -> None:
        events = self._writable_events()
        if events is not None:
            values = tensor.detach().float().cpu().numpy()
            _write_event(events, summary.histogram(name, values, _BUCKETS), step)

    def _writable_events(self) -> Optional[EventsWriter]:
        return None if self._logger.disabled else self._events

    def close(self) -> None:
        """Close the files; later lines go to the console alone."""
        with contextlib.ExitStack() as closing:  # closes all of them, even if one fails
            for handler in self._logger.handlers[1:]:
                self._logger.removeHandler(handler)
                closing.callback(handler.close)
            if self._events is not None:
                closing.callback(self._events.close)
                self._events = None


def _write_event(events: EventsWriter, content: Any, step: int) -> None:
    events.write_event(Event(wall_time=time.time(), step=step, summary=content))
    events.flush()


def eval_progress(logger: Any, current: int, total: int) -> None:
    """`[Eval] current/total` as a line."""
    logger.info(f"[Eval] {current}/{total}")


def speed(logger: Any, seconds: float, unit: str = "im") -> None:
    """`[Speed] seconds s/unit` as a line."""
    logger.info(f"[Speed] {seconds} s/{unit}")


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"
