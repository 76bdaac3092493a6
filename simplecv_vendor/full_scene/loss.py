"""Pieces of the losses: cross-entropy at chosen pixels, class weights from effective numbers."""

from typing import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_cross_entropy(logits: Tensor, y: Tensor, chosen: Tensor) -> Tensor:
    """Cross-entropy (M,) of the M pixels with chosen (N, H, W) bool, in C order; logits (N, K, H, W), y (N, H, W)."""
    return F.cross_entropy(logits.permute(0, 2, 3, 1)[chosen], y[chosen].long() - 1, reduction="none")


def effective_number_weights(counts: Sequence[int], beta: float = 0.9999) -> Tensor:
    """w_c = (1 − β)/(1 − β^n_c), normalised to sum K; computed in float64, returned in float32, shape (K,)."""
    weights = (1 - beta) / (1 - beta ** np.asarray(counts, np.float64))
    return torch.from_numpy((weights / weights.sum() * len(weights)).astype(np.float32))
