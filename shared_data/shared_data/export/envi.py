"""A class map as an ENVI classification, by the library spectral."""

from pathlib import Path

from shared_data.errors import SettingsError
from shared_data.export.classified import Classified
from shared_data.export.geotiff import class_colours, class_names, envi_georeference
from shared_data.quoting import one_line

NAME = "class_map.hdr"
# they delimit the lists of an ENVI header
_REPLACED = str.maketrans({",": ";", "{": "(", "}": ")", "\n": " ", "\r": " "})


def write_envi(folder: Path, classified: Classified) -> None:
    """class_map.hdr with class names and colours, class_map.img with uint8 numbers.

    Raises: SettingsError without spectral; of a scene with a georeference, as `write_geotiff`; OSError.
    """
    try:
        from spectral.io import envi
    except ImportError as error:
        raise SettingsError(
            "ENVI files need spectral (%s); use make export, or install spectral." % one_line(error)
        ) from error
    metadata = {"description": classified.title.translate(_REPLACED), "data ignore value": "0"}
    envi.save_classification(
        str(folder / NAME),
        classified.prediction,
        dtype="uint8",
        interleave="bsq",
        byteorder=0,
        class_names=[name.translate(_REPLACED) for name in class_names(classified)],
        class_colors=class_colours(classified),
        metadata=dict(metadata, **envi_georeference(classified)),
    )
