"""Pictures in a record: lossless, the same every time, and nothing but the picture that belongs there is taken."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from record_bits import right_of

from shared_data.errors import RecordError
from shared_data.evaluation.metrics import evaluate
from shared_data.records.map_codec import decode_map, encode_map, maps_of, prediction_of
from shared_data.records.record import validate_record
from shared_data.scenes.catalogue import get_scene
from shared_data.splits.draws import Split, describe


@pytest.fixture
def picture():
    return np.random.RandomState(0).randint(0, 17, (31, 20)).astype(np.uint8)


def png(array, mode, **options):
    file = io.BytesIO()
    Image.fromarray(array).convert(mode).save(file, format="PNG", **options)
    return base64.b64encode(file.getvalue()).decode("ascii")


# one picture


@pytest.mark.parametrize("shape", [(31, 20), (1, 1), (1, 9), (145, 145)])
@pytest.mark.parametrize("values", [1, 17, 256])
def test_a_picture_comes_back_as_it_was(shape, values):
    array = np.random.RandomState(1).randint(0, values, shape).astype(np.uint8)
    for given in (array, np.asfortranarray(array)):
        text = encode_map(given)
        decoded = decode_map(text, shape)
        assert decoded.dtype == np.uint8 and text == encode_map(array)
        np.testing.assert_array_equal(decoded, array)


def test_any_reader_of_pictures_can_read_it(picture):
    opened = Image.open(io.BytesIO(base64.b64decode(encode_map(picture))))
    assert (opened.format, opened.mode, opened.size) == ("PNG", "L", (20, 31))
    np.testing.assert_array_equal(np.array(opened), picture)


@pytest.mark.parametrize("array", [np.zeros((3, 4), np.int64), np.zeros((3, 4, 1), np.uint8)])
def test_what_is_no_map_is_not_encoded(array):
    with pytest.raises(ValueError, match="a map is"):
        encode_map(array)


@pytest.mark.parametrize(
    "text, complaint",
    [
        (None, "found NoneType"),
        (b"iVBORw0KGgo=", "found bytes"),
        ("", "it has 0 bytes"),
        ("iVBOR", "not base64 text"),
        ("iVBO Rw0K", "not base64 text"),
        ("ü" * 8, "not base64 text"),
        ("A" * 400, "not a PNG picture in 8-bit grey"),
        ("A" * 10**6, "at most 5398 characters, found 1000000"),
    ],
)
def test_what_is_no_picture_is_refused(text, complaint):
    with pytest.raises(RecordError, match=complaint):
        decode_map(text, (31, 20))


@pytest.mark.parametrize("mode", ["RGB", "LA", "P", "1"])
def test_pictures_of_other_modes_are_refused(picture, mode):
    with pytest.raises(RecordError, match="not a PNG picture in 8-bit grey"):
        decode_map(png(picture, mode), (31, 20))


@pytest.mark.parametrize("shape", [(20, 31), (31, 21), (30, 20), (310, 200)])
def test_a_picture_of_another_size_is_refused_with_both_sizes(picture, shape):
    with pytest.raises(RecordError, match="a map has 31×20 pixels, expected the scene's %d×%d" % shape):
        decode_map(encode_map(picture), shape)


def test_a_picture_of_another_format_is_refused(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="GIF")
    with pytest.raises(RecordError, match="not a PNG picture"):
        decode_map(base64.b64encode(file.getvalue()).decode("ascii"), (31, 20))


def test_a_header_that_promises_a_vast_picture_is_refused_unread(picture):
    content = bytearray(base64.b64decode(encode_map(picture)))
    content[16:24] = struct.pack(">II", 200000, 200000)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])) & 0xFFFFFFFF)
    with pytest.raises(RecordError, match="200000×200000"):
        decode_map(base64.b64encode(bytes(content)).decode("ascii"), (31, 20))


def test_no_damage_goes_unnoticed(picture):
    content = base64.b64decode(encode_map(picture))
    for place in range(len(content) - 12):  # the last chunk, of 12 bytes, only says that the file ends
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        with pytest.raises(RecordError):
            decode_map(base64.b64encode(bytes(damaged)).decode("ascii"), (31, 20))
    for length in range(0, len(content) - 12, 7):
        with pytest.raises(RecordError):
            decode_map(base64.b64encode(content[:length]).decode("ascii"), (31, 20))


def test_a_comment_in_the_picture_changes_nothing(picture):
    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", "hello")
    np.testing.assert_array_equal(decode_map(png(picture, "L", pnginfo=comment), (31, 20)), picture)


# the maps of a record


@pytest.fixture
def run(record):
    """A record on the synthetic scene with maps, and what went into them."""
    scene, random = get_scene("synthetic"), np.random.RandomState(2)
    truth = random.randint(0, scene.num_classes + 1, (scene.height, scene.width)).astype(np.uint8)
    prediction = random.randint(1, scene.num_classes + 1, truth.shape).astype(np.uint8)
    order = random.permutation(np.flatnonzero(truth))
    split = Split(order[:50], order[50:80], order[80:403])
    tested = (array.ravel()[split.test] for array in (truth, prediction))
    metrics = evaluate(*tested, scene.num_classes)._asdict()
    stored = dict(
        record,
        scene="synthetic",
        split=describe(split, truth, scene.num_classes),
        metrics=metrics,
        maps=maps_of(prediction, split, truth),
    )
    return stored, scene, truth, prediction, split


def test_a_record_gives_prediction_and_errors_back(run):
    stored, scene, truth, prediction, split = run
    validate_record(stored)
    np.testing.assert_array_equal(prediction_of(stored, scene), prediction)
    tested = np.sort(split.test)
    np.testing.assert_array_equal(right_of(stored), prediction.ravel()[tested] == truth.ravel()[tested])


def test_no_ground_truth_can_be_put_together_from_a_record(run):
    """The bits stand in the order of the test pixels and say nothing of their places."""
    stored, _, truth, prediction, split = run
    assert set(stored["maps"]) == {"prediction", "right"}
    elsewhere = Split(split.train, split.val, np.sort(split.test) - np.sort(split.test)[0])
    shifted = np.roll(truth.ravel(), -np.sort(split.test)[0]).reshape(truth.shape)
    moved = np.roll(prediction.ravel(), -np.sort(split.test)[0]).reshape(truth.shape)
    assert maps_of(moved, elsewhere, shifted)["right"] == stored["maps"]["right"]


def test_a_record_without_maps_is_named(record):
    with pytest.raises(RecordError, match="ssdgl pavia-v2021, protocol released, seed 1: its record holds no maps"):
        prediction_of(record, get_scene("pavia"))


def test_maps_that_are_not_those_of_the_record_are_named(run):
    stored, scene, truth, prediction, _ = run
    maps = dict(stored["maps"], prediction=encode_map(prediction[1:]))
    with pytest.raises(RecordError, match=r"seed 1, map 'prediction': a map has \d+×\d+ pixels"):
        prediction_of(dict(stored, maps=maps), scene)
    maps = dict(stored["maps"], prediction=encode_map(np.full_like(truth, scene.num_classes + 1)))
    with pytest.raises(RecordError, match="expected at most %d" % scene.num_classes):
        prediction_of(dict(stored, maps=maps), scene)


@pytest.mark.parametrize(
    "change",
    [{"prediction": 3}, {"depth": "iVBO"}, {"right": None}, {"prediction": "A" * 8000001}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_other_maps(run, change):
    with pytest.raises(RecordError, match="not a valid run record: at maps"):
        validate_record(dict(run[0], maps=dict(run[0]["maps"], **change)))
