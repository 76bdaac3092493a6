"""Time and memory of RSSGL against its literal twin, by `benchmark`."""

from pathlib import Path
from typing import Any, Dict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rssgl.benchmark import Subject
from rssgl.config import CONFIGS
from rssgl.loss import statistical_loss, weighted_cross_entropy
from rssgl.network import RSSGL
from shared_data.timing import load_literal

LAMBDA = 1e-3  # of the statistical loss in a timed step

_LITERAL = Path(__file__).resolve().parents[1] / "tests" / "rssgl_literal.py"


class RSSGLSubject(Subject):
    """The loss is the release's with equal class weights: cross-entropy plus λ · statistical loss."""

    PACKAGE = "rssgl"
    CONFIGS = CONFIGS

    def ours(self, network: Dict[str, Any]) -> RSSGL:
        return RSSGL(network)

    def literal(self, network: Dict[str, Any]) -> nn.Module:
        return load_literal(_LITERAL).LiteralRSSGL(**network)

    def loss_of_ours(self, network: RSSGL, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        logits, features = network.at_pixels(x, w > 0)
        labels = y[w > 0]
        weights = torch.ones(logits.shape[1], device=x.device)
        return weighted_cross_entropy(logits, labels, weights) + LAMBDA * statistical_loss(features, labels)

    def loss_of_literal(self, network: nn.Module, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        features = network.features(x)
        cross_entropy = (F.cross_entropy(network.cls_pred_conv(features), y - 1, reduction="none") * w).sum() / w.sum()
        return cross_entropy + LAMBDA * statistical_loss(features.permute(0, 2, 3, 1)[w > 0], y[w > 0])


SUBJECT = RSSGLSubject()
