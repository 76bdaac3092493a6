"""Nested structures of tensors."""

from typing import Any

import torch


def to_device(data: Any, device: torch.device) -> Any:
    """Tensors inside (named) tuples, lists and dicts on `device`; other values as they are.

    A tensor that lies there already is passed on without a copy.
    """
    if isinstance(data, torch.Tensor):
        return data.to(device, non_blocking=True)
    if isinstance(data, dict):
        return {key: to_device(value, device) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(to_device(value, device) for value in data))
    if isinstance(data, (tuple, list)):
        return type(data)(to_device(value, device) for value in data)
    return data
