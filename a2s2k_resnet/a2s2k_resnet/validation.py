"""The validation pixels after every epoch: losses of shuffled mini-batches, as the release's loader forms them.

The mini-batches matter to one rule of early stopping, which uses only the last one. In evaluation mode a pixel's logits
do not depend on the rest of the batch, so they are computed in batches of the device's best size and then cut into the
loader's mini-batches.
"""

from typing import Any, Dict, List, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import pixel_logits


class Validated(NamedTuple):
    """losses: mean cross-entropy of each mini-batch, in order; sizes: their pixels; accuracy: OA of all pixels."""

    losses: List[float]
    sizes: List[int]
    accuracy: float

    @property
    def mean_loss(self) -> float:
        """Mean cross-entropy of all pixels."""
        return sum(loss * size for loss, size in zip(self.losses, self.sizes)) / sum(self.sizes)


class Validation:
    """labels: (H, W) label map, of which only `indices` are read; batch: pixels of a mini-batch; seed: of the order."""

    def __init__(self, gatherer: PatchGatherer, labels: np.ndarray, indices: np.ndarray, batch: int, seed: int) -> None:
        self._gatherer, self._batch = gatherer, batch
        self._indices = torch.from_numpy(np.ascontiguousarray(indices, dtype=np.int64))
        self._targets = torch.from_numpy(labels.ravel()[indices].astype(np.int64) - 1)
        self._generator = torch.Generator()
        self._generator.manual_seed(seed)

    def __call__(self, network: nn.Module) -> Validated:
        """Evaluate the network on all pixels, in a new order."""
        order = torch.randperm(self._indices.numel(), generator=self._generator)
        logits = pixel_logits(network, self._gatherer, self._indices[order])
        targets = self._targets[order].to(logits.device)
        parts = list(zip(logits.split(self._batch), targets.split(self._batch)))
        losses = torch.stack([F.cross_entropy(part, labels) for part, labels in parts])
        correct = (logits.argmax(dim=1) == targets).sum()
        return Validated(losses.tolist(), [len(labels) for _, labels in parts], int(correct) / len(targets))

    def state_dict(self) -> Dict[str, Any]:
        return {"generator": self._generator.get_state().tolist()}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._generator.set_state(torch.tensor(state["generator"], dtype=torch.uint8))
