# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""What a run asks of PyTorch and its device: seeds, weights as arrays, times, memory, numbers to show."""

import random
import time
from typing import Any, Dict, Optional

import numpy as np
import torch
from torch import nn

from shared_data.runs import environment
from simplecv.util.device import device_name


def seed_everything(seed: int) -> None:
    """Python, numpy and torch (all devices) from one seed."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def prepare_device(device: torch.device) -> None:
    """Before training: cuDNN chooses its algorithms by trying them, as in the releases; peaks of memory start anew."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.cuda.reset_peak_memory_stats(device)


def seconds_until_idle(device: torch.device) -> float:
    """Seconds until a GPU has done what it was given; a step's time is not known before."""
    start = time.perf_counter()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def weights_of(network: nn.Module) -> Dict[str, np.ndarray]:
    """The state_dict as arrays, in no memory of the network's."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def environment_of(device: torch.device) -> Dict[str, Any]:
    """What the run computes with and on, as the record holds it."""
    return environment.describe("PyTorch", torch.__version__, str(device), device_name(device), torch.get_num_threads())


def peak_memory_of(device: torch.device) -> Dict[str, Optional[float]]:
    """Peaks of the process and, on a GPU, of the device, in 10^6 bytes."""
    gpu = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
    return {"peak_rss_mb": environment.peak_memory_mb(), "peak_gpu_mb": gpu}


def shown(info: Dict[str, Any]) -> Dict[str, str]:
    """A step's numbers beside the progress bar. info: of the launcher's step callback."""
    return {
        "loss": "%.4f" % float(info["losses"]["total_loss"]),
        "lr": "%.2e" % info["lr"],
        "train_acc": "%.1f%%" % (100 * float(info["metrics"]["sampled_accuracy"])),
    }


def numbers_of(info: Dict[str, Any]) -> Dict[str, float]:
    """A step's numbers for an epoch's entry of the history."""
    return {
        "loss": float(info["losses"]["total_loss"]),
        "lr": info["lr"],
        "sampled_train_accuracy": float(info["metrics"]["sampled_accuracy"]),
    }
