"""Moving averages for the log that synchronise with the device only when a line is written."""

from collections import deque
from typing import Any, Deque, Dict

import torch

WINDOW = 20


class MovingAverages:
    """Means over the last WINDOW steps of each named value."""

    def __init__(self) -> None:
        self._values: Dict[str, Deque[Any]] = {}

    def add(self, values: Dict[str, Any]) -> None:
        """Scalars: numbers or detached tensors, which stay on their device."""
        for name, value in values.items():
            self._values.setdefault(name, deque(maxlen=WINDOW)).append(value)

    def means(self) -> Dict[str, float]:
        """The averages, which requires waiting for the device."""
        return {name: float(_mean(values)) for name, values in self._values.items()}


def _mean(values: Deque[Any]) -> Any:
    if isinstance(values[0], torch.Tensor):
        return torch.stack([value.float() for value in values]).mean()
    return sum(values) / len(values)
