"""What a configuration of RSSGL may hold."""

import pytest

from contracts.config_values import check_schema, property_of, refused
from rssgl.config import CONFIGS, SCHEMA, check
from rssgl.loss import REGULARISERS
from rssgl.network import RSSGL
from shared_data.configuration.overrides import experiment_names, load_config

WRONG = [
    "scene=mars", "split.ratio=-0.5", "split.ratio=1.5", "split.ratio=1", "split.minimum=0", "split.minimum=2.0",
    "split.seed=-1", "split.seed=4294967296", "minibatch.per_class=-1", "minibatch.images=-3", "minibatch.images=0",
    "model.type=SSDGL", "model.params.block_channels=[96, 128]", "model.params.block_channels=[96, 128, 192, 208]",
    "model.params.block_channels=[0, 32, 32, 32]", "model.params.inner_dim=0", "model.params.inner_dim=18",
    "model.params.inner_dim=12", "model.params.kernel=[3, 4, 3]", "model.params.kernel=[3, 3]",
    "model.params.kernel=[3, -3, 3]", "loss.regulariser=cosine", "loss.weight=-0.1", "selection.patience=-1",
    "selection.patience=1.5", "learning_rate.type=step", "learning_rate.params.base_lr=0",
    "learning_rate.params.base_lr=-1", "learning_rate.params.power=-0.8", "learning_rate.params.max_iters=0",
    "optimizer.type=rmsprop", "optimizer.params.momentum=-1", "optimizer.params.momentum=1",
    "optimizer.params.weight_decay=-0.001", "optimizer.grad_clip.max_norm=-1", "optimizer.grad_clip.norm_type=0",
    "train.num_iters=0", "train.num_iters=-600", "train.tensorboard_interval_step=0", "train.keep_ckpt=0",
    "train.num_iters=many",
]  # fmt: skip


@pytest.mark.parametrize("override", WRONG)
def test_a_wrong_value_is_named_before_anything_is_read(paper, capsys, tmp_path, override):
    refused(paper, capsys, tmp_path, override)


def test_every_packaged_configuration_passes():
    names = experiment_names(CONFIGS)
    assert {"indianpines", "pavia", "salinas", "synthetic"} <= set(names)
    for name in names:
        check(load_config(CONFIGS, name), name + ".toml")


def test_the_smallest_network_that_passes_can_be_built():
    """No limit is too wide: the network takes what the check lets through."""
    overrides = [
        "model.params.block_channels=[32, 32, 32, 32]", "model.params.inner_dim=16", "model.params.kernel=[1, 1, 1]",
        "selection.patience=0", "loss.weight=0", "minibatch.per_class=0", "split.ratio=0",
    ]  # fmt: skip
    config = load_config(CONFIGS, "indianpines", overrides)
    check(config, "indianpines.toml")
    network = RSSGL(dict(config["model"]["params"], in_channels=200, num_classes=16))
    assert all(parameter.numel() for parameter in network.parameters())


def test_the_schema_is_closed_and_names_what_the_code_names():
    check_schema(SCHEMA)
    assert property_of(SCHEMA, "loss.regulariser")["enum"] == list(REGULARISERS)
