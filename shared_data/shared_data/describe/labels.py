"""Labels as people have them, as classes: which labels mean "no class", and names, colours and pixels of the others."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared_data.describe.arrays import by
from shared_data.describe.extremes import KNOWN_LOW
from shared_data.describe.opened import Opened, plane_shape
from shared_data.errors import SceneFormatError

MOST_CLASSES = 255
_USUAL = (255, 65535, -1, *KNOWN_LOW)  # for "no class", where few classes have labels
_NO_CLASS = re.compile(r"(unclassified|unlabell?ed|background|none|no[ _-]?data|unknown)\b", re.IGNORECASE)
_NAN = -1  # written for NaN where 0 is taken
_LARGEST = 2**63 - 1  # that TOML holds
_LARGEST_EXACT = 2**53  # whole numbers above are not all floats


@dataclass(frozen=True)
class LabelClass:
    """label: in the file. pixels: that have it. colour: "#rrggbb", or None where the file has none for it."""

    label: int
    name: str
    pixels: int
    colour: str | None


@dataclass(frozen=True)
class Labels:
    """numbers: (H, W) whole numbers. unlabelled: those that mean "no class". reason: why these.

    usable: whether papers can read the file as it is.
    """

    numbers: np.ndarray
    unlabelled: tuple[int, ...]
    reason: str
    classes: tuple[LabelClass, ...]
    remarks: tuple[str, ...]
    usable: bool

    def class_map(self) -> np.ndarray:
        """(H, W) uint8: 0 where unlabelled, else the number 1..K of the class."""
        result = np.zeros(self.numbers.shape, np.uint8)
        for number, one in enumerate(self.classes, start=1):
            result[self.numbers == one.label] = number
        return result

    @property
    def unlabelled_pixels(self) -> int:
        return self.numbers.size - sum(one.pixels for one in self.classes)


def read_labels(opened: Opened, unlabelled: tuple[int, ...] | None) -> Labels:
    """The labels of a file.

    unlabelled: labels that mean "no class", as the user names them; by default the value that the file declares as no
    data, or 0, or one usual for this (255, -1, -9999, ...).
    Raises: SceneFormatError for pictures, stacks of masks, fractions, more than 255 classes and none at all, and where
    0 and another such value occur, so that 0 may be a class.
    """
    stored = np.asarray(opened.array.whole()).reshape(plane_shape(opened))
    _check_axes(opened, stored)
    missing = np.isnan(stored) if stored.dtype.kind == "f" else np.zeros(stored.shape, bool)
    fill = unlabelled[0] if unlabelled else _NAN if (stored == 0).any() else 0
    numbers = _whole_numbers(opened.path, stored, missing, fill)
    values, counts = np.unique(numbers, return_counts=True)
    pixels = dict(zip(values.tolist(), counts.tolist()))
    if max(pixels) > _LARGEST:
        raise SceneFormatError(
            f"{opened.path}: expected labels of at most 63 bits, found {max(pixels)}; number the classes from 1."
        )
    if unlabelled is None:
        empty, reason = _unlabelled(opened, set(numbers[~missing].tolist()), bool(missing.any()))
    else:
        empty, reason = unlabelled or ((fill,) if missing.any() else ()), "--unlabelled says so"
    remarks: tuple[str, ...] = ()
    if missing.any():
        remarks += (f"{missing.sum()} pixels are NaN: written as {fill}, which is unlabelled",)
    labels = [label for label in pixels if label not in empty]
    _check_number(opened.path, labels)
    if unlabelled is None:
        remarks += _doubts(labels, empty, opened.header.class_names)
    names = _different_names(labels, opened.header.class_names)
    colours = _different_colours(labels, opened.header.class_colours)
    classes = tuple(LabelClass(label, names[label], pixels[label], colours.get(label)) for label in labels)
    usable = opened.array.usable and numbers.dtype == stored.dtype and opened.array.shape == numbers.shape
    return Labels(numbers, empty, reason, classes, remarks, usable)


def _check_axes(opened: Opened, stored: np.ndarray) -> None:
    """Raises: SceneFormatError for an array with more than two axes, saying what it seems to be."""
    shape = stored.shape
    if len(shape) == 2:
        return
    found = f"{opened.path}: expected a map of labels with one number per pixel, found {by(shape)}"
    if len(shape) == 3 and _is_one_hot(stored):
        axis = 0 if shape[0] < shape[2] else 2
        raise SceneFormatError(
            f"{found} of 0 and 1, a mask for each class; join them to one map (in Python: "
            f"numpy.save('labels.npy', a.argmax({axis}) + a.any({axis})) where 0 everywhere means unlabelled)."
        )
    if opened.header.picture or (len(shape) == 3 and 3 in (shape[0], shape[2])):
        raise SceneFormatError(
            f"{found}, a picture with colours; save a map with the number of its class at each pixel (in Python: "
            f"{_numbering(shape)} numbers the colours from 1), and pass the number of the background as --unlabelled "
            "(make: UNLABELLED)."
        )
    raise SceneFormatError(f"{found}; name another array with --labels-key, or save a map of rows × columns.")


def _numbering(shape: Sequence[int]) -> str:
    """Python that numbers the colours of the picture `a` of this shape; without an opacity, which is no colour."""
    picture = "a" if shape[-1] in (3, 4) else "numpy.moveaxis(a, 0, 2)"
    colours = f"{picture}[..., :3].reshape(-1, 3)"
    size = f"{picture}.shape[:2]"
    number = f"numpy.unique({colours}, axis=0, return_inverse=True)[1].reshape({size}) + 1"
    return f"numpy.save('labels.npy', {number})"


def _is_one_hot(stored: np.ndarray) -> bool:
    return bool(((stored == 0) | (stored == 1)).all())


def _whole_numbers(path: Path, stored: np.ndarray, missing: np.ndarray, fill: int) -> np.ndarray:
    """The numbers as integers in native byte order. fill: in place of those missing. Raises: SceneFormatError."""
    if stored.dtype.kind in "iu":
        return stored.astype(stored.dtype.newbyteorder("="), copy=False)
    filled = np.where(missing, fill, stored)
    if not np.array_equal(filled, np.floor(filled)) or np.abs(filled).max(initial=0) > _LARGEST_EXACT:
        wrong = filled[(filled != np.floor(filled)) | (np.abs(filled) > _LARGEST_EXACT)][0]
        raise SceneFormatError(
            f"{path}: expected whole numbers as labels, found {wrong:g}; this seems to be a measurement or a "
            "probability: give the map of classes."
        )
    smallest = np.min_scalar_type(int(filled.min(initial=0)))
    dtype = np.result_type(smallest, np.min_scalar_type(int(filled.max(initial=0))))
    return filled.astype(dtype if dtype.kind in "iu" else np.int64)


def _unlabelled(opened: Opened, values: Collection[int], has_missing: bool) -> tuple[tuple[int, ...], str]:
    """Those of the values that mean "no class", and why these.

    has_missing: whether the file has NaN, too. Raises: SceneFormatError where 0 may be a class.
    """
    declared = [int(value) for value in opened.header.fill_values if value in values and value != 0]
    usual = [value for value in _USUAL if value in values and len(values) < _USUAL[0]]
    others = declared or usual
    if 0 not in values:
        why = "the file declares {} as no data" if declared else "neither 0 nor a declared value occurs, {} does"
        reasons = [why.format(value) for value in others] + ["NaN means 'no class'"] * has_missing
        missing = (0,) if has_missing else ()
        return (*missing, *others), " and ".join(reasons) or "no value occurs that usually means 'no class'"
    name = opened.header.class_names.get(0, "")
    is_said = 0 in opened.header.fill_values or _means_no_class(name)
    if (others or has_missing) and not is_said and any(value not in (0, *others) for value in values):
        raise SceneFormatError(_question(opened.path, name, others, has_missing))
    reasons = [f"the file declares {value} as no data" for value in declared]
    missing = (_NAN,) if has_missing else ()
    return (0, *declared, *missing), " and ".join(["0 means 'no class' wherever it occurs", *reasons])


def _means_no_class(name: str) -> bool:
    return _NO_CLASS.match(name) is not None


def _question(path: Path, name: str, others: Sequence[int], has_missing: bool) -> str:
    """What to ask where 0 may be a class, because another value may be the one that means "no class".

    name: of the label 0, or "".
    """
    found = " and ".join([*map(str, others), *["NaN"] * has_missing])
    zero = f"0, '{name}'," if name else "0,"
    alone = ",".join(map(str, others or [_NAN]))
    return (
        f"{path}: expected one value that means 'no class', found {found} and also {zero} which may be a class; if it "
        f"is, pass --unlabelled={alone} (make: UNLABELLED={alone}), if 0 alone means 'no class' --unlabelled=0, if "
        f"both do --unlabelled={alone},0."
    )


def _check_number(path: Path, labels: Sequence[int]) -> None:
    if not labels:
        raise SceneFormatError(
            f"{path}: no pixel has a label; leave out --labels to describe a scene that is only to be classified."
        )
    if len(labels) > MOST_CLASSES:
        raise SceneFormatError(
            f"{path}: expected at most {MOST_CLASSES} classes, found {len(labels)} labels, {min(labels)} to "
            f"{max(labels)}; join classes, or name the labels that mean 'no class' with --unlabelled."
        )


def _doubts(labels: Sequence[int], empty: Sequence[int], names: Mapping[int, str]) -> tuple[str, ...]:
    """Where the rule may be wrong, and what to type then."""
    odd = [label for label in labels if label < 0 or (label in _USUAL and len(labels) < _USUAL[0])]
    doubts = []
    if odd:
        passed = ",".join(map(str, [*empty, *odd]))
        doubts.append(
            f"taken as classes: {', '.join(map(str, odd))}; if they mean 'no class', pass --unlabelled={passed}"
        )
    name = names.get(0, "")
    if 0 in empty and name and not _means_no_class(name):
        others = ",".join(str(label) for label in empty if label != 0) or "none"
        doubts.append(f"the label 0, '{name}', is taken as unlabelled; if it is a class, pass --unlabelled={others}")
    return tuple(doubts)


def _different_names(labels: Sequence[int], named: Mapping[int, str]) -> dict[int, str]:
    """By label; of names that occur twice the later ones get their label behind."""
    names: dict[int, str] = {}
    for label in labels:
        name = named.get(label) or f"Class {label}"
        while name in names.values():
            name = f"{name} ({label})"
        names[label] = name
    return names


def _different_colours(labels: Sequence[int], coloured: Mapping[int, str]) -> dict[int, str]:
    """By label; without the later ones of colours that occur twice."""
    colours: dict[int, str] = {}
    for label in labels:
        if coloured.get(label) and coloured[label] not in colours.values():
            colours[label] = coloured[label]
    return colours
