"""Fixtures of the A2S2K-ResNet tests: who the paper is, and requests of short runs."""

import pytest
from a2s2k_resnet_helpers import LEAN

from a2s2k_resnet import experiments
from a2s2k_resnet.cli import main
from contracts import PaperUnderTest, set_options
from shared_data.runs.request import Request


@pytest.fixture
def paper():
    return PaperUnderTest(
        slug="a2s2k",
        package="a2s2k_resnet",
        main=main,
        configs_owner=experiments,
        short=("--iters", "2", *set_options("train.batch=32", "model.kernels=8", *LEAN)),
        epochs=set_options("train.epochs=16", *LEAN),
        short_override="train.batch",
        wrong_keys=(
            ("split", "held"), ("patch", "size"), ("model", "width"), ("preprocessing", "bands"),
            ("train", "epoch"), ("optimizer", "momentum"),
        ),
        listed=("pavia", "indianpines", "indianpines-ssrn", "ksc-contextualnet", "salinas", "synthetic"),
        default_seed=1331,
        # principal components of the whole scene; patches of training pixels hold test pixels
        verdicts={
            "released": ("uses test spectra (fitted)", "overlaps"),
            "paper": ("uses test spectra (seen)", "overlaps"),
            "spatial-cv": ("", "none"),
        },
        lean=LEAN,
        lean_generic=("split.held_out=0.99",),
    )  # fmt: skip


@pytest.fixture
def request_for(tmp_path):
    """Makes the request of a short run on the synthetic scene."""

    def make(experiment="synthetic", protocol="paper", seed=1331, iterations=None, overrides=(), out=tmp_path):
        return Request(experiment, protocol, seed, None, False, "cpu", iterations, LEAN + tuple(overrides), out, False)

    return make
