"""Results for other programs: the class map as GeoTIFF and as ENVI classification, the accuracies as CSV.

The maps need rasterio and spectral, which only the shared environment of Python 3.10 to 3.13 has.
"""

import os
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from shared_data.errors import RecordError, SettingsError
from shared_data.export.accuracies import write_accuracies
from shared_data.export.classified import Classified, read_classified
from shared_data.export.envi import write_envi
from shared_data.export.geotiff import write_geotiff
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Georeference

GEOTIFF, ENVI, CSV = "geotiff", "envi", "csv"
FORMATS: Dict[str, Callable[[Path, Classified], None]] = {
    GEOTIFF: write_geotiff,
    ENVI: write_envi,
    CSV: write_accuracies,
}
_FOLDER = "export"  # in a run's folder


class Exported(NamedTuple):
    """The files that were written, and sentences about what they lack."""

    paths: List[Path]
    remarks: List[str]


def export(
    source: Path,
    formats: Sequence[str] = (),
    out: Optional[Path] = None,
    georeference: Optional[Georeference] = None,
) -> Exported:
    """Write a run's or a prediction's results for other programs.

    source: folder of a finished run, or of a prediction by `predict`; or the file of a kept record.
    formats: of `FORMATS`; by default all of which the source has something.
    out: by default `export` in the source's folder, or beside the record.
    georeference: of the scene, in place of the one that the source names.

    Files of an earlier export are replaced; each file is complete or absent.
    Raises: RecordError where the source cannot be read or used, or `out` cannot be written; SettingsError for a format
    that the source has nothing of, or whose library is missing, and for an unusable georeference.
    """
    classified = read_classified(source)
    if georeference is not None:
        classified = classified._replace(georeference=georeference)
    if classified.record is None and CSV in formats:
        raise SettingsError(
            "%s is a prediction, which has no accuracies; leave out the format %s, or name the folder of a run."
            % (source, CSV)
        )
    chosen = list(formats) or [name for name in FORMATS if name != CSV or classified.record is not None]
    remarks = []
    if classified.record is None:
        remarks.append("It is a prediction, which has no accuracies, so there is no CSV.")
    if classified.georeference is None and set(chosen) & {GEOTIFF, ENVI}:
        remarks.append("The scene has no georeference, so the maps have none.")
    folder = out if out is not None else (source if source.is_dir() else source.parent) / _FOLDER
    try:
        return Exported(_written(folder, classified, chosen), remarks)
    except OSError as error:
        raise RecordError(
            "%s cannot be written: %s; choose another folder with --out." % (folder, error.strerror or one_line(error))
        ) from error


def _written(folder: Path, classified: Classified, formats: Sequence[str]) -> List[Path]:
    """All files, made in a temporary folder and moved from there. Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: List[Path] = []
    with tempfile.TemporaryDirectory(prefix=".", dir=folder) as temporary:
        for name in dict.fromkeys(formats):
            FORMATS[name](Path(temporary), classified)
        for made in sorted(Path(temporary).iterdir()):
            os.replace(made, folder / made.name)
            paths.append(folder / made.name)
    return paths
