"""A run that trains epoch by epoch, validates after each, and may stop early: the loop around a paper's own parts.

Every epoch ends with a checkpoint. Between two of them SIGINT or SIGTERM stops the run after the current step; the
same command goes on from the last complete epoch and ends with the numbers of an undisturbed run.
"""

import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

from shared_data.errors import CheckpointError
from shared_data.runs.checkpoints import CheckpointFolder, CheckpointFormat
from shared_data.runs.history import History
from shared_data.runs.log import RunLog
from shared_data.runs.progress import TrainingProgress
from shared_data.runs.reproduce import PreparedRun
from shared_data.runs.signals import stop_on_signals

_SHOWN_EVERY = 10  # steps between two numbers beside the progress bar


class Validated(NamedTuple):
    """An epoch's validation: numbers for history and curves, and the sentence of the log."""

    numbers: Dict[str, float]
    sentence: str


class EpochRun(PreparedRun):
    """settings: `train` of a configuration, with epochs, num_iters (0: no limit beside the epochs).

    stream: one iteration is one epoch of mini-batches; it has a length and resumes inside an epoch.
    format: of the checkpoints.
    """

    stream: Any
    format: CheckpointFormat

    def __init__(self, settings: Dict[str, Any]) -> None:
        self._settings = settings
        self.history = History()
        self.epoch = 0  # epochs that ended
        self.stop_reason: Optional[str] = None

    # what a paper brings

    @abstractmethod
    def begin_epoch(self) -> None:
        """Put the network into training mode, set the epoch's learning rate."""

    @abstractmethod
    def train_on(self, batch: Any) -> Tuple[Any, int]:
        """One optimizer step, finished when this returns; the loss (a number or a scalar tensor) and its weight."""

    @abstractmethod
    def end_epoch(self) -> Validated:
        """Validate, and keep the weights where the rule says so. `epoch` counts this one already."""

    @property
    @abstractmethod
    def exhausted(self) -> bool:
        """Whether the rule of early stopping ends training."""

    @abstractmethod
    def use_selected(self, folder: Path, log: RunLog) -> None:
        """Give the network the selected weights, and write them to <folder>/selected.*"""

    @abstractmethod
    def state(self) -> Dict[str, Any]:
        """All that the next epoch depends on, beside what this class keeps."""

    @abstractmethod
    def restore(self, state: Dict[str, Any]) -> None:
        """The inverse of `state`. Raises: KeyError, ValueError, TypeError or RuntimeError for another run's state."""

    # the loop

    @property
    def total_steps(self) -> int:
        """Optimizer steps where nothing stops early."""
        steps, most = self._settings["epochs"] * len(self.stream), self._settings["num_iters"]
        return min(steps, most) if most else steps

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return len(self.history.seconds)

    def is_over(self) -> bool:
        """Whether an epoch has ended training, by the rule or as the one with the last step."""
        entries = self.history.entries
        return self.exhausted or bool(entries and entries[-1]["step"] >= self.total_steps)

    def train(self, folder: Path) -> bool:
        """Train from the newest checkpoint in the folder to the end; False where a signal stopped it."""
        checkpoints = CheckpointFolder(folder / "checkpoints", self.format)
        name, content, problems = checkpoints.newest()
        if name:
            self._restore(content)
        with TrainingProgress(self.total_steps, self.step) as progress, RunLog(folder, progress.visible) as log:
            for problem in problems:
                log.warning("%s", problem)
            if name:
                log.info("resumed from %s at step %d", name, self.step)
            with stop_on_signals(self._request_stop):
                while not (self.is_over() or self.stop_reason):
                    if self._one_epoch(progress, log):
                        log.info("%s saved", checkpoints.save(self.epoch, self._content()))
            if not self.is_over():
                log.info("stopped after the current step: %s", self.stop_reason)
                return False
            self.last_weights = self.weights()
            self.use_selected(checkpoints.folder, log)
        return True

    def _request_stop(self, reason: str) -> None:
        self.stop_reason = reason

    def _one_epoch(self, progress: TrainingProgress, log: RunLog) -> bool:
        """Train on every training pixel once and validate; False where a signal came first."""
        begun = time.perf_counter()
        self.begin_epoch()
        loss_sum, weight_sum = 0.0, 0
        for batch in self.stream:
            start = time.perf_counter()
            loss, weight = self.train_on(batch)
            self.history.add_step(time.perf_counter() - start)
            loss_sum, weight_sum = loss_sum + loss * weight, weight_sum + weight
            shown = progress.visible and self.step % _SHOWN_EVERY == 0  # reading a number may wait for the device
            progress.update(**({"loss": "%.4f" % float(loss), "epoch": str(self.epoch + 1)} if shown else {}))
            if self.stop_reason:
                return False
            if self.step == self.total_steps:
                break
        self.epoch += 1
        self._report(float(loss_sum) / weight_sum, self.end_epoch(), time.perf_counter() - begun, log)
        return True

    def _report(self, loss: float, validated: Validated, seconds: float, log: RunLog) -> None:
        numbers = dict({"loss": loss}, **validated.numbers)
        self.history.add_entry(self.step, **numbers)
        log.curves(self.step, numbers)
        log.info(
            "epoch %d, step %d of %d: loss %.4f, %s, %.2f s", self.epoch, self.step, self.total_steps, loss,
            validated.sentence, seconds,
        )  # fmt: skip

    def _content(self) -> Dict[str, Any]:
        return {
            "epoch": self.epoch,
            "history": self.history.state_dict(),
            "stream": self.stream.state_dict(),
            "run": self.state(),
        }

    def _restore(self, content: Dict[str, Any]) -> None:
        try:
            self.restore(content["run"])
            self.stream.load_state_dict(content["stream"])
            self.history.load_state_dict(content["history"])
            self.epoch = int(content["epoch"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(
                "the newest checkpoint does not fit this run (%s); start over with FORCE=1 or --force." % reason
            ) from error
