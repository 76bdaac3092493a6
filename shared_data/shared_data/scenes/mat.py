"""Read one numeric array from an untrusted MATLAB file.

scipy.io decodes the array. Before that, this module checks the headers, because a download may be an error page or
truncated, a header may claim more bytes than memory holds, and scipy crashes with a segmentation fault on an unknown
type code.
"""

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, NamedTuple, Optional, Tuple

import numpy as np
import scipy.io

from shared_data.errors import SceneFormatError
from shared_data.quoting import one_line

# MATLAB level 5 (save -v6, -v7): 128 bytes, of which the last four hold version and byte order; then elements, each
# a tag (type, number of bytes) and its content; a compressed element is a zlib stream with one array element inside
_FILE_HEADER_BYTES = 128
_BYTE_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HTML_STARTS = (b"<!doctype", b"<html", b"<head", b"<body", b"<!--", b"<?xml")

_ARRAY_ELEMENT, _COMPRESSED_ELEMENT = 14, 15
_STORED_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}  # type code of numbers: size of one
_NUMERIC_CLASSES = range(6, 16)  # double, single, and the eight integers
_OTHER_CLASSES = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 16: "function"}
_OPAQUE_CLASS = 17  # has no shape and name at the usual place
_COMPLEX_FLAG = 1 << 11

_ARRAY_HEADER_BYTES = 1024  # enough for 32 dimensions and the longest name
_MAX_COMPRESSION = 1032  # the largest compression ratio of zlib


def looks_like_html(start: bytes) -> bool:
    """Whether the first bytes of a file (some hundreds suffice) are those of a web page instead of data."""
    if start.startswith(b"\xef\xbb\xbf"):
        start = start[3:]
    return start.lstrip().lower().startswith(_HTML_STARTS)


def read_mat(path: Any, key: str, expected_shape: Optional[Tuple[int, ...]] = None) -> np.ndarray:
    """Read the real numeric array stored under `key` in a MATLAB level 5 file.

    The array keeps the dtype it is stored in (MATLAB may store a double array as uint8) and MATLAB's column-major
    memory order. The sizes claimed in the file are checked before anything is allocated for them.

    Raises: SceneFormatError when the file cannot be read, is empty, cut short, a web page, of another format or version
    (v4, v7.3), lacks `key`, holds something other than real numbers under it, or an array of another shape.
    """
    path = Path(path)
    variables = _headers_of(path)
    if key not in variables:
        raise SceneFormatError(
            f"{path}: expected a variable named '{key}', found: {one_line(', '.join(sorted(variables))) or 'none'}."
        )
    _check_header(path, variables[key], expected_shape)
    array = _decode(path, key)
    # scipy returns a string for an array that it could not decode
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf" or array.shape != variables[key].shape:
        raise _damaged(path)
    return array


def list_mat(path: Any) -> Dict[str, Tuple[int, ...]]:
    """The shapes of the real numeric arrays in a MATLAB level 5 file, by name; no number is read.

    Raises: SceneFormatError when the file cannot be read, is empty, cut short, a web page, or of another format.
    """
    return {
        name: header.shape
        for name, header in _headers_of(Path(path)).items()
        if header.class_code in _NUMERIC_CLASSES and not header.is_complex
    }


class _ArrayHeader(NamedTuple):
    """The header of an array. `data_bytes` must not exceed `capacity`, the most bytes that its element can hold."""

    name: str
    class_code: int
    is_complex: bool
    shape: Tuple[int, ...]
    data_type: int
    data_bytes: int
    capacity: int


def _headers_of(path: Path) -> Dict[str, _ArrayHeader]:
    """`_read_headers`. Raises: SceneFormatError where the file cannot be read or is damaged."""
    try:
        return _read_headers(path)
    except OSError as error:
        raise SceneFormatError(f"{path}: the file cannot be read ({error.strerror or error}).") from error
    except (struct.error, zlib.error) as error:
        raise _damaged(path) from error


def _read_headers(path: Path) -> Dict[str, _ArrayHeader]:
    """The headers of all arrays in a file by name; of arrays with the same name the first, as scipy reads it."""
    headers: Dict[str, _ArrayHeader] = {}
    with open(str(path), "rb") as file:
        start = file.read(1024)
        _check_start(path, start)
        order = _BYTE_ORDERS[start[_FILE_HEADER_BYTES - 4 : _FILE_HEADER_BYTES]]
        for array_start, capacity in _array_starts(path, file, order):
            header = _parse_array_header(array_start, order, capacity)
            if header is not None:
                headers.setdefault(header.name, header)
    return headers


def _check_start(path: Path, start: bytes) -> None:
    if not start:
        raise SceneFormatError(f"{path}: expected a MATLAB file, found an empty file; remove it and fetch it again.")
    if looks_like_html(start):
        raise SceneFormatError(
            f"{path}: expected a MATLAB file, found a web page (HTML); remove it and fetch the file again."
        )
    if start.startswith((b"MATLAB 7.3", _HDF5_SIGNATURE)) or start[512:520] == _HDF5_SIGNATURE:
        raise SceneFormatError(
            f"{path}: expected a MATLAB level 5 file, found version 7.3 (HDF5); load it and save it with -v7."
        )
    # scipy takes any file with a zero among its first four bytes for one of level 4
    if start[_FILE_HEADER_BYTES - 4 : _FILE_HEADER_BYTES] not in _BYTE_ORDERS or 0 in start[:4]:
        raise SceneFormatError(
            f"{path}: expected a MATLAB level 5 file (saved with -v6 or -v7), "
            f"found one that starts with {start[:16]!r}."
        )


def _array_starts(path: Path, file: BinaryIO, order: str) -> Iterator[Tuple[bytes, int]]:
    """For every top-level array: its first bytes, decompressed, and the largest possible size of its content in
    bytes."""
    size = file.seek(0, 2)
    position = _FILE_HEADER_BYTES
    while position < size:
        file.seek(position)
        tag = file.read(8)
        element_type, length = struct.unpack(order + "II", tag) if len(tag) == 8 else (0, 0)
        position += 8 + length
        if position > size:
            raise SceneFormatError(
                f"{path}: the file is cut short; expected at least {position} bytes, found {size}; "
                "remove it and fetch it again."
            )
        content = file.read(min(length, 4 * _ARRAY_HEADER_BYTES))
        if element_type == _COMPRESSED_ELEMENT:
            content = zlib.decompressobj().decompress(content, _ARRAY_HEADER_BYTES)
            element_type = struct.unpack_from(order + "I", content)[0]
            content = content[8:]
            length *= _MAX_COMPRESSION
        if element_type != _ARRAY_ELEMENT:
            raise _damaged(path)
        yield content, length


def _parse_array_header(content: bytes, order: str, capacity: int) -> Optional[_ArrayHeader]:
    """Flags, shape, name, and the tag of the numbers; None for an array without a name. Raises: struct.error."""
    flags = struct.unpack_from(order + "I", content, 8)[0]
    if flags & 0xFF == _OPAQUE_CLASS:
        return None
    _, start, length, following = _parse_tag(content, 16, order)
    shape = struct.unpack_from(f"{order}{length // 4}i", content, start)
    _, start, length, following = _parse_tag(content, following, order)
    name = struct.unpack_from(f"{length}s", content, start)[0].decode("latin-1")
    data_type, _, data_bytes, _ = _parse_tag(content + b"\0" * 8, following, order)  # a cell array may end here
    return _ArrayHeader(name, flags & 0xFF, bool(flags & _COMPLEX_FLAG), shape, data_type, data_bytes, capacity)


def _parse_tag(content: bytes, position: int, order: str) -> Tuple[int, int, int, int]:
    """Type, start and length of an element's content, and the position of the following element."""
    first, second = struct.unpack_from(order + "II", content, position)
    if first >> 16:  # up to four bytes of content lie in the tag itself
        return first & 0xFFFF, position + 4, first >> 16, position + 8
    return first, position + 8, second, position + 8 + (second + 7) // 8 * 8


def _check_header(path: Path, header: _ArrayHeader, expected_shape: Optional[Tuple[int, ...]]) -> None:
    if header.class_code not in _NUMERIC_CLASSES or header.is_complex:
        found = "complex" if header.is_complex else _OTHER_CLASSES.get(header.class_code, "unknown")
        raise SceneFormatError(f"{path}: expected real numbers under '{header.name}', found class {found}.")
    if expected_shape is not None and header.shape != tuple(expected_shape):
        raise SceneFormatError(
            f"{path}: expected '{header.name}' to have the shape {_by(expected_shape)}, found {_by(header.shape)}."
        )
    claimed = _STORED_BYTES.get(header.data_type, 0)
    for length in header.shape:  # Python integers: the product of forged lengths must not wrap around
        claimed *= length
    if claimed > header.capacity:
        raise SceneFormatError(
            f"{path}: '{header.name}' claims the shape {_by(header.shape)}, more than the file can hold; "
            "remove it and fetch it again."
        )
    if header.data_type not in _STORED_BYTES or claimed != header.data_bytes:
        raise _damaged(path)


def _decode(path: Path, key: str) -> Any:
    try:
        with warnings.catch_warnings():
            # scipy warns of unreadable arrays and duplicate names; its result is checked instead
            warnings.simplefilter("ignore")
            return scipy.io.loadmat(str(path), variable_names=[key])[key]
    except Exception as error:  # damaged bytes make scipy raise any exception, zlib.error and MemoryError included
        raise _damaged(path) from error


def _damaged(path: Path) -> SceneFormatError:
    return SceneFormatError(f"{path}: the MATLAB file is damaged and cannot be decoded; remove it and fetch it again.")


def _by(shape: Tuple[int, ...]) -> str:
    return "×".join(str(length) for length in shape)
