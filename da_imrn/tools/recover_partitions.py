"""Recover the partitions of Indian Pines that the authors shipped, from what is at hand of them.

    python da_imrn/tools/recover_partitions.py FOLDER [--data DIR] [--out FILE]

FOLDER holds IP_1.npz ... IP_5.npz: arrays x0val, x0test (N, 4, 4, B) and y0train, y0val, y0test, opy0train (N, 4, 4;
0 unlabelled, else the class) of the official predata. x0train is not needed: places of training windows are found from
labels. FILE is `da_imrn/partitions/indianpines.npz`, which the package reads; it holds places and label bits, no values
of the scene.

1. Validation and test patches are located in the scene by their numbers: both sets are known to the pixel. Every other
   labelled pixel lies in a training window, a whole one or one that the border cuts.
2. The kept training patches are cut into windows. A window gives nine patches, row by row, of which every second one is
   kept, so five and four in turn, and the kept ones overlap: together they show a whole window, or all but its corners.
   A patch without a training label is skipped, which shifts the turn. One sequence of windows fits.
3. A window can lie where the ground truth has its labels, all of them outside validation and test, and its centre's
   class is not below that of the window before. Labels mixed within a window leave one place; a homogeneous field many.
4. Together the windows, with those that the border cuts, must cover every labelled pixel that is in neither other set.
   Pixels that only a cut window covers are stored as TRAINED, too, but train nowhere, and are in no set. Where one
   window alone can cover a pixel, it lies there. What then remains open is drawn: places evenly among those that
   satisfy all of this, as the release draws centres evenly, until the count of training pixels is one that the release
   accepts.
"""

import argparse
import itertools
import math
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from da_imrn.locating import PatchFinder
from da_imrn.partition import corners_of, cut_window_pixels, window_pixels, written_one_after_the_other
from da_imrn.patches import LEFT_RIGHT, UP_DOWN
from da_imrn.shipped import RECOVERED, TESTED, TRAINED, VALIDATED, truth_sha256
from shared_data.cli.console import run_command
from shared_data.errors import SharedDataError
from shared_data.files.npz import read_npz
from shared_data.scenes.loading import load_scene

SCENE = "indianpines"
PARTITIONS = range(1, 6)
WINDOW, PATCH = 6, 4
CENTRE = 3  # offset of the centre in its window: int(x − 2.5) is x − 3
# what the shipped files show, and not the constants of the released script (9 and .28)
PER_WINDOW, SHARE = 8, 0.15
OFFSETS = [(row, column) for row in range(3) for column in range(3)]
MOST_SKIPPED = 5  # patches of one window without a training label
UNKNOWN = -1
MOVES_PER_WINDOW = 2000  # of a draw; the first ones also look for a placement that covers everything
MOST_DRAWS = 100
ACCEPTED = (1100, 1200)  # training pixels of the count map


class Window(NamedTuple):
    """labels: (6, 6) classes, UNKNOWN where no kept patch shows the pixel. trains: (6, 6) bool, of the shown ones.
    kept: offsets of its kept patches. turn, next_turn: 0 where the first patch with a training label is kept, of this
    window and of the next one. candidates: (n, 2) corners at which it may lie."""

    labels: np.ndarray
    trains: np.ndarray
    kept: Tuple[Tuple[int, int], ...]
    turn: int
    next_turn: int
    candidates: np.ndarray

    @property
    def label(self) -> int:
        """Class of the centre."""
        return int(self.labels[CENTRE, CENTRE])

    def completions(self, labelled: np.ndarray) -> List[np.ndarray]:
        """(6, 6) bool arrays, what may train where the ground truth has labels at (6, 6) bool: the shown labels, and in
        pixels that no kept patch shows as many as are missing, such that the same patches are kept."""
        hidden = np.flatnonzero((self.labels == UNKNOWN) & labelled)
        missing = min(np.count_nonzero(labelled), PER_WINDOW) - np.count_nonzero(self.trains)
        found = []
        for added in itertools.combinations(hidden, missing) if missing >= 0 else ():
            trains = self.trains.copy()
            trains.ravel()[list(added)] = True
            shown = [offset for offset in OFFSETS if trains[_tile(offset)].any()]
            if tuple(shown[self.turn :: 2]) == self.kept and (self.turn + len(shown)) % 2 == self.next_turn:
                found.append(trains)
        return found


class WindowParser:
    """The list of kept patches as windows.

    labels, trains: (n, 4, 4) classes and bool, of each kept patch. truth: (H, W). free: (H, W) bool, the labelled
    pixels that are in neither validation nor test.
    """

    def __init__(self, labels: np.ndarray, trains: np.ndarray, truth: np.ndarray, free: np.ndarray) -> None:
        self._labels, self._trains, self._truth = labels, trains, truth
        tiles = np.lib.stride_tricks.as_strided
        shape = (truth.shape[0] - WINDOW + 1, truth.shape[1] - WINDOW + 1, WINDOW, WINDOW)
        truths, taken = (tiles(part, shape, part.strides * 2) for part in (truth, (truth > 0) & ~free))
        legal = ~taken.any(axis=(2, 3)) & (truths[:, :, CENTRE, CENTRE] > 0)
        self._corners, self._truths = np.argwhere(legal), truths[legal]
        self._centres = self._truths[:, CENTRE, CENTRE]

    def parse(self) -> List[Window]:
        """Raises: SharedDataError where not exactly one sequence of windows fits."""
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 10 * len(self._labels)))
        sequences = [windows for windows in self._sequences() if self._not_too_many(windows)]
        if len(sequences) != 1:
            raise SharedDataError("%d sequences of windows fit the training patches, expected one." % len(sequences))
        return list(sequences[0])

    def _not_too_many(self, windows: Sequence[Window]) -> bool:
        return all(count <= windows_drawn(self._truth, label) for label, count in windows_per_class(windows).items())

    def _sequences(self) -> List[Tuple[Window, ...]]:
        windows = lru_cache(maxsize=None)(self._windows)

        @lru_cache(maxsize=None)
        def from_here(start: int, turn: int, least: int) -> List[Tuple[Window, ...]]:
            if start == len(self._labels):
                return [()]
            return [
                (window,) + rest
                for window in windows(start, turn)
                if window.label >= least
                for rest in from_here(start + len(window.kept), window.next_turn, window.label)
            ]

        return from_here(0, 0, 0)

    def _windows(self, start: int, turn: int) -> List[Window]:
        """Those that can begin at a kept patch."""
        found: Dict[Any, Window] = {}
        for count in range(MOST_SKIPPED + 1):
            for skipped in itertools.combinations(OFFSETS, count):
                shown = [offset for offset in OFFSETS if offset not in skipped]
                kept, next_turn = tuple(shown[turn::2]), (turn + len(shown)) % 2
                # which patch was skipped makes no difference where the same ones are kept
                if kept and start + len(kept) <= len(self._labels) and (kept, next_turn) not in found:
                    found[kept, next_turn] = self._window(start, kept, turn, next_turn)
        return [window for window in found.values() if len(window.candidates)]

    def _window(self, start: int, kept: Tuple, turn: int, next_turn: int) -> Window:
        labels, trains = np.full((WINDOW, WINDOW), UNKNOWN), np.zeros((WINDOW, WINDOW), bool)
        window = Window(labels, trains, kept, turn, next_turn, self._corners[:0])
        for number, offset in enumerate(kept, start=start):
            tile = _tile(offset)
            known = labels[tile] != UNKNOWN
            if ((labels[tile] != self._labels[number]) | (trains[tile] != self._trains[number]))[known].any():
                return window
            labels[tile], trains[tile] = self._labels[number], self._trains[number]
        return window._replace(candidates=self._candidates(window))

    def _candidates(self, window: Window) -> np.ndarray:
        fits = np.flatnonzero(self._centres == window.label)
        hidden = window.labels == UNKNOWN
        fits = fits[(hidden | (self._truths[fits] == window.labels)).all(axis=(1, 2))]
        complete = lru_cache(maxsize=None)(
            lambda labelled: bool(window.completions(np.frombuffer(labelled, bool).reshape(WINDOW, WINDOW)))
        )
        return self._corners[[number for number in fits if complete((self._truths[number] > 0).tobytes())]]


def _tile(offset: Tuple[int, int]) -> Tuple[slice, slice]:
    return slice(offset[0], offset[0] + PATCH), slice(offset[1], offset[1] + PATCH)


def windows_drawn(truth: np.ndarray, label: int) -> int:
    """How many training windows a draw gives a class, those cut by the border included."""
    return math.ceil(np.count_nonzero(truth == label) * SHARE / PER_WINDOW)


def windows_per_class(windows: Sequence[Window]) -> Dict[int, int]:
    """How many of these windows there are per class of their centre."""
    return Counter(window.label for window in windows)


class Placement:
    """Places of the windows such that together they cover every free pixel.

    pieces: per window the (n, pixels) flat pixel indices of each of its candidates; windows cut by the border, which
    trained nothing, are among them.
    open: per window the numbers of the candidates that remain.
    """

    def __init__(self, pieces: List[List[np.ndarray]], free: np.ndarray) -> None:
        self._pieces, self._free = pieces, np.flatnonzero(free)
        self.open = [list(range(len(candidates))) for candidates in pieces]
        while self._exclude():
            pass

    def _exclude(self) -> bool:
        """A pixel that one window alone can cover tells where that window is not."""
        covering: Dict[int, Dict[int, set]] = {pixel: {} for pixel in self._free.tolist()}
        for number, candidates in enumerate(self.open):
            for candidate in candidates:
                for pixel in self._pieces[number][candidate].tolist():
                    if pixel in covering:
                        covering[pixel].setdefault(number, set()).add(candidate)
        changed = False
        for pixel, windows in covering.items():
            if not windows:
                raise SharedDataError("no window can cover pixel %d, though it neither validates nor tests." % pixel)
            if len(windows) == 1:
                ((number, candidates),) = windows.items()
                remaining = [candidate for candidate in self.open[number] if candidate in candidates]
                changed = changed or len(remaining) < len(self.open[number])
                self.open[number] = remaining
        return changed

    def draw(self, random: np.random.RandomState) -> List[int]:
        """One candidate per window. Moves of one window at a time, none of which uncovers more pixels than before:
        until everything is covered a search, from then on a draw that prefers no placement to another."""
        size = 1 + max(int(piece.max()) for candidates in self._pieces for piece in candidates)
        times = np.zeros(max(size, self._free.max() + 1), int)
        matters = np.zeros(times.size, bool)
        matters[self._free] = True
        chosen = [candidates[random.randint(len(candidates))] for candidates in self.open]
        for number, candidate in enumerate(chosen):
            times[self._pieces[number][candidate]] += 1
        movable = [number for number, candidates in enumerate(self.open) if len(candidates) > 1]
        for number in random.choice(movable, MOVES_PER_WINDOW * len(movable)):
            candidate = self.open[number][random.randint(len(self.open[number]))]
            old, new = self._pieces[number][chosen[number]], self._pieces[number][candidate]
            times[old] -= 1
            uncovers = np.count_nonzero(matters[old] & (times[old] == 0))
            covers = np.count_nonzero(matters[new] & (times[new] == 0))
            if covers >= uncovers:
                chosen[number], old = candidate, new
            times[old] += 1
        left = np.count_nonzero(matters & (times == 0))
        if left:
            raise SharedDataError("the windows were found no places that cover all pixels: %d are left." % left)
        return chosen


def cut_windows(windows: List[Window], truth: np.ndarray, free: np.ndarray) -> List[List[np.ndarray]]:
    """Candidates of the windows that are missing in each class: those around a centre so near the border that they were
    cut, and dropped after their labels had been blanked."""
    result = []
    there = windows_per_class(windows)
    taken = ((truth > 0) & ~free).ravel()
    for label in range(1, int(truth.max()) + 1):
        centres = np.argwhere(truth == label)
        margin = int((WINDOW - 1) / 2)
        inner = ((centres >= margin) & (centres < np.array(truth.shape) - margin)).all(axis=1)
        pieces = [
            cut_window_pixels(centre[None], WINDOW, truth.shape)
            for centre in centres[inner]
            if not len(corners_of(centre[None], WINDOW, truth.shape))
        ]
        candidates = [pixels for pixels in pieces if not taken[pixels].any()]
        result += [candidates] * (windows_drawn(truth, label) - there[label])
    return result


def recover(arrays: Dict[str, np.ndarray], cube: np.ndarray, truth: np.ndarray, random: np.random.RandomState) -> Dict:
    """What the package's file holds of one partition; see `da_imrn.shipped.recovered_partition`."""
    finder = PatchFinder(cube)
    sets, val_places = np.zeros(truth.shape, np.uint8), None
    for name, code in (("test", TESTED), ("val", VALIDATED)):
        val_places = finder.find(arrays["x0" + name])
        pixels = window_pixels(val_places, PATCH, truth.shape[1])
        labels = arrays["y0" + name]
        if (truth.ravel()[pixels] != labels)[labels > 0].any():
            raise SharedDataError("labels of y0%s are not those of the ground truth." % name)
        sets.ravel()[pixels[labels > 0]] = code
    free = (truth > 0) & (sets == 0)
    sets[free] = TRAINED

    kept, copies, held_out = arrays["y0train"][::2], arrays["y0train"][1::2], arrays["opy0train"]
    windows = WindowParser(np.maximum(kept, held_out).astype(int), kept > 0, truth, free).parse()
    width = truth.shape[1]
    pieces = [list(window_pixels(window.candidates, WINDOW, width).reshape(-1, WINDOW**2)) for window in windows]
    placement = Placement(pieces + cut_windows(windows, truth, free), free)
    corners, trains = _accepted_draw(windows, placement, truth, random)
    return {
        "sets": sets,
        "val_places": val_places.astype(np.uint8),
        "corners": corners.astype(np.uint8),
        "trains": np.packbits(trains.reshape(len(windows), -1), axis=1),
        "flips": _flips(kept, copies, random),
        "placed": np.array([len(candidates) == 1 for candidates in placement.open[: len(windows)]]),
        "patches": np.array([len(window.kept) for window in windows], np.uint8),
    }


def _accepted_draw(
    windows: List[Window], placement: Placement, truth: np.ndarray, random: np.random.RandomState
) -> Tuple[np.ndarray, np.ndarray]:
    """Corners (T, 2) of the windows, and (T, 6, 6) bool, the labels that train."""
    for _ in range(MOST_DRAWS):
        chosen = placement.draw(random)[: len(windows)]
        corners = np.array([window.candidates[number] for window, number in zip(windows, chosen)])
        trains = np.zeros((len(windows), WINDOW, WINDOW), bool)
        for number, (window, (row, column)) in enumerate(zip(windows, corners)):
            completions = window.completions(truth[row : row + WINDOW, column : column + WINDOW] > 0)
            trains[number] = completions[random.randint(len(completions))]
        pixels = window_pixels(corners, WINDOW, truth.shape[1])
        count = np.count_nonzero(written_one_after_the_other(pixels, trains.astype(np.uint8), truth.shape))
        if ACCEPTED[0] <= count <= ACCEPTED[1]:
            return corners, trains
    raise SharedDataError("none of %d draws has %d to %d training pixels." % ((MOST_DRAWS,) + ACCEPTED))


def _flips(kept: np.ndarray, copies: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """(n) how each copy is turned; a coin decides where labels are the same both ways."""
    up_down = (copies == kept[:, ::-1]).all(axis=(1, 2))
    left_right = (copies == kept[:, :, ::-1]).all(axis=(1, 2))
    if not (up_down | left_right).all():
        raise SharedDataError("a copy in y0train is not the patch before it, turned.")
    coin = random.randint(UP_DOWN, LEFT_RIGHT + 1, len(kept))
    return np.where(up_down & left_right, coin, np.where(up_down, UP_DOWN, LEFT_RIGHT)).astype(np.uint8)


def _run(arguments: argparse.Namespace) -> int:
    loaded = load_scene(SCENE, arguments.data)
    stored: Dict[str, np.ndarray] = {"truth_sha256": np.array(truth_sha256(loaded.ground_truth))}
    for number in PARTITIONS:
        path = arguments.folder / ("IP_%d.npz" % number)
        try:
            arrays = read_npz(path)
        except ValueError as error:
            raise SharedDataError("%s: expected arrays of the official predata, found: %s." % (path, error)) from error
        found = recover(arrays, loaded.cube, loaded.ground_truth, np.random.RandomState(number))
        placed, patches = found["placed"], found["patches"]
        print(
            "partition %d: %d windows, %d at the one place that fits; %d kept patches, %d in these windows"
            % (number, len(placed), placed.sum(), patches.sum(), patches[placed].sum()),
            flush=True,
        )
        stored.update(("%s_%d" % (name, number), values) for name, values in found.items())
    np.savez_compressed(str(arguments.out), **stored)
    print("written to %s" % arguments.out)
    return 0


def main(words: Optional[List[str]] = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="recover_partitions", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with IP_1.npz to IP_5.npz")
    parser.add_argument("--data", help="data folder(s) with the scene, separated like PATH")
    parser.add_argument("--out", type=Path, default=RECOVERED, help="default: the package's file")
    arguments = parser.parse_args(words)
    return run_command(lambda: _run(arguments))


if __name__ == "__main__":
    sys.exit(main())
