"""What a configuration of RSSGL may hold."""

import pytest

from contracts.bad_input import fails
from contracts.config_values import check_schema, property_of, refused
from rssgl.config import CONFIGS, SCHEMA, check
from rssgl.loss import REGULARISERS
from rssgl.network import RSSGL
from shared_data.configuration.overrides import experiment_names, load_config
from shared_data.scenes.catalogue import get_scene

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

# the official settings that differ: B, K; ratio; kernel; λ; steps, patience
OFFICIAL = {
    "indianpines": (200, 16, 0.05, [3, 3, 3], 0.0009, 1000, 15),
    "salinas": (204, 16, 0.01, [3, 5, 5], 0.001, 600, 10),
    "pavia": (103, 9, 0.01, [3, 5, 5], 0.005, 600, 10),
}


@pytest.mark.parametrize("name", sorted(set(experiment_names(CONFIGS)) - {"synthetic"}))
def test_the_packaged_settings_are_the_official_ones(name):
    config, (bands, classes, ratio, kernel, weight, steps, patience) = load_config(CONFIGS, name), OFFICIAL[name]
    scene = get_scene(config["scene"])
    assert (scene.slug, scene.bands, scene.num_classes) == (name, bands, classes)
    assert config["split"] == {"ratio": ratio, "minimum": 5, "seed": 2333}
    assert config["minibatch"] == {"per_class": 10, "images": 10}
    params = {"block_channels": [96, 128, 192, 256], "inner_dim": 128, "kernel": kernel}
    assert config["model"] == {"type": "RSSGL", "params": params}
    assert config["loss"] == {"regulariser": "statistical", "weight": weight}
    assert config["learning_rate"] == {"type": "poly", "params": {"base_lr": 0.005, "power": 0.8, "max_iters": 1000}}
    optimizer = {"type": "sgd", "params": {"momentum": 0.9, "weight_decay": 0.001}}
    assert config["optimizer"] == dict(optimizer, grad_clip={"max_norm": 35, "norm_type": 2})
    assert (config["train"]["num_iters"], config["selection"]["patience"]) == (steps, patience)


@pytest.mark.parametrize("override", WRONG)
def test_a_wrong_value_is_named_before_anything_is_read(paper, capsys, tmp_path, override):
    refused(paper, capsys, tmp_path, override)


def test_training_beyond_the_end_of_the_learning_rate_is_refused(paper, capsys, tmp_path):
    message = refused(paper, capsys, tmp_path, "train.num_iters=1001")
    assert "expected at most 1000, because the learning rate is 0" in message and "found 1001" in message
    refused(paper, capsys, tmp_path, ("learning_rate.params.max_iters=999", "train.num_iters=1000"))
    words = ["reproduce", "indianpines", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    fails(paper, capsys, [*words, "--iters", "1001"], "train.num_iters: expected at most 1000", "--iters")
    fails(paper, capsys, [*words, "--iters", "1000"], "Indian_pines_corrected.mat")
    assert not (tmp_path / "out").exists()
    # a constant rate has no end
    check(load_config(CONFIGS, "indianpines", ["train.num_iters=1001", "learning_rate.params.power=0"]), "a.toml")


def test_the_triplet_loss_needs_four_pixels_of_a_class(paper, capsys, tmp_path):
    triplet = "loss.regulariser='improved triplet'"
    message = refused(paper, capsys, tmp_path, (triplet, "minibatch.per_class=3"))
    assert "expected 0, which takes all, or at least 4" in message and "found 3" in message
    for enough in (0, 4):
        check(load_config(CONFIGS, "indianpines", [triplet, "minibatch.per_class=%d" % enough]), "indianpines.toml")


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
