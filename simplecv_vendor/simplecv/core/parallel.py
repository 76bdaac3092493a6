"""Wrappers that all offer the bare model as `.module`."""

from typing import Any

from torch import nn


class SingleDevice(nn.Module):
    """The counterpart of DataParallel for one device: scripts access the model as `.module`."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)


_WRAPPERS = (SingleDevice, nn.DataParallel, nn.parallel.DistributedDataParallel)


def unwrap(model: nn.Module) -> nn.Module:
    """The bare model."""
    return model.module if isinstance(model, _WRAPPERS) else model
