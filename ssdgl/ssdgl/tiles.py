# The same file lies in ssdgl/ssdgl and rssgl/rssgl; a test keeps the two equal.
"""Exact prediction of a whole scene in tiles, for scenes whose feature maps do not fit into memory.

Group normalisation and channel attention use statistics of the whole map, so a tile cannot pass through the whole
network at once: all tiles pass through one part before the next part begins. The modules define the parts and their
receptive fields (`stages`). Here

- a map between two parts is an unlinked, memory-mapped temporary file, freed when no later part reads it or when the
  process ends, even by SIGKILL;
- a part is one pass: it reads each tile with a margin of the receptive-field radius and writes it without the margin;
- statistics are gathered in float64 while a pass writes; normalisation, activations, 1×1 convolutions, upsampling and
  sums are not passes of their own but happen when the next part reads;
- the last pass reduces its tiles to classes, so the logits of the whole scene are never in memory.
"""

import mmap
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np
import torch
from torch import Tensor

from shared_data.errors import SettingsError
from shared_data.runs.progress import OpenProgress, silent
from shared_data.scenes.mapped import temporary_array

from .encoder_decoder import EncoderDecoder
from .stages import Execution, Local, Moments, Stages
from .torch_run import evaluating

TOGETHER = 4  # largest total receptive-field radius of the operations in one pass; a single operation may exceed it
_CHANNELS_AT_ONCE = 16  # numbers converted to float64, or copied between file and memory, at once

Scene = Union[Tensor, np.ndarray]


def predict_tiled(
    network: EncoderDecoder,
    x: Scene,
    height: int,
    width: int,
    tile: int,
    folder: Optional[Path] = None,
    progress: OpenProgress = silent,
) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8, as by `predict_scene`, in the memory of a few tiles.

    x: the padded scene, a tensor (1, B, H', W') or an array, possibly memory-mapped, (B, H', W').
    tile: side of a tile in pixels of every map, whether it has the scene's sides or an eighth of them.
    folder: for the maps, on a disk with space for them; by default that of TMPDIR.
    progress: of the tiles of all passes.
    Logits differ from those of the whole scene by the rounding of float32.
    Raises: ValueError for a tile that is no multiple of 16; SettingsError for a network with a module without stages;
    SharedDataError for a folder without disk space.
    """
    with torch.no_grad(), evaluating(network):
        classes = np.empty((height, width), np.uint8)
        for window, logits in logits_of_windows(network, x, height, width, tile, folder, progress):
            found = logits.argmax(dim=0).add_(1)
            classes[window.rows, window.columns] = found.to(torch.uint8).cpu().numpy()
    return classes


def logits_of_windows(
    network: EncoderDecoder,
    x: Scene,
    height: int,
    width: int,
    tile: int,
    folder: Optional[Path] = None,
    progress: OpenProgress = silent,
) -> Iterator[Tuple["Window", Tensor]]:
    """The tiles of the scene with their logits (K, h, w), else as `predict_tiled`; without gradients and in evaluation
    mode, which is the caller's to see to."""
    scene, passes = _checked(network, x, tile, folder)
    sides = [(scene.height * rows // network.STRIDE, scene.width * rows // network.STRIDE) for rows in passes]
    total = sum(-(-rows // tile) * -(-columns // tile) for rows, columns in [*sides, (height, width)])
    with progress(total, "tile") as shown:
        logits = network.tiled(Tiles(tile, folder, shown.update), scene)
        for window in windows(height, width, tile):
            yield window, logits.read(window)[0]
            shown.update()


def logits_tiled(network: EncoderDecoder, x: Scene, tile: int, folder: Optional[Path] = None) -> np.ndarray:
    """Class logits (K, H', W') in a memory-mapped temporary file; else as `predict_tiled`."""
    with torch.no_grad(), evaluating(network):
        tiles, (scene, _) = Tiles(tile, folder), _checked(network, x, tile, folder)
        return tiles.stored(network.tiled(tiles, scene)).array


def check_tile(tile: int) -> None:
    """Raises: ValueError for a side that is no multiple of 16."""
    if tile < EncoderDecoder.STRIDE or tile % EncoderDecoder.STRIDE:
        raise ValueError("a tile's side must be a multiple of %d pixels, not %d" % (EncoderDecoder.STRIDE, tile))


def _checked(network: EncoderDecoder, x: Scene, tile: int, folder: Optional[Path]) -> Tuple["StoredMap", List[int]]:
    """The scene, and for each pass the rows of the map that it would write of a scene of 16×16 pixels."""
    check_tile(tile)
    device = next(network.parameters()).device
    scene = StoredMap(x[0] if isinstance(x, Tensor) else x, device)
    # the smallest scene first: a module without stages must fail now, not after hours
    corner = torch.zeros((1, len(scene.array)) + 2 * (network.STRIDE,), device=device)
    tiles = Tiles(tile, folder)
    network.tiled(tiles, StoredMap(corner[0], device)).read(Window(0, 1, 0, 1))
    network.check_sides(scene.height, scene.width)
    return scene, tiles.rows


class Window(NamedTuple):
    """Rows top..bottom and columns left..right of a map, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.right)


def windows(height: int, width: int, side: int) -> Iterator[Window]:
    """The tiles of a map, row by row."""
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield Window(top, min(top + side, height), left, min(left + side, width))


class FeatureMap(ABC):
    """A map of the whole scene from which windows can be read.

    reach: margin in pixels that reading a window needs from stored maps.
    """

    height: int
    width: int
    reach: int
    device: torch.device

    @abstractmethod
    def read(self, window: Window) -> Tensor:
        """A copy (1, C, h, w) on the device."""


class StoredMap(FeatureMap):
    """A map (C, H, W) that lies in an array or a tensor."""

    reach = 0

    def __init__(self, array: Scene, device: torch.device) -> None:
        self.array, self.device = array, device
        self.height, self.width = array.shape[1:]

    def read(self, window: Window) -> Tensor:
        part = self.array[:, window.rows, window.columns]
        if isinstance(part, Tensor):
            return part.to(self.device, copy=True)[None].contiguous()
        copy = np.empty(part.shape, part.dtype)
        for group in _channel_groups(len(part)):
            copy[group] = part[group]
            forget_pages(self.array)
        return torch.from_numpy(copy).to(self.device)[None]


class LocalMap(FeatureMap):
    """The result of a local stage on a map, computed for the windows that are read, and never stored."""

    def __init__(self, stage: Local, source: FeatureMap) -> None:
        if source.height % stage.shrink or source.width % stage.shrink:
            raise SettingsError(
                "a map of %d × %d pixels cannot be reduced tile by tile; its sides must be multiples of %d"
                % (source.height, source.width, stage.shrink)
            )
        self.stage, self.source, self.device = stage, source, source.device
        self.height, self.width = (side // stage.shrink * stage.grow for side in (source.height, source.width))
        self.reach = -(-(source.reach + stage.reach) * stage.grow // stage.shrink)

    def read(self, window: Window) -> Tensor:
        top, bottom, above = self._needed(window.top, window.bottom, self.source.height)
        left, right, before = self._needed(window.left, window.right, self.source.width)
        result = self.stage.function(self.source.read(Window(top, bottom, left, right)))
        rows = slice(above, above + window.bottom - window.top)
        return result[:, :, rows, before : before + window.right - window.left]

    def _needed(self, start: int, stop: int, side: int) -> Tuple[int, int, int]:
        """Along one axis: the range of the source to read, and the offset of `start` in the stage's result."""
        shrink, grow = self.stage.shrink, self.stage.grow
        # both ends at multiples of the stride, on which output pixels are centred
        reach = -(-self.stage.reach // shrink) * shrink
        first = max(start * shrink // grow - reach, 0)
        last = min(-(-stop * shrink // grow) + reach, side)
        return first, last, start - first // shrink * grow


class SumMap(FeatureMap):
    """The sum of two maps."""

    def __init__(self, x: FeatureMap, y: FeatureMap) -> None:
        self.x, self.y, self.device = x, y, x.device
        self.height, self.width, self.reach = x.height, x.width, max(x.reach, y.reach)

    def read(self, window: Window) -> Tensor:
        return self.x.read(window).add_(self.y.read(window))


class Tiles(Execution[FeatureMap]):
    """Executes stages in passes over the tiles of a map.

    after_tile: called after each tile of a pass. rows: of the maps that passes have written.
    """

    def __init__(self, side: int, folder: Optional[Path] = None, after_tile: Callable[[], None] = lambda: None) -> None:
        self.side, self.folder, self._after_tile = side, folder, after_tile
        self.rows: List[int] = []

    def through(self, stages: Stages, x: FeatureMap) -> FeatureMap:
        answer: Optional[Moments] = None
        while True:
            try:
                stage = stages.send(answer)
            except StopIteration:
                return x
            if isinstance(stage, Local):
                if stage.reach and x.reach and x.reach + stage.reach > TOGETHER:
                    x = self.stored(x)
                x, answer = LocalMap(stage, x), None
            else:
                gathered = GatheredMoments()
                x = self.stored(x, gathered.add)
                answer = gathered.moments()

    def sum(self, x: FeatureMap, y: FeatureMap) -> FeatureMap:
        return SumMap(x, y)

    def stored(self, x: FeatureMap, look_at: Optional[Callable[[Tensor], None]] = None) -> StoredMap:
        """One pass, which writes the map to a file. look_at: called with every tile (C, h, w)."""
        array: Optional[np.ndarray] = None
        for window in windows(x.height, x.width, self.side):
            tile = x.read(window)[0]
            if look_at is not None:
                look_at(tile)
            values = tile.cpu().numpy()
            if array is None:
                array = temporary_array((len(values), x.height, x.width), values.dtype, self.folder)
            for group in _channel_groups(len(values)):
                array[group, window.rows, window.columns] = values[group]
                forget_pages(array)
            self._after_tile()
        self.rows.append(x.height)
        return StoredMap(array, x.device)


class GatheredMoments:
    """Moments of the tiles so far; mean and squared deviations are merged as of two samples, not from raw squares."""

    def __init__(self) -> None:
        self.pixels = 0

    def add(self, tile: Tensor) -> None:
        """A tile (C, h, w)."""
        means: List[Tensor] = []
        deviations: List[Tensor] = []
        for part in tile.split(_CHANNELS_AT_ONCE):
            values = part.double().flatten(1)
            means.append(values.mean(dim=1))
            deviations.append(values.sub_(means[-1][:, None]).pow_(2).sum(dim=1))
        mean, deviation = torch.cat(means), torch.cat(deviations)
        maximum, pixels = tile.flatten(1).max(dim=1)[0].double(), tile[0].numel()
        if self.pixels == 0:
            self.mean, self.deviation, self.maximum = mean, deviation, maximum
        else:
            step, share = mean - self.mean, pixels / (self.pixels + pixels)
            self.mean = self.mean + step * share
            self.deviation = self.deviation + deviation + step**2 * (self.pixels * share)
            self.maximum = torch.max(self.maximum, maximum)
        self.pixels += pixels

    def moments(self) -> Moments:
        return Moments(self.mean, self.deviation / self.pixels, self.maximum)


def _channel_groups(channels: int) -> Iterator[slice]:
    """Groups of channels to copy between two calls of `forget_pages`: reading a row of a tile maps whole pages of the
    file."""
    for start in range(0, channels, _CHANNELS_AT_ONCE):
        yield slice(start, start + _CHANNELS_AT_ONCE)


def forget_pages(array: np.ndarray) -> None:
    """Remove a mapped array's pages from this process (MADV_DONTNEED); the system caches and writes them on its own."""
    # a private mapping (mode c) would lose what was written to it
    if isinstance(array, np.memmap) and array.mode != "c" and isinstance(array.base, mmap.mmap):
        array.base.madvise(mmap.MADV_DONTNEED)
