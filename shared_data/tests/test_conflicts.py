"""Records of several machines put together: what is the same run counts once, what disagrees is named."""

import base64
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from shared_data.cli.shared import main
from shared_data.records import map_codec as record_maps
from shared_data.records.conflicts import differences, misplaced
from shared_data.records.record import find_record_files, write_record
from shared_data.scenes.loading import load_scene

pytestmark = pytest.mark.stack_independent


@pytest.fixture
def run(record):
    """A function that gives a copy of a run's record, with values changed at "a/b/c"; weights and a map are kept."""
    scene = load_scene("synthetic").scene
    prediction = np.arange(scene.height * scene.width, dtype=np.uint8).reshape(scene.height, scene.width) % 9 + 1
    right = base64.b64encode(b"\xe0").decode()
    record.update(
        scene="synthetic",
        weights={"last": "b" * 64, "used": "b" * 64},
        maps={"prediction": record_maps.encode_map(prediction), "right": right},
    )

    def changed(**changes):
        copy = json.loads(json.dumps(record))
        for place, value in changes.items():
            *path, last = place.split("__")
            section = copy
            for part in path:
                section = section[int(part) if isinstance(section, list) else part]
            section[last] = value
        return copy

    return changed


def place(folder, record, name=None):
    """Write a record where it belongs below a folder, or under another path; return it."""
    path = folder / (name or "%(paper)s/%(experiment)s/%(protocol)s/seed-%(seed)d.json" % record)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_record(path, record)
    return path


def read(*folders):
    """([(path, record)], [conflict]) of the folders."""
    conflicts = []
    found = list(find_record_files(*folders, on_conflict=conflicts.append))
    return found, conflicts


# what is the same


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"times__train_s": 99.0, "finished_at": "2022-01-01T00:00:00Z", "memory__peak_rss_mb": 7.0},
        {"environment__cpu": "Another", "revision__git": "abc"},
        {"audit": {"audit_labels": "clean"}},
        {"config": {"train": {"num_iters": 10, "log": 3}}},
    ],
)
def test_equal_results_from_two_places_count_once_and_silently(tmp_path, run, changes, capsys):
    first = place(tmp_path / "a", run())
    place(tmp_path / "b", run(**changes))
    assert read(tmp_path / "a", tmp_path / "b") == ([(first, run())], [])
    assert len(list(find_record_files(tmp_path / "a", tmp_path / "b"))) == 1
    assert capsys.readouterr().err == ""


def test_a_record_without_weights_and_maps_is_the_same_run_where_the_metrics_agree(run):
    old = run()
    del old["weights"], old["maps"]
    assert differences(old, run()) == differences(run(), old) == ()
    assert differences(old, run(metrics__oa=0.5)) == ("metrics",)


def test_one_picture_compressed_in_two_ways_is_one_map(run):
    picture = Image.open(io.BytesIO(base64.b64decode(run()["maps"]["prediction"])))
    file = io.BytesIO()
    picture.save(file, format="PNG", compress_level=0)
    other = run(maps__prediction=base64.b64encode(file.getvalue()).decode())
    assert other["maps"] != run()["maps"]
    assert differences(run(), other) == ()


def test_the_same_values_written_otherwise_are_the_same_data(run):
    verified = {"data__0__verified": True, "data__0__expected_sha256": "e" * 64}
    official = run(**dict(verified, data__0__sha256="e" * 64, data__0__verified_by="file"))
    written = dict(verified, data__0__sha256="d" * 64, data__0__content_sha256="f" * 64)
    assert differences(official, run(**dict(written, data__0__verified_by="content"))) == ()
    assert differences(official, run(**dict(written, data__0__verified_by=None))) == ("data",)


# what differs


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"metrics__oa": 0.5}, ("metrics",)),
        ({"metrics__confusion": [[2, 0], [0, 2]]}, ("metrics",)),
        ({"weights__used": "c" * 64}, ("weights",)),
        ({"maps__prediction": "AAAA"}, ("map",)),
        ({"maps__prediction": record_maps.encode_map(np.ones((128, 96), np.uint8))}, ("map",)),
        ({"data__0__sha256": "d" * 64}, ("data",)),
        ({"metrics__oa": 0.5, "config": {}, "split__train__sha256": "1" * 64, "decisions": {}},
         ("metrics", "split", "config", "decisions")),
        ({"metrics__oa": 0.5, "revision__git": "abc", "environment__gpu": "NVIDIA H200", "environment__python": "3.9"},
         ("metrics", "revision", "machine", "software")),
    ],
)  # fmt: skip
def test_different_results_are_named_with_what_may_be_the_reason(tmp_path, run, changes, expected):
    first, other = place(tmp_path / "a", run()), place(tmp_path / "b", run(**changes))
    found, (conflict,) = read(tmp_path / "a", tmp_path / "b")
    assert found == [(first, run())]
    assert (conflict.used, conflict.other, conflict.differs) == (first, other, expected)
    assert read(tmp_path / "b", tmp_path / "a")[0][0][0] == other  # the folder named first counts


def test_a_shortened_run_does_not_give_way_to_a_full_one(tmp_path, run):
    short = place(tmp_path / "a", run(metrics__oa=0.5, modified=["train.num_iters"]))
    place(tmp_path / "b", run())
    found, (conflict,) = read(tmp_path / "a", tmp_path / "b")
    assert [path for path, _ in found] == [short]
    assert conflict.differs == ("metrics", "changed settings (train.num_iters; nothing)")


def test_every_other_result_is_named_in_one_folder_too(tmp_path, run):
    kept = place(tmp_path, run(), "machine-a/seed-1.json")
    other = place(tmp_path, run(metrics__oa=0.5), "machine-b/seed-1.json")
    place(tmp_path, run(), "machine-c/seed-1.json")
    third = place(tmp_path, run(metrics__oa=0.25), "machine-c/seed-1 (copy).json")
    found, conflicts = read(tmp_path)
    assert [path for path, _ in found] == [kept]
    assert {(conflict.used, conflict.other) for conflict in conflicts} == {(kept, other), (kept, third)}


# paths that say something else


@pytest.mark.parametrize(
    "path, wrong",
    [
        ("seed-1.json", ()),
        ("seed-1-machine-b.json", ()),
        ("seed-2.json", ("seed 2",)),
        ("seed-10/run.json", ("seed 10",)),
        ("run.json", ()),
        ("anywhere/released/seed-1.json", ()),
        ("ssdgl/pavia-v2021/released/seed-1/run.json", ()),
        ("ssdgl/pavia-v2021/paper/seed-1/run.json", ("protocol paper",)),
        ("ssdgl/pavia/released/seed-1.json", ("experiment pavia",)),
        ("rssgl/pavia-v2021/paper/seed-3.json", ("seed 3", "protocol paper", "paper rssgl")),
    ],
)
def test_a_path_that_disagrees_with_its_record_is_named(tmp_path, run, path, wrong):
    file = place(tmp_path, run(), path)
    found, conflicts = read(tmp_path)
    assert found == [(file, run())]
    assert [conflict.differs for conflict in conflicts] == ([wrong] if wrong else [])
    if wrong:
        assert misplaced(file, run()).sentence() == (
            "%s: its path says %s, but its record is of ssdgl pavia-v2021, protocol released, seed 1; "
            "the record counts." % (file, ", ".join(wrong))
        )


# the commands


def machines(folder, run):
    """Three folders: seeds 1 to 3, 3 again and 4 to 6, and the other papers' runs; no two disagree."""
    for name, seeds in (("a", (3, 10, 1)), ("b", (3, 4)), ("c", (2, 6))):
        for seed in seeds:
            place(folder / name, run(seed=seed, metrics__oa=0.9 + seed / 1000))
    place(folder / "b", run(paper="apdclnn", metrics__oa=0.7))
    place(folder / "c", run(paper="rssgl", protocol="paper", metrics__oa=0.8))
    return [str(folder / name) for name in "abc"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_machines_give_the_same_comparison_apart_copied_into_one_folder_and_in_any_order(tmp_path, run, form, capsys):
    folders = machines(tmp_path / "machines", run)
    shown = []
    for arguments in (folders, folders[::-1], [str(tmp_path / "machines")]):
        assert main(["diff", *arguments, "--format", form]) == 0
        shown.append(capsys.readouterr())
    merged = tmp_path / "merged"
    for folder in folders:
        for path in sorted(p for p in (tmp_path / "machines").glob("**/*.json") if str(p).startswith(folder)):
            target = merged / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(path), str(target))
    assert main(["diff", str(merged), "--format", form]) == 0
    shown.append(capsys.readouterr())
    assert len(set(shown)) == 1
    assert shown[0].err == "" and "pavia-v2021" in shown[0].out


def test_the_comparison_warns_on_standard_error(tmp_path, run, capsys):
    first = place(tmp_path / "a", run(metrics__oa=0.9))
    other = place(tmp_path / "b", run(metrics__oa=0.8, environment__cpu="Another"))
    assert main(["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert {row["reproduced"] for row in json.loads(out) if row["n"] and row["metric"] == "oa"} == {0.9}
    assert err == (
        "warning: ssdgl pavia-v2021, protocol released, seed 1: two different runs were kept, %s, which counts, and "
        "%s, which does not; they differ in: metrics, machine.\n" % (first, other)
    )


def test_the_report_has_a_section_of_conflicts_where_there_are_any(tmp_path, run):
    pytest.importorskip("jinja2")
    from shared_data.report import write_report

    def written(*folders):
        return write_report(folders, tmp_path / "out").read_text(encoding="utf-8")

    first, other = place(tmp_path / "a", run()), place(tmp_path / "b", run(metrics__oa=0.5))
    assert "Conflicts" not in written(tmp_path / "a")
    third = place(tmp_path / "c", run(modified=["<b>"], metrics__oa=0.25), "seed-7.json")
    page = written(*(tmp_path / name for name in "abc"))
    assert page.count('<a href="#conflicts">') == page.count('<h2 id="conflicts">') == 1
    assert all(path.as_posix() in page for path in (first, other, third))
    assert "path says" in page and "seed 7" in page and "<b>" not in page and "&lt;b" in page
