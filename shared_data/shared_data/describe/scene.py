"""`describe`: files in, a description and, where papers cannot read the files, copies out."""

import contextlib
import functools
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from shared_data.configuration.names import RULE, is_name
from shared_data.describe.bands import kept_bands
from shared_data.describe.borders import better_position
from shared_data.describe.copies import copy_array
from shared_data.describe.document import DescribedFile, Document, as_toml
from shared_data.describe.labels import Labels, read_labels
from shared_data.describe.opened import Opened, check_shapes, open_cube, open_labels, plane_shape, with_bands_last
from shared_data.describe.values import (
    Broken,
    Values,
    check_some_whole,
    find_broken,
    find_fill_values,
    mend,
    summarise,
    values_in,
)
from shared_data.errors import SettingsError, SharedDataError
from shared_data.files.atomic import atomic_path
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Georeference, scenes
from shared_data.scenes.content import content_sha256
from shared_data.scenes.loading import file_sha256
from shared_data.scenes.own import load_description

LONGEST_NAME = 64  # as in own.schema.json
_LARGE = 5 * 10**8  # bytes of a cube that take a while


@dataclass(frozen=True)
class DescribeRequest:
    """What the user asks for.

    out: folder, by default the cube's. unlabelled: labels that mean "no class". ignore: values that mean "no data".
    drop_bands: a list of bands. None: by default. force: replace an earlier description and its copies.
    """

    cube: Path
    labels: Path | None = None
    name: str | None = None
    out: Path | None = None
    cube_key: str | None = None
    labels_key: str | None = None
    unlabelled: tuple[int, ...] | None = None
    ignore: tuple[float, ...] | None = None
    drop_bands: str | None = None
    force: bool = False


@dataclass(frozen=True)
class _CheckedCube:
    """numbers: (H, W, B), those that papers will read. copy: the file that holds them, where it is a new one."""

    numbers: np.ndarray
    copy: Path | None
    kept: tuple[int, ...] | None
    values: Values
    broken: Broken | None


@dataclass(frozen=True)
class Described:
    """All that was found and written. kept: indices of the bands that are used, None for all of the file's.

    better_position: of the labels, where they do not seem to lie right. valid_pixels: of each class, those with data.
    removed_by: for a class of which none is left, by its label, the values that mean "no data" there. absent: values
    that the user wants to be ignored, but that occur nowhere.
    """

    name: str
    description: Path
    copies: tuple[Path, ...]
    cube: Opened
    shape: tuple[int, ...]
    kept: tuple[int, ...] | None
    values: Values
    broken: Broken | None
    labels_file: Opened | None
    labels: Labels | None
    better_position: str | None
    valid_pixels: tuple[int, ...]
    removed_by: Mapping[int, tuple[float, ...]]
    absent: tuple[float, ...]
    georeference: Georeference | None


def describe(request: DescribeRequest) -> Described:
    """Look at the files, check them, and write <name>.toml with the copies that it needs.

    Nothing has its final name before every check has passed; the description gets it last.
    Raises: SceneFormatError for files that cannot be a scene; SettingsError for options that do not fit them;
    SharedDataError where the folder cannot be written.
    """
    name = scene_name(request.cube, request.name)
    folder = request.cube.parent if request.out is None else request.out
    _check_free(folder / f"{name}.toml", request)
    cube, labels_file = _opened(request)
    labels = read_labels(labels_file, request.unlabelled) if labels_file else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _written(request, folder, name, cube, labels_file, labels)
    except OSError as error:
        raise SharedDataError(
            f"{name}: {error.filename or folder} cannot be written ({error.strerror or error}); make room there, or "
            "name another folder with --out."
        ) from error


def scene_name(cube: Path, given: str | None) -> str:
    """The name of the scene: as given, else from the name of the cube's file. Raises: SettingsError."""
    name = re.sub("[^A-Za-z0-9_-]+", "-", cube.stem).strip("-_")[:LONGEST_NAME] if given is None else given
    if not is_name(name) or len(name) > LONGEST_NAME:
        problem = f"expected a name of at most {LONGEST_NAME} {RULE}, found '{one_line(name)}'"
    elif name in scenes() and scenes()[name].own is None:
        problem = f"'{name}' is a scene of the catalogue"
    else:
        return name
    raise SettingsError(f"{problem}; give another one with --name.")


def _opened(request: DescribeRequest) -> tuple[Opened, Opened | None]:
    """The cube with its bands last, and the labels, which fit it."""
    cube = open_cube(request.cube, request.cube_key)
    if request.labels is None:
        return with_bands_last(cube, None), None
    labels = open_labels(request.labels, request.labels_key, cube.array.shape)
    plane = plane_shape(labels)
    if len(plane) == 2:
        cube = with_bands_last(cube, plane)
        check_shapes(cube, labels, plane)
    return cube, labels


def _check_free(path: Path, request: DescribeRequest) -> None:
    """Raises: SettingsError where a file would be replaced that the user did not say may be."""
    if not os.path.lexists(path):
        return
    sources = [source for source in (request.cube, request.labels) if source is not None]
    if any(path.exists() and path.samefile(source) for source in sources):
        raise SettingsError(f"{path}: a file would be replaced by its own copy; choose another --name or --out.")
    if not request.force:
        raise SettingsError(f"{path}: it is there already; choose another --name, or pass --force to replace it.")


def _written(
    request: DescribeRequest,
    folder: Path,
    name: str,
    cube: Opened,
    labels_file: Opened | None,
    labels: Labels | None,
) -> Described:
    """The part of `describe` that writes. Raises: as it; OSError."""
    description = folder / f"{name}.toml"
    with contextlib.ExitStack() as files:
        new_path = functools.partial(_new_path, files, request)
        temporary = Path(new_path(description))  # the first one asked for is renamed last
        checked = _checked_cube(request, cube, folder / f"{name}-cube.npy", new_path)
        labels_copy = None
        if labels is not None and not labels.usable:
            labels_copy = folder / f"{name}-labels.npy"
            np.save(new_path(labels_copy), np.ascontiguousarray(labels.numbers))
        classes = labels.class_map() if labels else np.zeros(checked.values.valid.shape, np.uint8)
        sizes = np.bincount(classes[checked.values.valid], minlength=1 + (len(labels.classes) if labels else 0))[1:]
        placed = [opened.header.georeference for opened in (cube, labels_file) if opened is not None]
        described = Described(
            name=name,
            description=description,
            copies=tuple(path for path in (checked.copy, labels_copy) if path is not None),
            cube=cube,
            shape=checked.numbers.shape,
            kept=checked.kept,
            values=checked.values,
            broken=checked.broken,
            labels_file=labels_file,
            labels=labels,
            better_position=better_position(checked.numbers, checked.values.valid, classes) if labels else None,
            valid_pixels=tuple(sizes.tolist()),
            removed_by={
                one.label: values_in(checked.numbers, classes == number, checked.values.fill)
                for number, one in enumerate(labels.classes if labels else (), start=1)
                if not sizes[number - 1]
            },
            absent=tuple(set(request.ignore or ()) - {one.value for one in checked.values.fill}),
            georeference=next((one for one in placed if one is not None), None),
        )
        document = Document(
            comment=f"{name}, described on {date.today().isoformat()} by: {command_of(request)}",
            name=name,
            shape=described.shape,
            ignore_values=[one.value for one in described.values.fill],
            cube=_table(cube, folder, checked.copy, checked.numbers),
            ground_truth=_table(labels_file, folder, labels_copy, labels.numbers) if labels and labels_file else None,
            unlabelled=labels.unlabelled if labels else (),
            classes=labels.classes if labels else (),
            georeference=described.georeference,
        )
        temporary.write_text(as_toml(document), encoding="utf-8")
        load_description(temporary)
    return described


def _new_path(files: contextlib.ExitStack, request: DescribeRequest, path: Path) -> str:
    """A temporary path, renamed to this one when `files` is left. Raises: SettingsError, OSError."""
    _check_free(path, request)
    return files.enter_context(atomic_path(path))


def _checked_cube(request: DescribeRequest, cube: Opened, copy: Path, new_path: Callable[[Path], str]) -> _CheckedCube:
    """The cube, copied where papers cannot read its file or it holds NaN, with its values checked."""
    kept = kept_bands(request.drop_bands, cube.array.shape[2], cube.header.bad_bands)
    copied = not cube.array.usable or kept is not None
    if cube.array.nbytes > _LARGE:
        print(f"reading {cube.path}, {cube.array.nbytes / 1e9:.1f} GB ...", file=sys.stderr, flush=True)
    numbers = copy_array(new_path(copy), cube.array, kept) if copied else cube.array.whole()
    broken = find_broken(numbers)
    if broken is not None:
        check_some_whole(broken, cube.path)
        if not copied:
            copied, numbers = True, copy_array(new_path(copy), cube.array)
    fill = find_fill_values(numbers, cube.header.fill_values, request.ignore)
    if broken is not None:
        fill = mend(numbers, broken, fill)
    values = summarise(numbers, fill, cube.path)
    if isinstance(numbers, np.memmap):
        numbers.flush()
    return _CheckedCube(numbers, copy if copied else None, kept, values, broken)


def _table(opened: Opened, folder: Path, copy: Path | None, numbers: np.ndarray) -> DescribedFile:
    """What the description says of a file. copy: of it, where there is one. numbers: those that papers will read."""
    dtype = numbers.dtype.name
    sha256 = content_sha256(numbers, dtype)
    assert sha256 is not None  # NaN, the only value that is not equal to itself, is no more there
    if copy is None:
        return DescribedFile(_path_from(folder, opened.path), opened.key, dtype, sha256, None, None)
    return DescribedFile(copy.name, None, dtype, sha256, _path_from(folder, opened.path), file_sha256(opened.path))


def _path_from(folder: Path, path: Path) -> str:
    """Relative to the description's folder for a file in it or below, so that both can be moved together."""
    folder, path = folder.resolve(), path.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def command_of(request: DescribeRequest) -> str:
    """What was typed, as it can be typed again."""
    words = ["python", "-m", "shared_data", "describe", str(request.cube)]
    for option, value in (
        ("--labels", request.labels),
        ("--name", request.name),
        ("--out", request.out),
        ("--cube-key", request.cube_key),
        ("--labels-key", request.labels_key),
        ("--drop-bands", request.drop_bands),
    ):
        words += [] if value is None else [option, str(value)]
    for option, numbers in (("--unlabelled", request.unlabelled), ("--ignore", request.ignore)):
        # with "=": the first number may be negative
        words += [] if numbers is None else [f"{option}={','.join(f'{number:.17g}' for number in numbers) or 'none'}"]
    return " ".join(map(shlex.quote, words))
