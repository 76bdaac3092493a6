"""Make `.cuda()` and `torch.cuda.synchronize()` of scripts written for a GPU do nothing on the CPU."""

import contextlib
from typing import Any, Iterator
from unittest import mock

import torch


@contextlib.contextmanager
def cuda_calls_ignored() -> Iterator[None]:
    """Inside the block `tensor.cuda()` and `module.cuda()` return their object, and synchronising does nothing.

    Used during a training run on the CPU, except in strict mode.
    """

    # mock restores inherited attributes exactly
    def stay(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(torch.Tensor, "cuda", stay))
        stack.enter_context(mock.patch.object(torch.nn.Module, "cuda", stay))
        stack.enter_context(mock.patch.object(torch.cuda, "synchronize", lambda *args, **kwargs: None))
        yield
