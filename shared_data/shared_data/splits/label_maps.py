"""Read label maps of a scene from files as people have them: numpy (.npy, .npz), MATLAB (.mat) and TIFF.

A label map has the scene's rows and columns. A pixel's value is its class 1..K, or 0 where it is not in the set. The
files are not trusted: sizes are checked before memory is allocated, and pickled objects are never loaded.
"""

import functools
import importlib
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, NamedTuple, Tuple

import numpy as np
from PIL import Image

from shared_data.errors import SceneFormatError, SplitError
from shared_data.files.npz import read_npy, read_npz
from shared_data.quoting import one_line
from shared_data.scenes.mat import list_mat, read_mat

Shape = Tuple[int, ...]

_KIND_OF_PAGE, _BITS, _PHOTOMETRIC, _ORIENTATION = 254, 258, 262, 274  # tags of a TIFF
_COPY_OR_MASK = 1 | 4


class StoredArray(NamedTuple):
    """An array in a file: its shape, and a function that reads it and may raise ValueError or SceneFormatError."""

    shape: Shape
    read: Callable[[], np.ndarray]


def stored_arrays(path: Path) -> Dict[str, StoredArray]:
    """The arrays in a file by name; the only array of a .npy or TIFF file has the file's name without extension.

    Raises: SplitError where the file does not exist, cannot be read, or has another extension.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise SplitError(
            "%s: expected a file with the extension %s; save the maps in one of these." % (path, ", ".join(_READERS))
        )
    if not path.is_file():
        raise SplitError("%s: there is no such file; check the path." % path)
    try:
        return reader(path)
    except ValueError as error:
        raise SplitError("%s cannot be read: %s; save it anew." % (path, error)) from error
    except SceneFormatError as error:
        raise SplitError(str(error)) from error


def read_stored(path: Path, name: str, stored: StoredArray) -> np.ndarray:
    """The numbers of one of these arrays. Raises: SplitError where they cannot be read."""
    try:
        return stored.read()
    except (ValueError, SceneFormatError) as error:
        raise SplitError("%s: '%s' cannot be read: %s." % (path, one_line(name), str(error).rstrip("."))) from error


def of_shape(path: Path, arrays: Dict[str, StoredArray], shape: Shape) -> Dict[str, StoredArray]:
    """Those arrays that have the scene's shape (H, W). Raises: SplitError, which lists the others, if none has."""
    fitting = {name: stored for name, stored in arrays.items() if stored.shape == shape}
    if fitting:
        return fitting
    found = ", ".join("'%s' %s" % (one_line(name, 60), by(stored.shape)) for name, stored in arrays.items())
    transposed = any(stored.shape == shape[::-1] for stored in arrays.values())
    remedy = "rows and columns are exchanged: transpose the map" if transposed else "give the map of this scene"
    raise SplitError(
        "%s: expected a label map of %s (rows × columns), found %s; %s." % (path, by(shape), found or "none", remedy)
    )


def as_labels(path: Path, array: np.ndarray, classes: int) -> np.ndarray:
    """A map as (H, W) uint8. Raises: SplitError where it holds anything but whole numbers from 0 to `classes`."""
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and not np.array_equal(array, np.floor(array))):
        raise SplitError(  # NaN is not equal to itself
            "%s: expected whole numbers as labels, found %s values that are none; save the map as uint8."
            % (path, array.dtype)
        )
    lowest, highest = array.min(), array.max()
    if lowest < 0 or highest > classes:
        raise SplitError(
            "%s: expected labels from 0 (not in the set) to %d, found %d to %d; number the classes as the scene does."
            % (path, classes, lowest, highest)
        )
    return np.ascontiguousarray(array, dtype=np.uint8)


def by(shape: Shape) -> str:
    """145×145."""
    return "×".join(str(length) for length in shape)


def _npz(path: Path) -> Dict[str, StoredArray]:
    return {name: _in_memory(array) for name, array in read_npz(path).items()}


def _npy(path: Path) -> Dict[str, StoredArray]:
    return {path.stem: _in_memory(read_npy(path))}


def _in_memory(array: np.ndarray) -> StoredArray:
    return StoredArray(array.shape, lambda: array)


def _mat(path: Path) -> Dict[str, StoredArray]:
    return {
        name: StoredArray(shape, functools.partial(read_mat, path, name, shape))
        for name, shape in list_mat(path).items()
    }


def _tiff(path: Path) -> Dict[str, StoredArray]:
    """By Pillow, or, where it does not give the numbers as they are stored, by rasterio, as `describe` does."""
    try:
        with Image.open(str(path), formats=["TIFF"]) as image:
            _check_plain(image)
            size: Shape = (image.height, image.width)
            depth = len(image.getbands()), _pages(image)
        shape = size + tuple(number for number in depth if number > 1)
        return {path.stem: StoredArray(shape, functools.partial(_by_pillow, path))}
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        return {path.stem: _geotiff(path, error)}


def _check_plain(image: Any) -> None:
    """Raises: ValueError for kinds whose numbers Pillow inverts, scales or, in some versions, turns."""
    tags = image.tag_v2
    if tags.get(_PHOTOMETRIC, 0) == 0:
        raise ValueError("its 0 means white")
    bits = tags.get(_BITS, (1,))
    if not set(bits) <= {1, 8, 16, 32}:
        raise ValueError("its numbers have %d bits" % bits[0])
    if tags.get(_ORIENTATION, 1) != 1:
        raise ValueError("its first row or column is not the top or left one")


def _pages(image: Any) -> int:
    """The number of pictures, without smaller copies of them (overviews) and masks."""
    pages = 0
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        pages += not image.tag_v2.get(_KIND_OF_PAGE, 0) & _COPY_OR_MASK
    return pages


def _by_pillow(path: Path) -> np.ndarray:
    try:
        with Image.open(str(path), formats=["TIFF"]) as image:
            return np.array(image)
    except Exception as error:
        raise ValueError(one_line(error, 160)) from error


def _geotiff(path: Path, refusal: Exception) -> StoredArray:
    try:
        rasterio: Any = importlib.import_module("rasterio")
    except ImportError:
        raise ValueError(
            "Pillow cannot read this kind of TIFF as a map (%s), and rasterio, which may, is not installed; install it "
            "or save the map as .npy" % one_line(refusal, 120)
        ) from refusal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a map without geographic coordinates is right here
        try:
            with rasterio.open(str(path)) as image:
                shape = (image.height, image.width) + ((image.count,) if image.count > 1 else ())
        except Exception as error:
            raise ValueError("neither Pillow nor rasterio can read it (%s)" % one_line(error, 120)) from error
    return StoredArray(shape, functools.partial(_by_rasterio, rasterio, path))


def _by_rasterio(rasterio: Any, path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(str(path)) as image:
                return image.read(1)
    except Exception as error:
        raise ValueError(one_line(error, 160)) from error


_READERS: Dict[str, Callable[[Path], Dict[str, StoredArray]]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".mat": _mat,
    ".tif": _tiff,
    ".tiff": _tiff,
}
