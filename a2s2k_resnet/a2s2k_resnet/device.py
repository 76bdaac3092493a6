"""The device a user asks for by name."""

from typing import Optional

import torch

from shared_data.errors import DeviceError


def select_device(name: str = "auto") -> torch.device:
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`.

    Raises: DeviceError for another name, or a CUDA device that PyTorch does not see.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind != "cuda" or (index and not index.isdigit()):
        raise DeviceError("unknown device '%s'; choose auto, cpu, cuda or cuda:N." % name)
    count = torch.cuda.device_count()
    if int(index or 0) >= count:
        raise DeviceError(
            "device '%s' was asked for, but PyTorch %s sees %d CUDA devices; choose DEVICE=cpu, or install a PyTorch "
            "build and a driver that match." % (name, torch.__version__, count)
        )
    return torch.device(name)


def device_name(device: torch.device) -> Optional[str]:
    """Marketing name of a CUDA device, None for the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def wait_for(device: torch.device) -> None:
    """Return when the device has done what it was given; no time can be told before."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
