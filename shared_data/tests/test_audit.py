"""The audit's parts: what it alters, what it says of a split, and how it is kept with a run.

Its experiments are in test_audit_zoo.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zoo

from shared_data import audit as audit_module
from shared_data.audit import (
    Audit,
    Finding,
    GoldenSplit,
    add_to_record,
    as_markdown,
    as_record,
    as_text,
    examine,
    find_golden,
    load_golden,
    read_audit,
    weights_sha256,
    write_audit,
)
from shared_data.audit.alterations import alter_spectra, permute_labels, redraw_labels, shuffle_spectra, turn
from shared_data.audit.pixels import gap_pixels, hidden_test_pixels
from shared_data.audit.split import check_indices, split_finding
from shared_data.audit.trials import recounted
from shared_data.errors import RecordError, SharedDataError, SplitError
from shared_data.files.toml import load_toml
from shared_data.records.audit_file import settings_sha256, with_audit
from shared_data.records.record import find_records, read_record, validate_record, write_record
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene
from shared_data.scenes.own import Description, OwnClass
from shared_data.splits.draws import Split, describe, draw_per_class, training_counts

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
UNLABELLED = 2  # a pixel of the generated scene


@pytest.fixture(scope="module")
def scene():
    """The generated scene with every fourth band, which is enough here and quicker."""
    loaded = load_scene("synthetic")
    return loaded._replace(cube=np.ascontiguousarray(loaded.cube[:, :, ::4]))


@pytest.fixture(scope="module")
def split(scene):
    drawn = draw_per_class(scene.ground_truth, training_counts(scene.ground_truth, 0.05, 5), seed=1)
    return Split(drawn.train[::2], drawn.train[1::2], drawn.test)


def request(iterations=2):
    return Request("synthetic", "paper", 1, None, False, "cpu", iterations, (), Path("nowhere"), False)


# what is refused


def test_a_training_without_weights_is_refused():
    class WithoutWeights(zoo.Honest):
        def fit(self, *given, **named):
            fitted = zoo.Honest.fit(self, *given, **named)
            fitted.report = fitted.report._replace(last_weights={})
            return fitted

    with pytest.raises(ValueError, match="there are none"):
        examine(zoo.method_of(WithoutWeights()), request())


def test_a_training_that_a_signal_stops_ends_the_audit():
    class Stopped(zoo.Honest):
        def fit(self, *given, **named):
            return None

    with pytest.raises(SharedDataError, match="stopped; the audit wrote nothing"):
        examine(zoo.method_of(Stopped()), request())


def test_maps_of_another_shape_are_refused():
    class Cropped(zoo.Honest):
        def revise(self, fitted, classes, image):
            return classes[:2]

    class Narrow(zoo.Honest):
        def receptive_field(self, mask):
            return mask[:3, :3]

    with pytest.raises(ValueError, match=r"the prediction has the shape \(2, 48\), the scene \(48, 48\)"):
        examine(zoo.method_of(Cropped()), request())
    with pytest.raises(ValueError, match=r"the receptive field has the shape \(3, 3\)"):
        examine(zoo.method_of(Narrow()), request())


def test_an_index_outside_of_the_scene_is_named(split):
    with pytest.raises(SplitError, match="val set reaches from pixel 5 to 99999; the scene has the pixels 0 to 12287"):
        check_indices(split._replace(val=np.array([5, 99999])), 12288)


def test_weights_hash_by_name_type_shape_and_value():
    weights = {"a": np.zeros((2, 3), np.float32), "b": np.arange(6)}
    same = {"b": np.arange(6), "a": np.asfortranarray(np.zeros((2, 3), np.float32))}
    assert weights_sha256(weights) == weights_sha256(same)
    others = [
        {"a": weights["a"], "c": weights["b"]},
        dict(weights, a=np.zeros((3, 2), np.float32)),
        dict(weights, a=np.zeros((2, 3), np.int32)),
        dict(weights, b=np.arange(1, 7)),
        {"b": weights["b"]},
    ]
    assert len({weights_sha256(each) for each in [weights] + others}) == 6


def test_a_split_without_hidden_test_pixels_is_refused():
    class Tested(zoo.Honest):
        def draw(self, loaded, configuration, seed):
            drawn = zoo.Honest.draw(self, loaded, configuration, seed)
            return drawn._replace(split=drawn.split._replace(test=drawn.split.train))

    with pytest.raises(SplitError, match="nothing to audit"):
        examine(zoo.method_of(Tested()), request())


# what is altered, and what is not


@pytest.mark.parametrize("alter", [permute_labels, lambda truth, pixels, seed: redraw_labels(truth, pixels, 9, seed)])
def test_only_the_given_labels_are_altered(scene, split, alter):
    truth = scene.ground_truth
    before, unlabelled = truth.copy(), np.flatnonzero(truth == 0)[:9]
    overlapping = split._replace(test=np.concatenate([split.test, split.train[:9], split.val[:9], unlabelled]))
    hidden = hidden_test_pixels(truth, overlapping)
    altered = alter(truth, hidden, 3)
    kept = np.setdiff1d(np.arange(truth.size), split.test)
    assert np.array_equal(altered.ravel()[kept], truth.ravel()[kept])
    assert (altered != truth).sum() > 0.5 * split.test.size and altered.dtype == truth.dtype
    assert np.array_equal(altered, alter(truth, hidden, 3)) and np.array_equal(truth, before)
    assert not np.array_equal(altered, alter(truth, hidden, 4))


def test_a_permutation_keeps_the_number_of_pixels_per_class_and_labels_drawn_anew_do_not(scene, split):
    truth = scene.ground_truth
    count = lambda labels: np.bincount(labels.ravel(), minlength=10)  # noqa: E731
    assert np.array_equal(count(permute_labels(truth, split.test, 3)), count(truth))
    redrawn = redraw_labels(truth, split.test, 9, 3)
    assert (redrawn != truth).sum() == split.test.size and redrawn.ravel()[split.test].min() == 1
    assert redrawn.max() == 9 and not np.array_equal(count(redrawn), count(truth))


@pytest.mark.parametrize("seed", range(20))
def test_a_permutation_always_changes_labels(seed):
    truth = np.array([[1, 2, 1]], np.uint8)
    assert not np.array_equal(permute_labels(truth, np.arange(3), seed), truth)
    assert permute_labels(truth, np.array([0, 2]), seed) is None


def test_gap_pixels_are_the_labelled_ones_in_no_set(scene, split):
    gap = gap_pixels(scene.ground_truth, split._replace(test=split.test[100:]))
    assert np.array_equal(gap, np.sort(split.test[:100]))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_only_the_given_spectra_are_altered(scene, split, dtype):
    cube = np.asfortranarray(scene.cube.astype(dtype))  # as MATLAB files give it
    before = cube.copy()
    altered, original = alter_spectra(cube, split.test, 3).reshape(-1, 16), before.reshape(-1, 16)
    kept = np.setdiff1d(np.arange(len(original)), split.test)
    assert altered.dtype == dtype and np.array_equal(altered[kept], original[kept])
    assert np.array_equal(np.sort(altered[split.test]), 2 * np.sort(original[split.test]))
    moved = (altered[split.test] != 2 * original[split.test]).any(axis=1)
    assert moved.all() and np.array_equal(cube, before)


def test_doubled_spectra_stay_in_the_range_of_their_type():
    altered = alter_spectra(np.full((1, 2, 3), 60000, np.uint16), np.array([1]), 0)
    assert altered.tolist() == [[[60000] * 3, [65535] * 3]]


def test_shuffled_spectra_are_all_there_at_other_pixels(scene):
    shuffled = shuffle_spectra(scene.cube, 0)
    assert (shuffled != scene.cube).any(axis=2).mean() > 0.99
    assert np.array_equal(np.sort(shuffled.sum(axis=2), axis=None), np.sort(scene.cube.sum(axis=2), axis=None))


def test_an_entry_states_the_pixels_of_the_altered_labels(scene):
    truth = scene.ground_truth
    altered = truth.copy()
    altered[truth == 2] = 5
    counts, moved = np.bincount(truth.ravel(), minlength=10)[1:].tolist(), int((truth == 2).sum())
    # one pixel more than is loaded, as where it is not valid
    classes = tuple(OwnClass(10 * label, "", count + 1) for label, count in enumerate(counts, start=1))
    own = Description(Path("a.toml"), Path("a.npy"), None, (), (), (), classes)
    stated = scene.scene._replace(class_counts=tuple(counts), own=own)
    assert recounted(stated, truth, truth) == stated
    found = recounted(stated, truth, altered)
    expected = [count + moved * ((label == 5) - (label == 2)) for label, count in enumerate(counts, start=1)]
    assert found.class_counts == tuple(expected) and moved > 0
    assert found.own.classes == tuple(one._replace(pixels=count + 1) for one, count in zip(classes, expected))
    unstated = scene.scene._replace(class_counts=None)
    assert recounted(unstated, truth, altered) == unstated


def test_turning_twice_changes_nothing(scene):
    assert np.array_equal(turn(turn(scene.cube)), scene.cube)
    assert turn(scene.ground_truth)[0, 0] == scene.ground_truth[-1, -1]


def test_a_method_may_overwrite_what_it_is_given():
    class Overwrites(zoo.Honest):
        def fit(self, image, labels, *given, **named):
            fitted = zoo.Honest.fit(self, image, labels, *given, **named)
            labels.train[:] = 0
            return fitted

        def revise(self, fitted, classes, image):
            image.cube[:] = 0
            return classes

    before = zoo.corner().cube.copy()
    found = examine(zoo.method_of(Overwrites()), request(20))
    assert found.verdict == "clean for 20 steps" and np.array_equal(zoo.corner().cube, before)


# the split


@pytest.mark.parametrize(
    "flaw, number",
    [
        (lambda split: split._replace(test=np.append(split.test, split.test[:3])), {"split_duplicates": 3}),
        (lambda split: split._replace(test=np.append(split.test, split.train[:2])), {"split_shared": 2}),
        (lambda split: split._replace(val=np.append(split.val, split.train[:4])), {"split_shared": 4}),
        (lambda split: split._replace(train=np.append(split.train, UNLABELLED)), {"split_unlabelled": 1}),
    ],
    ids=["twice in test", "train in test", "train in val", "unlabelled"],
)
def test_flaws_of_the_split_are_counted(scene, split, flaw, number):
    found = split_finding(flaw(split), scene.ground_truth, 9, None)
    clean = {"split_duplicates": 0, "split_shared": 0, "split_unlabelled": 0}
    assert found.verdict == "flawed split" and {name: found.numbers[name] for name in clean} == dict(clean, **number)


def test_the_split_in_numbers(scene, split):
    numbers = split_finding(split, scene.ground_truth, 9, None).numbers
    for name, part in describe(split, scene.ground_truth, 9).items():
        assert numbers["split_" + name] == part["size"] and numbers["split_%s_sha256" % name] == part["sha256"]
        assert numbers["split_%s_per_class" % name] == " ".join(map(str, part["per_class"]))
    assert numbers["split_golden"] == "none"


def golden_of(split, truth, *names):
    united = describe(split._replace(train=np.concatenate([split.train, split.val])), truth, 9)["train"]
    sets = dict(describe(split, truth, 9), train_and_val=united)
    return GoldenSplit("synthetic", "own", 1, (), {name: sets[name] for name in names})


@pytest.mark.parametrize("names", [("train",), ("train", "val", "test"), ("train_and_val", "test")])
def test_the_official_split_is_recognised(scene, split, names):
    golden = golden_of(split, scene.ground_truth, *names)
    same = split_finding(split, scene.ground_truth, 9, golden)
    assert (same.verdict, same.numbers["split_golden"]) == ("sound", "matches")
    assert "is that of the official split own" in same.evidence
    other = split._replace(train=np.append(split.train[1:], split.test[:1]), test=split.test[1:])
    differs = split_finding(other, scene.ground_truth, 9, golden)
    assert (differs.verdict, differs.numbers["split_golden"]) == ("flawed split", "differs")
    assert "sha256 of %s is " % names[0].replace("_", " ") in differs.evidence


# official splits as data

SCENES = {"indianpines": "indian_pines", "pavia": "pavia_university", "salinas": "salinas"}
FOLDERS = {"ssdgl": "ssdgl", "rssgl": "rssgl", "a2s2k": "a2s2k_resnet"}


def test_golden_splits_are_those_of_the_golden_values():
    golden_values = json.loads((HERE / "golden" / "splits.json").read_text())
    for golden in load_golden():
        entry = golden_values[SCENES[golden.scene]][golden.draw]
        known = {name for name in ("train", "val", "test") if name + "_sha256" in entry}
        assert {name.replace("train_and_val", "train") for name in golden.sets} == known
        for name, facts in golden.sets.items():
            source = name.replace("train_and_val", "train")
            expected = {"size": entry[source], "sha256": entry[source + "_sha256"]}
            if source == "train" and "train_per_class" in entry:
                expected["per_class"] = entry["train_per_class"]
            assert facts == expected


def test_golden_splits_are_those_that_the_configurations_draw():
    for golden in load_golden():
        kind, amount, seed = golden.draw.rsplit("_", 2)
        for paper, experiment, _ in golden.runs:
            name = experiment.partition("-")[0] if paper == "a2s2k" else experiment
            config = load_toml(REPOSITORY / FOLDERS[paper] / "configs" / (name + ".toml"))
            rule = config["split"]
            assert config["scene"] == golden.scene
            assert golden.seed == int(seed[4:]) or (golden.seed is None and rule["seed"] == int(seed[4:]))
            if kind == "a2s2k":
                assert rule["held_out"] == float(amount)
            else:
                least = {"percent": (float(amount), 5), "per_class": (0, float(amount))}[kind]
                assert (rule["ratio"], rule["minimum"]) == least


def test_kept_records_have_the_golden_splits():
    compared = 0
    for record in find_records(REPOSITORY / "records"):
        golden = find_golden(record["paper"], record["experiment"], record["protocol"], record["seed"])
        for name in set(golden.sets) & {"train", "val", "test"} if golden else ():
            assert record["split"][name]["sha256"] == golden.sets[name]["sha256"]
            compared += 1
    assert compared > 0


def test_a_golden_split_is_found_by_its_run():
    assert find_golden("ssdgl", "indianpines", "paper", 2333).draw == "percent_0.05_seed2333"
    assert find_golden("ssdgl", "indianpines", "paper", 1) is None
    assert find_golden("ssdgl", "indianpines", "disjoint", 2333) is None
    assert set(find_golden("rssgl", "pavia", "paper", 7).sets) == {"train_and_val", "test"}
    assert set(find_golden("rssgl", "pavia", "released", 7).sets) == {"train", "test"}
    assert find_golden("a2s2k", "salinas-ssrn", "released", 1332).sets["val"]["size"] == 5402
    assert find_golden("da-imrn", "indianpines", "released", 1) is None


@pytest.mark.parametrize(
    "text, complaint",
    [
        ('[[split]]\nscene = "a"\ndraw = "b"', "split 1: .*missing or unknown: runs"),
        ('[[split]]\nscene = "a"\ndraw = "b"\nruns = []', "no set at all"),
        ('[[split]]\nscene = "a"\ndraw = "b"\nruns = []\ntrain = { size = 1 }', "expected size, sha256"),
        ('[[split]]\nscene = "a"\ndraw = "b"\nruns = []\ntrian = { size = 1 }', "missing or unknown: trian"),
    ],
)
def test_a_wrong_golden_file_is_named(tmp_path, text, complaint):
    (tmp_path / "golden.toml").write_text(text)
    with pytest.raises(RecordError, match="golden.toml, " + complaint if "split 1" in complaint else complaint):
        load_golden(tmp_path / "golden.toml")


# tables

SMALL = Audit(
    (
        Finding("gap_labels", "clean for 20 steps", "nothing changes", {"weights_sha256": "ab"}),
        Finding("test_spectra", "uses test spectra (seen)", "one two three four five six seven eight", {}, ("seen",)),
        Finding("context", "overlaps", "some", {"context_test_with_training_pixel": 0.25, "oa_seeing": 0.9}),
    ),
    20,
)


def test_entries_of_a_record():
    entries = as_record(SMALL, more=1)
    assert entries["audit_gap_labels"] == "clean for 20 steps"
    assert entries["audit_gap_labels_evidence"] == "nothing changes" and entries["audit_weights_sha256"] == "ab"
    assert entries["audit_context_test_with_training_pixel"] == 0.25 and entries["audit_oa_seeing"] == 0.9
    assert entries["audit_verdict"] == "seen; otherwise clean for 20 steps"
    assert entries["audit_steps"] == 20 and entries["audit_more"] == 1 and len(entries) == 12


def test_the_verdict_speaks_for_its_steps():
    assert SMALL._replace(findings=SMALL.findings[:1], steps=1).verdict == "clean for 1 step"
    assert SMALL._replace(findings=SMALL.findings[1:2] * 2).verdict == "seen; otherwise clean for 20 steps"


def test_the_table_is_wrapped_and_aligned():
    assert as_text(SMALL, width=66).splitlines() == [
        "item         | verdict                  | evidence",
        "gap labels   | clean for 20 steps       | nothing changes",
        "test spectra | uses test spectra (seen) | one two three four five",
        "             |                          | six seven eight",
        "context      | overlaps                 | some",
        "verdict: seen; otherwise clean for 20 steps",
    ]


def test_the_readme_table_has_a_line_per_protocol():
    lines = as_markdown([("paper", as_record(SMALL)), ("released", {})]).splitlines()
    assert lines[0].startswith("| protocol | verdict | split | least distance of test to training pixels |")
    assert lines[2] == "| paper | seen; otherwise clean for 20 steps | – | – | – | 25.00 % | 90.00 % | – |"
    assert lines[3] == "| released | – | – | – | – | – | – | – |"
    assert {line.count("|") for line in lines} == {9}


# kept with the run


@pytest.fixture(scope="module")
def entries(scene, split):
    return as_record(SMALL._replace(findings=SMALL.findings + (split_finding(split, scene.ground_truth, 9, None),)))


@pytest.fixture
def finished(record, scene, split):
    """A record of the audited split, with facts of its own."""
    return dict(record, split=describe(split, scene.ground_truth, 9), audit={"windows": 3, "audit_old": "stale"})


def test_entries_go_into_a_finished_run(tmp_path, finished, entries):
    write_record(tmp_path / "run.json", finished)
    write_audit(tmp_path, entries)
    merged = read_record(tmp_path / "run.json")
    assert merged["audit"] == dict(entries, windows=3)
    assert dict(merged, audit=None) == dict(finished, audit=None)
    assert read_audit(tmp_path) == entries
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "audit.json"}


def test_an_unfinished_run_keeps_its_audit_beside_it(tmp_path, finished, entries):
    assert read_audit(tmp_path) == {}
    write_audit(tmp_path, entries)
    assert [path.name for path in tmp_path.iterdir()] == ["audit.json"]
    validate_record(dict(finished, audit=dict({"windows": 3}, **read_audit(tmp_path))))


def test_entries_go_into_a_kept_record(tmp_path, finished, entries):
    del finished["audit"]
    write_record(tmp_path / "seed-1.json", finished)
    add_to_record(tmp_path / "seed-1.json", entries)
    assert read_record(tmp_path / "seed-1.json")["audit"] == entries


def test_an_audit_of_other_settings_is_refused_and_how_long_it_trained_is_none(tmp_path, finished, entries, capsys):
    data = {file["name"]: file["sha256"] for file in finished["data"]}
    own = [finished["config"], finished["protocol"], finished["seed"], data]
    longer = dict(finished["config"], train={"num_iters": 10**6})
    others = [
        [dict(finished["config"], batch=3)] + own[1:], own[:1] + ["hope"] + own[2:], own[:2] + [10**6, data],
        own[:3] + [{}],
    ]  # fmt: skip
    fitting = dict(entries, audit_settings_sha256=settings_sha256(longer, *own[1:]))
    assert with_audit(finished, tmp_path) == finished
    write_audit(tmp_path, fitting)
    assert with_audit(finished, tmp_path)["audit"] == dict(finished["audit"], **fitting)
    write_record(tmp_path / "run.json", finished)
    for other in others:
        wrong = dict(entries, audit_settings_sha256=settings_sha256(*other))
        with pytest.raises(RecordError, match="has other settings than the audited run"):
            write_audit(tmp_path, wrong)
    (tmp_path / "run.json").unlink()
    write_audit(tmp_path, wrong)
    assert with_audit(finished, tmp_path) == finished
    assert "audit.json is not taken into the record" in capsys.readouterr().err


def test_an_audit_of_another_split_is_refused(tmp_path, finished, entries):
    path = tmp_path / "run.json"
    write_record(path, finished)
    with pytest.raises(RecordError, match=r"is of another split: its train pixels have sha256 .*audit the split of"):
        add_to_record(path, {"audit_verdict": "clean", "audit_split_train_sha256": "0" * 64})
    with pytest.raises(RecordError, match="is of another split: its test pixels"):
        write_audit(tmp_path, dict(entries, audit_split_test_sha256="0" * 64))
    assert read_record(path) == finished and [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("wrong", [{"labels": "clean"}, {"audit_x": None}, {"audit_x": [1]}, {"audit_x": float("nan")}])
def test_what_is_no_entry_is_refused(tmp_path, finished, wrong):
    write_record(tmp_path / "run.json", finished)
    for write in (write_audit, lambda folder, entries: add_to_record(folder / "run.json", entries)):
        with pytest.raises(RecordError, match="the audit holds"):
            write(tmp_path, wrong)
    assert read_record(tmp_path / "run.json") == finished


@pytest.mark.parametrize("content", ["", "[]", '{"audit_x": NaN}', '{"other": 1}', "\udcff"])
def test_a_damaged_audit_is_named(tmp_path, content):
    (tmp_path / "audit.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecordError, match=r"audit\.json"):
        read_audit(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path, entries):
    with pytest.raises(RecordError, match=r"the audit cannot be written to .*absent"):
        write_audit(tmp_path / "absent", entries)


# the example


def test_the_example_says_what_the_readme_says():
    pytest.importorskip("threadpoolctl")  # of the baselines
    environment = dict(os.environ, COLUMNS="120", PYTHONIOENCODING="utf-8")
    output = subprocess.check_output([sys.executable, str(HERE / "audit_example.py")], env=environment, timeout=60)
    rows = [[cell.strip() for cell in line.split(" | ")] for line in output.decode("utf-8").splitlines()]
    assert {row[0]: row[1] for row in rows if row[0] and len(row) == 3} == {
        "item": "verdict",
        "test labels": "clean for 1 step",
        "gap labels": "clean for 1 step",
        "validation labels": "clean for 1 step",
        "test spectra": "clean for 1 step",
        "control": "uses spectra and training",
        "openings": "nothing",
        "context": "none",
        "split": "sound",
    }
    assert "302 pixels train, 123 validate" in output.decode("utf-8") and rows[-1] == ["verdict: clean for 1 step"]


def test_the_example_is_the_one_in_the_readme():
    readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- example: audit_example.py -->", 1)[1].split("```python\n", 1)[1].split("```", 1)[0]
    code = (HERE / "audit_example.py").read_text(encoding="utf-8")
    assert block == code and len(code.splitlines()) <= 20


def test_everything_public_is_in_one_place():
    assert all(hasattr(audit_module, name) for name in audit_module.__all__)
