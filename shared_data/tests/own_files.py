"""A small scene and its files in foreign formats, for the tests of `describe`. Needs h5py, spectral and rasterio."""

import warnings

import h5py
import numpy as np
import rasterio
from spectral.io import envi

from shared_data.describe.scene import DescribeRequest, describe
from shared_data.scenes import catalogue, own
from shared_data.scenes.loading import load_scene

HEIGHT, WIDTH, BANDS = 21, 17, 6
CRS = "EPSG:32616"
TRANSFORM = (500000.0, 20.0, 0.0, 4480000.0, 0.0, -20.0)  # GDAL order


def labels(classes=3, height=HEIGHT, width=WIDTH):
    """Fields of classes 1..K side by side, with unlabelled pixels, 0, between them; not symmetric."""
    result = np.zeros((height, width), np.uint8)
    edges = np.linspace(0, height, classes + 1).astype(int)
    for number, (top, bottom) in enumerate(zip(edges, edges[1:]), start=1):
        result[top : max(top + 1, bottom - 1), : width - 2 - 3 * (number % 2)] = number
    return result


def cube(dtype="uint16", truth=None, bands=BANDS):
    """Spectra around one for each label, between 100 and 3000; every value of a pixel and band is different enough."""
    truth = labels() if truth is None else truth
    random = np.random.RandomState(0)
    spectra = random.randint(500, 2500, (256, bands))
    return (spectra[truth] + random.randint(-60, 60, (*truth.shape, bands))).astype(dtype)


def write_envi(path, array, interleave="bil", **metadata):
    envi.save_image(
        str(path), array, dtype=array.dtype, interleave=interleave, force=True, metadata=metadata, ext="img"
    )
    return path


def write_classification(path, truth, names, colours, **metadata):
    envi.save_classification(
        str(path), truth, dtype=truth.dtype, class_names=names, class_colors=colours, force=True, metadata=metadata
    )
    return path


def write_tiff(path, array, placed=True, colormap=None, tags=None, driver="GTiff", **options):
    array = array[:, :, None] if array.ndim == 2 else array
    where = {"crs": CRS, "transform": rasterio.Affine.from_gdal(*TRANSFORM)} if placed else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path, "w", driver=driver, height=array.shape[0], width=array.shape[1], count=array.shape[2],
            dtype=array.dtype, **where, **options,
        ) as file:  # fmt: skip
            file.write(array.transpose(2, 0, 1))
            if colormap:
                file.write_colormap(1, colormap)
            if tags:
                file.update_tags(1, **tags)
    return path


def write_mat73(path, chunks=None, **arrays):
    """As MATLAB writes it: 512 bytes of text before HDF5, and the axes of arrays in reverse order."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            pieces = None if chunks is None else tuple(reversed(chunks))
            stored = file.create_dataset(name, data=array.T, chunks=pieces, compression=chunks and "gzip")
            stored.attrs["MATLAB_class"] = np.bytes_("double")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def described(path, truth=None, name="my-plot", **options):
    """Describe the files; what was found."""
    return describe(DescribeRequest(cube=path, labels=truth, name=name, **options))


def loaded(found, labelled=True):
    """The scene as a run loads it from its description."""
    own.register(found.description)
    try:
        return load_scene(found.name, labelled=labelled)
    finally:
        catalogue._ADDED.pop(found.name)
