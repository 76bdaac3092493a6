"""The learning rate, the split, and the configurations of all network variants."""

import pytest

from contracts.full_scene_runs import SHORT, build, request_for
from shared_data.records.record import read_record
from ssdgl.decisions import decide


def test_learning_rate_is_set_after_the_step_from_the_old_counter(paper, train, tmp_path):
    train.reproduce(request_for(paper, tmp_path, iterations=5, overrides=("minibatch.images=1",)))
    record = read_record(tmp_path / "ssdgl/synthetic/paper/seed-2333/run.json")
    rates = [entry["lr"] for entry in record["history"]]
    formula = [0.005 * (1 - step / 200) ** 0.8 for step in (0, 0, 1, 2, 3)]
    assert rates == pytest.approx(formula, rel=1e-12)


def test_another_seed_is_another_split(paper, train, tmp_path):
    first, other = build(train, request_for(paper, tmp_path)), build(train, request_for(paper, tmp_path, seed=7))
    assert set(first.split.train) != set(other.split.train)


def test_few_shot_and_v2021_configurations_train(paper, train, tmp_path):
    for variant in ("v2022-fewshot", "v2021"):
        for protocol in ("paper", "released"):
            overrides = SHORT + ("model.params.variant='%s'" % variant,)
            request = request_for(paper, tmp_path / variant / protocol, protocol, iterations=2, overrides=overrides)
            assert train.reproduce(request).record["decisions"]["loss"] == decide(protocol, variant).loss
