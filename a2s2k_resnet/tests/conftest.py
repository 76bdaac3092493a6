"""Fixtures of the A2S2K-ResNet tests: who the paper is, golden files, and where the scenes are."""

import os
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch

pytest.register_assert_rewrite("contracts")

from a2s2k_resnet import experiments  # noqa: E402
from a2s2k_resnet.cli import main  # noqa: E402
from contracts import PaperUnderTest, golden  # noqa: E402
from shared_data.runs.request import Request  # noqa: E402
from shared_data.scenes.catalogue import get_scene  # noqa: E402
from shared_data.scenes.mat import read_mat  # noqa: E402

GOLDEN = Path(__file__).parent / "golden"

# a scene of seven components and few training pixels: the life of a run does not depend on them
LEAN = ("preprocessing.components=7", "split.held_out=0.99")


def set_options(*overrides):
    """`--set` options of the command line."""
    return tuple(word for override in overrides for word in ("--set", override))


@pytest.fixture
def paper():
    return PaperUnderTest(
        slug="a2s2k",
        package="a2s2k_resnet",
        main=main,
        configs_owner=experiments,
        short=("--iters", "2", *set_options("train.batch=32", *LEAN)),
        epochs=set_options("train.epochs=16", *LEAN),
        short_override="train.batch",
        wrong_keys=(
            ("split", "held"), ("patch", "size"), ("model", "width"), ("preprocessing", "bands"),
            ("train", "epoch"), ("optimizer", "momentum"),
        ),
        listed=("pavia", "indianpines", "indianpines-ssrn", "ksc-contextualnet", "salinas", "synthetic"),
        default_seed=1331,
        # principal components of the whole scene
        verdicts={
            "released": ("clean", "clean", "leaks", "overlaps"),
            "paper": ("clean", "clean", "clean", "overlaps"),
            "disjoint": ("clean", "clean", "clean", "none"),
        },
        lean=LEAN,
    )  # fmt: skip


@pytest.fixture
def request_for(tmp_path):
    """Makes the request of a short run on the synthetic scene."""

    def make(experiment="synthetic", protocol="paper", seed=1331, iterations=None, overrides=(), out=tmp_path):
        return Request(experiment, protocol, seed, None, False, "cpu", iterations, LEAN + tuple(overrides), out, False)

    return make


def read_golden(name: str) -> Dict[str, Any]:
    return golden.read_golden(GOLDEN, name)


def read_outputs(name: str) -> Dict[str, np.ndarray]:
    """`logits` in evaluation mode and `train_logits_dropout0` of a network."""
    with np.load(str(GOLDEN / (name + ".npz"))) as stored:
        return dict(stored)


def fill_by_rule(network: torch.nn.Module) -> torch.nn.Module:
    """The golden values of every tensor; BatchNorm's counters stay as they are."""
    state = {
        key: tensor
        if key.endswith("num_batches_tracked")
        else torch.from_numpy(golden.values_by_rule(key, tuple(tensor.shape)))
        for key, tensor in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network


def golden_patches(content: Dict[str, Any]):
    """(4, P, P, B) patches and their 4 labels, counted from 0."""
    side, bands = content["patch"], content["bands"]
    patches = np.random.RandomState(0).standard_normal((4, side, side, bands)).astype(np.float32)
    return torch.from_numpy(patches), torch.from_numpy(np.random.RandomState(1).randint(0, 16, 4))


def without_dropout(network: torch.nn.Module) -> torch.nn.Module:
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return network


def official_ground_truth(slug: str) -> np.ndarray:
    """The official label map, or skip where HSI_DATA does not hold it."""
    folder = os.environ.get("HSI_DATA")
    file = get_scene(slug).ground_truth
    if not folder or not os.path.exists(os.path.join(folder, file.name)):
        pytest.skip("needs %s in HSI_DATA" % file.name)
    return read_mat(os.path.join(folder, file.name), file.key)
