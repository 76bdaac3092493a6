"""Fixtures of the SSDGL tests: golden files and their rule for filling weights."""

import json
import zlib
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch

GOLDEN = Path(__file__).parent / "golden"

VARIANTS = {  # golden file: network variant, attention ratio, loss as released
    "ssdgl": ("v2022", 16, "all_labelled"),
    "ssdgl_ip": ("v2022", 24, "all_labelled"),
    "ssdgl_small": ("v2022-fewshot", 16, "all_labelled"),
    "ssdgl2021": ("v2021", 16, "weighted_all_labelled"),
    "ssdgl_hos": ("houston", 18, "sampled_with_reconstruction"),
}


def read_golden(name: str) -> Dict[str, Any]:
    return json.loads((GOLDEN / (name + ".json")).read_text())


def fill_by_rule(network: torch.nn.Module) -> None:
    """The golden README's weights: every tensor from a RandomState seeded with the CRC-32 of its key."""
    state = {}
    for key, tensor in network.state_dict().items():
        shape = tuple(tensor.shape)
        values = np.random.RandomState(zlib.crc32(key.encode()) & 0x7FFFFFFF).standard_normal(shape)
        if len(shape) > 1:
            values = values / np.sqrt(np.prod(shape[1:]))
        elif key.endswith("weight"):
            values = 1 + 0.1 * values
        else:
            values = 0.1 * values
        state[key] = torch.from_numpy(values.astype(np.float32))
    network.load_state_dict(state)


def golden_inputs(channels: int, num_classes: int):
    """x (1, C, 32, 48), y (1, 32, 48) with 0 = unlabelled, w (1, 32, 48) sampled mask."""
    x = torch.from_numpy(np.random.RandomState(0).standard_normal((1, channels, 32, 48)).astype(np.float32))
    y = np.random.RandomState(1).randint(0, num_classes + 1, (1, 32, 48))
    w = (np.random.RandomState(2).rand(1, 32, 48) < 0.4) & (y > 0)
    return x, torch.from_numpy(y.astype(np.uint8)), torch.from_numpy(w.astype(np.float32))


@pytest.fixture(params=sorted(VARIANTS))
def golden(request):
    """(name, golden JSON, golden probability, our network filled by the rule)."""
    from ssdgl.network import SSDGL

    variant, ratio, _ = VARIANTS[request.param]
    content = read_golden(request.param)
    config = content["config"]
    network = SSDGL(
        {
            "in_channels": config["in_channels"],
            "num_classes": config["num_classes"],
            "block_channels": config["block_channels"],
            "inner_dim": config["inner_dim"],
            "attention_ratio": ratio,
            "variant": variant,
        }
    )
    fill_by_rule(network)
    probability = np.load(str(GOLDEN / (request.param + ".npz")))["probability"]
    return request.param, content, probability, network
