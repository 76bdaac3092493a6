"""Untrusted files: none of them runs code, leaves its place, or costs more than it may.

The same promises are shown elsewhere for checkpoints without pickle (test_npz_checkpoint.py), for the text of a report
(test_report.py), for what a server sends (test_fetch.py) and for torch's checkpoints (in simplecv_vendor and
a2s2k_resnet).
"""

import ast
import base64
import io
import json
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from test_records import changed

from contracts.faults import note
from contracts.untrusted import Evil, hostile_contents
from shared_data.audit import read_audit
from shared_data.cli import shared as cli
from shared_data.configuration.overrides import describe, load_config
from shared_data.errors import CheckpointError, RecordError, SharedDataError, SplitError
from shared_data.files import npz as npz_file
from shared_data.files.npz import read_npy, read_npz
from shared_data.records import record as records
from shared_data.records.record import collect, read_record, write_record
from shared_data.runs.npz_checkpoint import read
from shared_data.splits.draws import Split, load_split, save_split

FOLDER = Path(records.__file__).parent


@pytest.mark.parametrize("reader, error", [(load_split, SplitError), (read, CheckpointError)])
def test_no_pickle_of_an_npz_file_is_loaded(tmp_path, reader, error):
    objects = np.array([Evil(tmp_path / "owned")], dtype=object)
    np.savez(str(tmp_path / "file.npz"), train=objects, val=objects, test=objects, plain=objects, a0=objects)
    with pytest.raises(error, match="pickled objects, which are never loaded"):
        reader(tmp_path / "file.npz")
    assert not (tmp_path / "owned").exists()


ELSEWHERE = ["../outside", "../../../../outside", "/outside", "a/../../outside", "..", ".", "", "a/b", "a\\b", "a\0b",
             "pavia\n", "~", "C:outside"]  # fmt: skip


@pytest.mark.parametrize("key", ["paper", "experiment", "protocol", "scene"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_no_name_in_a_record_leads_out_of_the_records_folder(tmp_path, record, key, name):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps(changed(record, key, name)))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RecordError, match="at %s: " % key):
        collect(run, tmp_path / "records")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("seed", ["../../outside", "1/../../../outside", -1, 1.5, 1e308, 10**400, None])
def test_no_seed_in_a_record_leads_out_of_the_records_folder(tmp_path, record, seed):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps(changed(record, "seed", seed)))
    with pytest.raises(RecordError):
        collect(run, tmp_path / "records")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["run.json"]


@pytest.mark.parametrize("place", ["modified", "environment/cpu", "config/x"])
def test_half_characters_are_refused_before_a_report_tries_to_write_them(tmp_path, record, place):
    pytest.importorskip("jinja2")  # the report's stack alone has it
    from shared_data.report import write_report

    value = ["\ud800"] if place == "modified" else "\ud800"
    (tmp_path / "run.json").write_text(json.dumps(changed(record, place, value)))
    with pytest.raises(SharedDataError, match=r"run\.json cannot be read .*surrogates not allowed"):
        write_report([tmp_path], tmp_path / "out")


def test_a_file_larger_than_the_limit_is_not_opened_as_a_record(tmp_path, record, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(record))
    size = path.stat().st_size
    monkeypatch.setattr(records, "_LARGEST_RECORD", size)
    assert read_record(path) == record
    monkeypatch.setattr(records, "_LARGEST_RECORD", size - 1)
    with pytest.raises(RecordError, match=r"run\.json cannot be read as a run record: it has [0-9]+ bytes, more than"):
        read_record(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize(
    "reader, name, error",
    [
        (read_record, "run.json", RecordError),
        (lambda path: collect(path.parent, path.parent), "run.json", RecordError),
        (lambda path: read_audit(path.parent), "audit.json", RecordError),
        (lambda path: load_config(path.parent, "pavia"), "pavia.toml", SharedDataError),
        (lambda path: describe(path.parent, "pavia"), "pavia.toml", SharedDataError),
    ],
    ids=["record", "collect", "audit", "config", "describe"],
)
def test_what_is_no_ordinary_file_is_neither_waited_for_nor_read_without_end(tmp_path, kind, reader, name, error):
    path = tmp_path / name
    make = {"pipe": os.mkfifo, "device": lambda path: os.symlink("/dev/zero", path), "folder": os.mkdir}
    make[kind](str(path))
    with pytest.raises(error, match="%s.* not an ordinary file" % name):
        reader(path)


def test_a_huge_audit_is_not_read(tmp_path):
    with open(str(tmp_path / "audit.json"), "wb") as file:
        file.truncate(10**9)  # sparse: it takes no space
    with pytest.raises(
        RecordError, match=r"audit\.json cannot be read as an audit: it has 1000000000 bytes, more than"
    ):
        read_audit(tmp_path)


# arrays beside a run's record


def npy(shape, descr="'|u1'", content=b"", version=1):
    """The bytes of an array file that claims this shape."""
    header = ("{'descr': %s, 'fortran_order': False, 'shape': %s, }" % (descr, shape)).ljust(117).encode(
        "latin-1"
    ) + b"\n"
    return (
        b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + content
    )


FORGED = {
    "8 GB": npy((10**9,), "'<i8'", bytes(8)),
    "wrapped": npy((2**32, 2**32)),
    "negative": npy((-1, -6)),
    "no bytes": npy((6, 5), "'|V0'"),
    "a text": npy((6, 5), "'<U200000000'"),
    "a structure": npy((6, 5), "[('a', '|u1')]", bytes(30)),
    "cut": npy((6, 5), content=bytes(29)),
    "too long": npy((6, 5), content=bytes(31)),
    "another shape": npy((5, 6), content=bytes(30)),
    "version 3": npy((6, 5), content=bytes(30), version=3),
    "a header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
    "a deep header": npy("(" * 3000 + "1", content=bytes(30)),
    "code": npy("__import__('os').mkdir('owned')", content=bytes(30)),
    "nothing": b"",
    "a web page": b"<html>",
}


@pytest.mark.parametrize("name", sorted(FORGED))
def test_an_array_file_is_believed_only_where_its_bytes_bear_it_out(tmp_path, name):
    path = tmp_path / "prediction.npy"
    path.write_bytes(FORGED[name])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as error:
            read_npy(path, (6, 5))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert str(error.value).isprintable() and len(str(error.value)) < 200
    note("forged array files", "npz_file", 1, "one sentence and at most 1 MiB")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("descr", ["'|u1'", "'<i2'", "'>f8'", "'|b1'"])
def test_an_honest_array_file_is_read(tmp_path, version, descr):
    numbers = np.arange(30).astype(ast.literal_eval(descr)).reshape(6, 5)
    (tmp_path / "prediction.npy").write_bytes(npy((6, 5), descr, numbers.tobytes(), version))
    np.testing.assert_array_equal(read_npy(tmp_path / "prediction.npy", (6, 5)), numbers)


def test_no_pickle_of_an_array_file_is_loaded(tmp_path):
    np.save(str(tmp_path / "a.npy"), np.array([[Evil(tmp_path / "owned")]], dtype=object))
    with pytest.raises(ValueError, match="pickled objects, which are never loaded"):
        read_npy(tmp_path / "a.npy", (1, 1))
    assert not (tmp_path / "owned").exists()


def test_an_archive_whose_arrays_together_are_too_large_is_not_inflated(tmp_path, monkeypatch):
    path = tmp_path / "split.npz"
    np.savez_compressed(str(path), a=np.zeros(1000), b=np.zeros(1000))
    assert set(read_npz(path)) == {"a", "b"}
    monkeypatch.setattr(npz_file, "_LARGEST", 16000)  # below both with their headers
    with pytest.raises(ValueError, match="its arrays claim more than 16000 bytes"):
        read_npz(path)


@pytest.mark.parametrize(
    "train, val, test, complaint",
    [
        ([1, 2], [3], [2, 4], "pixel 2 is in two sets, or twice in one"),
        ([1, 2], [2], [4], "pixel 2 is in two sets"),
        ([1], [4], [4], "pixel 4 is in two sets"),
        ([1, 1], [], [4], "pixel 1 is in two sets, or twice in one"),
        ([1], [], [30], "pixel 30 lies outside of a scene of 30 pixels"),
        ([-1], [], [4], "pixel -1 is negative"),
        ([2**62], [], [4], "lies outside"),
    ],
)
def test_the_sets_of_a_split_are_pixels_of_the_scene_each_in_one_set(tmp_path, train, val, test, complaint):
    save_split(tmp_path / "split.npz", Split(*[np.array(part, np.int64) for part in (train, val, test)]))
    with pytest.raises(SplitError, match=r"split\.npz cannot be read as a split: .*%s" % complaint):
        load_split(tmp_path / "split.npz", 30)


def forged_picture(width, height):
    """A grey PNG that claims this size."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content) & 0xFFFFFFFF
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">II5B", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
        + chunk(b"IEND", b"")
    )


def test_a_report_leaves_out_whatever_arrays_and_maps_are_forged(tmp_path, record):
    pytest.importorskip("jinja2")
    from test_report import made_up

    from shared_data.report import write_report

    run = tmp_path / "results"
    run.mkdir()
    good, prediction, split = made_up(record)
    write_record(run / "run.json", good)
    evil = io.BytesIO()
    np.save(evil, np.array([[Evil(tmp_path / "owned")]], dtype=object))
    for content in [*FORGED.values(), evil.getvalue()]:
        (run / "prediction.npy").write_bytes(content)
        write_report([run], tmp_path / "out")
        assert "The prediction kept with this run cannot be used" in (tmp_path / "out" / "report.html").read_text()

    np.save(str(run / "prediction.npy"), prediction)
    wrong = split._replace(train=split.test[:3])
    for content in (wrong, split._replace(test=split.test + prediction.size)):
        save_split(run / "split.npz", content)
        write_report([run], tmp_path / "out")
        assert "The split kept with this run cannot be used" in (tmp_path / "out" / "report.html").read_text()

    (run / "prediction.npy").unlink()
    height, width = prediction.shape
    for size in ((2**31 - 1, 2**31 - 1), (width, height + 1), (width * height, 1), (0, 0)):
        picture = base64.b64encode(forged_picture(*size)).decode("ascii")
        (run / "run.json").write_text(json.dumps(dict(good, maps={"prediction": picture, "right": "AA=="})))
        write_report([run], tmp_path / "out")
        assert "The prediction kept with this run cannot be used" in (tmp_path / "out" / "report.html").read_text()
    assert not (tmp_path / "owned").exists()
    note("forged arrays and maps", "report", len(FORGED) + 7, "left out with a sentence")


# configurations


@pytest.mark.parametrize("content", [b"# \xff\xfe\nscene = 1", b"\xff", b"# ok\n\xc3("])
def test_a_configuration_that_is_no_text_is_named(tmp_path, content):
    (tmp_path / "pavia.toml").write_bytes(content)
    for reader in (describe, load_config):
        with pytest.raises(SharedDataError, match=r"pavia\.toml: it cannot be read as .*utf-8") as error:
            reader(tmp_path, "pavia")
        assert str(error.value).isprintable()


def test_a_configuration_cannot_write_to_the_terminal(tmp_path):
    (tmp_path / "pavia.toml").write_text("# Good\x1b[2J\x07\n# \u202eevil\n", encoding="utf-8")
    assert describe(tmp_path, "pavia") == "Good\\x1b[2J\\x07\n\\u202eevil"


def test_a_huge_configuration_is_not_read(tmp_path):
    with open(str(tmp_path / "pavia.toml"), "wb") as file:
        file.truncate(10**9)
    for reader in (describe, load_config):
        with pytest.raises(SharedDataError, match=r"pavia\.toml.* more than the 1000000 allowed"):
            reader(tmp_path, "pavia")


# archives in place of scenes


def archives():
    """Archives with members that lead elsewhere, by name."""
    zipped, tarred, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name in ("../owned", "/tmp/owned", "Tiny.mat"):
            archive.writestr(name, b"content")
    for file, mode in ((tarred, "w"), (packed, "w:gz")):
        with tarfile.open(fileobj=file, mode=mode) as archive:
            for name in ("../owned", "Tiny.mat"):
                member = tarfile.TarInfo(name)
                member.size = 7
                archive.addfile(member, io.BytesIO(b"content"))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
    return {"zip": zipped.getvalue(), "tar": tarred.getvalue(), "tar.gz": packed.getvalue()}


def test_an_archive_or_pickle_in_place_of_a_scene_is_refused_and_writes_nothing(tiny, tmp_path, capsys):
    place = tmp_path / "hostile" / "owned"
    place.parent.mkdir()
    contents = dict(hostile_contents(place), **archives())
    path = tiny.folder / tiny.scene.ground_truth.name
    for name, content in contents.items():
        path.write_bytes(content)
        before = sorted(tmp_path.rglob("*"))
        words = [
            "split",
            "tiny",
            "--data",
            str(tiny.folder),
            "--unverified",
            "--to",
            str(tmp_path / "out" / "split.json"),
        ]
        assert cli.main(words) == 1, name
        (message,) = capsys.readouterr().err.splitlines()
        assert message.startswith("error: %s: expected a MATLAB " % path) and message.isprintable()
        assert sorted(tmp_path.rglob("*")) == before
    note("archives and pickles in place of a scene", "shared_data", len(contents), "one sentence; nothing written")


def calls(tree):
    """(line, dotted name, keywords) of every call in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name, parts = node.func, []
            while isinstance(name, ast.Attribute):
                parts.append(name.attr)
                name = name.value
            parts.append(getattr(name, "id", ""))
            yield node.lineno, ".".join(reversed(parts)), {keyword.arg for keyword in node.keywords}


MODULES = sorted(path for path in FOLDER.rglob("*.py") if "testing" not in path.parts)  # what users run


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(FOLDER)) for path in MODULES])
def test_no_module_unpacks_archives_or_loads_what_can_run_code(path):
    """A download stays one file: nothing extracts it. Arrays are read with pickles switched off, by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"pickle", "marshal", "shelve", "tarfile", "dill", "cloudpickle", "joblib", "yaml"}
    for line, name, keywords in calls(tree):
        last = name.rpartition(".")[2]
        assert last not in ("extract", "extractall", "unpack_archive", "eval", "exec"), "line %d" % line
        if name == "np.load":
            assert "allow_pickle" in keywords, "line %d" % line
    if "zipfile" in imported:
        assert path.name == "npz_file.py"  # which reads members into memory
