"""What the RSSGL tests share beside fixtures."""

from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
from torch import Tensor

from contracts.full_scene_golden import fill_by_rule, golden_inputs
from contracts.golden import read_golden
from rssgl.loss import effective_number_weights
from rssgl.network import RSSGL
from rssgl.train import Trainable

GOLDEN = Path(__file__).parent / "golden"


# golden file: kernel, λ, scene and split whose training counts give the class weights
NETWORKS = {
    "rssgl_ip": ([3, 3, 3], 0.0009, "indian_pines", "percent_0.05_seed2333"),
    "rssgl_pu": ([3, 5, 5], 0.005, "pavia_university", "percent_0.01_seed2333"),
}


# the narrowest network with pointwise kernels: the life of a run does not depend on them
LEAN = ("model.params.kernel=[1, 1, 1]", "model.params.block_channels=[32, 32, 32, 32]", "model.params.inner_dim=16")


def golden_network(name: str) -> Tuple[Dict[str, Any], np.ndarray, RSSGL]:
    """Golden JSON, golden probability, and our network filled by the rule."""
    content = read_golden(GOLDEN, name)
    config = content["config"]
    network = RSSGL(
        {
            "in_channels": config["in_channels"],
            "num_classes": config["num_classes"],
            "block_channels": config["block_channels"],
            "inner_dim": config["inner_dim"],
            "kernel": NETWORKS[name][0],
        }
    )
    fill_by_rule(network)
    return content, np.load(str(GOLDEN / (name + ".npz")))["probability"], network


def golden_loss(name: str, content: Dict[str, Any], network: RSSGL) -> Tensor:
    """The loss that the golden file holds, on the network's device."""
    device, (_, weight, scene, split) = next(network.parameters()).device, NETWORKS[name]
    class_weights = effective_number_weights(read_golden(GOLDEN, "splits")[scene][split]["train_per_class"])
    inputs = golden_inputs(content["config"]["in_channels"], content["config"]["num_classes"])
    trainable = Trainable(network, "statistical", weight, class_weights.to(device))
    outputs = trainable(*(tensor.to(device) for tensor in inputs))
    return outputs["cls_loss"] + outputs["regularisation_loss"]
