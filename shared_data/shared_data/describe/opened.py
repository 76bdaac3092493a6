"""The cube and the labels of a scene as arrays with the axes rows, columns, bands, whatever the files' axes are."""

from dataclasses import dataclass, replace
from pathlib import Path

from shared_data.describe.arrays import Header, StoredArray, by, reordered
from shared_data.describe.choice import choose, without_single
from shared_data.describe.readers import open_source
from shared_data.errors import SceneFormatError

Shape = tuple[int, ...]

# axes of a file's array that become rows, columns, bands; the last one is how MATLAB's arrays lie in HDF5
_ORDERS = (
    ((1, 2, 0), "the first axis is that of the bands"),
    ((0, 2, 1), "the second axis is that of the bands"),
    ((2, 1, 0), "the axes are bands × columns × rows"),
)


@dataclass(frozen=True)
class Opened:
    """An array that was chosen. path: the file that holds its numbers. key: its name there, None where it has none."""

    path: Path
    kind: str
    key: str | None
    array: StoredArray
    header: Header
    remarks: tuple[str, ...] = ()


def open_cube(path: Path, key: str | None) -> Opened:
    """The array with three axes, as the file orders them. Raises: SceneFormatError, SettingsError."""
    source = open_source(path)
    name = choose(source, key, "--cube-key", lambda shape: len(shape) == 3, "a cube, an array with three axes")
    shape = source.shapes[name]
    if len(shape) != 3 or min(shape) < 1:
        raise SceneFormatError(
            f"{path}: expected a cube of rows × columns × bands, found '{name}' of {by(shape)}; name another array."
        )
    array, header = source.open(name)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise SceneFormatError(f"{path}: expected real numbers of up to 64 bits, found {array.dtype}; convert them.")
    return Opened(source.data, source.kind, name if source.named else None, array, header, header.notes)


def open_labels(path: Path, key: str | None, cube: Shape) -> Opened:
    """The array of labels, (H, W), or with three axes where it is a picture or a stack of masks.

    cube: the shape of the cube, with bands on any axis; of several arrays the one that fits it is taken.
    Raises: SceneFormatError, SettingsError.
    """
    source = open_source(path)
    places = {cube[:2], cube[1:], (cube[0], cube[2]), cube[:0:-1]}
    planes = [_plane(shape) for shape in source.shapes.values()]
    exact = any(plane in places for plane in planes)
    is_map = any(_is_map(plane) for plane in planes)

    def fits(shape: Shape) -> bool:
        plane = _plane(shape)
        if exact:
            return plane in places
        return _is_map(plane) or (not is_map and len(plane) == 3)

    name = choose(source, key, "--labels-key", fits, "a map of labels, an array of rows × columns")
    array, header = source.open(name)
    return Opened(source.data, source.kind, name if source.named else None, array, header, header.notes)


def with_bands_last(cube: Opened, labels: Shape | None) -> Opened:
    """The cube as rows × columns × bands. labels: the shape of their map, which tells where the bands are; or None."""
    shape = cube.array.shape
    if labels is None and not cube.header.bands_last and shape[0] < min(shape[1:]):
        remark = (
            f"{by(shape)} is taken as rows × columns × bands; if bands come first, as the short first axis may mean, "
            "give --labels, whose shape tells it, or save the cube with the bands last"
        )
        return replace(cube, remarks=(*cube.remarks, remark))
    if labels is None or cube.header.bands_last:
        return cube
    if labels == shape[:2]:
        if labels in (shape[1:], shape[::2], shape[:0:-1]):
            remark = (
                f"{by(shape)} is taken as rows × columns × bands, but the shape of the labels also fits another order; "
                "if bands do not come last, save the cube so that they do"
            )
            return replace(cube, remarks=(*cube.remarks, remark))
        return cube
    for order, found in _ORDERS:
        array = reordered(cube.array, order)
        if array.shape[:2] == labels:
            remark = (
                f"the file stores {by(shape)}; by the shape of the labels, {by(labels)}, {found}: they are put right"
            )
            return replace(cube, array=array, remarks=(*cube.remarks, remark))
    return cube


def check_shapes(cube: Opened, labels: Opened, plane: Shape) -> None:
    """Raises: SceneFormatError where the map of labels has other rows and columns than the cube."""
    size = cube.array.shape[:2]
    if plane == size:
        return
    problem = (
        f"{labels.path}: expected labels of {by(size)} (rows × columns), as the cube {cube.path} has, found {by(plane)}"
    )
    if plane == size[::-1]:
        raise SceneFormatError(
            f"{problem}: rows and columns are exchanged; transpose the labels or the cube (in Python: "
            "numpy.save('labels.npy', labels.T))."
        )
    raise SceneFormatError(f"{problem}; give the labels of this cube.")


def plane_shape(labels: Opened) -> Shape:
    """The shape of the labels, without axes of length 1 where there are more than two axes."""
    return _plane(labels.array.shape)


def _plane(shape: Shape) -> Shape:
    return shape if len(shape) == 2 else without_single(shape)


def _is_map(plane: Shape) -> bool:
    """Not a number or a list of numbers, which MATLAB stores with two axes, too."""
    return len(plane) == 2 and min(plane) > 1
