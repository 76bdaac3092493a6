"""The losses of SSDGL: one for the text and the release of 2022, one for the release's first commit (2021).

All take logits (N, K, H, W), the label map y (N, H, W) with 0 = unlabelled, and w (N, H, W), the indicator of the
sampled training pixels. Cross-entropy is evaluated only at the pixels that a loss uses, not on the whole map.
"""

from typing import Callable, Dict, NamedTuple, Optional, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_cross_entropy(logits: Tensor, y: Tensor, chosen: Tensor) -> Tensor:
    """Cross-entropy (M,) of the M pixels with chosen (N, H, W) bool, in C order; logits (N, K, H, W), y (N, H, W)."""
    return F.cross_entropy(logits.permute(0, 2, 3, 1)[chosen], y[chosen].long() - 1, reduction="none")


def effective_number_weights(counts: Sequence[int], beta: float = 0.9999) -> Tensor:
    """w_c = (1 − β)/(1 − β^n_c) of the classes with pixels, normalised to sum to their number; 0 for the others.

    Computed in float64, returned in float32, shape (K,). Where every class has pixels, the weights sum to K, as in the
    release. A class without a training pixel occurs under `spatial-cv`, where the formula would divide by zero.
    """
    present = np.asarray(counts, np.float64)
    weights = np.zeros(len(present))
    occurs = present > 0
    weights[occurs] = (1 - beta) / (1 - beta ** present[occurs])
    return torch.from_numpy((weights / weights.sum() * occurs.sum()).astype(np.float32))


def sampled_cross_entropy(logits: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """The text, and v2022 as released: mean cross-entropy over the sampled training pixels.

    The release's network sums over all labelled pixels of the label map that it is given and divides by the number of
    sampled ones; the release's own trainer sets the labels of all other pixels to 0 before each step, which makes the
    two equal. Evidence: the losses that the official program prints (`test_trace.py`).
    """
    return pixel_cross_entropy(logits, y, w > 0).mean()


def weighted_all_labelled_cross_entropy(logits: Tensor, y: Tensor, class_weights: Tensor) -> Tensor:
    """v2021 as released: class-weighted, ALL labelled pixels of y, divided by the H·W pixels of the padded image.

    Evidence: the losses that the first commit prints (`test_trace.py`), and the official log (`test_official_log.py`).
    """
    labelled = y > 0
    return (pixel_cross_entropy(logits, y, labelled) * class_weights[y[labelled].long() - 1]).sum() / y.numel()


def reconstruction(features: Tensor, x: Tensor) -> Tensor:
    """Houston's regulariser: 0.1 · mean squared error between ReLU(last fuse output) and the padded input."""
    return 0.1 * F.mse_loss(F.relu(features), x)


class Objective(NamedTuple):
    """A loss by name: whether it needs class weights or the last feature map, and its function."""

    function: Callable
    weighted: bool = False
    reconstructs: bool = False


OBJECTIVES: Dict[str, Objective] = {
    "sampled": Objective(sampled_cross_entropy),
    "weighted_all_labelled": Objective(weighted_all_labelled_cross_entropy, weighted=True),
    "sampled_with_reconstruction": Objective(sampled_cross_entropy, reconstructs=True),
}


def evaluate_objective(
    network: torch.nn.Module,
    objective: Objective,
    x: Tensor,
    y: Tensor,
    w: Tensor,
    class_weights: Optional[Tensor] = None,
):
    """Loss of one mini-batch (x (N, B, H, W), y, w) and the logits (N, K, H, W)."""
    if objective.reconstructs:
        logits, features = network.forward_with_features(x)
        return objective.function(logits, y, w) + reconstruction(features, x), logits
    logits = network(x)
    return objective.function(logits, y, class_weights if objective.weighted else w), logits
