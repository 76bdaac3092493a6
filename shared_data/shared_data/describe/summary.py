"""What `describe` found and wrote, in words."""

import math
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared_data.describe.arrays import by
from shared_data.describe.bands import as_ranges
from shared_data.describe.place import same_crs
from shared_data.describe.scene import Described
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Georeference

_MEGABYTE = 10**6
_COLUMN = 12
_FEW = 10  # pixels of a class


def summary(described: Described) -> str:
    """Several lines; the last one is the command to type next."""
    sections = [
        _section("scene", [described.name]),
        _section("cube", _cube(described)),
        _section("values", _values(described)),
        _section("labels", _labels(described)),
        _section("place", _place(described)),
        _section("warnings", _warnings(described)),
        _section("written", [f"{path} ({_size(path)})" for path in (described.description, *described.copies)]),
        _section("next", [_next(described)]),
    ]
    return "\n".join(line for section in sections for line in section)


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [f"{title if number == 0 else '':{_COLUMN}}{line}".rstrip() for number, line in enumerate(lines)]


def _cube(described: Described) -> Iterator[str]:
    cube, (height, width, bands) = described.cube, described.shape
    key = f", array '{cube.key}'" if cube.key else ""
    yield f"{cube.path}{key}: {cube.kind}, {cube.array.dtype.name}"
    wavelengths = f", {cube.header.wavelengths}" if cube.header.wavelengths else ""
    yield f"{height} rows × {width} columns × {bands} bands{wavelengths}"
    if described.kept is not None:
        everything = range(1, cube.array.shape[2] + 1)
        dropped = sorted(set(everything) - {band + 1 for band in described.kept})
        yield f"left out, as --drop-bands says: bands {as_ranges(dropped)} of {len(everything)}"
    elif cube.header.bad_bands:
        yield (
            f"the header marks {len(cube.header.bad_bands)} of {bands} bands as bad: "
            f"{as_ranges(cube.header.bad_bands)}; they stay, unless you pass --drop-bands=bad"
        )
    yield from cube.remarks


def _values(described: Described) -> Iterator[str]:
    values = described.values
    where = " in the pixels with data" if values.fill else ""
    yield f"{_number(values.lowest)} to {_number(values.highest)}{where}"
    if described.broken is not None:
        yield (
            f"NaN in {_pixels(described.broken.nan)}, infinity in {_pixels(described.broken.infinite)}: "
            f"{_number(values.fill[0].value)} stands for them in the copy"
        )
    for one in values.fill:
        parts = "" if one.pixels == one.whole else f", in every band of {one.whole} of them"
        yield f"no data: {_number(one.value)}, {one.origin}, in {_pixels(one.pixels)}{parts}"
    if values.fill:
        missing = int((~values.valid).sum())
        yield (
            f"{missing} of {values.valid.size} pixels ({missing / values.valid.size:.1%}) are without data: they take "
            "no part in training and test (ignore_values)"
        )


def _labels(described: Described) -> Iterator[str]:
    labels, opened = described.labels, described.labels_file
    if labels is None or opened is None:
        yield "none: this scene can only be classified with weights trained on another one"
        return
    key = f", array '{opened.key}'" if opened.key else ""
    yield f"{opened.path}{key}: {opened.kind}, {opened.array.dtype.name}, {by(labels.numbers.shape)}"
    yield from (*opened.remarks, *labels.remarks)
    values = ", ".join(map(str, labels.unlabelled)) or "no label"
    yield f"unlabelled: {values} ({_pixels(labels.unlabelled_pixels)}), because {labels.reason}"
    yield f"classes: {len(labels.classes)}, {sum(one.pixels for one in labels.classes)} pixels"
    widest = max(len(one.name) for one in labels.classes)
    for number, (one, valid) in enumerate(zip(labels.classes, described.valid_pixels), start=1):
        without = f", {one.pixels - valid} of them without data" if valid < one.pixels else ""
        yield f"  {number:3} {one.name:{widest}} {one.pixels:9} pixels with label {one.label}{without}"


def _place(described: Described) -> Iterator[str]:
    found = described.georeference
    if found is None:
        yield "no georeference in the files"
        return
    left, width, row_turn, top, column_turn, height = found.transform
    turned = ", rotated" if row_turn or column_turn else ""
    if turned:
        width, height = math.hypot(width, column_turn), -math.hypot(row_turn, height)
    crs = one_line(found.crs, 60)
    yield f"{crs}, upper left corner at {left:.10g}, {top:.10g}, pixels of {width:g} × {-height:g}{turned}"


def _warnings(described: Described) -> Iterator[str]:
    values, labels = described.values, described.labels
    if values.constant:
        ranges = as_ranges(values.constant)
        yield f"bands with the same value at all pixels: {ranges}; --drop-bands={ranges.replace(' ', '')} drops them"
    if values.zero:
        yield (
            f"0 in every band of {_pixels(values.zero)}, and in some bands of others, so it is not taken for 'no "
            "data'; if it means that, pass --ignore=0"
        )
    if described.absent:
        yield f"values that --ignore names, but no band has: {', '.join(map(_number, described.absent))}"
    lost = sum(one.pixels for one in labels.classes) - sum(described.valid_pixels) if labels else 0
    if lost:
        yield f"{_pixels(lost)} with a label but without data"
    yield from _emptied(described)
    if described.better_position:
        yield (
            "the borders of the labels do not lie on edges of the cube, but would if the labels were "
            f"{described.better_position}: compare both in a picture before you train"
        )
    if labels and len(labels.classes) == 1:
        yield "one class alone: there is no other to tell it from, so accuracies mean nothing"
    sizes = zip(labels.classes, described.valid_pixels) if labels else ()
    few = [one.name for one, valid in sizes if 0 < valid < _FEW]
    if few:
        yield f"classes of fewer than {_FEW} pixels with data, too few for most splits: {', '.join(few)}"
    places = [one.header.georeference for one in (described.cube, described.labels_file) if one is not None]
    if len(places) == 2 and places[0] and places[1]:
        yield from _differences(places[0], places[1])


def _emptied(described: Described) -> Iterator[str]:
    """The classes without a pixel with data, with which no run starts, and what to do."""
    if described.labels is None:
        return
    names = {one.label: one.name for one in described.labels.classes}
    for label, values in described.removed_by.items():
        kept = ",".join(_number(one.value) for one in described.values.fill if one.value not in values) or "none"
        unlabelled = ",".join(map(str, (*described.labels.unlabelled, *described.removed_by)))
        # a value that stands for NaN is no measurement
        first = "pass " if described.broken else f"if that is a measurement, pass --ignore={kept}, otherwise "
        found = " or ".join(map(_number, values))
        yield (
            f"no pixel of {names[label]} has data, each has {found}, so runs are refused: "
            f"{first}--unlabelled={unlabelled}"
        )


def _differences(cube: Georeference, labels: Georeference) -> Iterator[str]:
    if not same_crs(cube.crs, labels.crs):
        systems = " and ".join(one_line(place.crs, 60) for place in (cube, labels))
        yield f"the cube and the labels name different coordinate systems, {systems}: check that they belong together"
    elif not _same_place(cube.transform, labels.transform):
        yield "the cube and the labels name different places: check that they belong together"


def _same_place(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether corners and sizes of pixels differ by less than a hundredth of a pixel."""
    tolerance = (abs(one[1]) + abs(one[2])) / 100
    return all(abs(left - right) <= tolerance for left, right in zip(one, other))


def _next(described: Described) -> str:
    path = Path(os.path.relpath(described.description))
    shown = shlex.quote(str(described.description.resolve() if ".." in path.parts else path))
    if described.labels is None:
        return f"make predict-<paper> SCENE={shown} WEIGHTS=<a run of the paper>"
    return f"make reproduce-ssdgl-{described.name} SCENE={shown}"


def _pixels(number: int) -> str:
    return f"{number} pixel" if number == 1 else f"{number} pixels"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / _MEGABYTE:.1f} MB" if size >= _MEGABYTE / 10 else f"{size} bytes"
