"""Fixtures of the RSSGL tests: who the paper is, and its golden networks."""

import pytest
from rssgl_helpers import LEAN, NETWORKS, golden_network

from contracts import PaperUnderTest, set_options
from rssgl import config
from rssgl.cli import main
from rssgl.method import METHOD


@pytest.fixture
def paper():
    return PaperUnderTest(
        slug="rssgl",
        package="rssgl",
        main=main,
        configs_owner=config,
        short=("--iters", "2", *set_options("minibatch.images=2", *LEAN)),
        epochs=("--iters", "24", *set_options("minibatch.images=4", *LEAN)),
        short_override="minibatch.images",
        wrong_keys=(("minibatch", "per_clas"), ("model.params", "widht"), ("train", "num_iter"), ("loss", "lambda")),
        listed=("pavia", "indianpines", "salinas", "synthetic"),
        default_seed=1,
        # weights selected on the test pixels, and the bands standardised over the whole scene
        verdicts={
            "released": (
                "uses test labels (selection); uses test spectra (fitted); opens test labels",
                "overlaps",
            ),
            "paper": ("uses test spectra (fitted)", "overlaps"),
            "spatial-cv": ("uses test spectra (seen)", "overlaps"),
        },
        lean=LEAN,
        lean_generic=(*LEAN, "minibatch.images=2"),
    )


@pytest.fixture
def method():
    return METHOD


@pytest.fixture(params=sorted(NETWORKS))
def golden(request):
    """(name, golden JSON, golden probability, our network filled by the rule)."""
    return (request.param, *golden_network(request.param))
