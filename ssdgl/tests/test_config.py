"""What a configuration of SSDGL may hold."""

import pytest

from contracts.bad_input import fails
from contracts.config_values import check_schema, property_of, refused
from shared_data.configuration.overrides import experiment_names, load_config
from shared_data.errors import SettingsError
from shared_data.scenes.catalogue import get_scene
from ssdgl.config import CONFIGS, SCHEMA, check
from ssdgl.network import SSDGL, VARIANTS

VARIANT = "model.params.variant="

WRONG = [
    "scene=mars", "split.ratio=-0.5", "split.ratio=1.5", "split.ratio=1", "split.ratio=True", "split.minimum=0",
    "split.minimum=2.0", "minibatch.per_class=-1", "minibatch.images=-3", "minibatch.images=0", "minibatch.images=2.5",
    "model.type=RSSGL", "model.params.variant=v2030", "model.params.block_channels=[128, 192]",
    "model.params.block_channels=[128, 192, 256, 300]", "model.params.block_channels=[0, 16, 16, 16]",
    "model.params.block_channels=['a', 16, 16, 16]", "model.params.inner_dim=0", "model.params.inner_dim=20",
    "model.params.attention_ratio=0", "model.params.attention_ratio=65", "learning_rate.type=cosine",
    "learning_rate.params.base_lr=0", "learning_rate.params.base_lr=-0.003", "learning_rate.params.power=-0.8",
    "learning_rate.params.max_iters=0", "learning_rate.params.max_iters=0.5", "optimizer.type=rmsprop",
    "optimizer.params.momentum=-1", "optimizer.params.momentum=1", "optimizer.params.weight_decay=-0.001",
    "optimizer.grad_clip.max_norm=-1", "optimizer.grad_clip.max_norm=0", "optimizer.grad_clip.norm_type=0",
    "train.num_iters=0", "train.num_iters=-600", "train.log_interval_step=0", "train.keep_ckpt=0",
    (VARIANT + "v2021", "model.params.inner_dim=12"), (VARIANT + "v2022-fewshot", "model.params.inner_dim=18"),
    (VARIANT + "houston", "model.params.attention_ratio=129"), "optimizer.grad_clip=[]", "minibatch.images=many",
]  # fmt: skip

WIDE, NARROW = [128, 192, 256, 320], [96, 128, 192, 256]  # C1..C4
# the official settings: scene, B, K; variant, C1..C4, I, q; ratio, minimum; per_class (0: all), images; base_lr, power,
# max_iters, steps; momentum, weight decay
OFFICIAL = {
    "pavia": ("pavia", 103, 9, "v2022", NARROW, 128, 16, 0.01, 5, 20, 20, 0.001, 0.9, 600, 600, 0.9, 0.001),
    "indianpines": ("indianpines", 200, 16, "v2022", WIDE, 192, 24, 0.05, 5, 10, 20, 0.003, 0.8, 600, 600, 0.9, 0.001),
    "salinas": ("salinas", 204, 16, "v2022", NARROW, 128, 16, 0.01, 5, 10, 20, 0.005, 0.8, 600, 600, 0.9, 0.001),
    "houston": ("houston", 144, 15, "houston", NARROW, 128, 18, 0.0, 10, 10, 20, 0.005, 0.6, 600, 600, 0.6, 0.01),
    "pavia-fewshot":
        ("pavia", 103, 9, "v2022-fewshot", NARROW, 128, 16, 0.0, 10, 0, 20, 0.001, 0.9, 600, 600, 0.9, 0.001),
    "indianpines-fewshot":
        ("indianpines", 200, 16, "v2022-fewshot", WIDE, 192, 16, 0.0, 10, 0, 20, 0.001, 0.9, 1000, 600, 0.9, 0.001),
    "pavia-v2021": ("pavia", 103, 9, "v2021", NARROW, 128, 16, 0.01, 5, 10, 10, 0.005, 0.8, 600, 600, 0.9, 0.001),
    "indianpines-v2021":
        ("indianpines", 200, 16, "v2021", NARROW, 128, 16, 0.05, 5, 10, 10, 0.005, 0.8, 600, 600, 0.9, 0.001),
    "houston-v2021":
        ("houston", 144, 15, "v2021", NARROW, 128, 16, 0.0, 10, 10, 10, 0.005, 0.8, 1000, 1000, 0.9, 0.001),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(experiment_names(CONFIGS)) - {"synthetic"}))
def test_the_packaged_settings_are_the_official_ones(name):
    config = load_config(CONFIGS, name)
    scene, model, rate, optimizer = (config[key] for key in ("scene", "model", "learning_rate", "optimizer"))
    found = (scene, get_scene(scene).bands, get_scene(scene).num_classes)
    found += tuple(model["params"][key] for key in ("variant", "block_channels", "inner_dim", "attention_ratio"))
    found += (config["split"]["ratio"], config["split"]["minimum"])
    found += (config["minibatch"]["per_class"], config["minibatch"]["images"])
    found += tuple(rate["params"][key] for key in ("base_lr", "power", "max_iters")) + (config["train"]["num_iters"],)
    found += (optimizer["params"]["momentum"], optimizer["params"]["weight_decay"])
    assert found == OFFICIAL[name]
    assert (model["type"], rate["type"], optimizer["type"]) == ("SSDGL", "poly", "sgd")
    assert optimizer["grad_clip"] == {"max_norm": 35, "norm_type": 2}


@pytest.mark.parametrize("overrides", WRONG)
def test_a_wrong_value_is_named_before_anything_is_read(paper, capsys, tmp_path, overrides):
    refused(paper, capsys, tmp_path, overrides)


def test_values_that_do_not_go_with_the_scene(paper, capsys, tmp_path):
    message = refused(paper, capsys, tmp_path, VARIANT + "houston", experiment="pavia")
    assert "do not divide the 103 bands of pavia" in message
    message = refused(paper, capsys, tmp_path, "class_counts=[46, 1428]", experiment="indianpines-v2021")
    assert "each of the 16 classes" in message
    refused(paper, capsys, tmp_path, "class_counts=[%s]" % ", ".join(["0"] * 16), experiment="indianpines-v2021")


def test_training_beyond_the_end_of_the_learning_rate_is_refused(paper, capsys, tmp_path):
    message = refused(paper, capsys, tmp_path, "train.num_iters=601")
    assert "expected at most 600, because the learning rate is 0" in message and "found 601" in message
    refused(paper, capsys, tmp_path, ("learning_rate.params.max_iters=599", "train.num_iters=600"))
    words = ["reproduce", "indianpines", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    fails(paper, capsys, [*words, "--iters", "601"], "train.num_iters: expected at most 600", "--iters")
    fails(paper, capsys, [*words, "--iters", "600"], "Indian_pines_corrected.mat")
    assert not (tmp_path / "out").exists()
    # a constant rate has no end
    check(load_config(CONFIGS, "indianpines", ["train.num_iters=601", "learning_rate.params.power=0"]), "a.toml")


def test_every_packaged_configuration_passes():
    names = experiment_names(CONFIGS)
    assert {"indianpines", "pavia", "salinas", "synthetic"} <= set(names)
    for name in names:
        check(load_config(CONFIGS, name), name + ".toml")


@pytest.mark.parametrize("overrides", [
    ("split.ratio=0", "minibatch.per_class=0", "minibatch.images=1"),
    ("optimizer.params.momentum=0", "optimizer.params.weight_decay=0", "learning_rate.params.power=0"),
    ("train.num_iters=1", "train.keep_ckpt=1", "model.params.attention_ratio=64"),
    (VARIANT + "houston", "model.params.attention_ratio=128", "model.params.inner_dim=1"),
])  # fmt: skip
def test_the_outermost_values_pass(overrides):
    check(load_config(CONFIGS, "indianpines", overrides), "indianpines.toml")


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_the_smallest_network_that_passes_can_be_built(variant):
    """No limit is too wide: the network takes what the check lets through."""
    inner_dim = {"v2022": 8, "v2022-fewshot": 4, "v2021": 16, "houston": 1}[variant]
    ratio = 16 if variant == "houston" else 8
    overrides = ["model.params.block_channels=[16, 16, 16, 16]", "model.params.inner_dim=%d" % inner_dim]
    overrides += ["model.params.attention_ratio=%d" % ratio, VARIANT + variant]
    config = load_config(CONFIGS, "indianpines", overrides)
    check(config, "indianpines.toml")
    params = config["model"]["params"]
    network = SSDGL(dict(params, in_channels=200, num_classes=16))
    assert all(parameter.numel() for parameter in network.parameters())
    for key in ("inner_dim", "attention_ratio"):
        wrong = dict(params, **{key: {"inner_dim": inner_dim - 1, "attention_ratio": ratio + 1}[key]})
        with pytest.raises(SettingsError, match=key):
            check(dict(config, model={"type": "SSDGL", "params": wrong}), "indianpines.toml")


def test_the_schema_is_closed_and_names_what_the_code_names():
    check_schema(SCHEMA)
    assert property_of(SCHEMA, "model.params.variant")["enum"] == list(VARIANTS)
