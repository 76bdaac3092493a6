"""Golden files of the official networks, computed on the device in float32: outputs, losses, norms of gradients."""

import math
from typing import Any, Dict, Iterator, Tuple

import a2s2k_resnet_helpers as a2s2k
import numpy as np
import rssgl_helpers as rssgl
import ssdgl_helpers as ssdgl
import torch
import torch.nn.functional as F
from torch import nn

from a2s2k_resnet.network import MODELS, build_network
from contracts.full_scene_golden import NOISE, golden_inputs
from tools.gpu_check.rows import Row
from tools.gpu_check.settings import full_float32

TOLERANCE = 1e-4  # of outputs (absolute) and losses (relative)
# Of gradient norms, relative. The two ResNets normalise 1×1 maps over four patches, which magnifies rounding; the tests
# of A2S2K-ResNet allow the same.
GRADIENTS = {"resnet": 5e-2, "pyresnet": 1e-1}
LOSSES = {"resnet": 1e-3, "pyresnet": 1e-3}


def rows(device: torch.device, _quick: bool) -> Iterator[Row]:
    """One row for each golden network."""
    full_float32()
    for helpers, networks in ((ssdgl, ssdgl.VARIANTS), (rssgl, rssgl.NETWORKS)):
        for name in networks:
            yield _row(name, *_whole_scene(helpers, name, device))
    for name in sorted(MODELS):
        yield _row(name, *_patches(name, device))


def _whole_scene(helpers: Any, name: str, device: torch.device) -> Tuple[float, float, float]:
    content, probability, network = helpers.golden_network(name)
    network.to(device)
    x, _, _ = golden_inputs(content["config"]["in_channels"], content["config"]["num_classes"])
    with torch.no_grad():
        ours = torch.softmax(network.eval()(x.to(device)), dim=1).cpu().numpy()
    loss = helpers.golden_loss(name, content, network)
    loss.backward()
    expected = content["loss"]["cls_loss"]
    return _largest(ours - probability), _relative(loss, expected), _of_gradients(network, content["grad_norm"])


def _patches(name: str, device: torch.device) -> Tuple[float, float, float]:
    content, outputs = a2s2k.read_golden(name), a2s2k.read_outputs(name)
    network = build_network(name, content["bands"], content["classes"], content["patch"])
    a2s2k.without_dropout(a2s2k.fill_by_rule(network)).to(device)
    patches, labels = (tensor.to(device) for tensor in a2s2k.golden_patches(content))
    with torch.no_grad():
        ours = network.eval()(patches).cpu().numpy()
    loss = F.cross_entropy(network.train()(patches), labels)
    loss.backward()
    expected = content["train_loss_dropout0"]
    return _largest(ours - outputs["logits"]), _relative(loss, expected), _of_gradients(network, content["grad_norm"])


def _largest(difference: np.ndarray) -> float:
    return float(np.abs(difference).max())


def _relative(value: torch.Tensor, expected: float) -> float:
    return abs(float(value.detach()) - expected) / abs(expected)


def _of_gradients(network: nn.Module, expected: Dict[str, float]) -> float:
    """The largest relative difference of a norm; infinite where a gradient is of no tensor that has one officially.

    Some tensors whose official gradient is rounding around zero have none in ours: the tests on the CPU say which.
    """
    ours = {name: float(p.grad.norm()) for name, p in network.named_parameters() if p.grad is not None}
    if not set(ours) <= set(expected):
        return math.inf
    # np.max, because Python's max drops a NaN that is not its first value
    return float(np.max([_of_norm(ours.get(name, 0.0), norm) for name, norm in expected.items()]))


def _of_norm(ours: float, expected: float) -> float:
    """Relative difference. Where rounding is expected, anything as small is equal, and what is larger is told in it."""
    if expected >= NOISE:
        return abs(ours - expected) / expected
    return 0.0 if ours < NOISE else ours / NOISE


def _row(name: str, output: float, loss: float, gradients: float) -> Row:
    limits = (TOLERANCE, LOSSES.get(name, TOLERANCE), GRADIENTS.get(name, 1e-3))
    found = (output, loss, gradients)
    return Row(
        "golden network " + name,
        "outputs differ by %.1e, the loss by %.1e, norms of gradients by %.1e of themselves" % found,
        dict(zip(("output", "loss", "gradients"), found)),
        all(value <= limit for value, limit in zip(found, limits)),
    )
