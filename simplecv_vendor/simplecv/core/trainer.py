"""The training loop.

One step: `forward_times` batches forward and backward, clip the gradients, optimizer step, set the learning rate from
the step counter, increment the counter. So steps 1 and 2 both use lr(0) = base_lr, and step n >= 2 uses lr(n - 2).

After the last batch of an epoch: epoch callbacks, evaluation, checkpoint - in this order, so that whatever the first
two change is in the checkpoint, and a resumed run continues as the uninterrupted one. For a loader without a length,
the end of an epoch is known only when the next batch is requested.
"""

import gc
import time
import types
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from simplecv.core._misc import merge_dict
from simplecv.core.checkpoint import CheckPoint
from simplecv.core.loader_position import LoaderPosition
from simplecv.core.parallel import SingleDevice, unwrap
from simplecv.core.random_state import set_random_state
from simplecv.core.smoothing import MovingAverages
from simplecv.core.train_config import TrainSettings
from simplecv.errors import ModelOutputError
from simplecv.interface.learning_rate import LearningRateBase
from simplecv.opt.optimizer import grad_clip_of
from simplecv.util import dist
from simplecv.util.logger import Logger
from simplecv.util.tensor_util import to_device

StepInfo = Dict[str, Any]
Scalars = Dict[str, Any]


class Launcher:
    """Trains `model`, with everything it writes in `model_dir`. In a group of processes only rank 0 writes."""

    def __init__(
        self, model_dir: Any, model: nn.Module, optimizer: torch.optim.Optimizer, lr_schedule: LearningRateBase
    ):
        self.model_dir = str(model_dir)
        self._model = model
        self._optimizer = optimizer
        self._lr_schedule = lr_schedule
        self._device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        Path(model_dir).mkdir(parents=True, exist_ok=True)
        self._logger = Logger("simplecv", model_dir=model_dir if dist.is_master() else None)
        if not dist.is_master():
            self._logger.off()
        self.checkpoint = CheckPoint(self)
        self._position: Optional[LoaderPosition] = None
        self._stored_position: Optional[Tuple[Dict[str, Any], Dict[str, Any]]] = None
        self._step_callbacks: List[Callable[["Launcher", StepInfo], None]] = []
        self._epoch_callbacks: List[Callable[["Launcher", int], None]] = []
        self._stop_reason: Optional[str] = None
        self._evaluated_at = -1
        self._saved_at = -1
        self._averages = MovingAverages()

    # attributes that scripts read

    @property
    def model(self) -> nn.Module:
        """The model as the loop calls it: wrapped, under dp_train and ddp_train."""
        return self._model

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        return self._optimizer

    @property
    def logger(self) -> Logger:
        return self._logger

    @property
    def device(self) -> torch.device:
        """The device of the model's parameters."""
        return self._device

    @property
    def lr(self) -> float:
        """The rate the next optimizer step will use."""
        return self._optimizer.param_groups[0]["lr"]

    @property
    def stop_reason(self) -> Optional[str]:
        """The reason given to `request_stop`, None where training was not stopped."""
        return self._stop_reason

    # functions that scripts replace

    def override_evaluate(self, fn: Callable[["Launcher", Any, Dict[str, Any]], Any]) -> None:
        """`fn(launcher, test_data_loader, config)` evaluates; config holds the sections train and test."""
        self._evaluate_fn = types.MethodType(fn, self)

    def override_backward(self, fn: Callable[..., None]) -> None:
        """`fn(launcher, total_loss, optimizer)` takes the place of `total_loss.backward()`."""
        self.backward = types.MethodType(fn, self)

    def backward(self, total_loss: torch.Tensor, optimizer: torch.optim.Optimizer, **kwargs: Any) -> None:
        total_loss.backward()

    def _evaluate_fn(self, data_loader: Any, config: Optional[Dict[str, Any]]) -> None:
        self.logger.warning("no evaluation: call launcher.override_evaluate(fn) with a function that evaluates")

    def evaluate(self, data_loader: Any, config: Optional[Dict[str, Any]] = None) -> None:
        """Evaluate now, then put the model back into training mode."""
        self._evaluate_fn(data_loader, config)
        self._evaluated_at = self.checkpoint.global_step
        self._model.train()

    # hooks

    def add_step_callback(self, fn: Callable[["Launcher", StepInfo], None]) -> None:
        """`fn(launcher, info)` after every optimizer step. The log comes behind it, because writing a line waits for
        the GPU, and a callback may measure how long that takes.

        info: step (from 1), lr (the rate this step used), seconds (data and step, without evaluation; on a GPU without
        waiting for it), losses and metrics (dicts of detached scalar tensors or numbers, averaged over the batches).
        """
        self._step_callbacks.append(fn)

    def add_epoch_callback(self, fn: Callable[["Launcher", int], None]) -> None:
        """`fn(launcher, epoch)` when the loader is exhausted for the epoch-th time (from 1), before the checkpoint."""
        self._epoch_callbacks.append(fn)

    def request_stop(self, reason: str) -> None:
        """Finish the current step, save a checkpoint and return from training, without the final evaluation."""
        self._stop_reason = reason

    # resuming

    def init(self) -> bool:
        """Resume from the newest checkpoint in model_dir; False where there is none."""
        resumed = self.checkpoint.try_resume()
        if resumed:
            self._saved_at = self.checkpoint.global_step
        return resumed

    def loader_state(self) -> Optional[Dict[str, Any]]:
        """The position in the training data, for a checkpoint."""
        return self._position.state_dict() if self._position else None

    def set_loader_state(self, position: Optional[Dict[str, Any]], random_state: Dict[str, Any]) -> None:
        """Go to this position as soon as the loader is known, then restore these random states."""
        self._stored_position = (position, random_state) if position is not None else None

    def _position_in(self, loader: Any) -> LoaderPosition:
        if self._position is None or self._position.loader is not loader:
            self._position = LoaderPosition(loader)
        if self._stored_position is not None:
            position, random_state = self._stored_position
            self._stored_position = None
            self._position.load_state_dict(position)
            set_random_state(random_state)
        return self._position

    def close(self) -> None:
        """Close the log files and end the loader's worker processes, for a process that trains several models one by
        one."""
        self._logger.close()
        self._position = None

    def leave_process_group(self) -> None:
        """After training in a group of processes, keep only the bare model, which works without the group."""
        self._model = SingleDevice(unwrap(self._model))
        gc.collect()  # DistributedDataParallel's reference cycle holds the group; free it before exit

    # training

    def train_by_config(
        self,
        train_data_loader: Any,
        config: Dict[str, Any],
        test_data_loader: Optional[Any] = None,
        evaluation_config: Optional[Dict[str, Any]] = None,
        strict: bool = False,
    ) -> None:
        """Train as the section `train` says (`TrainSettings` lists its keys).

        evaluation_config: the section `test`, which the evaluation function receives merged with `config`.
        strict: an unknown key is an error instead of a warning.
        Raises: ConfigError, LoaderError, ModelOutputError, CheckpointError.
        """
        settings = TrainSettings.from_config(config, strict)
        config = merge_dict(config, evaluation_config or {})
        if settings.distributed and dist.world_size() == 1:
            self.logger.warning(
                "train.distributed is set, but this is one process: start simplecv.ddp_train by torchrun"
            )
        self._stop_reason = None
        if settings.resume_from_last and self.checkpoint.global_step == 0:
            self.init()
        position = self._position_in(train_data_loader)
        self._model.train()
        self._loop(settings, position, config, test_data_loader)

    def _loop(
        self, settings: TrainSettings, position: LoaderPosition, config: Dict[str, Any], test_loader: Any
    ) -> None:
        total = _total_steps(settings, position)
        while not self._stopped() and not _finished(settings, self.checkpoint.global_step, position.epoch):
            start = time.perf_counter()
            epochs_before = position.epoch
            batches = position.take(settings.forward_times, wrap=settings.num_iters is not None)
            if batches:
                self._train_step(batches, settings, total, start)
            step = self.checkpoint.global_step
            save = bool(batches and settings.save_ckpt_interval_step and step % settings.save_ckpt_interval_step == 0)
            for epoch in range(epochs_before + 1, position.epoch + 1):
                self._end_epoch(epoch, settings, config, test_loader)
                save = save or epoch % settings.save_ckpt_interval_epoch == 0
            if save:
                self._save(settings)
        if self._saved_at != self.checkpoint.global_step:
            self._save(settings)
        if self._stop_reason is not None:
            self.logger.info("stopped at step %d: %s", self.checkpoint.global_step, self._stop_reason)
        elif settings.eval_after_train and self._evaluated_at != self.checkpoint.global_step:
            self._evaluate_if_possible(test_loader, config)

    def _end_epoch(self, epoch: int, settings: TrainSettings, config: Dict[str, Any], test_loader: Any) -> None:
        for callback in self._epoch_callbacks:
            callback(self, epoch)
        if settings.eval_per_epoch and epoch % settings.eval_interval_epoch == 0:
            self._evaluate_if_possible(test_loader, config)

    def _evaluate_if_possible(self, test_loader: Any, config: Dict[str, Any]) -> None:
        if test_loader is not None:
            self.evaluate(test_loader, config)

    def _save(self, settings: TrainSettings) -> None:
        self.checkpoint.save(keep=settings.keep_ckpt or 0)
        self._saved_at = self.checkpoint.global_step

    def _stopped(self) -> bool:
        """True in all processes once one of them was asked to stop."""
        if dist.any_process(self._stop_reason is not None, self._device):
            self._stop_reason = self._stop_reason or "another process asked to stop"
            return True
        return False

    def _train_step(self, batches: List[Any], settings: TrainSettings, total: Optional[int], start: float) -> None:
        lr = self.lr
        # zeros, not None, on every PyTorch version: a zero gradient is still decayed, a missing one is not
        self._optimizer.zero_grad(set_to_none=False)
        losses, metrics = self._accumulate_gradients(batches)
        self._apply_gradients()
        info = {
            "step": self.checkpoint.global_step,
            "lr": lr,
            "seconds": time.perf_counter() - start,
            "losses": losses,
            "metrics": metrics,
        }
        for callback in self._step_callbacks:
            callback(self, info)
        self._log(info, settings, total)

    def _accumulate_gradients(self, batches: List[Any]) -> Tuple[Scalars, Scalars]:
        losses: Scalars = {}
        metrics: Scalars = {}
        share = 1.0 / len(batches)
        for batch in batches:
            outputs = self._model(*_arguments(to_device(batch, self._device)))
            parts = self._losses_of(outputs, share)
            total = sum(parts.values())
            self.backward(total, self._optimizer)
            for name, value in parts.items():
                losses[name] = losses.get(name, 0.0) + value.detach()
            if "total_loss" not in parts:
                losses["total_loss"] = losses.get("total_loss", 0.0) + total.detach()
            for name, value in outputs.items():
                if not name.endswith("loss"):
                    metrics[name] = metrics.get(name, 0.0) + _scalar(value) * share
        return losses, metrics

    def _losses_of(self, outputs: Any, share: float) -> Dict[str, torch.Tensor]:
        """The losses, each averaged to a scalar (one value a GPU comes from DataParallel), times `share`."""
        names = [name for name in outputs if name.endswith("loss")] if isinstance(outputs, dict) else []
        if not names:
            found = f"the keys {list(outputs)}" if isinstance(outputs, dict) else f"a {type(outputs).__name__}"
            raise ModelOutputError(
                "In training mode the model must return a dict with at least one entry whose key ends in 'loss', "
                f"but it returned {found}."
            )
        return {name: outputs[name].mean() * share for name in names}

    def _apply_gradients(self) -> None:
        clip = grad_clip_of(self._optimizer)
        if clip is not None:
            clip_grad_norm_(self._model.parameters(), **clip)
        self._optimizer.step()
        self._lr_schedule.step(self.checkpoint.global_step, self._optimizer)
        self.checkpoint.step()

    def _log(self, info: StepInfo, settings: TrainSettings, total: Optional[int]) -> None:
        if not dist.is_master():
            return
        self._averages.add({**info["losses"], **info["metrics"], "seconds": info["seconds"]})
        step = info["step"]
        if step % settings.log_interval_step == 0:
            values = self._averages.means()
            self.logger.train_log(step, total, lr=info["lr"], seconds=values.pop("seconds"), values=values)
        if step % settings.tensorboard_interval_step == 0:
            for name, value in {**info["losses"], **info["metrics"], "lr": info["lr"]}.items():
                self.logger.scalar(f"train/{name}", float(value), step)
            if settings.summary_grads:
                self.logger.summary_grads(self._model, step)
            if settings.summary_weights:
                self.logger.summary_weights(self._model, step)


def _arguments(batch: Any) -> Tuple[Any, ...]:
    return tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)


def _scalar(value: Any) -> Any:
    return value.detach().float().mean() if isinstance(value, torch.Tensor) else float(value)


def _total_steps(settings: TrainSettings, position: LoaderPosition) -> Optional[int]:
    """The number of the last step, None where the loader does not tell its length."""
    if settings.num_iters is not None:
        return settings.num_iters
    if position.length is None:
        return None
    assert settings.num_epochs is not None  # one of the two is given
    return settings.num_epochs * -(-position.length // settings.forward_times)


def _finished(settings: TrainSettings, step: int, epoch: int) -> bool:
    if settings.num_iters is not None:
        return step >= settings.num_iters
    assert settings.num_epochs is not None  # one of the two is given
    return epoch >= settings.num_epochs
