"""The learning rate, the split, the configurations of all network variants, and what these read of the test labels."""

import pytest

from contracts.full_scene_runs import FINAL, SHORT, labels_for, openings, prepare, request_for
from contracts.ignored_pixels import check_statistics
from shared_data.errors import SealedError
from shared_data.records.record import read_record
from shared_data.runs.method import Run
from shared_data.runs.reproduce import reproduce
from ssdgl.decisions import decide

SHOWN = ("ssdgl.train", "accuracy shown after every epoch, as in the release; nothing is chosen by it", "training")
TRAINED_ON = ("ssdgl.train", "the loss is taken over all labelled pixels, as in the first release", "training")


def test_learning_rate_is_set_after_the_step_from_the_old_counter(paper, method, tmp_path):
    reproduce(method, request_for(paper, tmp_path, iterations=5, overrides=("minibatch.images=1",)))
    record = read_record(tmp_path / "ssdgl/synthetic/paper/seed-2333/run.json")
    rates = [entry["lr"] for entry in record["history"]]
    formula = [0.005 * (1 - step / 200) ** 0.8 for step in (0, 0, 1, 2, 3)]
    assert rates == pytest.approx(formula, rel=1e-12)


def test_another_seed_is_another_split(paper, method, tmp_path):
    first, other = (prepare(method, request_for(paper, tmp_path, seed=seed)).draw.split for seed in (2333, 7))
    assert set(first.train) != set(other.train)


def of_variant(paper, tmp_path, variant, protocol):
    overrides = SHORT + ("model.params.variant='%s'" % variant,)
    return request_for(paper, tmp_path / variant / protocol, protocol, iterations=2, overrides=overrides)


@pytest.mark.parametrize("variant, released", [("v2022", [SHOWN]), ("v2022-fewshot", [SHOWN]),
                                               ("v2021", [TRAINED_ON, SHOWN])])  # fmt: skip
def test_every_variant_trains_and_its_record_tells_who_read_test_labels(paper, method, tmp_path, variant, released):
    for protocol, opened in (("paper", []), ("released", released)):
        record = reproduce(method, of_variant(paper, tmp_path, variant, protocol)).record
        assert record["decisions"]["loss"] == decide(protocol, variant).loss
        assert openings(record) == [*opened, FINAL]


def test_the_first_commit_cannot_train_where_test_labels_are_sealed(paper, method, tmp_path):
    prepared = prepare(method, of_variant(paper, tmp_path, "v2021", "released"))
    labels = labels_for(method, prepared, disclosed=False)
    with pytest.raises(SealedError, match="the loss is taken over all labelled pixels"):
        method.fit(prepared.loaded.image, labels, prepared.configuration, 2333, Run(tmp_path / "run", "cpu"))
    assert not (tmp_path / "run").exists()


def test_ignored_pixels_take_no_part_in_the_statistics_of_the_scene(paper, method, tmp_path):
    check_statistics(method, request_for(paper, tmp_path, "paper"))
