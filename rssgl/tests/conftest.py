"""Fixtures of the RSSGL tests: who the paper is, and its golden networks."""

from pathlib import Path

import numpy as np
import pytest

pytest.register_assert_rewrite("contracts")

from contracts import PaperUnderTest  # noqa: E402
from contracts.full_scene_golden import fill_by_rule  # noqa: E402
from contracts.golden import read_golden  # noqa: E402
from rssgl import config  # noqa: E402
from rssgl import train as train_module  # noqa: E402
from rssgl.cli import main  # noqa: E402
from rssgl.network import RSSGL  # noqa: E402

GOLDEN = Path(__file__).parent / "golden"

# golden file: kernel, λ, scene and split whose training counts give the class weights
NETWORKS = {
    "rssgl_ip": ([3, 3, 3], 0.0009, "indian_pines", "percent_0.05_seed2333"),
    "rssgl_pu": ([3, 5, 5], 0.005, "pavia_university", "percent_0.01_seed2333"),
}


# pointwise kernels: the life of a run does not depend on them, and the tests take a third of the time
LEAN = "model.params.kernel=[1, 1, 1]"


@pytest.fixture
def paper():
    return PaperUnderTest(
        slug="rssgl",
        package="rssgl",
        main=main,
        configs_owner=config,
        short=("--iters", "2", "--set", "minibatch.images=2", "--set", LEAN),
        epochs=("--iters", "24", "--set", "minibatch.images=4", "--set", LEAN),
        short_override="minibatch.images",
        wrong_keys=(("minibatch", "per_clas"), ("model.params", "widht"), ("train", "num_iter"), ("loss", "lambda")),
        listed=("pavia", "indianpines", "salinas", "synthetic"),
        default_seed=1,
        # weights selected on the test pixels, and the bands standardised over the whole scene
        verdicts={
            "released": ("clean", "leaks", "leaks", "overlaps"),
            "paper": ("clean", "clean", "leaks", "overlaps"),
            "disjoint": ("clean", "clean", "clean", "overlaps"),
        },
        lean=(LEAN,),
    )


@pytest.fixture
def train():
    return train_module


@pytest.fixture(params=sorted(NETWORKS))
def golden(request):
    """(name, golden JSON, golden probability, our network filled by the rule)."""
    content = read_golden(GOLDEN, request.param)
    config = content["config"]
    network = RSSGL(
        {
            "in_channels": config["in_channels"],
            "num_classes": config["num_classes"],
            "block_channels": config["block_channels"],
            "inner_dim": config["inner_dim"],
            "kernel": NETWORKS[request.param][0],
        }
    )
    fill_by_rule(network)
    probability = np.load(str(GOLDEN / (request.param + ".npz")))["probability"]
    return request.param, content, probability, network
