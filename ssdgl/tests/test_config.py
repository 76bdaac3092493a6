"""What a configuration of SSDGL may hold."""

import pytest

from contracts.config_values import check_schema, property_of, refused
from shared_data.configuration.overrides import experiment_names, load_config
from shared_data.errors import SettingsError
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


@pytest.mark.parametrize("overrides", WRONG)
def test_a_wrong_value_is_named_before_anything_is_read(paper, capsys, tmp_path, overrides):
    refused(paper, capsys, tmp_path, overrides)


def test_values_that_do_not_go_with_the_scene(paper, capsys, tmp_path):
    message = refused(paper, capsys, tmp_path, VARIANT + "houston", experiment="pavia")
    assert "do not divide the 103 bands of pavia" in message
    message = refused(paper, capsys, tmp_path, "class_counts=[46, 1428]", experiment="indianpines-v2021")
    assert "each of the 16 classes" in message
    refused(paper, capsys, tmp_path, "class_counts=[%s]" % ", ".join(["0"] * 16), experiment="indianpines-v2021")


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
