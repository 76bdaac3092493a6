"""Patches around pixels, gathered when they are needed from one padded scene on the device.

A patch tensor of a whole scene would take P² times the scene's memory. Here the device holds the zero-padded scene
once, as a table of spectra, and a batch is one look-up in it. A memory-mapped scene stays in its file, and the host
gathers the patches of a batch.
"""

import math
from typing import Any, Dict, Iterator, List, Tuple, Union

import numpy as np
import torch
from torch import Tensor

from shared_data.scenes.mapped import is_mapped, patches_around


def check_patch(patch: int, height: int, width: int) -> None:
    """Raises: ValueError for an even side or a patch larger than the scene."""
    if patch < 1 or patch % 2 == 0:
        raise ValueError("the patch side must be odd, so that a pixel stands in the middle, not %d" % patch)
    if patch > min(height, width):
        raise ValueError(
            "a patch of %d × %d pixels is larger than the scene of %d × %d; choose a smaller patch.side, "
            "and, for one below 7, the network resnet or pyresnet (<scene>-resnet)" % (patch, patch, height, width)
        )


class PatchGatherer:
    """The scene, zero-padded by the half-width p = P // 2 on all sides, and the patches around its pixels.

    cube: (H, W, B) float32, preprocessed; patch: P, odd. Held: (H + 2p)·(W + 2p)·B·4 bytes on the device, or nothing
    where the cube is memory-mapped.
    Raises: ValueError for an even side or a patch larger than the scene.
    """

    def __init__(self, cube: np.ndarray, patch: int, device: Union[str, torch.device] = "cpu") -> None:
        height, width, bands = cube.shape
        check_patch(patch, height, width)
        self.patch, self.height, self.width, self.bands = patch, height, width, bands
        self.device = torch.device(device)
        self._source = _MappedScene(cube, patch) if is_mapped(cube) else _SceneOnDevice(cube, patch, self.device)

    def __call__(self, indices: Tensor) -> Tensor:
        """Flat C-order pixel indices (N) int64, on any device, to patches (N, P, P, B) float32 on this device.

        Raises: IndexError for an index outside the scene.
        """
        if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < self.height * self.width:
            raise IndexError(
                "a pixel index lies outside the scene of %d × %d pixels: %d to %d"
                % (self.height, self.width, int(indices.min()), int(indices.max()))
            )
        return self._source.patches(indices).to(self.device)


class _SceneOnDevice:
    """The padded scene as a table of spectra; a patch is P² of its rows."""

    def __init__(self, cube: np.ndarray, patch: int, device: torch.device) -> None:
        height, width, bands = cube.shape
        half = patch // 2
        self._patch, self._width, self._padded_width, self._device = patch, width, width + 2 * half, device
        padded = torch.zeros(height + 2 * half, self._padded_width, bands, device=device)
        padded[half : half + height, half : half + width] = torch.from_numpy(cube).to(device)
        self._spectra = padded.view(-1, bands)
        steps = torch.arange(patch, device=device)
        self._offsets = (steps[:, None] * self._padded_width + steps).view(-1)

    def patches(self, indices: Tensor) -> Tensor:
        indices = indices.to(self._device)
        columns = indices.remainder(self._width)
        # row and column of a pixel are those of its patch's top-left corner in the padded scene
        corners = (indices - columns) // self._width * self._padded_width + columns
        rows = (corners[:, None] + self._offsets).view(-1)
        return self._spectra.index_select(0, rows).view(-1, self._patch, self._patch, self._spectra.shape[1])


class _MappedScene:
    """The scene in its file; a batch's patches are read from there."""

    def __init__(self, cube: np.ndarray, patch: int) -> None:
        self._cube, self._patch = cube, patch

    def patches(self, indices: Tensor) -> Tensor:
        return torch.from_numpy(patches_around(self._cube, indices.cpu().numpy(), self._patch))


class MinibatchStream:
    """Shuffled mini-batches: one iteration is one epoch and yields (patches, targets) on the gatherer's device.

    labels: (H, W) label map, of which only `indices` are read; indices: flat pixels of the set; batch: patches of a
    mini-batch, the last one may be smaller. patches (n, P, P, B) float32, targets (n) int64, class 1 as 0.
    The order comes from one torch generator, seeded here, that continues over the epochs. `state_dict` describes the
    position inside the epoch, so a stopped run goes on with the very next mini-batch.
    """

    def __init__(self, gatherer: PatchGatherer, labels: np.ndarray, indices: np.ndarray, batch: int, seed: int) -> None:
        self._gatherer, self._batch = gatherer, batch
        self._indices = torch.from_numpy(np.ascontiguousarray(indices, dtype=np.int64))
        self._targets = torch.from_numpy(labels.ravel()[indices].astype(np.int64) - 1)
        self._generator = torch.Generator()
        self._generator.manual_seed(seed)
        self._order: List[int] = []  # remaining positions of the current epoch

    def __len__(self) -> int:
        """Mini-batches of an epoch."""
        return math.ceil(self._indices.numel() / self._batch)

    def __iter__(self) -> Iterator[Tuple[Tensor, Tensor]]:
        if not self._order:
            self._order = torch.randperm(self._indices.numel(), generator=self._generator).tolist()
        while self._order:
            positions, self._order = self._order[: self._batch], self._order[self._batch :]
            yield self._gatherer(self._indices[positions]), self._targets[positions].to(self._gatherer.device)

    def state_dict(self) -> Dict[str, Any]:
        """The remaining positions of this epoch and the generator's state, as lists of numbers."""
        return {"order": list(self._order), "generator": self._generator.get_state().tolist()}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._order = list(state["order"])
        self._generator.set_state(torch.tensor(state["generator"], dtype=torch.uint8))
