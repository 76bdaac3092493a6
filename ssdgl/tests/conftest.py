"""Fixtures of the SSDGL tests: who the paper is, and its golden networks."""

import pytest
from ssdgl_helpers import LEAN, VARIANTS, golden_network

from contracts import PaperUnderTest, set_options
from ssdgl import config
from ssdgl.cli import main
from ssdgl.method import METHOD


@pytest.fixture
def paper():
    return PaperUnderTest(
        slug="ssdgl",
        package="ssdgl",
        main=main,
        configs_owner=config,
        short=("--iters", "2", *set_options("minibatch.images=2", *LEAN)),
        epochs=("--iters", "40", *set_options("minibatch.images=4", *LEAN)),
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
        lean=LEAN,
        lean_generic=(*LEAN, "model.params.attention_ratio=16", "minibatch.images=2"),
    )


@pytest.fixture
def method():
    return METHOD


@pytest.fixture(params=sorted(VARIANTS))
def golden(request):
    """(name, golden JSON, golden probability, our network filled by the rule)."""
    return (request.param, *golden_network(request.param))
