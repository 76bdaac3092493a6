# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""Access to PyTorch, its device and SimpleCV's launcher: seeds, weights, times, memory, progress."""

import contextlib
import logging
import random
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

import numpy as np
import torch
from torch import nn

from shared_data.runs import environment
from shared_data.runs.history import History
from shared_data.runs.memory import free_memory
from shared_data.runs.method import Run
from shared_data.runs.progress import training_numbers
from shared_data.runs.signals import stop_on_signals
from simplecv.core.trainer import Launcher
from simplecv.util.device import device_name, select_device


def seed_everything(seed: int) -> None:
    """Python, numpy and torch (all devices) from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def prepare_device(device: torch.device) -> None:
    """Before training: let cuDNN choose its algorithms by timing them, as in the releases; reset the peaks of
    memory."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.cuda.reset_peak_memory_stats(device)


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Within the block the network is in evaluation mode."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def weights_of(network: nn.Module) -> Dict[str, np.ndarray]:
    """The state_dict as copied arrays."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def environment_of(device: str) -> Dict[str, Any]:
    """Software and hardware of a run, for the record. device: auto, cpu, cuda or cuda:N."""
    chosen = select_device(device)
    return environment.describe("PyTorch", torch.__version__, str(chosen), device_name(chosen), torch.get_num_threads())


def peak_gpu_mb(device: str) -> Optional[float]:
    """Peak memory of the device, in 10^6 bytes; None of a CPU."""
    chosen = select_device(device)
    return torch.cuda.max_memory_allocated(chosen) / 1e6 if chosen.type == "cuda" else None


def free_memory_of(device: torch.device) -> Optional[int]:
    """Bytes of the device's memory that are free; None where unknown."""
    if device.type == "cpu":
        return free_memory()
    if hasattr(torch.cuda, "mem_get_info"):
        return torch.cuda.mem_get_info(device)[0]
    return torch.cuda.get_device_properties(device).total_memory - torch.cuda.memory_allocated(device)


class Steps:
    """Collects from the launcher's step callback: seconds for the history, and numbers for the next epoch's entry."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.history = History()

    def add(self, info: Dict[str, Any]) -> None:
        """info: of the launcher's step callback."""
        self._latest = info
        self.history.add_step(info["seconds"] + _seconds_until_idle(self._device))

    @property
    def count(self) -> int:
        """Steps done, those before a resumption among them."""
        return len(self.history.seconds)

    def shown(self) -> Dict[str, str]:
        """Of the latest step, beside its progress."""
        return training_numbers(float(self._latest["losses"]["total_loss"]), self._latest["lr"], self.history.entries)

    def numbers(self) -> Dict[str, float]:
        """Of the latest step: loss, learning rate, accuracy on the sampled pixels."""
        return {
            "loss": float(self._latest["losses"]["total_loss"]),
            "lr": self._latest["lr"],
            "sampled_train_accuracy": float(self._latest["metrics"]["sampled_accuracy"]),
        }


def _seconds_until_idle(device: torch.device) -> float:
    """Wait until the GPU is idle and return the seconds, which belong to the last step's time."""
    start = time.perf_counter()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


@contextlib.contextmanager
def launched(
    run: Run,
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Any,
    steps: Steps,
    total_steps: int,
    **further: Any,
) -> Iterator[Launcher]:
    """A launcher that has resumed from the newest checkpoint in the run's folder, which `run.begin` returned.

    Within the block it logs, shows its progress, adds every step to `steps`, and stops on a signal. further: what its
    checkpoints hold beside the history, with state_dict() and load_state_dict(state).
    """
    launcher = Launcher(str(folder / "checkpoints"), model, optimizer, schedule)
    with contextlib.closing(launcher):  # an open log on a full disk would fail at Python's exit
        launcher.logger.add_file(folder / "log.txt")
        launcher.logger.console_level(logging.INFO if run.verbose else logging.WARNING)
        launcher.checkpoint.register("history", steps.history)
        for name, state in further.items():
            launcher.checkpoint.register(name, state)
        launcher.init()
        with run.progress(total_steps, launcher.checkpoint.global_step, steps.shown) as progress:

            def after_step(_launcher: Launcher, info: Dict[str, Any]) -> None:
                steps.add(info)
                progress.update()

            launcher.add_step_callback(after_step)
            with stop_on_signals(launcher.request_stop):
                yield launcher
