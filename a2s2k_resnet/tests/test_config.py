"""What a configuration of A2S2K-ResNet may hold. (Every experiment loads: test_cli.py.)"""

import shutil

import pytest

from a2s2k_resnet import experiments
from a2s2k_resnet.experiments import SCHEMA
from a2s2k_resnet.network import MODELS
from a2s2k_resnet.train import OPTIMIZERS
from contracts.config_values import check_schema, property_of, refused

WRONG = [
    "scene=mars", "split.held_out=0", "split.held_out=1", "patch.side=0", "patch.side=8", "patch.side=7.0",
    "model.kernels=0", "model.kernels=-24", "preprocessing.components=-1", "preprocessing.components=1.5",
    "train.epochs=0", "train.batch=-16", "train.patience=0", "train.num_iters=-1", "optimizer.name=rmsprop",
    "optimizer.lr=0", "optimizer.lr=-1", "optimizer.lr=True",
]  # fmt: skip


@pytest.mark.parametrize("override", WRONG)
def test_a_wrong_value_is_named_before_anything_is_read(paper, capsys, tmp_path, override):
    refused(paper, capsys, tmp_path, override)


def test_the_schema_is_closed_and_names_what_the_code_names():
    check_schema(SCHEMA)
    assert property_of(SCHEMA, "model.name")["enum"] == list(MODELS)
    assert property_of(SCHEMA, "optimizer.name")["enum"] == list(OPTIMIZERS)


def test_hyphens_of_a_configuration_are_not_those_before_a_model(tmp_path, monkeypatch):
    for name in ("my-plot", "my-ssrn"):
        shutil.copy(str(experiments.CONFIGS / "synthetic.toml"), str(tmp_path / (name + ".toml")))
    monkeypatch.setattr(experiments, "CONFIGS", tmp_path)
    assert "my-plot-ssrn" in experiments.names()
    for name in ("my-plot", "my-ssrn"):
        assert experiments.load(name)["model"]["name"] == "a2s2k"
        assert experiments.load(name + "-resnet")["model"]["name"] == "resnet"
