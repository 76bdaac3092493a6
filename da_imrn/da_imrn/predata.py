"""The partitions the authors shipped (`predata`), read from a user's copy.

The known layout: one folder per partition, its name ending in `_<n>`, n = 1 .. 5, with eight arrays in files named
KIND…windowsize<b><Scene>.npy. The part between, and the spelling of scenes, are unknown and not used. Arrays named x
are (N, b, b, B, 1) raw numbers of the scene; y (N, b, b, 1, K) one-hot, a row of zeros where unlabelled. In x0train and
y0train each kept patch is followed by a copy, flipped up-down or left-right; opx0train and opy0train hold the kept
patches once, with the labels held out in their windows.
"""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from da_imrn.locating import PatchFinder
from da_imrn.partition import Partition, window_pixels
from da_imrn.patches import LEFT_RIGHT, UP_DOWN, PatchSet, flipped
from shared_data.errors import SplitError
from shared_data.quoting import one_line
from shared_data.scenes.loading import FileEvidence, LoadedScene, file_sha256

NUMBERS = range(1, 6)
SETS = ("train", "val", "test", "train_op")
_PREFIXES = {"train": "0train", "val": "0val", "test": "0test", "train_op": "0train"}


class _Arrays(NamedTuple):
    """The patches of one set: x (N, b, b, B) in the file's dtype, labels (N, b, b) uint8, 0 unlabelled."""

    x: np.ndarray
    labels: np.ndarray
    path: Path  # of x


def predata_files(predata: Any, patch: int, number: int, bands: int) -> Dict[str, Path]:
    """The eight files of partition `number`, by kind: x0train, y0train, x0val, ..., opy0train.

    predata: a folder with a scene's folders, with those of several scenes (the number of bands tells them apart), or
    the folder of this partition. patch: b of the file names.
    Raises: SplitError naming the folder and what was expected in it.
    """
    root = Path(str(predata)).expanduser()
    if number not in NUMBERS:
        raise SplitError("%s: the authors shipped the partitions 1 to 5, not %d; choose such a seed." % (root, number))
    if not root.is_dir():
        raise SplitError("%s: expected the folder of the official predata, found no folder." % root)
    try:
        folders = [folder for folder in [root] + sorted(root.iterdir()) if folder.is_dir()]
        folders = [folder for folder in folders if folder.resolve().name.endswith("_%d" % number)]
        found = [(folder, _files(folder, patch)) for folder in folders]
        # a folder of another scene has another number of bands, and one of this scene may be incomplete
        found = [(folder, files) for folder, files in found if any(files.values())]
        found = [(folder, files) for folder, files in found if not _of_other_bands(files, bands)]
    except OSError as error:
        raise SplitError("%s cannot be read: %s." % (root, error.strerror or error)) from error
    if len(found) != 1:
        raise SplitError(
            "%s: expected one folder of this scene whose name ends in _%d, found %s."
            % (root, number, ", ".join(folder.name for folder, _ in found) or "none")
        )
    folder, files = found[0]
    for kind, paths in files.items():
        if len(paths) != 1:
            raise SplitError(
                "%s: expected one file %s, found %s."
                % (folder, _pattern(kind, patch), ", ".join(path.name for path in paths) or "none")
            )
    return {kind: paths[0] for kind, paths in files.items()}


def _pattern(kind: str, patch: int) -> str:
    return "%s*windowsize%d*.npy" % (kind, patch)


def _kinds() -> List[str]:
    return [_name(axis, name) for name in SETS for axis in "xy"]


def _name(axis: str, name: str) -> str:
    return ("op" if name == "train_op" else "") + axis + _PREFIXES[name]


def _files(folder: Path, patch: int) -> Dict[str, List[Path]]:
    return {kind: sorted(folder.glob(_pattern(kind, patch))) for kind in _kinds()}


def _of_other_bands(files: Dict[str, List[Path]], bands: int) -> bool:
    return any(
        len(shape) == 5 and shape[3] != bands
        for kind in ("x0test", "x0val")
        for path in files[kind]
        for shape in [_array(path).shape]
    )


def _array(path: Path) -> np.ndarray:
    """Memory-mapped. Raises: SplitError where the file is no array of numbers."""
    try:
        array = np.load(str(path), mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise ValueError("something else")
        return array
    except Exception as error:  # damaged bytes may make numpy raise any exception
        raise SplitError(
            "%s: expected an array of numbers as numpy.save writes it, found: %s." % (path, one_line(error, 160))
        ) from error


def _set(files: Dict[str, Path], name: str, loaded: LoadedScene, patch: int) -> _Arrays:
    x_path, y_path = files[_name("x", name)], files[_name("y", name)]
    x, y = _array(x_path), _array(y_path)
    _expect(x, (patch, patch, loaded.scene.bands, 1), x_path)
    _expect(y, (patch, patch, 1, loaded.scene.num_classes), y_path)
    if len(x) != len(y):
        raise SplitError("%s: expected %d patches as in %s, found %d." % (y_path, len(x), x_path.name, len(y)))
    y = np.asarray(y)[:, :, :, 0]
    if not (np.isin(y, (0, 1)).all() and (y.sum(axis=-1) <= 1).all()):
        raise SplitError("%s: expected one-hot labels, or zeros where unlabelled, found other numbers." % y_path)
    labels = np.where(y.any(axis=-1), y.argmax(axis=-1) + 1, 0).astype(np.uint8)
    return _Arrays(x[..., 0], labels, x_path)


def _expect(array: np.ndarray, shape: Tuple[int, ...], path: Path) -> None:
    if array.ndim != 5 or array.shape[1:] != shape or not len(array):
        raise SplitError(
            "%s: expected an array of shape (N, %s), found %s." % (path, ", ".join(map(str, shape)), array.shape)
        )


def read_predata(files: Dict[str, Path], loaded: LoadedScene, patch: int) -> Partition:
    """The partition in these files, each patch located in the scene; its windows are the kept patches themselves.

    files: of `predata_files`. Raises: SplitError naming the file, for an array of another shape, a patch that is
    nowhere in the scene, labels that differ from the ground truth, a copy that is not its patch flipped, or sets that
    share a pixel.
    """
    arrays = {name: _set(files, name, loaded, patch) for name in SETS}
    kept, flips = _kept_patches(arrays["train"])
    held_out = arrays["train_op"]
    if not np.array_equal(held_out.x, kept.x):
        raise SplitError("%s: expected the patches of %s without their copies." % (held_out.path, kept.path.name))
    finder, shape, width = PatchFinder(loaded.cube), loaded.ground_truth.shape, loaded.ground_truth.shape[1]
    placed = {
        "train": _placed(kept, finder, loaded.ground_truth),
        "val": _placed(arrays["val"], finder, loaded.ground_truth),
        "test": _placed(arrays["test"], finder, loaded.ground_truth),
    }
    placed["train_op"] = placed["train"]._replace(labels=held_out.labels)
    _check_labels(placed["train_op"], loaded.ground_truth, held_out.path)
    off_grid = np.flatnonzero((placed["test"].corners % patch).any(axis=1))
    if len(off_grid):
        raise SplitError(
            "%s: expected patches on the grid of %d pixels, found patch %d beside it."
            % (arrays["test"].path, patch, off_grid[0])
        )
    maps = {name: _map(patches, shape, width) for name, patches in placed.items()}
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        if ((maps[one] > 0) & (maps[other] > 0)).any():
            raise SplitError("%s: some of its labels are those of the set %s, too." % (arrays[other].path, one))
    return Partition(
        placed["train"].corners, kept.labels, held_out.labels, placed["val"].corners, placed["val"].labels,
        maps["train"], np.where(maps["train"] > 0, 0, maps["train_op"]).astype(np.uint8), maps["val"], maps["test"],
        draws=0, kept_of=1, flips=flips, facts={"partition": "shipped"},
    )  # fmt: skip


def _kept_patches(train: _Arrays) -> Tuple[_Arrays, np.ndarray]:
    """The patches without their copies, and the flip of each copy."""
    if len(train.x) % 2:
        raise SplitError("%s: expected each patch with a copy behind it, found %d." % (train.path, len(train.x)))
    kept = _Arrays(train.x[::2], train.labels[::2], train.path)
    flips = np.zeros(len(kept.x), np.uint8)
    for flip in (LEFT_RIGHT, UP_DOWN):
        every = np.full(len(flips), flip, np.uint8)
        same = [
            (flipped(np.asarray(part), every) == copies).reshape(len(flips), -1).all(axis=1)
            for part, copies in ((kept.x, train.x[1::2]), (kept.labels, train.labels[1::2]))
        ]
        flips[same[0] & same[1]] = flip
    if not flips.all():
        raise SplitError(
            "%s: expected patch %d to be the one before it, turned up-down or left-right."
            % (train.path, 2 * np.flatnonzero(flips == 0)[0] + 1)
        )
    return kept, flips


def _placed(arrays: _Arrays, finder: PatchFinder, truth: np.ndarray) -> PatchSet:
    try:
        corners = finder.find(arrays.x)
    except ValueError as error:
        raise SplitError("%s: expected patches of this scene, but %s." % (arrays.path, error)) from error
    patches = PatchSet(corners, np.zeros(len(corners), np.uint8), arrays.labels)
    _check_labels(patches, truth, arrays.path)
    return patches


def _check_labels(patches: PatchSet, truth: np.ndarray, path: Path) -> None:
    labels = patches.labels
    shown = truth.ravel()[window_pixels(patches.corners, labels.shape[1], truth.shape[1])]
    wrong = ((labels > 0) & (labels != shown)).any(axis=(1, 2))
    if wrong.any():
        raise SplitError(
            "%s: expected the ground truth's labels in the file of y beside it, found others in patch %d."
            % (path, np.flatnonzero(wrong)[0])
        )


def _map(patches: PatchSet, shape: Tuple[int, int], width: int) -> np.ndarray:
    """(H, W) uint8: every label of the patches."""
    result = np.zeros(shape, np.uint8)
    labelled = patches.labels > 0
    pixels = window_pixels(patches.corners, patches.labels.shape[1], width)
    result.ravel()[pixels[labelled]] = patches.labels[labelled]
    return result


def evidence_of(files: Dict[str, Path]) -> Tuple[FileEvidence, ...]:
    """Name and hash of each file, for the run record; no hash is known to compare with. Raises: SplitError."""
    try:
        return tuple(
            FileEvidence("predata/%s" % path.name, str(path), file_sha256(path), None, None, None)
            for path in files.values()
        )
    except OSError as error:
        raise SplitError("%s cannot be read: %s." % (error.filename, error.strerror)) from error
