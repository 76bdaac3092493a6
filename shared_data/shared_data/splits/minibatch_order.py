"""The order of training samples: shuffled anew each epoch, cut into mini-batches, resumable inside an epoch."""

import math
from typing import Any, Dict, Iterator, List

import numpy as np


class MinibatchOrder:
    """One iteration is one epoch and yields lists of positions 0..count−1; the last list may be shorter.

    The order comes from one RandomState, seeded here, that continues over the epochs. `state_dict` describes the
    position inside the epoch, so a stopped run goes on with the very next mini-batch.
    """

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self._count, self._batch = count, batch
        self._random = np.random.RandomState(seed)
        self._order: List[int] = []  # remaining positions of the current epoch

    def __len__(self) -> int:
        """Mini-batches of an epoch."""
        return math.ceil(self._count / self._batch)

    def __iter__(self) -> Iterator[Any]:
        """The remaining mini-batches of this epoch: lists of positions, or what a subclass gathers at them."""
        if not self._order:
            self._order = self._random.permutation(self._count).tolist()
        while self._order:
            chosen, self._order = self._order[: self._batch], self._order[self._batch :]
            yield chosen

    def state_dict(self) -> Dict[str, Any]:
        """The remaining positions of this epoch and the generator's state, as plain lists and numbers."""
        legacy: Any = self._random.get_state()
        name, keys, position, has_gauss, cached = legacy
        return {"order": list(self._order), "generator": [name, keys.tolist(), position, has_gauss, cached]}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        name, keys, position, has_gauss, cached = state["generator"]
        self._random.set_state((name, np.array(keys, np.uint32), position, has_gauss, cached))
        self._order = list(state["order"])
