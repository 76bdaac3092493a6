"""Select a device by the user's name for it."""

import math
from typing import Any, List, Optional, Tuple

import torch

from shared_data.runs.device import gpu_index
from shared_data.runs.epoch_loop import HostClock


def select_device(name: str = "auto") -> torch.device:
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`.

    Raises: DeviceError for another name, or a CUDA device that PyTorch does not see.
    """
    index = gpu_index(name, "PyTorch %s" % torch.__version__, torch.cuda.device_count)
    return torch.device("cpu" if index is None else "cuda:%d" % index)


def device_name(device: torch.device) -> Optional[str]:
    """Marketing name of a CUDA device, None for the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def wait_for(device: torch.device) -> None:
    """Wait until the device is idle, as a time measurement requires."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def clock_of(device: torch.device) -> HostClock:
    """What times the steps of a training on this device."""
    return _EventClock(device) if device.type == "cuda" else HostClock()


class _EventClock(HostClock):
    """Times steps by CUDA events, so that the host does not wait for the device before an epoch ends."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._steps: List[Tuple[Any, Any]] = []

    def start(self) -> None:
        self._begin = self._event()

    def stop(self) -> float:
        self._steps.append((self._begin, self._event()))
        return math.nan

    def read(self) -> List[float]:
        wait_for(self._device)
        milliseconds = [begin.elapsed_time(end) for begin, end in self._steps]
        self._steps.clear()
        return [value / 1000 for value in milliseconds]

    def _event(self) -> Any:
        """One that the device reaches after all work given to it so far."""
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event
