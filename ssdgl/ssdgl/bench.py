"""Time and memory of SSDGL against its literal twin, by `benchmark`."""

from pathlib import Path
from typing import Any, Dict

import torch.nn.functional as F
from torch import Tensor, nn

from shared_data.timing import load_literal
from ssdgl.benchmark import Subject
from ssdgl.config import CONFIGS
from ssdgl.loss import OBJECTIVES, evaluate_objective
from ssdgl.network import SSDGL

_LITERAL = Path(__file__).resolve().parents[1] / "tests" / "ssdgl_literal.py"


class SSDGLSubject(Subject):
    """The loss is the mean cross-entropy over the sampled pixels."""

    PACKAGE = "ssdgl"
    CONFIGS = CONFIGS

    def ours(self, network: Dict[str, Any]) -> SSDGL:
        return SSDGL(network)

    def literal(self, network: Dict[str, Any]) -> nn.Module:
        return load_literal(_LITERAL).LiteralSSDGL(**network)

    def loss_of_ours(self, network: SSDGL, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        return evaluate_objective(network, OBJECTIVES["sampled"], x, y, w)[0]

    def loss_of_literal(self, network: nn.Module, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        logits = network.cls_pred_conv(network.features(x))
        return (F.cross_entropy(logits, y - 1, reduction="none") * w).sum() / w.sum()


SUBJECT = SSDGLSubject()
