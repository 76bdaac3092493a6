"""MATLAB level 5 files (saved with -v6 or -v7); those of version 7.3 are HDF5."""

from pathlib import Path

from shared_data.describe.arrays import Header, Source, StoredArray, of_array
from shared_data.scenes.mat import list_mat, read_mat


def open_mat(path: Path) -> Source:
    """Every array of real numbers in the file. Raises: SceneFormatError."""
    shapes = list_mat(path)

    def open_array(name: str) -> tuple[StoredArray, Header]:
        return of_array(read_mat(path, name, shapes[name]), path.suffix == ".mat"), Header()

    return Source(path, path, "MATLAB file", True, shapes, open_array)
