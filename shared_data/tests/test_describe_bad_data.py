"""Damaged files in foreign formats: described, or refused in one line, at a limited cost, nothing left behind."""

import os
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("h5py")
pytest.importorskip("spectral")
pytest.importorskip("rasterio")
pytest.importorskip("hypothesis")

import hypothesis
from hypothesis import strategies as st
from own_files import cube, labels, write_classification, write_envi, write_mat73, write_tiff

from contracts.faults import FAULTS, note
from shared_data.describe.scene import DescribeRequest, describe
from shared_data.errors import SharedDataError

pytestmark = pytest.mark.stack_independent
hypothesis.configuration.set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "hypothesis"))

LIMIT = 50 << 20
EXAMPLES = 10 * (20 if FAULTS else 1)
CUBE, TRUTH = cube(), labels()
# file that is damaged, the cube and the labels that are described
KINDS = {
    "a.hdr": ("a.hdr", "t.tif"),
    "a.img": ("a.hdr", "t.tif"),
    "a.tif": ("a.tif", "t.tif"),
    "a.mat": ("a.mat", "t.tif"),
    "a.npy": ("a.npy", "t.tif"),
    "t.hdr": ("a.npy", "t.hdr"),
    "t.tif": ("a.npy", "t.tif"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with the scene in every format."""
    folder = tmp_path_factory.mktemp("good")
    write_envi(folder / "a.hdr", CUBE, bbl=[1] * 6, **{"map info": "{UTM, 1, 1, 5, 4, 20, 20, 16, North, WGS-84}"})
    write_tiff(folder / "a.tif", CUBE, compress="deflate")
    write_mat73(folder / "a.mat", (8, 8, 6), cube=CUBE)
    np.save(folder / "a.npy", CUBE)
    write_classification(folder / "t.hdr", TRUTH, ["None", "Corn", "Hay", "Oats"], [(0, 0, n) for n in range(4)])
    write_tiff(folder / "t.tif", TRUTH)
    return folder


def changes():
    """Cut, overwritten and repeated bytes: (place, number of bytes, new bytes), places as shares of the file."""
    piece = st.binary(max_size=8) | st.sampled_from([b"\xff" * 4, b"\0" * 4, b"99999999", b"\x7f\xff\xff\xff"])
    return st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), piece), min_size=1, max_size=4)


@pytest.mark.parametrize("damaged", KINDS)
def test_damaged_bytes(good, damaged):
    @hypothesis.settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
    @hypothesis.given(changes(), st.booleans())
    def check(parts, in_header):
        content = (good / damaged).read_bytes()
        for place, length, piece in parts:
            start = int(place * min(len(content), 1000 if in_header else len(content)))
            content = content[:start] + piece + content[start + length :]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for path in good.iterdir():
                (folder / path.name).write_bytes(content if path.name == damaged else path.read_bytes())
            assert_described_or_refused(folder, *(folder / one for one in KINDS[damaged]))

    check()
    note(
        "damaged ENVI, GeoTIFF, MATLAB 7.3 and .npy files", "shared_data", EXAMPLES, "described, or refused in one line"
    )


def assert_described_or_refused(folder, cube_path, truth_path):
    before = sorted(folder.iterdir())
    tracemalloc.start()
    try:
        found = describe(DescribeRequest(cube_path, truth_path, name="my-plot"))
    except SharedDataError as error:
        assert str(error).isprintable() and sorted(folder.iterdir()) == before
    else:
        assert found.labels.numbers.shape == found.shape[:2] and found.description.is_file()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < LIMIT
