"""The registries under the short import path: `from simplecv import registry`."""

from simplecv.util.registry import DATALOADER, LOSS, LR, MODEL, OP, OPT, Registry

__all__ = ["DATALOADER", "LOSS", "LR", "MODEL", "OP", "OPT", "Registry"]
