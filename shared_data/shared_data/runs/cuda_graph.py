"""Replay a network's forward and backward pass from CUDA graphs, for the papers on PyTorch. Off by default.

A step on a small scene is hundreds of short kernels, and a GPU waits for the launch of each. A graph launches all of
them at once. Loss, clipping and optimizer stay outside: the number of sampled pixels, the learning rate and the
optimizer's state may change as ever, and checkpoints are the same. This module imports PyTorch when it is used, because
the library needs no framework.
"""

import os
from typing import Any, Callable

from shared_data.errors import DeviceError, SettingsError
from shared_data.quoting import one_line

VARIABLE = "HSI_CUDA_GRAPHS"

Function = Callable[[Any], Any]  # of a tensor to a tensor


def as_asked(network: Any, function: Function, sample: Any) -> Function:
    """`graphed` where the environment variable HSI_CUDA_GRAPHS is 1; the function itself where it is 0 or not set.

    Raises: SettingsError for another value; DeviceError where the sample's device or this PyTorch has no graphs.
    """
    value = os.environ.get(VARIABLE) or "0"
    if value not in ("0", "1"):
        raise SettingsError("%s: expected 0 or 1, found '%s'." % (VARIABLE, one_line(value)))
    if value == "0":
        return function
    if sample.device.type != "cuda":
        raise DeviceError("%s=1 needs a CUDA device, and this run is on the %s; unset it." % (VARIABLE, sample.device))
    import torch

    if not hasattr(torch.cuda, "make_graphed_callables"):
        raise DeviceError("%s=1 needs PyTorch 2, and this is %s; unset it." % (VARIABLE, torch.__version__))
    return graphed(network, function, sample)


def graphed(network: Any, function: Function, sample: Any) -> Function:
    """The function, replayed from graphs in training for inputs of the sample's shape; as it is for all others.

    network: an nn.Module in training mode, on the GPU. function: a differentiable function of one tensor with the
    network's parameters, which never waits for the GPU, such as the network itself. sample: an input tensor; inputs get
    no gradient. Weights, running statistics and random states are as before. A result is valid until the next call.
    """
    import torch

    class Part(torch.nn.Module):
        """The function as a module with the network's parameters."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            return function(x)

    buffers = [buffer.clone() for buffer in network.buffers()]
    random_state = torch.cuda.get_rng_state(sample.device)
    # A gradient that exists is added to in place. One that does not would become the graph's own memory, which the next
    # replay overwrites: wrong where a loop sets gradients to zero instead of None.
    function(sample).sum().backward()
    for parameter in network.parameters():
        if parameter.grad is not None:
            parameter.grad.zero_()
    replay: Any = torch.cuda.make_graphed_callables(Part(), (sample,), allow_unused_input=True)
    with torch.no_grad():
        for buffer, before in zip(network.buffers(), buffers):
            buffer.copy_(before)
    torch.cuda.set_rng_state(random_state, sample.device)

    def call(x: Any) -> Any:
        fits = network.training and torch.is_grad_enabled() and x.shape == sample.shape
        return replay(x) if fits else function(x)

    return call
