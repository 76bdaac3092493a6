"""Helper for a training loop: resume, time and count steps, stop on a signal, log, checkpoint.

    loop = EpochLoop(run, FORMAT, settings, batches, state)
    with loop:
        for _epoch in loop.epochs(lambda: rule.exhausted):
            for batch in loop.minibatches():
                ...                         # forward, backward, the optimizer step
                loop.step(loss, len(batch), rate)
            if loop.stopped:
                break
            loop.end_epoch({"validation_loss": 0.5}, "validation loss 0.5")
        if not loop.is_over:
            return None

Every epoch ends with a checkpoint. SIGINT or SIGTERM stops the run after the current step; the same command resumes
from the last complete epoch and ends with the results of an uninterrupted run.
"""

import contextlib
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

from shared_data.errors import CheckpointError
from shared_data.runs.checkpoints import CheckpointFolder, CheckpointFormat
from shared_data.runs.history import History
from shared_data.runs.log import RunLog
from shared_data.runs.method import Run
from shared_data.runs.progress import training_numbers
from shared_data.runs.signals import stop_on_signals


class HostClock:
    """Seconds between `start` and `stop`, for a framework whose steps are finished when they return."""

    def start(self) -> None:
        self._begun = time.perf_counter()

    def stop(self) -> float:
        """Seconds since `start`; a clock that does not know them yet returns NaN, and `read` makes up for it."""
        return time.perf_counter() - self._begun

    def read(self) -> List[float]:
        """Seconds of the steps since the last call for which `stop` returned NaN."""
        return []


class EpochLoop:
    """A context manager; entering it resumes from the newest checkpoint in the run's folder.

    settings: `train` of a configuration, with epochs, num_iters (0: no limit beside the epochs). steps: a lower limit.
    clock: of the steps, for a device that works while the host goes on; default: the host's.
    batches: one iteration is one epoch of mini-batches; it has a length, and resumes inside an epoch.
    state: an object with state_dict() and load_state_dict(state) that holds all further state of the training, such as
    weights and optimizer; the latter raises KeyError, ValueError, TypeError or RuntimeError for another run's state.
    Raises: CheckpointError where the newest checkpoint does not fit the run.
    """

    def __init__(
        self,
        run: Run,
        checkpoint_format: CheckpointFormat,
        settings: Dict[str, Any],
        batches: Any,
        state: Any,
        steps: Optional[int] = None,
        clock: Optional[HostClock] = None,
    ) -> None:
        self._clock = clock or HostClock()
        self._run, self._batches, self._state = run, batches, state
        self._folder = run.begin()
        self._checkpoints = CheckpointFolder(self._folder / "checkpoints", checkpoint_format)
        self.history = History()
        self.epoch = 0  # epochs that ended
        self.stopped: Optional[str] = None  # why a signal ended it, in words
        self._exhausted: Callable[[], bool] = lambda: False
        limits = [settings["epochs"] * len(batches), settings["num_iters"], steps]
        self.total_steps = min(limit for limit in limits if limit)  # where nothing stops early

    @property
    def step_count(self) -> int:
        """Optimizer steps done."""
        return len(self.history.seconds)

    def __enter__(self) -> "EpochLoop":
        name, content, problems = self._checkpoints.newest()
        if name:
            self._restore(content)
        with contextlib.ExitStack() as stack:
            self._progress = stack.enter_context(self._run.progress(self.total_steps, self.step_count, self._numbers))
            self.log = stack.enter_context(RunLog(self._folder, self._run.verbose))
            for problem in problems:
                self.log.warning("%s", problem)
            if name:
                self.log.info("resumed from %s at step %d", name, self.step_count)
            stack.enter_context(stop_on_signals(self._request_stop))
            self._opened = stack.pop_all()
        return self

    def __exit__(self, error: Any, *_: Any) -> None:
        with self._opened:  # closes the log even if a full disk refuses a line
            if self.stopped and not self.is_over and error is None:
                self.log.info("stopped after the current step: %s", self.stopped)

    def epochs(self, exhausted: Callable[[], bool]) -> Iterator[int]:
        """Numbers of the epochs still to do, from 0, until all steps are done, `exhausted` says so or a signal came.

        exhausted: whether the rule of early stopping ends training.
        """
        self._exhausted = exhausted
        while not (self.is_over or self.stopped):
            self._begun, self._loss_sum, self._weight_sum = time.perf_counter(), 0.0, 0
            yield self.epoch

    @property
    def is_over(self) -> bool:
        """Whether training ended with an epoch, by early stopping or by the last step."""
        entries = self.history.entries
        return self._exhausted() or bool(entries and entries[-1]["step"] >= self.total_steps)

    def minibatches(self) -> Iterator[Any]:
        """The mini-batches of one epoch; the time between two of them is that of the step."""
        for batch in self._batches:
            self._clock.start()
            yield batch
            self.history.add_step(self._clock.stop())
            self._progress.update()
            if self.stopped:
                return
            if self.step_count == self.total_steps:
                return

    def step(self, loss: Any, weight: int, rate: float) -> None:
        """Take the loss of a finished optimizer step, a number or a detached scalar tensor, for the epoch's mean, and
        the step's learning rate, which is only shown."""
        self._loss, self._rate = loss, rate
        self._loss_sum, self._weight_sum = self._loss_sum + loss * weight, self._weight_sum + weight

    def end_epoch(self, numbers: Dict[str, float], sentence: str) -> None:
        """Log an epoch and write its checkpoint. numbers: its validation results, for history and curves."""
        self.epoch += 1
        self.history.complete_steps(self._clock.read())
        loss = float(self._loss_sum) / self._weight_sum
        numbers = dict({"loss": loss}, **numbers)
        self.history.add_entry(self.step_count, **numbers)
        self.log.curves(self.step_count, numbers)
        seconds = time.perf_counter() - self._begun
        self.log.info(
            "epoch %d, step %d of %d: loss %.4f, %s, %.2f s", self.epoch, self.step_count, self.total_steps, loss,
            sentence, seconds,
        )  # fmt: skip
        self.log.info("%s saved", self._checkpoints.save(self.epoch, self._content()))

    def _numbers(self) -> Dict[str, str]:
        return training_numbers(float(self._loss), self._rate, self.history.entries)

    def _request_stop(self, reason: str) -> None:
        self.stopped = reason

    def _content(self) -> Dict[str, Any]:
        return {
            "epoch": self.epoch,
            "history": self.history.state_dict(),
            "stream": self._batches.state_dict(),
            "run": self._state.state_dict(),
        }

    def _restore(self, content: Dict[str, Any]) -> None:
        try:
            self._state.load_state_dict(content["run"])
            self._batches.load_state_dict(content["stream"])
            self.history.load_state_dict(content["history"])
            self.epoch = int(content["epoch"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(
                "the newest checkpoint does not fit this run (%s); start over with FORCE=1 or --force." % reason
            ) from error
