"""All methods on equal terms: rows over common seeds, pairs by fields, and refusal of unequal tests."""

import numpy as np
import pytest

from shared_data.comparison.methods import (
    classes_table,
    common_seeds,
    compare_methods,
    method_of,
    methods_table,
    pairs_table,
)
from shared_data.errors import RecordError
from shared_data.evaluation.distances import count_distances
from shared_data.evaluation.field_statistics import accuracies, confusion_of, paired_difference
from shared_data.evaluation.metrics import evaluate
from shared_data.evaluation.statistics import holm
from shared_data.evaluation.unit_counts import count_units, unit_counts
from shared_data.records.counts import distances_of, matrix_of, units_of
from shared_data.records.record import validate_record
from shared_data.scenes.catalogue import get_scene
from shared_data.splits.draws import Split, describe
from shared_data.splits.spatial import connected_fields, spatial_units

pytestmark = pytest.mark.stack_independent

SCENE = get_scene("synthetic")
SHAPE = (SCENE.height, SCENE.width)


def fields():
    """A ground truth of square fields, eight pixels wide, with gaps between them."""
    random = np.random.RandomState(0)
    cells = random.randint(1, SCENE.num_classes + 1, (-(-SHAPE[0] // 8), -(-SHAPE[1] // 8)))
    truth = np.kron(cells, np.ones((8, 8), int))[: SHAPE[0], : SHAPE[1]]
    truth[::8] = truth[:, ::8] = 0
    return truth.astype(np.uint8)


TRUTH = fields()
UNITS = spatial_units(TRUTH)


def split_of_seed(seed):
    order = np.random.RandomState(seed).permutation(np.flatnonzero(TRUTH))
    return Split(order[:60], order[60:90], order[90:])


def with_results(record, split, prediction):
    """The record with a prediction's metrics and counts."""
    found = evaluate(TRUTH.flat[split.test], prediction.flat[split.test], SCENE.num_classes)
    return dict(
        record,
        metrics=found._asdict(),
        split=describe(split, TRUTH, SCENE.num_classes),
        units=count_units(TRUTH, prediction, split.test),
        distances=count_distances(TRUTH, prediction, split.train, split.test),
    )


@pytest.fixture
def run(record):
    """A function that makes the record of a method that errs on the given fields."""

    def make(paper, seed, wrong=(), **changes):
        split, prediction = split_of_seed(seed), TRUTH.copy()
        places = np.isin(UNITS, list(wrong))
        prediction[places] = prediction[places] % SCENE.num_classes + 1
        made = with_results(record, split, prediction)
        made.update(paper=paper, experiment="synthetic", scene="synthetic", protocol="spatial-cv", seed=seed, data=[])
        made.update(changes)
        return validate_record(made)

    return make


def compared(runs):
    return compare_methods(runs, "synthetic", "spatial-cv")


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]


# common seeds


@pytest.mark.parametrize(
    "seeds, expected",
    [
        ({"a": {1, 2}, "b": {1, 2}}, (1, 2)),
        ({"a": {1, 2, 3, 4, 5}, "b": {1}}, (1,)),
        ({"a": {1, 2}, "b": {1, 2}, "c": {9}}, (1, 2)),
        ({"a": {1, 2}, "b": {2, 3}, "c": {1, 3}}, (1,)),
        ({"a": {0}, "b": {1, 2, 3}}, (1, 2, 3)),
        ({"a": {3, 1}}, (1, 3)),
    ],
)
def test_seeds_to_rank_over_are_those_that_most_methods_share(seeds, expected):
    assert common_seeds(seeds) == expected
    assert any(set(expected) <= own for own in seeds.values())


def test_a_method_that_lacks_a_seed_is_listed_apart_with_its_own(run):
    runs = [run("svm", 1, [1]), run("svm", 2, [1, 2]), run("1nn", 1, [3]), run("1nn", 2), run("ssdgl", 7)]
    found = compared(runs + [run("ssdgl", 1, protocol="paper"), run("rssgl", 1, scene="pavia")])
    assert found.seeds == (1, 2) and [row.method for row in found.rows] == ["1nn", "svm"]
    assert [(row.method, row.seeds) for row in found.unranked] == [("ssdgl", (7,))]
    assert {(pair.method_a, pair.method_b) for pair in found.pairs} == {("1nn", "svm")}
    above, below = methods_table(found).split("Not ranked")
    assert "| svm |" in above and "| ssdgl |" not in above and "| ssdgl | 100.00 " in below and "| 7 |" in below


def test_seeds_that_only_some_methods_have_do_not_enter_the_means(run):
    runs = [run("svm", 1, [1]), run("svm", 2, range(40)), run("1nn", 1, [1])]
    svm, nearest = sorted(compared(runs).rows, key=lambda row: row.method, reverse=True)
    assert svm.oa == nearest.oa == (runs[0]["metrics"]["oa"], None)


# rows


def test_rows_are_means_over_seeds_with_intervals_over_fields(run):
    runs = [run("svm", 1, [1, 2, 3]), run("svm", 2, [1, 2, 3, 4, 5, 6])]
    (row,) = compared(runs).rows
    values = [record["metrics"]["oa"] for record in runs]
    assert row.oa == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    for name in ("oa", "aa", "kappa"):
        low, high = getattr(row.intervals, name)
        assert low < getattr(row, name)[0] < high
    assert row.quantity + row.allocation == pytest.approx(1 - row.oa[0])
    # whole fields are wrong, so fields count, not their pixels
    assert len(row.counts.unit) == UNITS.max() and 0.3 * UNITS.max() < row.effective_n < 3 * UNITS.max()
    assert row.train == (60, 60) and row.test == ((TRUTH > 0).sum() - 90,) * 2


def test_the_table_names_what_is_needed_to_judge_a_row(run):
    context = {"test_with_training_pixel": 0.25, "test_with_training_patch": 1, "test_spectra": "seen"}
    audit = {"audit_verdict": "uses gap labels"}
    runs = [run("svm", 1, [1], context=context, truncated=True, audit=audit), run("1nn", 1)]
    header, _, perfect, other = cells(methods_table(compared(runs)))
    perfect, other = dict(zip(header, perfect)), dict(zip(header, other))
    assert perfect["OA"] == "100.00 (100.00–100.00)" and perfect["effective n"] == "–"
    assert perfect["test spectra in training"] == perfect["training pixel in the input"] == "–"
    assert (other["test spectra in training"], other["training pixel in the input"]) == ("seen", "25.00 %")
    assert (other["audit"], perfect["audit"]) == ("uses gap labels", "not audited")
    assert "truncated" in other["doubts"] and other["training pixels"] == "60" and other["seeds"] == "1"


def test_training_pixels_of_a_cross_validation_are_those_of_a_fold(run):
    whole = run("svm", 1)
    parts = [{"split": dict(whole["split"], train=dict(whole["split"]["train"], size=size))} for size in (50, 55)]
    (row,) = compared([dict(whole, folds=parts)]).rows
    assert row.train == (50, 55)


def test_without_runs_there_is_a_sentence(run):
    found = compared([run("svm", 1, protocol="disjoint")])
    assert methods_table(found) == classes_table(found) == "No runs under the protocol `spatial-cv`."
    assert pairs_table(found).startswith("No two methods under the protocol `spatial-cv`")


def test_variants_of_a_configuration_are_methods_of_their_own(record):
    def name(paper, experiment):
        return method_of(dict(record, paper=paper, experiment=experiment, scene="indianpines"))

    assert name("a2s2k", "indianpines") == "a2s2k"
    assert name("a2s2k", "indianpines-ssrn") == "a2s2k ssrn"
    assert name("ssdgl", "indianpines-few-shot") == "ssdgl few-shot"


# pairs


def test_pairs_are_paired_over_fields_and_corrected_over_the_table(run):
    wrong = {"svm": range(1, 10), "1nn": range(8, 30), "ssdgl": [1]}
    found = compared([run(paper, seed, fields) for paper, fields in wrong.items() for seed in (1, 2)])
    assert [(pair.method_a, pair.method_b) for pair in found.pairs] == [
        ("ssdgl", "svm"),
        ("ssdgl", "1nn"),
        ("svm", "1nn"),
    ]
    counts = {row.method: row.counts for row in found.rows}
    for pair in found.pairs:
        assert pair.difference == paired_difference(counts[pair.method_a], counts[pair.method_b])
    assert [pair.p_holm for pair in found.pairs] == holm([pair.difference.p for pair in found.pairs])
    svm, nearest = (row.oa[0] for row in found.rows[1:])
    assert found.pairs[2].difference.estimate == pytest.approx(svm - nearest)
    first = dict(zip(*cells(pairs_table(found))[::2][:2]))
    assert (first["A"], first["B"], first["fields"]) == ("ssdgl", "svm", str(connected_fields(TRUTH).max()))
    assert first["OA of A − B, points"] == "%+.2f" % (100 * found.pairs[0].difference.estimate)


def test_two_methods_that_err_on_other_pixels_of_the_same_fields_do_not_differ(run):
    # half of the pixels of every field, not the same half; a test on pixels sees thousands that only one gets right
    random = np.random.RandomState(1)
    runs = []
    for paper in ("svm", "1nn"):
        prediction = np.where(random.random_sample(SHAPE) < 0.5, TRUTH, TRUTH % SCENE.num_classes + 1).astype(np.uint8)
        runs.append(with_results(run(paper, 1), split_of_seed(1), prediction))
    (pair,) = compared(runs).pairs
    assert pair.difference.p > 0.05 and pair.difference.interval[0] < 0 < pair.difference.interval[1]


def test_runs_without_counts_have_no_interval_and_no_pair_and_are_named(run):
    bare = run("ssdgl", 1, [5])
    del bare["units"], bare["distances"]
    found = compared([run("svm", 1, [1]), run("1nn", 1, [1, 2]), bare])
    assert [(pair.method_a, pair.method_b) for pair in found.pairs] in ([("svm", "1nn")], [("1nn", "svm")])
    assert "so left out: ssdgl." in pairs_table(found)
    (row,) = [row for row in found.rows if row.method == "ssdgl"]
    assert row.intervals is None and row.effective_n is None and row.distances == []
    assert "| ssdgl | %.2f |" % (100 * row.oa[0]) in methods_table(found)


# classes


def test_classes_carry_their_test_pixels_and_few_are_marked(run):
    split = split_of_seed(1)
    rare = np.flatnonzero(TRUTH == 2)
    split = split._replace(test=np.setdiff1d(split.test, rare[20:]))
    prediction = TRUTH.copy()
    prediction[TRUTH == 1] = 3
    found = compared([with_results(run("svm", 1), split, prediction)])
    lines = cells(classes_table(found))
    expected = [int(np.sum(TRUTH.flat[split.test] == label)) for label in range(1, SCENE.num_classes + 1)]
    assert [line[1] for line in lines[2:]] == list(map(str, expected))
    assert [line[0].endswith("†") for line in lines[2:]] == [count < 30 for count in expected] and expected[1] < 30
    assert (lines[2][3], lines[3][3]) == ("0.00", "100.00") and lines[0] == ["class", "test pixels", "units", "svm"]
    assert lines[2][2] == str(len(np.unique(UNITS[TRUTH == 1])))
    assert "†: fewer than 30 test pixels." in classes_table(found)


# what does not fit


def test_runs_on_different_pixels_are_not_compared(run):
    other = run("1nn", 2)["split"]
    for part in ("train", "val", "test"):
        own = run("1nn", 1)
        runs = [run("svm", 1), dict(own, split=dict(own["split"], **{part: other[part]}))]
        with pytest.raises(RecordError, match="svm .* and 1nn .* differ in their %s pixels" % part):
            compared(runs)


def test_runs_with_other_classes_or_without_a_confusion_matrix_are_not_compared(run):
    one = run("svm", 1)
    fewer = dict(one["metrics"], per_class=[1.0], confusion=[[5]])
    with pytest.raises(RecordError, match=r"svm .* and 1nn .* differ in their classes"):
        compared([one, run("1nn", 1, metrics=fewer)])
    for confusion in ([[0] * SCENE.num_classes] * SCENE.num_classes, [[1]] * SCENE.num_classes):
        with pytest.raises(RecordError, match=r"1nn .* confusion matrix is not square, or empty"):
            compared([run("1nn", 1, metrics=dict(one["metrics"], confusion=confusion))])


def test_counts_of_a_record_are_its_own(run):
    record = run("svm", 1, [1, 2])
    counts = units_of(record)
    assert accuracies(confusion_of(counts)).oa == pytest.approx(record["metrics"]["oa"])
    assert counts.predicted.tolist() == unit_counts(record["units"], SCENE.num_classes).predicted.tolist()
    assert distances_of(record) == record["distances"]


def test_counts_that_are_not_those_of_the_confusion_matrix_are_refused(run):
    record, other = run("svm", 1, [1, 2]), run("svm", 1, [3])
    for read, name, complaint in (
        (units_of, "units", "spatial unit are not those of its confusion matrix"),
        (distances_of, "distances", "pixels by distance"),
    ):
        with pytest.raises(RecordError, match="svm synthetic, protocol spatial-cv, seed 1: .*" + complaint):
            read(dict(record, **{name: other[name]}))
    twice, above = record["units"] + record["units"][:1], [dict(record["units"][0], **{"class": 99})]
    for units in (twice, above):
        with pytest.raises(RecordError, match="a class above %d, or a unit twice" % SCENE.num_classes):
            units_of(dict(record, units=units))
    huge = [dict(record["units"][0], unit=10**30)]
    with pytest.raises(RecordError, match="numbers that are too large"):
        units_of(dict(record, units=huge))
    with pytest.raises(RecordError, match="numbers that are too large"):
        matrix_of(dict(record, metrics=dict(record["metrics"], confusion=[[10**30]])))
    with pytest.raises(RecordError, match="counts no spatial units"):
        units_of(dict(record, units=[]))
