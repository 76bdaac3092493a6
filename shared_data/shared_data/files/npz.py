"""Read untrusted .npz and .npy files: no pickles, and no more memory than the file's bytes can decompress to.

numpy.load allocates the size that an array's header claims before it reads the numbers, and passes on any exception of
zipfile and zlib for damaged bytes. Here the claimed size is first compared with the file's.
"""

import io
import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

import numpy as np

from shared_data.quoting import one_line

_MAX_COMPRESSION = 1032  # the largest compression ratio of deflate
_LARGEST = 1 << 30  # bytes of all arrays together, far above every checkpoint
_SUFFIX = ".npy"
# per version of the array format: the bytes that hold the header's length, and numpy's reader of it
_HEADERS = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
}
_LONGEST_HEADER = 4096  # bytes; numpy writes 118 for an array of numbers, and reads a header by Python's parser


def read_npz(path: Any) -> Dict[str, np.ndarray]:
    """All arrays by name, as numpy.savez and savez_compressed write them.

    Raises: ValueError with the reason, one line, for an absent, damaged or foreign archive and for pickled objects.
    """
    try:
        with zipfile.ZipFile(str(path)) as archive:
            members = archive.infolist()
            _check_members(members, Path(path).stat().st_size)
            return {member.filename[: -len(_SUFFIX)]: _array(archive.read(member)) for member in members}
    except Exception as error:  # damaged bytes make zipfile and numpy raise nearly anything, MemoryError included
        raise ValueError(one_line(error, 160) or type(error).__name__) from error


def read_npy(path: Any, shape: Optional[Tuple[int, ...]] = None) -> np.ndarray:
    """The numbers of one array file, as numpy.save writes it.

    The header must claim as many bytes as the file has, and this shape, where one is given, before any of them is read.
    Raises: ValueError with the reason, one line, for an absent or damaged file and for anything but such numbers.
    """
    try:
        with open(str(path), "rb") as file:
            found, dtype = _checked_header(file, os.fstat(file.fileno()).st_size)
            expected = found if shape is None else tuple(shape)
            if found != expected or dtype.kind not in "biuf":
                raise ValueError("expected numbers of shape %s, found %s %s" % (expected, dtype, found))
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:
        raise ValueError(one_line(error, 160) or type(error).__name__) from error


def read_zip_member(path: Any, name: str, most_bytes: int) -> bytes:
    """The bytes of one file in a zip, read into memory; nothing is extracted to disk.

    Raises: ValueError with the reason, one line, for an absent or damaged zip, a file that is not in it, and one that
    has more than `most_bytes`, of which no more are inflated.
    """
    try:
        with zipfile.ZipFile(str(path)) as archive, archive.open(name) as file:
            content = file.read(most_bytes + 1)
    except KeyError:
        raise ValueError("it has no %s" % one_line(name)) from None
    except Exception as error:  # damaged bytes make zipfile and zlib raise nearly anything
        raise ValueError("the zip cannot be read (%s)" % one_line(error, 80)) from error
    if len(content) > most_bytes:
        raise ValueError("%s has more than the %d bytes that are allowed" % (one_line(name), most_bytes))
    return content


def _check_members(members: List[zipfile.ZipInfo], archive_bytes: int) -> None:
    names = [member.filename for member in members]
    if len(set(names)) != len(names) or not all(name.endswith(_SUFFIX) for name in names):
        raise ValueError("expected arrays of different names, found %s" % ", ".join(names))
    if sum(member.compress_size for member in members) > archive_bytes:
        raise ValueError("its members claim more bytes than the archive has")
    if sum(member.file_size for member in members) > _LARGEST:
        raise ValueError("its arrays claim more than %d bytes, which no file of a run has" % _LARGEST)
    for member in members:
        deflated = member.compress_type == zipfile.ZIP_DEFLATED
        if not deflated and member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("'%s' is compressed in another way than numpy does" % member.filename)
        if member.file_size > member.compress_size * (_MAX_COMPRESSION if deflated else 1):
            raise ValueError("'%s' claims more bytes than the archive can hold" % member.filename)


def _array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    _checked_header(file, len(content))
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def read_header(file: BinaryIO) -> Tuple[Tuple[int, ...], bool, np.dtype]:
    """Shape, whether the order is column-major, and dtype of the array in a .npy file that is at its start.

    Raises: ValueError where the header is of no known version or too long, and whatever damaged bytes make numpy raise.
    """
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError("version %d.%d of the array format is not known" % version)
    length_bytes, read = _HEADERS[version]
    start = file.tell()
    length = int.from_bytes(file.read(length_bytes), "little")
    if length > _LONGEST_HEADER:
        raise ValueError("the header of an array claims %d bytes" % length)
    file.seek(start)
    return read(file)


def _checked_header(file: BinaryIO, size: int) -> Tuple[Tuple[int, ...], np.dtype]:
    """Shape and dtype of the array in a file of `size` bytes. Raises: ValueError where it cannot be that array."""
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which are never loaded")
    claimed = max(dtype.itemsize, 1)  # an empty file could claim any number of elements of zero bytes
    for side in shape:  # Python integers: the product of forged lengths must not wrap around
        claimed *= side
    if min(shape, default=0) < 0 or claimed != size - file.tell():
        raise ValueError("an array claims %d bytes and has %d" % (claimed, size - file.tell()))
    return shape, dtype
