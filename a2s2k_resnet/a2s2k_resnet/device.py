"""Select a device by the user's name for it."""

from typing import Optional

import torch

from shared_data.runs.device import gpu_index


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
