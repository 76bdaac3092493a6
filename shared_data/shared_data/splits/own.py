"""A split of the user's own, from one file with all sets or from two label maps."""

import re
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np

from shared_data.errors import SplitError
from shared_data.quoting import one_line
from shared_data.scenes.loading import FileEvidence, LoadedScene, file_sha256
from shared_data.splits.given import FixedSplit, pixel_name, split_of_sets
from shared_data.splits.label_maps import StoredArray, as_labels, by, of_shape, read_stored, stored_arrays

Paths = Union[str, Path, Sequence[Union[str, Path]]]

# names of variables, without separators: TR, train, train_gt, gtTrain, TrainLabels, train_idx, ...
_WORDS = {"train": "tr|train|training", "test": "te|ts|test|testing", "val": "va|val|valid|validation"}
_NOUN = "(gt|labels?|map|mask|set|samples?|pixels?|idx|index|indices)?"
_ROLES = {role: re.compile("%s(%s)%s" % (_NOUN, words, _NOUN)) for role, words in _WORDS.items()}
_WHOLE_FILE = (".npz", ".mat")


def read_own(loaded: LoadedScene, paths: Paths, seed: int) -> FixedSplit:
    """The user's own split of a scene.

    paths: one or two files, as a list or as a text that separates them by a comma.
        One .npz or .mat file: arrays named train, test and possibly val (TR, TE, train_labels and the like are known
        too). Each is a label map (H, W) or, in a .npz file, a list of flat C-order pixel indices, as `save_split`
        writes them.
        Two files .mat, .npy, .tif (or .npz): the map of the training pixels, then that of the test pixels.
    seed: of the run. Where there is no validation pixel, a seeded tenth of each class's training pixels is held out,
    see `hold_out_validation`. Facts are named `own_...`, see `split_of_sets`.

    A map whose values are 0 and 1 alone is a mask. Labels of other maps must be the ground truth's, wherever it has
    one; of an own scene, those of its file or the class numbers. Pixels that it leaves unlabelled are left out and
    counted.
    Raises: SplitError naming the file, what was expected and what was found.
    """
    if not loaded.is_labelled:
        raise SplitError("%s: the scene has no labels, which a split needs; use 'predict'." % loaded.scene.slug)
    files = _listed(paths)
    if len(files) == 1:
        sets = _sets_in(files[0], loaded)
        names = ["split/%s" % files[0].name]
    else:
        sets = {role: _set_in(path, role, loaded) for role, path in zip(("train", "test"), files)}
        names = ["split/%s/%s" % (role, path.name) for role, path in zip(sets, files)]  # both may have the same name
    where = ", ".join(map(str, files))
    split, facts = split_of_sets(sets, loaded.ground_truth, seed, "own", where)
    return FixedSplit(split, facts, tuple(_evidence(name, path) for name, path in zip(names, files)))


def _listed(paths: Paths) -> List[Path]:
    if isinstance(paths, Path):
        paths = [paths]
    named = paths.split(",") if isinstance(paths, str) else paths
    files = [Path(str(path).strip()).expanduser() for path in named if str(path).strip()]
    if len(files) not in (1, 2) or (len(files) == 1 and files[0].suffix.lower() not in _WHOLE_FILE):
        raise SplitError(
            "SPLIT: expected one file with all sets (%s) or two label maps, training first, separated by a comma; "
            "found '%s'." % (", ".join(_WHOLE_FILE), one_line(",".join(map(str, files))))
        )
    return files


def _evidence(name: str, path: Path) -> FileEvidence:
    """Name and hash of a file; no hash is known to compare with."""
    try:
        return FileEvidence(name, str(path), file_sha256(path), None, None, None)
    except OSError as error:
        raise SplitError("%s: the file cannot be read (%s)." % (path, error.strerror or error)) from error


def _sets_in(path: Path, loaded: LoadedScene) -> Dict[str, np.ndarray]:
    """The sets of a file that holds all of them."""
    arrays = stored_arrays(path)
    chosen: Dict[str, str] = {}
    for role in _ROLES:
        names = _named(arrays, role)
        if len(names) > 1 or (not names and role != "val"):
            raise SplitError(
                "%s: expected one array named '%s'%s, found %s; name the arrays train, test and, where there is one, "
                "val." % (path, role, " or alike" if names else "", _shown(arrays))
            )
        if names:
            chosen[role] = names[0]
    return {role: _pixels(path, name, arrays[name], loaded) for role, name in chosen.items()}


def _set_in(path: Path, role: str, loaded: LoadedScene) -> np.ndarray:
    """The set of a file that holds one map: the only map of the scene's shape, or the only one with the role's name."""
    maps = of_shape(path, stored_arrays(path), loaded.ground_truth.shape)
    names = _named(maps, role) if len(maps) > 1 else list(maps)
    if len(names) != 1:
        raise SplitError(
            "%s: expected one label map, or one named '%s', found %s; leave one in the file."
            % (path, role, _shown(maps))
        )
    return _pixels(path, names[0], maps[names[0]], loaded)


def _named(arrays: Dict[str, Any], role: str) -> List[str]:
    """The names that say the role, whatever their case and separators."""
    return [name for name in arrays if _ROLES[role].fullmatch(re.sub("[^a-z]", "", name.lower()))]


def _shown(arrays: Dict[str, StoredArray]) -> str:
    shown = ", ".join("'%s' %s" % (one_line(name, 60), by(stored.shape)) for name, stored in arrays.items())
    return shown or "no array"


def _pixels(path: Path, name: str, stored: StoredArray, loaded: LoadedScene) -> np.ndarray:
    """The flat indices of a list or of a map."""
    if path.suffix.lower() == ".npz" and len(stored.shape) == 1:
        return _indices(path, name, read_stored(path, name, stored), loaded.ground_truth.size)
    of_shape(path, {name: stored}, loaded.ground_truth.shape)
    array = _with_class_numbers(read_stored(path, name, stored), loaded)
    labels = as_labels(path, array, loaded.scene.num_classes)
    if labels.max() > 1:
        _check_labels(path, labels, loaded.ground_truth)
    return np.flatnonzero(labels)


def _with_class_numbers(array: np.ndarray, loaded: LoadedScene) -> np.ndarray:
    """A map with the labels of an own scene's file as one of its class numbers 1..K; any other map as it is."""
    own = loaded.scene.own
    if own is None or (array.min() >= 0 and array.max() <= 1):  # a mask
        return array
    numbers = dict.fromkeys((0,) + own.unlabelled, 0)
    numbers.update((one.label, number) for number, one in enumerate(own.classes, start=1))
    values, places = np.unique(array, return_inverse=True)
    if any(value not in numbers for value in values.tolist()):
        return array
    found = np.array([numbers[value] for value in values.tolist()], np.uint8)[places].reshape(array.shape)
    by_number = not _agrees(found, loaded.ground_truth) and _agrees(array, loaded.ground_truth)
    return array if by_number else found


def _indices(path: Path, name: str, indices: np.ndarray, pixels: int) -> np.ndarray:
    if not indices.size:
        return np.zeros(0, np.int64)
    found = str(indices.dtype)
    if indices.dtype.kind in "iu":
        lowest, highest = int(indices.min()), int(indices.max())
        if lowest >= 0 and highest < pixels:
            return indices.astype(np.int64)
        found = "%d to %d" % (lowest, highest)
    raise SplitError(
        "%s: expected '%s' to hold flat pixel indices (row × columns of the scene + column) from 0 to %d, found %s; "
        "count rows and columns from 0." % (path, one_line(name), pixels - 1, found)
    )


def _check_labels(path: Path, labels: np.ndarray, ground_truth: np.ndarray) -> None:
    wrong = np.flatnonzero((labels > 0) & (ground_truth > 0) & (labels != ground_truth))
    if not len(wrong):
        return
    first = wrong[0]
    remedy = "number the classes as the scene does, or give a mask of 0 and 1"
    if _agrees(labels.T, ground_truth):
        remedy = "rows and columns are exchanged: transpose the map"
    raise SplitError(
        "%s: expected the ground truth's labels, found %d pixels with another, first in %s: %d in place of %d; %s."
        % (path, len(wrong), pixel_name(first, labels.shape[1]), labels.ravel()[first], ground_truth.ravel()[first],
           remedy)
    )  # fmt: skip


def _agrees(labels: np.ndarray, ground_truth: np.ndarray) -> bool:
    """Whether a map has the scene's shape and, wherever both are labelled, its labels; at least at one pixel."""
    if labels.shape != ground_truth.shape:
        return False
    both: Tuple[np.ndarray, ...] = np.nonzero((labels > 0) & (ground_truth > 0))
    return len(both[0]) > 0 and bool((labels[both] == ground_truth[both]).all())
