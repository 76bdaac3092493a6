"""A pickle module that builds tensors and plain containers and nothing else.

The PyTorch of the paper's time has no `torch.load(..., weights_only=True)`; given to `torch.load` as `pickle_module`,
this module has the same effect: a file that asks for any other function or class is refused, and none of its code runs.
"""

import pickle
from typing import Any

import torch

_KINDS = ("Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double", "Bool", "BFloat16")
_ALLOWED = {
    ("collections", "OrderedDict"),
    ("torch", "Size"),
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
} | {("torch", "%sStorage" % kind) for kind in _KINDS}


class Unpickler(pickle.Unpickler):
    """Refuses every global that is not needed to rebuild tensors and plain containers."""

    def find_class(self, module: str, name: str) -> Any:
        is_dtype = module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)
        if (module, name) in _ALLOWED or is_dtype:
            return super().find_class(module, name)
        raise pickle.UnpicklingError("the file asks for '%s.%s', which is not allowed" % (module, name))


def load(file: Any, **options: Any) -> Any:
    """As `pickle.load`, restricted; torch.load calls it for the header of its older format."""
    return Unpickler(file, **options).load()
