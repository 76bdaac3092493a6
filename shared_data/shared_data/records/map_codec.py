"""The maps in a record: the prediction as a lossless grey PNG, and one bit per test pixel, both in base64.

The bits say which test pixels a method got right, in ascending order of their indices, which the record does not hold:
two records of one split can be compared pixel by pixel, but the ground truth cannot be reconstructed from kept records.
For the same reason a map of predictions has a class everywhere, also where nothing is tested.
"""

import base64
import binascii
import io
import struct
from typing import Any, Dict, Tuple

import numpy as np
from PIL import Image

from shared_data.errors import RecordError
from shared_data.scenes.catalogue import Scene
from shared_data.splits.draws import Split

# a PNG's signature and its first chunk up to its checksum: length, IHDR, width, height, 8 bit, grey, not interlaced
_HEADER = struct.Struct(">8sI4sII5s")
_GREY = bytes([8, 0, 0, 0, 0])


def encode_map(array: np.ndarray) -> str:
    """(H, W) uint8 to the base64 text of a grey 8-bit PNG.

    The same array gives the same text as long as Pillow and its compression library stay the same.
    """
    if array.dtype != np.uint8 or array.ndim != 2:
        raise ValueError("a map is (H, W) uint8, not %s %s" % (array.shape, array.dtype))
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def decode_map(text: str, shape: Tuple[int, int]) -> np.ndarray:
    """The inverse of `encode_map`: (H, W) uint8.

    Raises: RecordError for anything but an intact grey 8-bit PNG of this shape. The length of the text and the size in
    the header are checked before anything is decompressed.
    """
    return _pixels(_checked_bytes(text, shape), shape)


def _checked_bytes(text: Any, shape: Tuple[int, int]) -> bytes:
    height, width = shape
    # noise does not compress: the pixels, a filter byte per row, and PNG's headers and checksums
    longest = 4096 + 2 * height * (width + 1)
    if not isinstance(text, str) or len(text) > longest:
        found = "%d characters" % len(text) if isinstance(text, str) else type(text).__name__
        raise RecordError("a map of %d×%d pixels is a text of at most %d characters, found %s."
                          % (height, width, longest, found))  # fmt: skip
    try:
        content = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise RecordError("a map is not base64 text (%s)." % error) from error
    if len(content) < _HEADER.size:
        raise RecordError("a map is not a PNG picture: it has %d bytes." % len(content))
    signature, _, kind, found_width, found_height, form = _HEADER.unpack(content[: _HEADER.size])
    if signature != b"\x89PNG\r\n\x1a\n" or kind != b"IHDR" or form != _GREY:
        raise RecordError("a map is not a PNG picture in 8-bit grey.")
    if (found_height, found_width) != (height, width):
        raise RecordError(
            "a map has %d×%d pixels, expected the scene's %d×%d." % (found_height, found_width, height, width)
        )
    return content


def _pixels(content: bytes, shape: Tuple[int, int]) -> np.ndarray:
    try:
        Image.open(io.BytesIO(content), formats=["PNG"]).verify()  # checks the checksums, and spoils the object
        picture = Image.open(io.BytesIO(content), formats=["PNG"])
        picture.load()
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, zlib.error and others for bad files
        raise RecordError("a map is a damaged PNG picture (%s)." % error) from error
    if picture.mode != "L" or picture.size != shape[::-1]:
        raise RecordError("a map is %s of %s, expected 8-bit grey of %s." % (picture.mode, picture.size, shape[::-1]))
    return np.array(picture)


def maps_of(prediction: np.ndarray, split: Split, truth: np.ndarray) -> Dict[str, str]:
    """The record's `maps`: `prediction`, a picture of classes, and `right`, a bit per test pixel.

    prediction, truth: (H, W) classes 1..K, 0 unlabelled.
    """
    tested = np.sort(split.test)
    right = np.packbits(prediction.ravel()[tested] == truth.ravel()[tested])
    return {
        "prediction": encode_map(prediction.astype(np.uint8)),
        "right": base64.b64encode(right.tobytes()).decode("ascii"),
    }


def has_maps(record: Dict[str, Any]) -> bool:
    """Whether a record holds maps; those of older versions do not."""
    return "maps" in record


def prediction_of(record: Dict[str, Any], scene: Scene) -> np.ndarray:
    """(H, W) uint8 predicted classes of the whole scene.

    Raises: RecordError where there is no such picture, or one that does not fit the scene.
    """
    prediction = _picture(record, "prediction", (scene.height, scene.width))
    if prediction.max() > scene.num_classes:
        raise RecordError(
            "%s: the predicted classes reach %d, expected at most %d."
            % (name_of(record), prediction.max(), scene.num_classes)
        )
    return prediction


def name_of(record: Dict[str, Any]) -> str:
    """The run of a record, for a sentence."""
    return "%s %s, protocol %s, seed %d" % (
        record["paper"], record["experiment"], record["protocol"], record["seed"]
    )  # fmt: skip


def _check_maps(record: Dict[str, Any]) -> None:
    if not has_maps(record):
        raise RecordError("%s: its record holds no maps; run it again to have them." % name_of(record))


def _picture(record: Dict[str, Any], name: str, shape: Tuple[int, int]) -> np.ndarray:
    _check_maps(record)
    try:
        return decode_map(record["maps"][name], shape)
    except RecordError as error:
        raise RecordError("%s, map '%s': %s" % (name_of(record), name, error)) from error
