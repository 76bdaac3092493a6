"""Fixtures of the SSDGL tests: who the paper is, and its golden networks."""

import numpy as np
import pytest
from ssdgl_helpers import GOLDEN, VARIANTS

from contracts import PaperUnderTest
from contracts.full_scene_golden import fill_by_rule
from contracts.golden import read_golden
from ssdgl import config
from ssdgl.cli import main
from ssdgl.method import METHOD
from ssdgl.network import SSDGL


@pytest.fixture
def paper():
    return PaperUnderTest(
        slug="ssdgl",
        package="ssdgl",
        main=main,
        configs_owner=config,
        short=("--iters", "2", "--set", "minibatch.images=2"),
        epochs=("--iters", "40", "--set", "minibatch.images=4"),
        short_override="minibatch.images",
        wrong_keys=(("minibatch", "per_clas"), ("model.params", "widht"), ("train", "num_iter")),
        listed=("pavia", "indianpines-fewshot", "houston-v2021", "synthetic"),
        default_seed=2333,
        # the bands are standardised over the whole scene, which the network takes as one image; test labels are opened
        # for the accuracy shown while training
        verdicts={
            "released": ("uses test spectra (fitted); opens test labels", "overlaps"),
            "paper": ("uses test spectra (fitted)", "overlaps"),
            "spatial-cv": ("uses test spectra (seen)", "overlaps"),
        },
        lean_generic=("minibatch.images=2",),
    )


@pytest.fixture
def method():
    return METHOD


@pytest.fixture(params=sorted(VARIANTS))
def golden(request):
    """(name, golden JSON, golden probability, our network filled by the rule)."""
    variant, ratio = VARIANTS[request.param]
    content = read_golden(GOLDEN, request.param)
    config = content["config"]
    network = SSDGL(
        {
            "in_channels": config["in_channels"],
            "num_classes": config["num_classes"],
            "block_channels": config["block_channels"],
            "inner_dim": config["inner_dim"],
            "attention_ratio": ratio,
            "variant": variant,
        }
    )
    fill_by_rule(network)
    probability = np.load(str(GOLDEN / (request.param + ".npz")))["probability"]
    return request.param, content, probability, network
