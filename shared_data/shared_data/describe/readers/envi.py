"""ENVI files: a header (.hdr) as text, and the numbers beside it, memory-mapped."""

import contextlib
import logging
import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shared_data.describe.arrays import AS_STORED, Header, Source, StoredArray, by, of_array
from shared_data.describe.packages import needed, reading
from shared_data.describe.place import envi_georeference
from shared_data.errors import SceneFormatError
from shared_data.quoting import one_line

KIND = "an ENVI file"
_MOST_HEADER_BYTES = 1 << 24  # of text; wavelengths and names of thousands of bands take some hundred kilobytes
_SCALES, _OFFSETS = ("reflectance scale factor", "data gain values"), ("data offset values",)
_TRIED = ("", ".img", ".dat", ".raw", ".bin", ".bsq", ".bil", ".bip", ".IMG", ".DAT", ".RAW")


def header_of(path: Path) -> Path | None:
    """The header of an ENVI file, whichever of its two files is named; None where there is none."""
    if path.suffix.lower() == ".hdr":
        return path
    tried = (path.with_name(path.name + ".hdr"), path.with_suffix(".hdr"), path.with_name(path.name + ".HDR"))
    return next((one for one in tried if one.is_file()), None)


def open_envi(path: Path, header_path: Path) -> Source:
    """The image of an ENVI header. path: the file that was named, one of the two.

    Raises: SceneFormatError where a file is missing or damaged, its numbers are compressed or complex, or spectral is
    not installed.
    """
    envi = needed("spectral.io.envi", path, KIND)
    logging.getLogger("spectral").setLevel(logging.ERROR)  # it warns of headers with upper-case keys, in two ways
    with reading(header_path, KIND), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if header_path.stat().st_size > _MOST_HEADER_BYTES:
            raise ValueError("its header has more than 16 MB")
        with _in_utf8(header_path) as readable:
            entries: dict[str, Any] = envi.read_envi_header(str(readable))
    data = _data_of(header_path) if path == header_path else path
    if str(entries.get("file compression", "0")).strip() not in ("", "0"):
        raise SceneFormatError(f"{header_path}: its numbers are compressed; save the image uncompressed.")
    with reading(header_path, KIND):
        with _in_utf8(header_path) as readable:
            image = envi.open(str(readable), str(data.resolve()))
        dtype, shape = np.dtype(image.dtype), tuple(int(side) for side in image.shape)
        if dtype.kind not in "iuf":
            raise SceneFormatError(f"{data}: expected real numbers, found {dtype}; save their amplitude, for example.")
        _check_size(data, shape, dtype, int(image.offset))
        mapped = image.open_memmap(interleave="bip", writable=False)
    if shape[2] == 1:  # a classification, or one band
        shape, mapped = shape[:2], mapped[:, :, 0]

    def open_array(_name: str) -> tuple[StoredArray, Header]:
        return of_array(mapped, False), _header(header_path, entries)

    interleave = str(entries.get("interleave", "bsq")).lower()
    return Source(path, data, f"ENVI file ({interleave})", False, {path.stem: shape}, open_array)


@contextlib.contextmanager
def _in_utf8(header_path: Path) -> Iterator[Path]:
    """The header, or a temporary copy in UTF-8: spectral reads no other, and programs on Windows write Latin-1."""
    found = header_path.read_bytes()
    try:
        text = found.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = found.decode("latin-1")
    if text.encode() == found:
        yield header_path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / header_path.name
        copy.write_bytes(text.encode())
        yield copy


def _data_of(header_path: Path) -> Path:
    """The file with the numbers beside a header: image.hdr belongs to image, image.img ...; image.img.hdr to image.img.

    Raises: SceneFormatError where there is none.
    """
    stem = header_path.with_suffix("")
    found = next((one for one in (Path(str(stem) + ending) for ending in _TRIED) if one.is_file()), None)
    if found is None:
        raise SceneFormatError(
            f"{header_path}: there is no file with the numbers beside this header; expected {stem.name}, "
            f"{stem.name}.img or {stem.name}.dat: place it there or name it instead."
        )
    return found


def _check_size(data: Path, shape: tuple[int, ...], dtype: np.dtype, offset: int) -> None:
    expected, found = offset + math.prod(shape) * dtype.itemsize, data.stat().st_size
    if min(shape) < 1 or found < expected:
        raise SceneFormatError(
            f"{data}: its header says {by(shape)} of {dtype.name}, {expected} bytes, and the file has {found}; "
            "get the complete file, or its own header."
        )


def _header(path: Path, entries: Mapping[str, Any]) -> Header:
    georeference, note = envi_georeference(entries)
    good = [float(entry) != 0 for entry in _numbers(entries, "bbl")]
    return Header(
        fill_values=tuple(_numbers(entries, "data ignore value")),
        bad_bands=tuple(number for number, is_good in enumerate(good, 1) if not is_good),
        wavelengths=_wavelengths(entries),
        class_names={label: one_line(name.strip(), 100) for label, name in enumerate(_list(entries, "class names"))},
        class_colours=_colours([int(number) for number in _numbers(entries, "class lookup")]),
        georeference=georeference,
        bands_last=True,
        notes=(*([note] if note else []), *([AS_STORED] if _is_scaled(entries) else [])),
    )


def _is_scaled(entries: Mapping[str, Any]) -> bool:
    """Whether the header gives a factor other than 1, or an addend other than 0, for the numbers."""
    factors, addends = ([number for key in keys for number in _numbers(entries, key)] for keys in (_SCALES, _OFFSETS))
    return any(number != 1 for number in factors) or any(number != 0 for number in addends)


def _list(entries: Mapping[str, Any], key: str) -> list[str]:
    value = entries.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def _numbers(entries: Mapping[str, Any], key: str) -> list[float]:
    """The numbers under a key; none where something else stands there."""
    try:
        return [float(text) for text in _list(entries, key)]
    except ValueError:
        return []


def _wavelengths(entries: Mapping[str, Any]) -> str:
    values = _numbers(entries, "wavelength")
    unit = {"nanometers": "nm", "micrometers": "µm"}.get(str(entries.get("wavelength units", "")).lower(), "")
    return f"{min(values):g} to {max(values):g} {unit}".strip() if values else ""


def _colours(lookup: list[int]) -> dict[int, str]:
    """By label; three numbers 0..255 for each."""
    triples = [lookup[start : start + 3] for start in range(0, len(lookup) - 2, 3)]
    return {
        label: "#{:02x}{:02x}{:02x}".format(*triple)
        for label, triple in enumerate(triples)
        if all(0 <= part <= 255 for part in triple)
    }
