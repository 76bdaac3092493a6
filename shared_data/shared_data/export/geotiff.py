"""A class map as GeoTIFF: one band of class numbers with a colour table, and class names.

GeoTIFF itself has no place for class names. They are in the file's metadata (CLASS_1=...), and in the file
class_map.tif.aux.xml beside it, where GDAL, and so QGIS and others, reads and writes such names. ENVI has keys of its
own for a georeference, which GDAL, too, knows how to write.
"""

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple
from xml.etree import ElementTree

import numpy as np

from shared_data.errors import SettingsError
from shared_data.export.classified import Classified
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Georeference

NAME = "class_map.tif"
NOT_CLASSIFIED = "Unclassified"  # as ENVI calls the number 0
_NO_COLOUR = (0, 0, 0)
_LARGEST_SHIFT = 0.01  # pixels


def write_geotiff(folder: Path, classified: Classified) -> None:
    """class_map.tif, uint8, compressed, 0 = no data; class_map.tif.aux.xml.

    Raises: SettingsError without rasterio, or for a georeference that it cannot read; OSError.
    """
    tags = {"CLASS_%d" % number: name for number, name in enumerate(class_names(classified))}
    _write_raster(folder / NAME, classified, "GTiff", tags, compress="deflate")
    _write_names(folder / (NAME + ".aux.xml"), classified)


def class_names(classified: Classified) -> List[str]:
    """Of the numbers 0..K."""
    return [NOT_CLASSIFIED, *classified.class_names]


def class_colours(classified: Classified) -> List[Tuple[int, ...]]:
    """Red, green and blue, 0..255, of the numbers 0..K."""
    return [_NO_COLOUR, *(tuple(bytes.fromhex(colour[1:])) for colour in classified.palette)]


def envi_georeference(classified: Classified) -> Dict[str, str]:
    """The keys of an ENVI header that say where the map lies, as GDAL writes them; none where that is not known.

    Raises: as `write_geotiff`; SettingsError for a transform that ENVI cannot express.
    """
    if classified.georeference is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.img"
        _write_raster(path, classified, "ENVI")
        _check_transform(path, classified.georeference)
        lines = path.with_suffix(".hdr").read_text(encoding="utf-8").splitlines()
    values = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return {key: values[key] for key in ("map info", "projection info", "coordinate system string") if key in values}


def _check_transform(path: Path, georeference: Georeference) -> None:
    """Raises: SettingsError where the pixels of a written map do not lie where they should."""
    import rasterio

    wanted = np.reshape(_as_rasterio(georeference)["transform"], (3, 3))
    with rasterio.open(path) as file:
        width, height, found = file.width, file.height, np.reshape(file.transform, (3, 3))
    corners = np.array([[0, width, 0], [0, 0, height], [1, 1, 1]])  # x, y, 1 of each
    shifts = np.linalg.solve(wanted, found @ corners) - corners
    if np.abs(shifts).max() > _LARGEST_SHIFT:
        raise SettingsError(
            "an ENVI header cannot express the transform %s, whose rows and columns are not perpendicular; leave out "
            "the format envi." % (tuple(georeference.transform),)
        )


def _write_raster(
    path: Path, classified: Classified, driver: str, tags: Optional[Dict[str, str]] = None, **options: Any
) -> None:
    """tags: of the band. options: of GDAL's driver."""
    try:
        import rasterio
        from rasterio.errors import CRSError, NotGeoreferencedWarning
    except ImportError as error:
        raise SettingsError(
            "a map with a georeference, and GeoTIFF, need rasterio (%s); use make export, or install rasterio."
            % one_line(error)
        ) from error
    try:
        where = {} if classified.georeference is None else _as_rasterio(classified.georeference)
    except (CRSError, TypeError, ValueError) as error:
        raise SettingsError(
            "%s: its georeference cannot be used (%s); mend it in the scene's description."
            % (classified.title, one_line(error))
        ) from error
    height, width = classified.prediction.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            os.fspath(path), "w", driver=driver, width=width, height=height, count=1, dtype="uint8", nodata=0, **where,
            **options,
        ) as file:  # fmt: skip
            file.write_colormap(1, dict(enumerate(class_colours(classified))))
            file.update_tags(TIFFTAG_IMAGEDESCRIPTION=classified.title)
            file.update_tags(1, **(tags or {}))
            file.write(classified.prediction, 1)


def _as_rasterio(georeference: Georeference) -> Dict[str, Any]:
    """Raises: CRSError, TypeError, ValueError."""
    from rasterio.crs import CRS
    from rasterio.transform import Affine

    transform = Affine.from_gdal(*georeference.transform)
    if transform.is_degenerate:
        raise ValueError("its transform maps all pixels to one line")
    return {"crs": CRS.from_user_input(georeference.crs), "transform": transform}


def _write_names(path: Path, classified: Classified) -> None:
    """The class names in the form of GDAL's auxiliary files."""
    dataset = ElementTree.Element("PAMDataset")
    names = ElementTree.SubElement(ElementTree.SubElement(dataset, "PAMRasterBand", band="1"), "CategoryNames")
    for name in class_names(classified):
        ElementTree.SubElement(names, "Category").text = name
    # as GDAL writes it
    ElementTree.ElementTree(dataset).write(path, encoding="utf-8", xml_declaration=False)
