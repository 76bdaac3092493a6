# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""Hierarchically balanced sampling, part 2: the endless stream of mini-batches.

Every mini-batch is the whole scene; what changes from step to step is the indicator of the sampled training pixels,
at most `per_class` of every class. (Part 1, the split, is `shared_data.splits.draws.draw_per_class`.)
"""

from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

_SEEDS = 9999  # the release draws this many, consumes them from the end, one per epoch, and cannot train any longer


def epoch_indices(
    labels: np.ndarray, training_pixels: np.ndarray, per_class: Optional[int], images: int, seed: int
) -> List[np.ndarray]:
    """Flat indices of the sampled pixels for each mini-batch of an epoch, before the mini-batches are shuffled.

    labels: (H, W) padded label map; training_pixels: (H, W) bool; per_class: at most this many pixels of a class
    an image, None for all of them (few-shot). A class's pixels are shuffled once, and again for every image, with
    one RandomState(seed) over classes in ascending order.
    """
    random = np.random.RandomState(seed)
    flat_labels, flat_training = labels.ravel(), training_pixels.ravel()
    classes = []
    for label in np.unique(flat_labels):
        indices = np.flatnonzero((flat_labels == label) & flat_training)
        random.shuffle(indices)
        classes.append(indices)
    drawn = []
    for _ in range(images):
        parts = []
        for indices in classes:
            random.shuffle(indices)
            parts.append(indices[:per_class].copy())
        drawn.append(np.concatenate(parts))
    return drawn


class MinibatchStream:
    """Data loader of one epoch per iteration: yields (x, y, w) tensors that already lie on the device.

    x (1, B, H, W) scene and y (1, H, W) labels are the same tensors each time; w (1, H, W) float32 is the indicator
    of the sampled pixels. The order of the images comes from one torch generator that continues over epochs.
    `state_dict` describes the position inside the epoch, so a stopped run goes on with the very next mini-batch.
    """

    def __init__(
        self, x: Tensor, y: Tensor, training_pixels: np.ndarray, per_class: Optional[int], images: int, seed: int
    ) -> None:
        self._x, self._y = x, y
        self._labels = y[0].cpu().numpy()
        self._training_pixels = training_pixels
        self._per_class, self._images = per_class, images
        self._seeds = np.random.RandomState(seed).randint(2**31, size=_SEEDS)
        self._generator = torch.Generator()
        self._generator.manual_seed(seed)
        self._epoch = 0  # epochs begun
        self._order: List[int] = []  # remaining mini-batches of the current epoch

    def __len__(self) -> int:
        return self._images

    def seed_of_epoch(self, epoch: int) -> int:
        """Seed of the mini-batches of an epoch (from 1): the epoch-th from the list's end; after the last they repeat.

        SSDGL's release resamples in the main process at the start of every epoch, after its 8 loader processes were
        forked; they still hold the images of the seed before. So epoch 1 trains on the seed consumed at construction.
        """
        return int(self._seeds[-1 - (epoch - 1) % _SEEDS])

    def _indicator(self, indices: np.ndarray) -> Tensor:
        w = torch.zeros(self._y.numel(), device=self._x.device)
        w[torch.from_numpy(indices).to(w.device)] = 1
        return w.view_as(self._y)

    def __iter__(self) -> Iterator[Tuple[Tensor, Tensor, Tensor]]:
        if not self._order:
            self._epoch += 1
            self._order = torch.randperm(self._images, generator=self._generator).tolist()
        seed = self.seed_of_epoch(self._epoch)
        images = epoch_indices(self._labels, self._training_pixels, self._per_class, self._images, seed)
        while self._order:
            index = self._order.pop(0)
            yield self._x, self._y, self._indicator(images[index])

    def state_dict(self) -> Dict[str, Any]:
        return {"epoch": self._epoch, "order": list(self._order), "generator": self._generator.get_state()}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._epoch, self._order = int(state["epoch"]), list(state["order"])
        self._generator.set_state(state["generator"])
