"""What a configuration of APDCLNN may hold. (Every experiment loads: test_cli.py.)"""

import shutil

import pytest

from apdclnn import experiments
from apdclnn.experiments import COMPONENTS, SCHEMA
from contracts.config_values import check_schema, property_of, refused

WRONG = [
    "scene=mars", "split.ratio=-0.5", "split.ratio=1.5", "split.minimum=1", "split.validation=0.95", "patch.side=0",
    "patch.side=4", "patch.side=27.0", "preprocessing.components=0", "gabor.frequencies=[]", "gabor.frequencies=[0.7]",
    "gabor.sigma_wavelengths=0", "gabor.components=0", "network.widths=[8, 0]", "network.widths=[8, 16, 2.5]",
    "network.complex=1", "train.epochs=0", "train.batch=0", "train.num_iters=-1", "optimizer.lr=0", "optimizer.lr=-1",
]  # fmt: skip


@pytest.mark.parametrize("override", WRONG)
def test_a_wrong_value_is_named_before_anything_is_read(paper, capsys, tmp_path, override):
    refused(paper, capsys, tmp_path, override)


def test_the_schema_is_closed_and_names_what_the_code_names():
    check_schema(SCHEMA)
    switches = property_of(SCHEMA, "network")["properties"]
    assert [name for name, rule in switches.items() if rule == {"type": "boolean"}] == list(COMPONENTS)


def test_the_words_of_an_ablation_may_be_in_the_name_of_a_configuration(tmp_path, monkeypatch):
    names = ("my-plot", "field-without-trees")
    for name in names:
        shutil.copy(str(experiments.CONFIGS / "synthetic.toml"), str(tmp_path / (name + ".toml")))
    monkeypatch.setattr(experiments, "CONFIGS", tmp_path)
    for name in names:
        assert experiments.load(name)["network"]["gabor"]
        assert not experiments.load(name + "-without-gabor")["network"]["gabor"]
