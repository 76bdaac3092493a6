"""The arrays of an .npz archive, read without trusting it: no pickles, and no more memory than its bytes can fill.

numpy.load allocates what an array's header claims before it looks for the numbers, and lets through whatever zipfile
and zlib raise for damaged bytes. Here the claims are compared with what is there first.
"""

import io
import zipfile
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from shared_data.quoting import one_line

_MAX_COMPRESSION = 1032  # deflate cannot do better
_SUFFIX = ".npy"
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


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


def _check_members(members: List[zipfile.ZipInfo], archive_bytes: int) -> None:
    names = [member.filename for member in members]
    if len(set(names)) != len(names) or not all(name.endswith(_SUFFIX) for name in names):
        raise ValueError("expected arrays of different names, found %s" % ", ".join(names))
    if sum(member.compress_size for member in members) > archive_bytes:
        raise ValueError("its members claim more bytes than the archive has")
    for member in members:
        deflated = member.compress_type == zipfile.ZIP_DEFLATED
        if not deflated and member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("'%s' is compressed in another way than numpy does" % member.filename)
        if member.file_size > member.compress_size * (_MAX_COMPRESSION if deflated else 1):
            raise ValueError("'%s' claims more bytes than the archive can hold" % member.filename)


def _array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in _HEADER_READERS:
        raise ValueError("version %d.%d of the array format is not known" % version)
    shape, _, dtype = _HEADER_READERS[version](file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which are never loaded")
    claimed = max(dtype.itemsize, 1)  # of elements without any bytes an empty file could claim any number
    for length in shape:  # Python integers: the product of forged lengths must not wrap around
        claimed *= length
    if min(shape, default=0) < 0 or claimed != len(content) - file.tell():
        raise ValueError("an array claims %d bytes and has %d" % (claimed, len(content) - file.tell()))
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)
