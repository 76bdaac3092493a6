# The same file lies in a2s2k_resnet/a2s2k_resnet, rssgl/rssgl and ssdgl/ssdgl; a test keeps them equal.
"""Replay a network's forward and backward pass from CUDA graphs, for the papers on PyTorch. Off by default.

A step on a small scene is hundreds of short kernels, and a GPU waits for the launch of each. A graph launches all of
them at once. Loss, clipping and optimizer stay outside: the number of sampled pixels, the learning rate and the
optimizer's state may change as ever, and checkpoints are the same.
"""

import os
import warnings
from typing import Any

import torch

from shared_data.errors import DeviceError, SettingsError
from shared_data.quoting import one_line
from shared_data.runs.environment import CUDA_GRAPHS as VARIABLE


def replay_if_asked(network: Any, method: str, sample: Any) -> None:
    """`replay` where the environment variable HSI_CUDA_GRAPHS is 1; nothing where it is 0 or not set.

    Raises: SettingsError for another value; DeviceError where the sample's device or this PyTorch has no graphs.
    """
    value = os.environ.get(VARIABLE) or "0"
    if value not in ("0", "1"):
        raise SettingsError("%s: expected 0 or 1, found '%s'." % (VARIABLE, one_line(value)))
    if value == "0":
        return
    if sample.device.type != "cuda":
        raise DeviceError("%s=1 needs a CUDA device, and this run is on the %s; unset it." % (VARIABLE, sample.device))
    if not hasattr(torch.cuda, "make_graphed_callables"):
        raise DeviceError("%s=1 needs PyTorch 2, and this is %s; unset it." % (VARIABLE, torch.__version__))
    replay(network, method, sample)


def replay(network: Any, method: str, sample: Any) -> None:
    """From now on a method of the network is replayed from graphs, in training and for inputs of the sample's shape.

    network: an nn.Module in training mode, on the GPU. method: the name of one that maps a tensor to a tensor by the
    network's parameters and never waits for the GPU, such as `forward`. sample: an input; inputs get no gradient.
    Weights, running statistics and random states are as before. A result is valid until the next call.
    Raises: DeviceError where PyTorch finds nothing to replay.
    """
    function = getattr(network, method)
    with torch.cuda.device(sample.device):  # PyTorch captures on the current device, not on that of the sample
        from_graphs = _captured(network, function, sample)

    def call(x: Any) -> Any:
        fits = network.training and torch.is_grad_enabled() and x.shape == sample.shape
        return from_graphs(x) if fits else function(x)

    setattr(network, method, call)


def _captured(network: Any, function: Any, sample: Any) -> Any:
    """The function from graphs, captured on the current device; the network is as before."""

    class Part(torch.nn.Module):
        """The method as a module with the network's parameters."""

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
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The CUDA Graph is empty")  # its results would be whatever the memory holds
        try:
            from_graphs: Any = torch.cuda.make_graphed_callables(Part(), (sample,), allow_unused_input=True)
        except UserWarning as warning:
            raise DeviceError("PyTorch captured nothing for %s=1: %s" % (VARIABLE, one_line(str(warning)))) from None
    with torch.no_grad():
        for buffer, before in zip(network.buffers(), buffers):
            buffer.copy_(before)
    torch.cuda.set_rng_state(random_state, sample.device)
    return from_graphs
