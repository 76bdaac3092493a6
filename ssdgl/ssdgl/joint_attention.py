"""GJAM, the paper's global joint attention, is `full_scene.attention.JointAttention`; this is Houston's variation."""

import torch
from torch import Tensor

from full_scene.attention import JointAttention
from full_scene.stages import Local, Stages


class SpectralAttention(JointAttention):
    """Houston's form, x + x·ca(x): the spatial gate is computed and multiplied by zero, as in the release.

    The zero term stays in the graph: its parameters get a zero gradient and are therefore weight-decayed, which a
    parameter without gradient is not.
    """

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(x, x, self.ca(x)) + 0 * torch.addcmul(x, x, self.sa(x))

    def stages(self) -> Stages:
        """Without the term that is zero."""
        gate = yield from self.ca.gate_stages()
        yield Local(lambda x: torch.addcmul(x, x, gate), 0, "one factor per channel")
