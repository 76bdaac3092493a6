"""All methods on equal terms: rows over seeds, pairs by what each got right, and refusal of unequal tests."""

import numpy as np
import pytest

from shared_data.comparison.methods import NO_RUNS, disjoint_rows, disjoint_table, method_of, pairs_table, pairwise
from shared_data.errors import RecordError
from shared_data.evaluation.statistics import holm, mcnemar
from shared_data.records.map_codec import maps_of
from shared_data.records.record import validate_record
from shared_data.scenes.catalogue import get_scene
from shared_data.splits.draws import Split, describe

SCENE = get_scene("synthetic")
TRUTH = np.random.RandomState(0).randint(0, SCENE.num_classes + 1, (SCENE.height, SCENE.width)).astype(np.uint8)


def split_of_seed(seed):
    order = np.random.RandomState(seed).permutation(np.flatnonzero(TRUTH))
    return Split(order[:60], order[60:90], order[90:690])


@pytest.fixture
def run(record):
    """A function that makes the record of a method with the given test pixels wrong, out of 600."""

    def make(paper, seed, wrong=(), **changes):
        split = split_of_seed(seed)
        prediction = TRUTH.copy()
        places = np.sort(split.test)[list(wrong)]
        prediction.ravel()[places] = prediction.ravel()[places] % SCENE.num_classes + 1
        oa = 1 - len(places) / 600
        made = dict(
            record,
            paper=paper,
            experiment="synthetic",
            scene="synthetic",
            protocol="disjoint",
            seed=seed,
            metrics=dict(
                record["metrics"],
                oa=oa,
                aa=oa / 2,
                kappa=oa / 4,
                per_class=[oa, None, oa],
                confusion=[[600 - len(places), len(places)], [0, 0]],
            ),
            split=describe(split, TRUTH, SCENE.num_classes),
            maps=maps_of(prediction, split, TRUTH),
        )
        made.update(changes)
        return validate_record(made)

    return make


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]


# rows


def test_rows_are_means_over_seeds_sorted_by_accuracy(run):
    runs = [
        run("svm", 1, range(60), config={}),
        run("svm", 2, range(120), config={}),
        run("ssdgl", 1, range(30)),
        run("ssdgl", 1, range(3), protocol="paper"),
    ]
    best, other = disjoint_rows(runs)
    assert (best.method, best.seeds, best.oa) == ("ssdgl", (1,), (pytest.approx(0.95), None))
    assert (other.method, other.seeds) == ("svm", (1, 2))
    assert other.oa == (pytest.approx(0.85), pytest.approx(0.1 / 2**0.5))
    assert other.aa[0] == pytest.approx(0.425) and other.kappa[0] == pytest.approx(0.2125)
    assert (other.train, other.not_tested, other.num_classes) == ((60, 60), (1, 1), 3)


def test_training_is_told_in_epochs_or_steps_and_what_was_modified(run):
    history = [{"step": 5}, {"step": 10}]
    by_epochs = {
        "config": {"train": {"epochs": 9}},
        "history": history,
        "selection": {"step": 5, "last_step": 10, "on": "x"},
    }
    longer = dict(by_epochs, history=history + [{"step": 15}], selection={"step": 5, "last_step": 15, "on": "x"})
    runs = [
        run("a2s2k", 1, **by_epochs),
        run("a2s2k", 2, modified=["train.epochs"], **longer),
        run("ssdgl", 1, [0], config={"train": {"num_iters": 10}}),
        run("svm", 1, [0, 1], config={"grid": []}, data_verified=False),
    ]
    a2s2k, ssdgl, svm = disjoint_rows(runs)
    assert (a2s2k.epochs, a2s2k.steps, a2s2k.modified) == ((2, 3), (10, 15), ("train.epochs",))
    assert (ssdgl.epochs, ssdgl.steps, ssdgl.modified) == (None, (10, 10), ())
    assert (svm.epochs, svm.steps, svm.verified) == (None, None, False)
    table = cells(disjoint_table(runs))
    assert table[2][-3:] == ["2–3 epochs, 10–15 steps", "train.epochs", "generated"]
    assert table[3][-3:] == ["10 steps", "–", "generated"] and table[4][-3] == "–"


def test_the_table_names_what_is_needed_to_judge_it(run):
    table = cells(disjoint_table([run("svm", 1, range(60)), run("svm", 2, range(120))]))
    assert table[0][:5] == ["scene", "method", "OA", "AA", "kappa ×100"]
    assert table[2][:9] == [
        "synthetic",
        "svm",
        "85.00 ± 7.07",
        "42.50 ± 3.54",
        "21.25 ± 1.77",
        "2",
        "1 2",
        "60",
        "1 of 3",
    ]
    assert disjoint_table([]) == disjoint_table([run("svm", 1, protocol="paper")]) == NO_RUNS


def test_variants_of_a_configuration_are_methods_of_their_own(record):
    def name(paper, experiment):
        return method_of(dict(record, paper=paper, experiment=experiment, scene="indianpines"))

    assert name("a2s2k", "indianpines") == "a2s2k"
    assert name("a2s2k", "indianpines-ssrn") == "a2s2k ssrn"
    assert name("ssdgl", "indianpines-few-shot") == "ssdgl few-shot"


# pairs


def test_pairs_count_the_pixels_that_only_one_gets_right(run):
    runs = [run("svm", 1, range(40)), run("1nn", 1, range(30, 100)), run("ssdgl", 1, range(5))]
    pairs = pairwise(runs)
    assert [(pair.method_a, pair.method_b, pair.only_a_right, pair.only_b_right) for pair in pairs] == [
        ("ssdgl", "svm", 35, 0), ("ssdgl", "1nn", 70, 5), ("svm", "1nn", 60, 30)
    ]  # fmt: skip
    assert [pair.p for pair in pairs] == [mcnemar(35, 0), mcnemar(70, 5), mcnemar(60, 30)]
    assert [pair.p_holm for pair in pairs] == holm([pair.p for pair in pairs])


def test_pairs_are_of_one_seed_and_corrected_over_the_whole_scene(run):
    runs = [run(paper, seed, range(n)) for paper, n in (("svm", 10), ("1nn", 20)) for seed in (1, 2)]
    pairs = pairwise(runs)
    assert [(pair.seed, pair.only_a_right) for pair in pairs] == [(1, 10), (2, 10)]
    assert [pair.p_holm for pair in pairs] == pytest.approx([2 * mcnemar(10, 0)] * 2)
    table = cells(pairs_table(runs))
    assert table[0] == ["scene", "A", "B", "seed 1", "seed 2"]
    assert table[2] == ["synthetic", "svm", "1nn", "10 : 0, 0.004", "10 : 0, 0.004"]


def test_a_pair_that_lacks_a_seed_has_a_gap(run):
    runs = [run("svm", 1), run("svm", 2), run("1nn", 2, [0]), run("ssdgl", 1, [0, 1])]
    assert [row[3:] for row in cells(pairs_table(runs))[2:]] == [["2 : 0, 1.000", "–"], ["–", "1 : 0, 1.000"]]


def test_runs_without_maps_are_named(run):
    bare = run("ssdgl", 1)
    del bare["maps"]
    runs = [run("svm", 1), run("1nn", 1, [0]), bare]
    assert len(pairwise(runs)) == 1
    assert "so left out: ssdgl synthetic, protocol disjoint, seed 1." in pairs_table(runs)
    assert pairs_table([bare]).startswith("No two runs")


def test_runs_on_different_test_pixels_are_not_compared(run):
    other = run("1nn", 2)["split"]
    for part in ("train", "val", "test"):
        own = run("1nn", 1)
        runs = [run("svm", 1), dict(own, split=dict(own["split"], **{part: other[part]}))]
        for judge in (disjoint_rows, pairwise, disjoint_table, pairs_table):
            with pytest.raises(RecordError, match="svm .* and 1nn .* differ in their %s pixels" % part):
                judge(runs)


def test_a_map_that_is_not_of_the_tested_pixels_is_refused(run):
    runs = [run("svm", 1), dict(run("1nn", 1), maps=run("1nn", 2, range(5))["maps"])]
    with pytest.raises(RecordError, match=r"1nn synthetic.*expected 600 bits of 600 right pixels, found 600 of 595"):
        pairwise(runs)
