"""Weighted cross-entropy, and the regularisers of the feature space: statistical, improved triplet, sphere.

All use the M sampled training pixels of a mini-batch: logits (M, K), features z (M, B), labels (M,) in 1..K.
m_c is the mean of the features of class c, n_c the number of its sampled pixels, and K in the formulas below the
number of classes that are sampled. There are no loops over pixels or classes.
"""

from typing import Callable, Dict, Sequence, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simplecv.errors import ConfigError

TRIPLET_MARGIN, TRIPLET_NEIGHBOURS = 0.2, 4
SPHERE_SHARE = 0.2
DIVERSITY_WEIGHT = 1e-3


def effective_number_weights(counts: Union[Sequence[int], np.ndarray], beta: float = 0.9999) -> Tensor:
    """w_c = (1 − β)/(1 − β^n_c) of the classes with pixels, normalised to sum to their number; 0 for the others.

    Computed in float64, returned in float32, shape (K,). Where every class has pixels, the weights sum to K, as in the
    release. A class without a training pixel occurs under `spatial-cv`, where the formula would divide by zero.
    """
    present = np.asarray(counts, np.float64)
    weights = np.zeros(len(present))
    occurs = present > 0
    weights[occurs] = (1 - beta) / (1 - beta ** present[occurs])
    return torch.from_numpy((weights / weights.sum() * occurs.sum()).astype(np.float32))


def weighted_cross_entropy(logits: Tensor, labels: Tensor, class_weights: Tensor) -> Tensor:
    """(1/M) Σ_j w_{y_j} · CE_j."""
    target = labels.long() - 1
    return (F.cross_entropy(logits, target, reduction="none") * class_weights[target]).mean()


def class_means(z: Tensor, labels: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Means (K, B) of the classes that occur, each pixel's row in them (M,), and the counts n_c (K,)."""
    _, row, counts = torch.unique(labels, return_inverse=True, return_counts=True)
    counts = counts.to(z.dtype)
    membership = F.one_hot(row, counts.numel()).to(z.dtype).t()
    return torch.mm(membership, z) / counts[:, None], row, counts


def statistical_loss(z: Tensor, labels: Tensor) -> Tensor:
    """Variance within classes minus diversity between them:

        (1/K) Σ_c Σ_j ‖z_j − m_c‖² / (n_c − 1)  −  10⁻³ · Σ_{c<d} ‖m_c − m_d‖

    The variance of a class with one sampled pixel is zero. Deviations are taken from the mean before they are squared,
    so nothing cancels in float32; two equal means have distance and gradient zero.
    """
    means, row, counts = class_means(z, labels)
    squares = (z - means[row]).pow(2).sum(dim=1)
    variance = (squares / (counts[row] - 1).clamp(min=1)).sum() / counts.numel()
    return variance - DIVERSITY_WEIGHT * F.pdist(means).sum()


def improved_triplet_loss(z: Tensor, labels: Tensor) -> Tensor:
    """Σ_j max(0, 0.2 + mean of the 4 largest distances to its own class − mean of the 4 smallest to the others).

    Raises: ConfigError where a class has fewer than 4 sampled pixels, or all others together have.
    """
    same = labels[:, None] == labels[None, :]
    smallest = min(int(same.sum(dim=1).min()), int((~same).sum(dim=1).min()))
    if smallest < TRIPLET_NEIGHBOURS:
        raise ConfigError(
            "the improved triplet loss needs %d sampled pixels of every class and of all others, not %d"
            % (TRIPLET_NEIGHBOURS, smallest)
        )
    distances = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")
    own = distances.masked_fill(~same, float("-inf")).topk(TRIPLET_NEIGHBOURS, dim=1)[0]
    others = distances.masked_fill(same, float("inf")).topk(TRIPLET_NEIGHBOURS, dim=1, largest=False)[0]
    return (TRIPLET_MARGIN + own.mean(dim=1) - others.mean(dim=1)).clamp(min=0).sum()


def sphere_loss(z: Tensor, labels: Tensor) -> Tensor:
    """(1/2M) Σ_j max(0, ‖z_j − p_own‖² − 0.2·‖p_own − p_nearest‖² + R²/2).

    R is the mean norm of the class means and p_c = R·m_c/‖m_c‖; `nearest` is the other class whose m is nearest to z_j.
    Raises: ConfigError where fewer than two classes are sampled.
    """
    means, row, counts = class_means(z, labels)
    if counts.numel() < 2:
        raise ConfigError("the sphere loss needs sampled pixels of two classes at least")
    norms = means.norm(dim=1)
    radius = norms.mean()
    projected = means * (radius / norms)[:, None]
    to_means = torch.cdist(z.detach(), means.detach(), compute_mode="donot_use_mm_for_euclid_dist")
    nearest = to_means.scatter(1, row[:, None], float("inf")).argmin(dim=1)
    own = projected[row]
    inside = (z - own).pow(2).sum(dim=1)
    between = (own - projected[nearest]).pow(2).sum(dim=1)
    return (inside - SPHERE_SHARE * between + radius.pow(2) / 2).clamp(min=0).sum() / (2 * labels.numel())


REGULARISERS: Dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "statistical": statistical_loss,
    "improved triplet": improved_triplet_loss,
    "sphere": sphere_loss,
    "none": lambda z, _labels: z.new_zeros(()),
}
# of a class, without which a regulariser is not defined
FEWEST_PIXELS: Dict[str, int] = {"improved triplet": TRIPLET_NEIGHBOURS}
