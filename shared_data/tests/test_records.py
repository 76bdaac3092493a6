"""Run records: what is accepted, what is refused and in which words, and that no half of one is ever left."""

import json
import os
from pathlib import Path

import pytest

from shared_data.cli.shared import main
from shared_data.configuration.names import NAME
from shared_data.errors import RecordError
from shared_data.records import record as records
from shared_data.records.record import collect, find_records, read_record, validate_record, write_record


def placed(folder, record, name="run.json"):
    """Write a record below a folder, which is made; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / name, record)
    return folder / name


def changed(record, place, value):
    """A copy of the record with another value at "a/b/c"."""
    copy = json.loads(json.dumps(record))
    *path, last = place.split("/")
    section = copy
    for part in path:
        section = section[int(part) if isinstance(section, list) else part]
    section[last] = value
    return copy


def test_a_written_record_is_read_back(tmp_path, record):
    write_record(tmp_path / "run.json", record)
    assert read_record(tmp_path / "run.json") == record


@pytest.mark.parametrize("name", ["my-plot", "my_plot", "Field2", "2019-north_a"])
def test_names_of_scenes_and_configurations(record, name):
    validate_record(dict(record, scene=name, experiment=name))


def test_the_schema_allows_the_names_that_catalogue_and_configurations_allow():
    schema = json.loads(Path(records.__file__).with_name("record.schema.json").read_text())
    assert {schema["properties"][key]["pattern"] for key in ("scene", "experiment")} == {NAME}


def test_metrics_that_a_release_defines_otherwise_are_allowed(record):
    validate_record(changed(record, "metrics/aa_released", 0.5))


@pytest.mark.parametrize(
    "place, value, complaint",
    [
        ("metrics/oa", 97.5, "97.5 is greater than the maximum"),
        ("metrics/kappa", -1.5, "-1.5 is less than the minimum"),
        ("metrics/oa", "0.75", "'0.75' is not of type 'number'"),
        ("metrics/aa", None, "None is not of type 'number'"),
        ("protocol", "hope", "'hope' does not match"),
        ("protocol", "paper\n", "does not match"),
        ("protocol", "svm-paper", "'svm-paper' does not match"),
        ("paper", "SSDGL", "'SSDGL' is not one of"),
        ("status", "running", "'finished' was expected"),
        ("schema_version", 2, "1 was expected"),
        ("seed", -1, "-1 is less than the minimum"),
        ("seed", 1.5, "1.5 is not of type 'integer'"),
        ("experiment", "../../elsewhere", "does not match"),
        ("experiment", "my plot", "does not match"),
        ("scene", "pavia/..", "does not match"),
        ("split/train/sha256", "abc", "does not match"),
        ("data/0/verified", "yes", "'yes' is not of type 'boolean'"),
        ("times/train_s", -1, "-1 is less than the minimum"),
        ("finished_at", "yesterday", "does not match"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(tmp_path, record, place, value, complaint):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(changed(record, place, value)))
    with pytest.raises(RecordError) as error:
        read_record(path)
    assert str(path) in str(error.value)
    assert "at %s: " % place in str(error.value)
    assert complaint in str(error.value)


@pytest.mark.parametrize("place", ["", "metrics", "split", "split/test", "environment", "times", "revision"])
def test_an_unknown_key_is_refused(record, place):
    wrong = changed(record, (place + "/colour").lstrip("/"), 1)
    with pytest.raises(RecordError, match="at %s: .*'colour'" % (place or "top level")):
        validate_record(wrong)


def test_a_missing_key_is_refused(record):
    del record["split"]["test"]
    with pytest.raises(RecordError, match="at split: 'test' is a required property"):
        validate_record(record)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_neither_written_nor_read(tmp_path, record, number):
    wrong = changed(record, "history", [{"step": 1, "loss": number}])
    with pytest.raises(RecordError, match=r"run\.json"):
        write_record(tmp_path / "run.json", wrong)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run.json").write_text(json.dumps(wrong))
    with pytest.raises(RecordError, match=r"run\.json .*is not a number"):
        read_record(tmp_path / "run.json")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>404</html>", b"\xff\xfe\x00", b'{"seed": 1', b"[]", b"3"]
    + [b"[" * depth for depth in (900, 100000)]
    + [b'{"history": ' + b"[" * depth + b"]" * depth + b"}" for depth in (450, 900, 975, 100000)],
    ids=lambda content: "%d-%.6s" % (len(content), content.decode("latin-1")),
)
def test_a_file_that_is_no_record_is_named(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"run\.json"):
        read_record(tmp_path / "run.json")


def test_a_huge_file_is_not_read(tmp_path):
    with open(str(tmp_path / "run.json"), "wb") as file:
        file.truncate(51 * 10**6)  # sparse: it takes no space
    with pytest.raises(
        RecordError, match=r"run\.json cannot be read as a run record: it has 51000000 bytes, more than"
    ):
        read_record(tmp_path / "run.json")


def test_a_folder_in_place_of_a_record_is_named(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(RecordError, match=r"run\.json cannot be read"):
        read_record(tmp_path / "run.json")


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_record_and_nothing_else(tmp_path, record, monkeypatch, function):
    path = placed(tmp_path, record)

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="no space left"):
        write_record(path, changed(record, "seed", 2))
    assert read_record(path) == record
    assert list(tmp_path.iterdir()) == [path]


# keeping records


def test_collected_records_lie_by_paper_experiment_protocol_and_seed(tmp_path, record):
    placed(tmp_path / "run", record)
    target = collect(tmp_path / "run", tmp_path / "records")
    assert target == tmp_path / "records" / "ssdgl" / "pavia-v2021" / "released" / "seed-1.json"
    assert read_record(target) == record
    assert list(target.parent.iterdir()) == [target]


def test_another_result_of_the_same_run_is_replaced_on_demand_alone(tmp_path, record):
    folder = tmp_path / "records"
    placed(tmp_path / "first", record)
    target = collect(tmp_path / "first", folder)
    other = changed(changed(record, "metrics/oa", 0.25), "finished_at", "2022-02-02T02:02:02Z")
    path = placed(tmp_path / "second", other)
    with pytest.raises(RecordError) as error:
        collect(tmp_path / "second", folder)
    message = str(error.value)
    for part in (str(target), str(path), "OA 75.00 %", "OA 25.00 %", "2021-03-04T05:06:07Z", "2022-02-02T02:02:02Z",
                 "differ in metrics", "REPLACE=1", "--replace"):  # fmt: skip
        assert part in message
    assert "\n" not in message and read_record(target) == record
    assert main(["record", str(tmp_path / "second"), "--records", str(folder)]) == 1
    assert read_record(target) == record
    assert main(["record", str(tmp_path / "second"), "--records", str(folder), "--replace"]) == 0
    assert read_record(target) == other


def test_the_same_result_again_is_kept_without_a_question(tmp_path, record):
    placed(tmp_path / "first", record)
    target = collect(tmp_path / "first", tmp_path / "records")
    again = changed(changed(record, "times/train_s", 9.0), "finished_at", "2022-02-02T02:02:02Z")
    placed(tmp_path / "second", again)
    assert collect(tmp_path / "second", tmp_path / "records") == target
    assert read_record(target) == again


def test_a_kept_record_that_cannot_be_read_is_named_and_can_be_replaced(tmp_path, record):
    placed(tmp_path / "run", record)
    target = collect(tmp_path / "run", tmp_path / "records")
    target.write_text("{")
    with pytest.raises(RecordError, match=r"seed-1\.json cannot be read"):
        collect(tmp_path / "run", tmp_path / "records")
    collect(tmp_path / "run", tmp_path / "records", replace=True)
    assert read_record(target) == record


def test_an_unfinished_run_is_not_collected(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(RecordError, match=r"no run\.json, so the run is not finished"):
        collect(tmp_path / "run", tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_no_record_can_name_a_path_outside_the_records_folder(tmp_path, record):
    (tmp_path / "run.json").write_text(json.dumps(changed(record, "experiment", "../../../outside")))
    with pytest.raises(RecordError, match="at experiment"):
        collect(tmp_path, tmp_path / "records")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_records_folder_that_cannot_be_written(tmp_path, record):
    placed(tmp_path / "run", record)
    (tmp_path / "records").write_text("a file")
    with pytest.raises(RecordError, match=r"records.* cannot be written"):
        collect(tmp_path / "run", tmp_path / "records")


def test_the_first_folder_wins_where_two_hold_the_same_run(tmp_path, record):
    run = tmp_path / "results" / "ssdgl" / "pavia-v2021" / "released" / "seed-1"
    placed(run, changed(record, "metrics/oa", 0.25))
    placed(tmp_path / "kept", record, "seed-1.json")
    placed(tmp_path / "kept", changed(record, "seed", 2), "seed-2.json")
    (tmp_path / "results" / "unfinished").mkdir()
    results, kept = tmp_path / "results", tmp_path / "kept"

    def found(*folders):
        return [(record["seed"], record["metrics"]["oa"]) for record in find_records(*folders)]

    assert found(results, kept) == [(1, 0.25), (2, 0.75)]
    assert found(kept, results) == [(1, 0.75), (2, 0.75)]
    assert found(tmp_path / "absent") == []
