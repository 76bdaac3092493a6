"""Select a device by the user's name for it."""

from typing import Optional

import torch

from simplecv.errors import DeviceNotFoundError


def select_device(name: str = "auto") -> torch.device:
    """`auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`.

    Raises: DeviceNotFoundError for another name, or a CUDA device that PyTorch does not see.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, index = name.partition(":")
    if kind != "cuda" or (index and not index.isdigit()):
        raise DeviceNotFoundError(f"Unknown device '{name}'; choose auto, cpu, cuda or cuda:N.")
    count = torch.cuda.device_count()
    if int(index or 0) >= count:
        raise DeviceNotFoundError(
            f"Device '{name}' was asked for, but PyTorch {torch.__version__} sees {count} CUDA devices; "
            "choose DEVICE=cpu, or install a PyTorch build and a driver that match."
        )
    return torch.device(name)


def device_name(device: torch.device) -> Optional[str]:
    """Marketing name of a CUDA device, None for the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None
