"""Golden networks and inputs as PyTorch tensors, and the comparisons that SSDGL's and RSSGL's networks must pass."""

from typing import Dict

import numpy as np
import torch

from contracts.golden import values_by_rule


def fill_by_rule(network: torch.nn.Module) -> None:
    """Give every tensor of the network the golden values of its key."""
    network.load_state_dict(
        {key: torch.from_numpy(values_by_rule(key, tuple(t.shape))) for key, t in network.state_dict().items()}
    )


def golden_inputs(channels: int, num_classes: int):
    """x (1, C, 32, 48), y (1, 32, 48) with 0 = unlabelled, w (1, 32, 48) sampled mask."""
    x = torch.from_numpy(np.random.RandomState(0).standard_normal((1, channels, 32, 48)).astype(np.float32))
    y = np.random.RandomState(1).randint(0, num_classes + 1, (1, 32, 48))
    w = (np.random.RandomState(2).rand(1, 32, 48) < 0.4) & (y > 0)
    return x, torch.from_numpy(y.astype(np.uint8)), torch.from_numpy(w.astype(np.float32))


NOISE = 1e-5  # golden gradient norms below this are rounding around an exact zero


def check_gradient_norms(network: torch.nn.Module, expected: Dict[str, float], tolerance: float = 1e-3) -> None:
    """After a backward pass: the norms of the official network, and no gradient in a module that takes no part."""
    ours = {key: p.grad.norm().item() for key, p in network.named_parameters() if p.grad is not None}
    assert set(ours) == set(expected)
    for key, norm in expected.items():
        if norm < NOISE:
            assert ours[key] < NOISE, key
        else:
            assert abs(ours[key] - norm) <= tolerance * norm, key


class GoldenNetwork:
    """For the fixture `golden`: (name, golden JSON, golden probability, our network filled by the rule)."""

    def test_state_dict_has_the_official_names_shapes_and_order(self, golden):
        _, content, _, network = golden
        ours = [[name, list(tensor.shape)] for name, tensor in network.state_dict().items()]
        assert ours == content["state_dict"]
        assert sum(parameter.numel() for parameter in network.parameters()) == content["n_params"]

    def test_probabilities(self, golden):
        _, content, probability, network = golden
        x, _, _ = golden_inputs(content["config"]["in_channels"], content["config"]["num_classes"])
        with torch.no_grad():
            ours = torch.softmax(network.eval()(x), dim=1).numpy()
        assert np.abs(ours - probability).max() < 1e-5
