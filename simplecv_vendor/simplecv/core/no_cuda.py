"""Scripts written for a GPU call `.cuda()` and `torch.cuda.synchronize()`; on the CPU these mean 'stay here'."""

import contextlib
from typing import Any, Iterator
from unittest import mock

import torch


@contextlib.contextmanager
def cuda_calls_ignored() -> Iterator[None]:
    """Inside the block `tensor.cuda()` and `module.cuda()` return their object, and synchronising does nothing.

    It lasts for one training run on the CPU, and only for scripts that are run as they are (not in strict mode).
    """

    # mock puts back inherited attributes exactly as they were
    def stay(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(torch.Tensor, "cuda", stay))
        stack.enter_context(mock.patch.object(torch.nn.Module, "cuda", stay))
        stack.enter_context(mock.patch.object(torch.cuda, "synchronize", lambda *args, **kwargs: None))
        yield
