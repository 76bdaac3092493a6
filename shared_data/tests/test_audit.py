"""The audit: every way to use test pixels is caught by the right item and by no other, and nothing else is changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared_data import audit as audit_module
from shared_data.audit import (
    Audit,
    Finding,
    GoldenSplit,
    Trained,
    add_to_record,
    as_markdown,
    as_record,
    as_text,
    audit,
    find_golden,
    load_golden,
    read_audit,
    weights_sha256,
    write_audit,
)
from shared_data.audit.changes import alter_spectra, hidden_pixels, permute_labels
from shared_data.errors import RecordError, SplitError
from shared_data.files.toml import load_toml
from shared_data.records.audit_file import settings_sha256, with_audit
from shared_data.records.record import find_records, read_record, validate_record, write_record
from shared_data.scenes.loading import load_scene
from shared_data.splits.disjoint import near
from shared_data.splits.draws import Split, describe, draw_per_class, training_counts

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
STEPS = 4
UNLABELLED = 2  # a pixel of the generated scene
CLEAN = {"labels": "clean", "selection": "clean", "preprocessing": "clean", "overlap": "overlaps", "split": "clean"}


@pytest.fixture(scope="module")
def scene():
    """The generated scene with every fourth band, which is enough here and quicker."""
    loaded = load_scene("synthetic")
    return loaded._replace(cube=np.ascontiguousarray(loaded.cube[:, :, ::4]))


@pytest.fixture(scope="module")
def split(scene):
    drawn = draw_per_class(scene.ground_truth, training_counts(scene.ground_truth, 0.05, 5), seed=1)
    return Split(drawn.train[::2], drawn.train[1::2], drawn.test)


class Learner:
    """Softmax regression on standardised spectra, by gradient descent; each flaw is one keyword.

    learns: sets whose labels enter the loss. selects, shows: set whose accuracy is used. fitted: `train` or `scene`.
    """

    def __init__(self, learns=("train",), selects=None, shows=None, fitted="train", start=lambda: 0.0):
        self.learns, self.selects, self.shows, self.fitted, self.start = learns, selects, shows, fitted, start
        self.calls = 0

    def features(self, cube, split):
        spectra = cube.reshape(-1, cube.shape[2]).astype(float)
        known = spectra[split.train] if self.fitted == "train" else spectra
        return (spectra - known.mean(axis=0)) / known.std(axis=0)

    def inputs(self, cube, split):
        return self.features(cube, split)[split.train]

    def train(self, cube, ground_truth, split):
        self.calls += 1
        x, y = self.features(cube, split), ground_truth.ravel()
        pixels = np.concatenate([getattr(split, name) for name in self.learns])
        weights = np.full((x.shape[1], 9), self.start())
        history, best = [], (-1.0, 0)
        for step in range(STEPS):
            scores = x[pixels].dot(weights)
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            wrong = scores / scores.sum(axis=1, keepdims=True) - np.eye(10)[y[pixels]][:, 1:]
            weights -= 0.05 * x[pixels].T.dot(wrong) / len(pixels)
            predicted = x.dot(weights).argmax(axis=1) + 1
            if self.shows:
                shown = getattr(split, self.shows)
                history.append({"step": step, "oa": (predicted == y)[shown].mean()})
            if self.selects:
                best = max(best, (float((predicted == y)[getattr(split, self.selects)].mean()), step))
        cube[:], ground_truth[:] = 0, 0  # a method may do with its arguments as it likes
        split.train.sort()
        selection = {"oa": best[0], "step": best[1]} if self.selects else None
        return Trained({"weights": weights}, selection, predicted.reshape(ground_truth.shape), history or None)


def counter():
    """A start that is another one in every training."""
    numbers = iter(range(100))
    return lambda: 1e-3 * next(numbers) * np.arange(9)


def run(learner, scene, split, **more):
    return audit(learner.train, scene, split, learner.inputs, lambda mask: near(mask, 2), **more)


def verdicts(found):
    return {finding.item: finding.verdict for finding in found.findings}


def finding_of(found, item):
    return next(finding for finding in found.findings if finding.item == item)


# each flaw, and the item that catches it


@pytest.mark.parametrize(
    "keywords, caught, trainings",
    [
        ({}, {}, 2),
        ({"selects": "val", "shows": "train"}, {}, 2),
        ({"learns": ("train", "test")}, {"labels": "leaks"}, 3),
        ({"selects": "test"}, {"selection": "leaks"}, 3),
        ({"fitted": "scene"}, {"preprocessing": "leaks"}, 2),
        ({"shows": "test"}, {}, 3),
        ({"start": "counter"}, {"labels": "not deterministic"}, 3),
    ],
    ids=["clean", "selects on val", "learns test", "selects on test", "fitted on scene", "shows test", "random"],
)
def test_each_flaw_is_caught_by_its_item_alone(scene, split, keywords, caught, trainings):
    if "start" in keywords:
        keywords = {"start": counter()}
    learner = Learner(**keywords)
    assert verdicts(run(learner, scene, split)) == dict(CLEAN, **caught)
    assert learner.calls == trainings


def test_evidence_names_what_was_compared(scene, split):
    clean = finding_of(run(Learner(), scene, split), "labels")
    assert clean.numbers["labels_sha256"][:12] in clean.evidence and "no test label reached" in clean.evidence
    assert "%d of %d test pixels" % (clean.numbers["labels_changed"], split.test.size) in clean.evidence
    leaks = finding_of(run(Learner(learns=("train", "test")), scene, split), "labels")
    assert leaks.numbers["labels_sha256_altered"][:12] in leaks.evidence
    assert leaks.numbers["labels_sha256_altered"] != leaks.numbers["labels_sha256"]


def test_numbers_shown_of_test_labels_are_told_but_not_held_against_it(scene, split):
    shown = finding_of(run(Learner(shows="test"), scene, split), "selection")
    assert shown.evidence.startswith("nothing is selected; test labels are read while training to show numbers")
    assert shown.numbers == {"selection_shows_test_labels": True}
    assert "show" not in finding_of(run(Learner(shows="val"), scene, split), "selection").evidence


def test_shown_numbers_that_always_differ_tell_nothing(scene, split):
    learner, clock = Learner(), iter(range(9))
    train = lambda *scene: learner.train(*scene)._replace(shown={"seconds": next(clock)})  # noqa: E731
    found = finding_of(audit(train, scene, split), "selection")
    assert found.verdict == "clean" and "differ on the same scene too" in found.evidence and not found.numbers


def test_a_selection_that_follows_from_other_weights_is_told_apart(scene, split):
    found = run(Learner(learns=("train", "test"), selects="val"), scene, split)
    assert (verdicts(found)["labels"], verdicts(found)["selection"]) == ("leaks", "leaks")
    assert "training itself already differs" in finding_of(found, "selection").evidence
    alone = finding_of(run(Learner(selects="test"), scene, split), "selection")
    assert "already differs" not in alone.evidence and '"step"' in alone.evidence


def test_leaking_labels_with_nothing_selected(scene, split):
    found = finding_of(run(Learner(learns=("train", "test"), shows="test"), scene, split), "selection")
    assert (found.verdict, found.evidence) == ("clean", "nothing is selected")


def test_a_selection_that_is_never_the_same(scene, split):
    learner, clock = Learner(), iter(range(9))
    found = audit(lambda *scene: learner.train(*scene)._replace(selection=next(clock)), scene, split)
    assert (verdicts(found)["labels"], verdicts(found)["selection"]) == ("clean", "not deterministic")


def test_inputs_that_are_never_the_same_or_change_their_shape(scene, split):
    random = np.random.RandomState(0)
    noisy = audit(Learner().train, scene, split, lambda cube, split: random.standard_normal(4))
    assert verdicts(noisy)["preprocessing"] == "not deterministic"
    longer = audit(Learner().train, scene, split, lambda cube, split: np.zeros(int(cube.max())))
    assert verdicts(longer)["preprocessing"] == "leaks" and "shape" in finding_of(longer, "preprocessing").evidence


def test_the_largest_change_of_the_inputs_is_a_share_of_the_largest_input(scene, split):
    def inputs(cube, split):
        return np.array([8.0, np.nan, 2.0 if cube.max() > scene.cube.max() else 1.0])

    found = finding_of(audit(Learner().train, scene, split, inputs), "preprocessing")
    assert found.verdict == "leaks" and found.numbers == {"preprocessing_largest_relative_change": 0.125}


def test_scene_wide_statistics_that_a_permutation_of_pixels_would_keep_are_noticed(scene, split):
    def covariance(cube, split):
        return np.cov(cube.reshape(-1, cube.shape[2]).T)

    found = audit(Learner().train, scene, split, covariance)
    assert verdicts(found)["preprocessing"] == "leaks"


def test_what_is_not_given_is_not_audited(scene, split):
    found = verdicts(audit(Learner().train, scene, split))
    assert (found["preprocessing"], found["overlap"]) == ("not audited", "not audited")
    assert (found["labels"], found["selection"]) == ("clean", "clean")


def test_test_pixels_of_one_class_alone(scene, split):
    labels = scene.ground_truth.ravel()
    one = split._replace(test=split.test[labels[split.test] == 1])
    learner = Learner()
    found = run(learner, scene, one)
    assert (verdicts(found)["labels"], verdicts(found)["selection"]) == ("not audited", "not audited")
    assert "fewer than two classes" in finding_of(found, "labels").evidence and learner.calls == 1
    none = run(learner, scene, split._replace(test=split.test[:0]))
    assert {verdicts(none)[item] for item in ("labels", "preprocessing", "overlap")} == {"not audited"}


def test_a_training_without_weights_is_refused(scene, split):
    with pytest.raises(ValueError, match="there are none"):
        audit(lambda *_: Trained({}), scene, split)


def test_an_index_outside_of_the_scene_is_named(scene, split):
    with pytest.raises(SplitError, match="val set reaches from pixel 5 to 99999; the scene has the pixels 0 to 12287"):
        audit(Learner().train, scene, split._replace(val=np.array([5, 99999])))


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


# what is altered, and what is not


def test_only_hidden_labels_are_permuted(scene, split):
    truth = scene.ground_truth
    before, unlabelled = truth.copy(), np.flatnonzero(truth == 0)[:9]
    overlapping = split._replace(test=np.concatenate([split.test, split.train[:9], split.val[:9], unlabelled]))
    hidden = hidden_pixels(truth, overlapping)
    permuted = permute_labels(truth, hidden, 3)
    kept = np.setdiff1d(np.arange(truth.size), split.test)
    assert np.array_equal(permuted.ravel()[kept], truth.ravel()[kept])
    assert (permuted != truth).sum() > 0.5 * split.test.size
    assert np.array_equal(np.bincount(permuted.ravel()), np.bincount(truth.ravel()))
    assert np.array_equal(permuted, permute_labels(truth, hidden, 3)) and np.array_equal(truth, before)
    assert not np.array_equal(permuted, permute_labels(truth, hidden, 4))


@pytest.mark.parametrize("seed", range(20))
def test_a_permutation_always_changes_labels(seed):
    truth = np.array([[1, 2, 1]], np.uint8)
    assert not np.array_equal(permute_labels(truth, np.arange(3), seed), truth)


def test_only_hidden_spectra_are_altered(scene, split):
    cube = np.asfortranarray(scene.cube)  # as MATLAB files give it
    before = cube.copy()
    altered = alter_spectra(cube, split.test, 3).reshape(-1, 16)
    original = before.reshape(-1, 16).astype(np.float32)
    kept = np.setdiff1d(np.arange(len(original)), split.test)
    assert altered.dtype == np.float32 and np.array_equal(altered[kept], original[kept])
    assert np.array_equal(np.sort(altered[split.test]), 2 * np.sort(original[split.test]))
    moved = (altered[split.test] != 2 * original[split.test]).any(axis=1)
    assert moved.all() and np.array_equal(cube, before)


def test_the_scene_and_the_split_are_never_modified(scene, split):
    before = scene.cube.copy(), scene.ground_truth.copy(), [part.copy() for part in split]
    run(Learner(), scene, split)  # which overwrites all its arguments
    assert np.array_equal(scene.cube, before[0]) and np.array_equal(scene.ground_truth, before[1])
    assert all(np.array_equal(part, old) for part, old in zip(split, before[2]))


# overlap


def test_overlap_against_counting_by_hand(scene, split):
    prediction = np.random.RandomState(0).randint(1, 10, scene.ground_truth.shape)
    found = finding_of(run(Learner(), scene, split, prediction=prediction), "overlap")
    width, trains = (
        scene.ground_truth.shape[1],
        {divmod(int(pixel), scene.ground_truth.shape[1]) for pixel in split.train},
    )
    groups = {True: [], False: []}
    for row, column in (divmod(int(pixel), width) for pixel in split.test):
        sees = any((row + down, column + right) in trains for down in range(-2, 3) for right in range(-2, 3))
        groups[sees].append(prediction[row, column] == scene.ground_truth[row, column])
    assert found.numbers["overlap_seeing"] == len(groups[True]) > 0
    assert found.numbers["overlap_not_seeing"] == len(groups[False]) > 0
    assert found.numbers["overlap_share"] == pytest.approx(len(groups[True]) / split.test.size)
    assert found.numbers["oa_seeing"] == pytest.approx(np.mean(groups[True]))
    assert found.numbers["oa_not_seeing"] == pytest.approx(np.mean(groups[False]))
    assert "OA of the finished run" in found.evidence


def test_no_overlap_and_the_short_training(scene, split):
    found = finding_of(audit(Learner().train, scene, split, receptive_field_fn=lambda mask: mask), "overlap")
    assert (found.verdict, found.numbers["overlap_share"]) == ("none", 0.0)
    assert "oa_seeing" not in found.numbers and "OA of the audit's short training" in found.evidence
    none = audit(
        lambda *scene: Learner().train(*scene)._replace(prediction=None), scene, split, receptive_field_fn=np.copy
    )
    assert "no prediction" in finding_of(none, "overlap").evidence


def test_maps_of_another_shape_are_refused(scene, split):
    with pytest.raises(ValueError, match=r"receptive_field_fn has the shape \(3, 3\), the scene \(128, 96\)"):
        audit(Learner().train, scene, split, receptive_field_fn=lambda mask: mask[:3, :3])
    with pytest.raises(ValueError, match=r"the prediction has the shape \(2, 96\)"):
        run(Learner(), scene, split, prediction=np.ones((2, 96)))


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
    found = finding_of(audit(Learner().train, scene, flaw(split)), "split")
    clean = {"split_duplicates": 0, "split_shared": 0, "split_unlabelled": 0}
    assert found.verdict == "flawed" and {name: found.numbers[name] for name in clean} == dict(clean, **number)


def test_a_shared_pixel_is_the_splits_flaw_alone(scene, split):
    shared = split._replace(test=np.append(split.test, split.train[:2]))
    found = run(Learner(), scene, shared)
    assert verdicts(found) == dict(CLEAN, split="flawed")
    assert "(2 more are not hidden: they train, validate or have no label)" in finding_of(found, "labels").evidence


def test_the_split_in_numbers(scene, split):
    numbers = finding_of(audit(Learner().train, scene, split), "split").numbers
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
    same = finding_of(audit(Learner().train, scene, split, golden=golden), "split")
    assert (same.verdict, same.numbers["split_golden"]) == ("clean", "matches")
    assert "is that of the official split own" in same.evidence
    other = split._replace(train=np.append(split.train[1:], split.test[:1]), test=split.test[1:])
    differs = finding_of(audit(Learner().train, scene, other, golden=golden), "split")
    assert (differs.verdict, differs.numbers["split_golden"]) == ("flawed", "differs")
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
        Finding("labels", "clean", "the weights are the same", {"labels_sha256": "ab"}),
        Finding("selection", "leaks", "one two three four five six seven eight", {}),
        Finding("overlap", "overlaps", "some", {"overlap_share": 0.25, "oa_seeing": 0.9, "oa_not_seeing": 0.5}),
    )
)


def test_entries_of_a_record():
    entries = as_record(SMALL, steps=20)
    assert entries["audit_labels"] == "clean" and entries["audit_labels_evidence"] == "the weights are the same"
    assert entries["audit_overlap_share"] == 0.25 and entries["audit_oa_not_seeing"] == 0.5
    assert entries["audit_steps"] == 20 and len(entries) == 11


def test_the_table_is_wrapped_and_aligned():
    assert as_text(SMALL, width=48).splitlines() == [
        "item      | verdict  | evidence",
        "labels    | clean    | the weights are the same",
        "selection | leaks    | one two three four five",
        "          |          | six seven eight",
        "overlap   | overlaps | some",
    ]


def test_the_readme_table_has_a_line_per_protocol():
    lines = as_markdown([("paper", as_record(SMALL)), ("released", {})]).splitlines()
    assert lines[0].startswith("| protocol | labels | selection | preprocessing | overlap | split |")
    assert lines[2] == "| paper | clean | leaks | – | overlaps | – | 25.00 % | 90.00 % | 50.00 % |"
    assert lines[3] == "| released | – | – | – | – | – | – | – | – |"
    assert {line.count("|") for line in lines} == {10}


# kept with the run


@pytest.fixture(scope="module")
def entries(scene, split):
    return as_record(run(Learner(selects="val"), scene, split), steps=STEPS)


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
        add_to_record(path, {"audit_labels": "clean", "audit_split_train_sha256": "0" * 64})
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


def test_the_example_finds_that_the_whole_scene_is_scaled():
    environment = dict(os.environ, COLUMNS="120", PYTHONIOENCODING="utf-8")
    output = subprocess.check_output([sys.executable, str(HERE / "audit_example.py")], env=environment, timeout=60)
    rows = [[cell.strip() for cell in line.split(" | ")] for line in output.decode("utf-8").splitlines()]
    assert {row[0]: row[1] for row in rows if row[0]} == {
        "item": "verdict",
        "labels": "clean",
        "selection": "clean",
        "preprocessing": "leaks",
        "overlap": "none",
        "split": "clean",
    }
    assert "303 pixels train, 0 validate, 5598 test" in output.decode("utf-8")


def test_the_example_is_the_one_in_the_readme():
    readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- example: audit_example.py -->", 1)[1].split("```python\n", 1)[1].split("```", 1)[0]
    code = (HERE / "audit_example.py").read_text(encoding="utf-8")
    assert block == code and len(code.splitlines()) <= 20


def test_everything_public_is_in_one_place():
    assert all(hasattr(audit_module, name) for name in audit_module.__all__)
