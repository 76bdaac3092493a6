"""A corpus of bad data: whatever a file holds, it is read rightly or refused in one line that names it, cheaply.

Three properties, over generated .mat files, label maps, configurations, run records and .npz files: no exception but
the documented one; what comes back is what a literal reading of the same bytes gives, or keeps the documented
promises; and a file of some kilobytes never costs more than `LIMIT` bytes of memory. The examples are the same in every
run; HSI_FAULTS=1 in the environment takes twenty times as many.
"""

import contextlib
import copy
import datetime
import importlib
import io
import json
import math
import os
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from test_matfile import CUBE, array_element, level5

from contracts.faults import FAULTS, note
from shared_data.configuration.overrides import load_config
from shared_data.configuration.schema import check_config
from shared_data.errors import CheckpointError, RecordError, SceneFormatError, SharedDataError, SplitError
from shared_data.files.toml import load_toml
from shared_data.records.record import collect, read_record, validate_record, write_record
from shared_data.runs import npz_checkpoint
from shared_data.scenes.loading import load_scene
from shared_data.scenes.mat import read_mat
from shared_data.splits.draws import Split, load_split, save_split, training_counts

hypothesis = pytest.importorskip("hypothesis")
given, st = hypothesis.given, hypothesis.strategies
hypothesis.configuration.set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "hypothesis"))

LIMIT = 50 << 20
TIMES = 20 if FAULTS else 1
EXAMPLES = []  # at most, of every property


@pytest.fixture(scope="module", autouse=True)
def noted(request):
    yield
    if not request.session.testsfailed:
        outcome = "read rightly, or refused in one line and at most %d MiB" % (LIMIT >> 20)
        note("malformed .mat, labels, configurations, records, .npz", "shared_data", sum(EXAMPLES), outcome)


def corpus(examples):
    EXAMPLES.append(examples * TIMES)
    return hypothesis.settings(
        max_examples=examples * TIMES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bad")


def refused(error, named, function, *arguments):
    """(False, result) of a function, or (True, None) where it raises `error` in one line that holds `named`."""
    try:
        return False, function(*arguments)
    except error as complaint:
        message = str(complaint)
        assert str(named) in message
        assert message.isprintable() and len(message) < 2000
        return True, None


@contextlib.contextmanager
def bounded_memory():
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LIMIT


WORDS = st.sampled_from([0, 1, 5, 9, 14, 15, 17, 77, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1]) | st.integers(
    0, 2**32 - 1
)


@st.composite
def damaged(draw, content):
    """Content with one to three places changed, most often near its start."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        end = len(content)
        start = draw(st.integers(0, min(end, 320)) | st.integers(0, end))
        way = draw(st.sampled_from(["flip", "word", "cut", "remove", "insert", "double"]))
        if way == "flip" and start < end:
            content[start] ^= 1 << draw(st.integers(0, 7))
        elif way == "word":
            content[start : start + 4] = struct.pack("<I", draw(WORDS))
        elif way == "cut":
            del content[start:]
        elif way == "remove":
            del content[start : start + draw(st.integers(1, 16))]
        elif way == "insert":
            content[start:start] = draw(st.binary(min_size=1, max_size=16))
        elif way == "double":
            content[start:start] = content[start : start + draw(st.integers(1, 200))]
    return bytes(content)


# MATLAB files

STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}


def literal_array(content, wanted):
    """The first array of that name, element by element as the format is described."""
    order = "<" if content[126:128] == b"IM" else ">"

    def element(data, at):
        kind, length = struct.unpack_from(order + "II", data, at)
        if kind >> 16:
            return kind & 0xFFFF, data[at + 4 : at + 4 + (kind >> 16)], at + 8
        return kind, data[at + 8 : at + 8 + length], at + 8 + -(-length // 8) * 8

    position = 128
    while position < len(content):
        kind, length = struct.unpack_from(order + "II", content, position)
        matrix = content[position + 8 : position + 8 + length]
        position += 8 + length
        if kind == 15:
            matrix = zlib.decompress(matrix)[8:]
        if matrix[8 if order == "<" else 11] == 17:  # without shape and name
            continue
        _, lengths, at = element(matrix, 16)
        _, name, at = element(matrix, at)
        if name.decode("latin-1") == wanted:
            kind, numbers, _ = element(matrix, at)
            shape = struct.unpack(order + "%di" % (len(lengths) // 4), lengths)
            return np.frombuffer(numbers, order + STORED[kind]).reshape(shape, order="F")
    raise KeyError(wanted)


def check_mat(path, content, key, shape=None):
    path.write_bytes(content)
    was_refused, array = refused(SceneFormatError, path, read_mat, path, key, shape)
    if not was_refused:
        expected = literal_array(content, key)
        assert array.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(array, expected)
    return was_refused, array


def saved(compressed, **variables):
    file = io.BytesIO()
    scipy.io.savemat(file, variables, do_compression=compressed)
    return file.getvalue()


OTHERS = {
    "text": "abc",
    "struct": {"a": {"b": [1, "c"]}},
    "cell": np.array([1, "x", [2.5]], dtype=object),
    "sparse": scipy.sparse.eye(3, format="csc"),
    "complex": np.array([1 + 2j]),
    "logical": np.array([[True, False]]),
    "cube": CUBE,
}
GOOD_MATS = [level5(array_element(), False), level5(array_element(), True)] + [
    saved(compressed, **variables)
    for compressed in (False, True)
    for variables in (OTHERS, {"cube": CUBE / 7}, {"cube": np.arange(4, dtype=np.int8)})
]
LEVEL_4 = io.BytesIO()
scipy.io.savemat(LEVEL_4, {"cube": np.eye(3)}, format="4")


@corpus(200)
@given(st.data(), st.sampled_from([None, (7, 5, 4)]))
def test_a_damaged_mat_file_is_refused_or_read_to_the_letter(folder, data, shape):
    content = data.draw(st.sampled_from([*GOOD_MATS, LEVEL_4.getvalue()]).flatmap(damaged))
    key = data.draw(st.sampled_from(["cube", *OTHERS]))
    with bounded_memory():
        check_mat(folder / "scene.mat", content, key, shape)


@corpus(80)
@given(st.sampled_from(["cube", "logical"]), st.data())
def test_damage_in_a_compressed_array_never_goes_unnoticed(folder, key, data):
    """Its checksum guards it."""
    whole = saved(True, **{key: OTHERS[key]})
    start = data.draw(st.integers(128, len(whole) - 1))
    content = bytearray(whole)
    content[start] ^= data.draw(st.integers(1, 255))
    was_refused, array = check_mat(folder / "scene.mat", bytes(content), key)
    if not was_refused:
        np.testing.assert_array_equal(array, OTHERS[key])


LENGTHS = st.sampled_from([-(2**31), -1, 0, 1, 2, 4, 5, 7, 140, 2**16, 2**31 - 1])


@corpus(150)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "class_code": st.integers(0, 255),
            "flags": st.integers(0, 2**24 - 1).map(lambda flags: flags << 8),
            "shape": st.just((7, 5, 4)) | st.lists(LENGTHS, max_size=34).map(tuple),
            "name": st.sampled_from([b"cube", b"", b"cube\0", b"a\nb\x1b[2J", b"n" * 5000]) | st.binary(max_size=40),
            "data_type": st.integers(0, 300),
            "data": st.sampled_from([b"", CUBE.tobytes(), bytes(1 << 20)]) | st.binary(max_size=300),
            "data_bytes": WORDS,
        },
    ),
    st.integers(0, 3),
    st.sampled_from([None, (7, 5, 4), (2**31 - 1, 2**31 - 1, 2**31 - 1)]),
)
def test_a_forged_array_is_refused_or_read_to_the_letter(folder, forged, wrappings, shape):
    """Stored, compressed, and compressed again within a compressed element, where no array may lie."""
    element = array_element(**forged)
    if wrappings == 0:
        element = element[: 1 << 21]
    for _ in range(wrappings - 1):
        stream = zlib.compress(element)
        element = struct.pack("<II", 15, len(stream)) + stream
    content = level5(element, wrappings > 0)
    with bounded_memory():
        was_refused, _ = check_mat(folder / "scene.mat", content, "cube", shape)
    assert was_refused or wrappings < 2


@pytest.mark.parametrize("zero", range(4))
def test_a_level_5_file_that_scipy_would_take_for_level_4_is_refused(folder, zero):
    """A zero among the first four bytes makes scipy read level 4, whose header nothing has checked."""
    content = bytearray(GOOD_MATS[0])
    content[zero] = 0
    assert check_mat(folder / "scene.mat", bytes(content), "cube") == (True, None)
    header = struct.pack("<5i", 0, 2**14, 2**14, 0, 5) + b"cube\0"  # 2 GiB of doubles
    forged = header.ljust(124, b"\0") + GOOD_MATS[0][124:]
    with bounded_memory():
        assert check_mat(folder / "scene.mat", forged, "cube") == (True, None)


def test_names_in_a_mat_file_cannot_write_lines_of_their_own(folder):
    names = b"".join(array_element(name=b"line\nerror: %d\x1b[2J" % number) for number in range(300))
    assert check_mat(folder / "scene.mat", level5(names, False), "cube") == (True, None)


# label maps

LABELS = st.sampled_from([0, 1, 2, 3])
STRANGE = st.sampled_from([-1, -128, 4, 255, 256, 65536, 2.0, 1.5, -0.0, 1e300, math.nan, math.inf, -math.inf])
DTYPES = ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bool"]


@st.composite
def label_maps(draw):
    shape = draw(st.sampled_from([(6, 5)] * 8 + [(5, 6), (30, 1), (6, 5, 1), (6, 0), (1, 1), (2, 3, 5)]))
    count = int(np.prod(shape))
    kept = draw(st.sets(LABELS, min_size=1))
    labels = draw(st.lists(st.sampled_from(sorted(kept)), min_size=count, max_size=count))
    for value in draw(st.lists(STRANGE, max_size=1)):
        if count:
            labels[draw(st.integers(0, count - 1))] = value
    with np.errstate(all="ignore"):
        array = np.array(labels, dtype=np.float64).reshape(shape).astype(draw(st.sampled_from(DTYPES)))
    form = draw(st.sampled_from(["plain"] * 8 + ["complex", "text", "cell", "struct", "sparse"]))
    if form == "complex":
        return array.astype(complex)
    if form == "text":
        return "labels"
    if form == "cell":
        return array.astype(object)
    if form == "struct":
        return {"labels": array}
    if form == "sparse" and array.ndim == 2 and array.size:
        return scipy.sparse.csc_matrix(array.astype(float))
    return array


def is_label_map(labels):
    """What the documentation promises of the tiny scene's labels, pixel by pixel."""
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iufb" or labels.shape != (6, 5):
        return False
    values = [float(value) for value in labels.ravel()]
    return all(value in (0, 1, 2, 3) for value in values) and any(values)


@corpus(150)
@given(label_maps(), st.booleans())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_labels_are_accepted_where_they_are_labels_and_nowhere_else(tiny, labels, compressed):
    path = tiny.folder / tiny.scene.ground_truth.name
    scipy.io.savemat(str(path), {tiny.scene.ground_truth.key: labels}, do_compression=compressed)
    was_refused, loaded = refused(SceneFormatError, path, load_scene, "tiny", tiny.folder, True)
    assert was_refused == (not is_label_map(labels))
    if was_refused:
        return
    truth = loaded.ground_truth
    assert truth.dtype == np.uint8 and truth.flags.c_contiguous and not loaded.verified
    np.testing.assert_array_equal(truth, labels.astype(float))
    names = tiny.scene.class_names
    present = [name for label, name in enumerate(names, start=1) if np.count_nonzero(labels == label) > 1]
    was_refused, counts = refused(SplitError, "class ", training_counts, truth, 0.0, 1, names)
    assert was_refused == (len(present) < 3)
    assert was_refused or counts == [1, 1, 1]


# configurations

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scene", "train", "kernels"],
    "properties": {
        "scene": {"type": "string"},
        "train": {
            "type": "object",
            "additionalProperties": False,
            "required": ["epochs", "lr", "rule", "shuffle"],
            "properties": {
                "epochs": {"type": "integer", "minimum": 1},
                "lr": {"type": "number", "minimum": 0, "maximum": 1},
                "rule": {"enum": ["best", "last"]},
                "shuffle": {"type": "boolean"},
            },
        },
        "kernels": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": {"type": "integer", "minimum": 1},
        },
    },
}
CONFIG = {
    "scene": "pavia",
    "train": {"epochs": 2, "lr": 0.5, "rule": "best", "shuffle": True},
    "kernels": [3],
}
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
NUMBERS = (
    st.integers(-3, 3)
    | st.sampled_from([2**63 - 1, 2**63, -(2**63) - 1, 10**4000])
    | st.floats()
    | st.sampled_from([0.5, 1.0, math.nan, math.inf, -math.inf])
)
LEAVES = NUMBERS | TEXT | st.booleans() | st.sampled_from(["best", "last", "first", "pavia"])
DATES = st.sampled_from([datetime.date(2021, 3, 4), datetime.datetime(2021, 3, 4, 5, 6), datetime.time(5, 6)])


def nested(leaves):
    def grow(inner):
        return st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)

    return st.recursive(leaves, grow, max_leaves=6)


def toml(value):
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s = %s" % (toml(key), toml(one)) for key, one in value.items())
    if isinstance(value, list):
        return "[%s]" % ", ".join(toml(one) for one in value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value).lower()


def is_number(value, kind, lowest, highest=math.inf):
    return type(value) in (int, kind) and lowest <= value <= highest and -(2**63) <= value < 2**63


def fits(config):
    """`SCHEMA`, written out."""
    if set(config) != {"scene", "train", "kernels"} or not isinstance(config["train"], dict):
        return False
    train, kernels = config["train"], config["kernels"]
    return (
        set(train) == {"epochs", "lr", "rule", "shuffle"}
        and isinstance(config["scene"], str)
        and is_number(train["epochs"], int, 1)
        and is_number(train["lr"], float, 0, 1)
        and train["rule"] in ("best", "last")
        and isinstance(train["shuffle"], bool)
        and isinstance(kernels, list)
        and 1 <= len(kernels) <= 2
        and all(is_number(one, int, 1) for one in kernels)
    )


@st.composite
def near(draw, good, values):
    """A copy of nested JSON values with one or two places changed, removed or added."""
    changed = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 2))):
        sections = [changed]
        for section in sections:
            inner = section.values() if isinstance(section, dict) else section
            sections.extend(one for one in inner if isinstance(one, (dict, list)))
        section = draw(st.sampled_from(sections))
        keys = list(section) if isinstance(section, dict) else list(range(len(section)))
        way = draw(st.sampled_from(["change", "change", "change", "remove", "add"]))
        if way == "add" or not keys:
            if isinstance(section, dict):
                section[draw(TEXT)] = draw(values)
            else:
                section.append(draw(values))
        elif way == "remove":
            del section[draw(st.sampled_from(keys))]
        else:
            section[draw(st.sampled_from(keys))] = draw(values)
    return changed


def checked(folder, overrides=()):
    config = load_config(folder, "pavia", overrides)
    check_config(config, SCHEMA, "pavia.toml")
    return config


def can_be_kept(config):
    """A run record holds its configuration, and no NaN, no date, no half character."""
    return json.loads(json.dumps(config, allow_nan=False, ensure_ascii=False).encode("utf-8").decode("utf-8")) == config


@corpus(150)
@given(near(CONFIG, nested(LEAVES | DATES)))
def test_any_value_at_any_key_of_a_configuration(folder, config):
    path = folder / "pavia.toml"
    # the value's section last: TOML takes what follows a section to be inside of it
    path.write_text("".join("%s = %s\n" % (toml(key), toml(value)) for key, value in config.items()), encoding="utf-8")
    was_refused, found = refused(SharedDataError, "", checked, folder)
    unread, parsed = refused(SharedDataError, path, load_toml, path)
    assert was_refused == (unread or not fits(parsed))
    assert was_refused or (found == config and can_be_kept(found))


@corpus(60)
@given(damaged("".join("%s = %s\n" % (key, toml(value)) for key, value in CONFIG.items()).encode("utf-8")))
def test_a_damaged_configuration_file(folder, content):
    (folder / "pavia.toml").write_bytes(content)
    was_refused, found = refused(SharedDataError, "", checked, folder)
    assert was_refused or (fits(found) and can_be_kept(found))


@pytest.mark.parametrize(
    "content",
    ["scene = " + "[" * 2000 + "]" * 2000, "scene = " + "{a=" * 2000 + "1" + "}" * 2000, "a" + ".a" * 2000 + " = 1"]
    + ["lr = " + value for value in ("inf", "nan", "0x" + "f" * 9000, "2021-03-04", "[[05:06:07]]")],
    ids=lambda content: content[:14],
)
def test_a_configuration_that_no_record_could_hold_is_named(folder, content):
    (folder / "pavia.toml").write_text(content)
    assert refused(SharedDataError, folder / "pavia.toml", load_config, folder, "pavia") == (True, None)


DEEP = st.sampled_from(["-" * 5000 + "1", "(" * 5000, "[" * 150 + "]" * 150, "1+" * 3000 + "1", "0x" + "f" * 5000])
KEYS = st.sampled_from(["scene", "train", "kernels", "train.epochs", "train.lr", "train.rule", "train.shuffle"])


LITERALS = nested(LEAVES | st.none() | st.binary(max_size=3)).map(repr)


@corpus(150)
@given(KEYS | TEXT, st.text(max_size=30) | DEEP | LITERALS)
def test_an_override_of_any_text(folder, key, value):
    (folder / "pavia.toml").write_text("".join("%s = %s\n" % (one, toml(CONFIG[one])) for one in CONFIG))
    was_refused, found = refused(SharedDataError, "override '", load_config, folder, "pavia", ["%s=%s" % (key, value)])
    if was_refused:
        return
    path = key.partition("=")[0].strip().split(".")
    before, after = copy.deepcopy(CONFIG), copy.deepcopy(found)
    for part in path[:-1]:
        before, after = before[part], after[part]
    old, new = before.pop(path[-1]), after.pop(path[-1])
    assert before == after
    assert type(new) is type(old) or {type(old), type(new)} == {int, float}
    json.dumps(new, allow_nan=False)


# run records

HALF = "\ud800"
JSON = nested(
    LEAVES
    | st.none()
    | st.sampled_from(["../../x", "/etc/x", "pavia\n", "a" * 64 + "\n", "2021-03-04T05:06:07Z\n", HALF, "x" * 3000])
)
TOKENS = [
    b"1e999",
    b"-1e999",
    b"1E400",
    b"NaN",
    b"1" * 5000,
    b'"\\ud800"',
    b"\xff",
    b"[" * 100000,
    b"null",
    b"{}",
    b"true",
]


def check_record(path, content):
    """The record of a file, or None where it is refused; what is accepted is what JSON says and can be kept."""
    path.write_bytes(content)
    was_refused, record = refused(RecordError, path, read_record, path)
    if was_refused:
        return None
    assert record == json.loads(content.decode("utf-8"))
    assert validate_record(record) is record and can_be_kept(record)
    for text in (record["experiment"], record["scene"], record["finished_at"], record["split"]["test"]["sha256"]):
        assert text.isprintable() and "/" not in text
    return record


def check_collected(path, records):
    """A record goes below the records folder, or nowhere."""
    was_refused, target = refused(RecordError, "", collect, path.parent, records)
    assert was_refused or target.resolve().relative_to(records.resolve())


@corpus(200)
@given(st.data())
def test_a_record_near_a_valid_one(folder, record, data):
    wrong = data.draw(near(record, JSON))
    path = folder / "near" / "run.json"
    path.parent.mkdir(exist_ok=True)
    if check_record(path, json.dumps(wrong).encode("utf-8")) is not None:
        check_collected(path, folder / "records")


@corpus(80)
@given(st.data())
def test_a_damaged_record_file(folder, record, data):
    whole = json.dumps(record, indent=1).encode("utf-8")
    start = data.draw(st.sampled_from([at for at in range(len(whole)) if whole[at : at + 2] == b": "])) + 2
    end = min(at for at in (whole.find(b",", start), whole.find(b"\n", start)) if at >= 0)
    token = data.draw(st.sampled_from(TOKENS))
    content = data.draw(damaged(whole) | st.just(whole[:start] + token + whole[end:]))
    with bounded_memory():
        check_record(folder / "run.json", content)


def test_a_record_nested_too_deeply_is_not_written(folder, record):
    inner = record["config"]
    for _ in range(3000):
        inner["inner"] = inner = {}
    path = folder / "deep.json"
    assert refused(RecordError, path, write_record, path, record) == (True, None)
    assert not path.exists()


# splits and checkpoints

SPLIT = Split(np.array([5, 1, 9]), np.array([2]), np.array([0, 3, 700]))
CONTENT = {"epoch": 3, "weights": [np.arange(6, dtype=np.float32), np.array(0.5)], "by": {"name": np.ones((2, 3))}}


def npz(function, *arguments):
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "file.npz")
        function(path, *arguments)
        with open(path, "rb") as file:
            return file.read()


def npy(array=None, shape=(3,), descr="<i8", content=b""):
    """The bytes of an array file; without an array, of a forged one."""
    file = io.BytesIO()
    if array is not None:
        np.save(file, array)
    else:
        np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
        file.write(content)
    return file.getvalue()


def archive(members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as writer:
        for name, content in members.items():
            writer.writestr(name + ".npy", content)
    return file.getvalue()


def check_split(path, content):
    path.write_bytes(content)
    was_refused, split = refused(SplitError, path, load_split, path)
    if was_refused:
        return None
    for part in split:
        assert part.dtype == np.int64 and part.ndim == 1
    pixels = np.concatenate(split).tolist()
    assert len(set(pixels)) == len(pixels) and min(pixels, default=0) >= 0
    return split


def check_checkpoint(path, content):
    path.write_bytes(content)
    was_refused, found = refused(CheckpointError, path, npz_checkpoint.read, path)
    assert was_refused or isinstance(found, dict)
    return found


@corpus(120)
@given(damaged(npz(save_split, SPLIT)))
def test_damage_in_a_split_is_refused_or_changes_nothing(folder, content):
    with bounded_memory():
        split = check_split(folder / "split.npz", content)
    assert split is None or all(np.array_equal(one, other) for one, other in zip(split, SPLIT))


@corpus(120)
@given(damaged(npz(npz_checkpoint.write, CONTENT)))
def test_damage_in_a_checkpoint_is_refused_or_changes_nothing(folder, content):
    with bounded_memory():
        found = check_checkpoint(folder / "epoch-3.npz", content)
    if found is not None:
        np.testing.assert_equal(found, CONTENT)


DESCRS = st.sampled_from(["<i8", ">i8", "<i4", "<u8", "<f8", "|b1", "<U5", "|V0", "|V2000000000", "|O", "<M8[s]"])
SIZES = st.sampled_from([0, 1, 3, 4, 10**6, 10**9, 2**32, 2**62, 10**18, -1, -3])
MEMBERS = (
    st.builds(npy, st.sampled_from([*SPLIT, np.array("{}"), np.eye(2), np.array([True]), np.array([-1]), SPLIT[0] > 3]))
    | st.builds(
        npy,
        st.none(),
        st.lists(SIZES, max_size=2).map(tuple),
        DESCRS,
        st.sampled_from([b"", bytes(8), bytes(24), bytes(1 << 20)]),
    )
    | st.binary(max_size=200)
)
PLAIN = nested(LEAVES | st.just({"__array__": 0}) | st.just({"__array__": [0]}))
WAYS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])


@corpus(120)
@given(st.dictionaries(st.sampled_from(["train", "val", "test", "../x", "plain"]), MEMBERS, max_size=4), WAYS)
def test_a_split_with_other_members(folder, members, way):
    good = {name: npy(part) for name, part in SPLIT._asdict().items()}
    good.update(members)
    content = archive(good, way)
    with bounded_memory():
        check_split(folder / "split.npz", content)
    assert not (folder.parent / "x.npy").exists()


@corpus(120)
@given(st.dictionaries(st.sampled_from(["a0", "a1", "/x"]), MEMBERS, max_size=3), PLAIN | MEMBERS, WAYS)
def test_a_checkpoint_with_other_members(folder, members, plain, way):
    members["plain"] = plain if isinstance(plain, bytes) else npy(np.array(json.dumps(plain)))
    content = archive(members, way)
    with bounded_memory():
        check_checkpoint(folder / "epoch-3.npz", content)


@pytest.mark.parametrize(
    "content",
    [
        npy(shape=(10**9,), content=bytes(8)),  # numpy allocates 8 GB before it looks for them
        npy(shape=(10**15,), content=bytes(8)),
        npy(shape=(2**32, 2**32), content=b""),  # whose product wraps around to 0
    ],
    ids=["8 GB", "8 PB", "wrapped"],
)
def test_an_array_that_claims_more_than_it_has_costs_no_memory(folder, content):
    members = {name: npy(part) for name, part in SPLIT._asdict().items()}
    with bounded_memory():
        assert check_split(folder / "split.npz", archive(dict(members, test=content))) is None
        plain = npy(np.array('{"weights": {"__array__": 0}}'))
        assert check_checkpoint(folder / "epoch-3.npz", archive({"plain": plain, "a0": content})) is None


def test_an_array_asked_for_a_thousand_times_is_read_once(folder):
    big = npy(np.zeros(1 << 19))  # 4 MiB, compressed to 4 kB
    plain = json.dumps({"weights": [{"__array__": 0}] * 1000})
    with bounded_memory():
        found = check_checkpoint(folder / "epoch-3.npz", archive({"plain": npy(np.array(plain)), "a0": big}))
    assert len(found["weights"]) == 1000


@pytest.mark.parametrize(
    "plain", ["[]", "3", "{" * 5000, '{"a": ' * 5000 + "1" + "}" * 5000, '{"a": {"__array__": 7}}']
)
def test_a_checkpoint_whose_plain_part_is_no_dict(folder, plain):
    assert check_checkpoint(folder / "epoch-3.npz", archive({"plain": npy(np.array(plain))})) is None


def test_a_checkpoint_that_is_nothing_but_an_array(folder):
    content = archive({"a0": npy(np.arange(3)), "plain": npy(np.array('{"__array__": 0}'))})
    assert check_checkpoint(folder / "epoch-3.npz", content) is None


def test_an_encrypted_or_unknown_archive(folder):
    content = npz(save_split, SPLIT)
    for offset, value in ((6, 1), (8, 99)):  # the flag of encryption, the method of compression
        changed = bytearray(content)
        entry = content.find(b"PK\x01\x02")
        changed[entry + offset + 2] = changed[offset] = value
        assert check_split(folder / "split.npz", bytes(changed)) is None
        assert check_checkpoint(folder / "split.npz", bytes(changed)) is None


# the targets of coverage-guided fuzzing, which need Atheris to be run


@pytest.mark.parametrize("name", ["read_mat", "read_record", "read_npz"])
def test_a_fuzz_target_takes_its_seeds_and_lets_findings_through(tmp_path, monkeypatch, name):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "fuzz"))
    target, refusal = importlib.import_module(name), importlib.import_module("refusal")
    values = []
    monkeypatch.setattr(
        target, "value_or_refusal", lambda *call: values.append(refusal.value_or_refusal(*call)) or values[-1]
    )
    seeds = list(target.seeds())
    for seed in seeds:
        target.try_one(seed, tmp_path)
    assert seeds and any(value is not None for value in values)
    target.try_one(b"", tmp_path)

    def broken(*_):
        raise KeyError("a finding")

    monkeypatch.setattr(target, "value_or_refusal", broken)
    with pytest.raises(KeyError, match="a finding"):
        target.try_one(seeds[0], tmp_path)
