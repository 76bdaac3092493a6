"""Fixtures of the DA-IMRN tests: who the paper is, and requests of short runs."""

import pytest
from da_imrn_helpers import LEAN

from contracts import PaperUnderTest, set_options
from da_imrn import experiments
from da_imrn.cli import main
from da_imrn.keras_stack import keras
from shared_data.runs.request import Request


@pytest.fixture
def fresh_graph():
    """The era stack keeps every model in one graph, and its steps get slower as that grows."""
    yield
    keras.backend.clear_session()


@pytest.fixture
def paper(fresh_graph):
    return PaperUnderTest(
        slug="da-imrn",
        package="da_imrn",
        main=main,
        configs_owner=experiments,
        short=("--iters", "2", *set_options(*LEAN, "train.batch=8")),
        epochs=set_options("train.epochs=6", *LEAN),
        short_override="train.batch",
        wrong_keys=(
            ("partition", "block"), ("network", "stride"), ("train", "epoch"), ("optimizer", "momentum"),
        ),
        listed=("pavia", "indianpines", "salinas", "synthetic"),
        default_seed=1,
        verdicts={"spatial-cv": ("", "none")},
        # training windows hold no test pixel, but tiles of test pixels hold training pixels; where windows overlap, a
        # label held out in one of them trains in the other
        long_verdicts=dict.fromkeys(("released", "paper"), ("uses gap labels", "overlaps")),
        lean=LEAN,
        lean_generic=(
            "network.strides=[8]", "train.batch=38", "partition.fitted.train=0.02", "partition.fitted.val=0.01",
        ),
        follow=("network.band_kernels",),
    )  # fmt: skip


@pytest.fixture
def request_for(fresh_graph, tmp_path):
    """Makes the request of a short run on the synthetic scene."""

    def make(experiment="synthetic", protocol="paper", seed=1, iterations=None, overrides=(), out=tmp_path):
        return Request(experiment, protocol, seed, None, False, "cpu", iterations, LEAN + tuple(overrides), out, False)

    return make
