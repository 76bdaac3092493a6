"""Which weights are kept: those of the evaluation with the highest overall accuracy."""

from typing import Any, Dict

from torch import nn

from shared_data.runs.selection import BestStep


class BestWeights(BestStep):
    """A `BestStep` that keeps a copy of the network's weights at its step; part of every checkpoint."""

    def __init__(self, network: nn.Module, patience: int) -> None:
        super().__init__(patience)
        self._network = network
        self._weights: Dict[str, Any] = {}

    def offer(self, step: int, value: float) -> bool:
        better = super().offer(step, value)
        if better:
            self._weights = {key: tensor.detach().clone() for key, tensor in self._network.state_dict().items()}
        return better

    @property
    def weights(self) -> Dict[str, Any]:
        """The kept weights."""
        return self._weights

    def restore(self) -> None:
        """Load the kept weights into the network."""
        self._network.load_state_dict(self._weights)

    def state_dict(self) -> Dict[str, Any]:
        return dict(super().state_dict(), weights=self._weights)

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._weights = dict(state["weights"])
