"""What selects the weights under each protocol, early stopping, and what the record says of it."""

import numpy as np
import pytest
import torch

from contracts.full_scene_runs import FINAL, labels_for, minibatches, openings, prepare, request_for, trained
from contracts.ignored_pixels import check_statistics
from rssgl.loss import effective_number_weights
from rssgl.train import Trainable
from shared_data.errors import SettingsError
from shared_data.evaluation.metrics import evaluate
from shared_data.runs.method import Run
from shared_data.runs.reproduce import reproduce
from shared_data.splits.draws import Split

# learns within a few epochs of two steps, and stops soon
QUICK = ("minibatch.images=2", "selection.patience=2")


def flat(weights):
    return np.concatenate([array.ravel() for array in weights.values()])


@pytest.mark.stack_independent
@pytest.mark.slow
@pytest.mark.parametrize("protocol, reaches", [("paper", False), ("released", True)])
def test_whether_test_labels_reach_the_selection(paper, method, tmp_path, protocol, reaches):
    """Give the test pixels the labels that the first evaluation predicts.

    No step's weights change, since the loss is masked; but under `released` the first evaluation is now the best.
    """
    request = request_for(paper, tmp_path, protocol, iterations=8, overrides=("minibatch.images=2",))
    prepared, true = prepare(method, request), trained(method, request, tmp_path / "true")
    labels, test = prepared.loaded.ground_truth.copy(), prepared.draw.split.test
    labels.ravel()[test] = np.load(str(tmp_path / "true/evaluations/step-2.npy")).ravel()[test]
    again = trained(method, request, tmp_path / "other", labels)
    step, other_step = (fitted.report.selection["step"] for fitted in (true, again))
    assert np.array_equal(*(flat(fitted.report.last_weights) for fitted in (true, again))) and step > 2
    assert other_step == (2 if reaches else step)
    assert np.array_equal(*(flat(fitted.weights()) for fitted in (true, again))) is not reaches


@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_the_record_tells_of_the_selected_and_of_the_last_weights(paper, method, tmp_path, protocol):
    prepared = prepare(method, request_for(paper, tmp_path, protocol))
    split = prepared.draw.split
    outcome = reproduce(method, request_for(paper, tmp_path, protocol))
    record, judges = outcome.record, {"paper": "validation", "released": "test"}[protocol]
    history = {entry["step"]: entry for entry in record["history"]}
    values = {step: entry[judges + "_oa"] for step, entry in history.items()}
    step = record["selection"]["step"]
    assert values[step] == max(values.values())
    assert all(value < values[step] for earlier, value in values.items() if earlier < step)
    pixels = {"paper": split.val, "released": split.test}[protocol]
    assert record["selection"]["on"] == "overall accuracy of %d %s pixels" % (pixels.size, judges)
    assert record["selection"]["last_step"] == 8

    # every number again, from the files
    truth, test = prepared.loaded.ground_truth.ravel(), split.test
    for name, at in (("prediction.npy", step), ("evaluations/step-8.npy", 8)):
        prediction = np.load(str(outcome.directory / name)).ravel()[test]
        numbers = evaluate(truth[test], prediction, 9)
        suffix = "" if at == step and name == "prediction.npy" else "_last"
        assert [record["metrics"][m + suffix] for m in ("oa", "aa", "kappa")] == [numbers.oa, numbers.aa, numbers.kappa]
        assert history[at]["test_oa"] == pytest.approx(numbers.oa)

    selecting = ("rssgl.train", "early stopping and the choice of weights, as in the release", "training")
    assert openings(record) == {"paper": [FINAL], "released": [selecting, FINAL]}[protocol]


@pytest.mark.stack_independent
def test_training_stops_when_nothing_gets_better(paper, method, tmp_path):
    request = request_for(paper, tmp_path, iterations=40, overrides=(*QUICK, "learning_rate.params.base_lr=1e-30"))
    record = reproduce(method, request).record
    assert record["selection"]["step"] == 2 and record["selection"]["last_step"] == 6
    assert [entry["step"] for entry in record["history"]] == [2, 4, 6]
    assert "no better validation_oa in 2 evaluations" in (
        (tmp_path / "rssgl/synthetic/paper/seed-2333/log.txt").read_text()
    )


@pytest.mark.stack_independent
def test_a_run_that_stopped_early_and_lost_its_record_does_not_train_on(paper, method, tmp_path):
    request = request_for(paper, tmp_path, iterations=40, overrides=(*QUICK, "learning_rate.params.base_lr=1e-30"))
    outcome = reproduce(method, request)
    (outcome.directory / "run.json").unlink()
    again = reproduce(method, request).record
    assert (again["metrics"], again["history"]) == (outcome.record["metrics"], outcome.record["history"])


@pytest.mark.stack_independent
def test_patience_zero_never_stops_early(paper, method, tmp_path):
    overrides = ("minibatch.images=2", "selection.patience=0", "learning_rate.params.base_lr=1e-30")
    record = reproduce(method, request_for(paper, tmp_path, iterations=12, overrides=overrides)).record
    assert record["selection"]["last_step"] == 12


@pytest.mark.stack_independent
def test_a_last_step_inside_an_epoch_is_evaluated_too(paper, method, tmp_path):
    record = reproduce(method, request_for(paper, tmp_path, iterations=6)).record
    assert [entry["step"] for entry in record["history"]] == [4, 6]


def test_the_split_does_not_change_with_the_seed_but_the_mini_batches_do(paper, method, tmp_path, monkeypatch):
    seen = minibatches(paper, monkeypatch)
    requests = [request_for(paper, tmp_path, seed=seed) for seed in (2333, 7)]
    for request in requests:
        trained(method, request, tmp_path / str(request.seed), steps=1)
    first, other = (prepare(method, request).draw.split for request in requests)
    assert np.array_equal(first.train, other.train)
    assert not torch.equal(*(w for (_, _, w), _ in seen))


@pytest.mark.parametrize("regulariser", ["improved triplet", "sphere", "none"])
def test_other_losses_train(paper, method, tmp_path, regulariser):
    overrides = ("minibatch.images=2", "loss.regulariser='%s'" % regulariser, "split.minimum=6")
    record = reproduce(method, request_for(paper, tmp_path, "released", iterations=2, overrides=overrides)).record
    assert record["config"]["loss"]["regulariser"] == regulariser


@pytest.mark.parametrize("protocol, held_out", [("released", False), ("paper", True)])
def test_the_loss_has_the_weights_of_the_training_counts_and_the_configured_share(
    paper, method, tmp_path, monkeypatch, protocol, held_out
):
    seen, forward = [], Trainable.forward
    monkeypatch.setattr(Trainable, "forward", lambda self, *batch: (seen.append(self), forward(self, *batch))[1])
    request = request_for(paper, tmp_path, protocol, overrides=("loss.weight=0.25",))
    trained(method, request, tmp_path / "run", steps=1)
    prepared = prepare(method, request)
    truth, split = prepared.loaded.ground_truth.ravel(), prepared.draw.split
    train, drawn = (np.bincount(truth[pixels])[1:] for pixels in (split.train, np.r_[split.train, split.val]))
    (used,) = seen
    assert torch.equal(used.class_weights, effective_number_weights(train)) and used.weight == 0.25
    assert torch.equal(used.class_weights, effective_number_weights(drawn)) is not held_out


@pytest.mark.parametrize("protocol, advice", [("released", "raise split.minimum or choose another regulariser"),
                                              ("disjoint", "because the protocol gives the split")])  # fmt: skip
def test_a_split_with_too_few_pixels_for_the_triplet_loss_is_refused_before_the_run_begins(
    paper, method, tmp_path, protocol, advice
):
    overrides = ("loss.regulariser='improved triplet'",)
    prepared = prepare(method, request_for(paper, tmp_path, protocol, overrides=overrides))
    truth, split = prepared.loaded.ground_truth.ravel(), prepared.draw.split
    rest, few = split.train[truth[split.train] != 2], np.flatnonzero(truth == 2)[:3]
    prepared = prepared._replace(draw=prepared.draw._replace(split=Split(np.r_[rest, few], split.val, split.test)))
    labels = labels_for(method, prepared)
    with pytest.raises(SettingsError, match="at least 4 training pixels of every class, found 3 .*%s" % advice):
        method.fit(prepared.loaded.image, labels, prepared.configuration, 1, Run(tmp_path / "run", "cpu"))
    assert not (tmp_path / "run").exists()


def test_ignored_pixels_take_no_part_in_the_statistics_of_the_scene(paper, method, tmp_path):
    check_statistics(method, request_for(paper, tmp_path, "paper"))
