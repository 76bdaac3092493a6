"""Golden networks and inputs as PyTorch tensors."""

import numpy as np
import torch

from shared_data.testing.golden import values_by_rule


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
