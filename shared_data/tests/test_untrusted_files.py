"""Files from strangers: none of them runs code, leaves its place, or costs more than it may.

The same promises are shown elsewhere for checkpoints without pickle (test_npz_checkpoint.py), for the text of a report
(test_report.py), for what a server sends (test_fetch.py) and for torch's checkpoints (in simplecv_vendor and
a2s2k_resnet).
"""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from test_records import changed

from shared_data import records
from shared_data.errors import CheckpointError, RecordError, SharedDataError, SplitError
from shared_data.npz_checkpoint import read
from shared_data.records import collect, read_record
from shared_data.splits import load_split

FOLDER = Path(records.__file__).parent


class Evil:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.mkdir, (self.place,)


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
    with pytest.raises(RecordError, match=r"run\.json is larger than a run record can be"):
        read_record(path)


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
