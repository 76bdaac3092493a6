"""Fixtures of the DA-IMRN tests: who the paper is, and requests of short runs."""

import pytest

pytest.register_assert_rewrite("contracts")

from contracts import PaperUnderTest  # noqa: E402
from da_imrn import experiments  # noqa: E402
from da_imrn.cli import main  # noqa: E402
from da_imrn.keras_stack import keras  # noqa: E402
from shared_data.runs.request import Request  # noqa: E402

# a network of one stage and few training windows: the life of a run does not depend on them
LEAN = (
    "network.strides=[16]", "network.band_kernels=[1]",
    "partition.released.train=0.02", "partition.released.val=0.01", "partition.fitted.train=0.02",
    "partition.fitted.val=0.01", "partition.accepted=[1,1000]",
)  # fmt: skip


def set_options(*overrides):
    """`--set` options of the command line."""
    return tuple(word for override in overrides for word in ("--set", override))


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
        short=("--iters", "2", *set_options("train.batch=8", *LEAN)),
        epochs=set_options("train.epochs=6", *LEAN),
        short_override="train.batch",
        wrong_keys=(
            ("partition", "block"), ("network", "stride"), ("train", "epoch"), ("optimizer", "momentum"),
        ),
        listed=("pavia", "indianpines", "salinas", "synthetic"),
        default_seed=1,
        verdicts={
            "released": ("clean", "clean", "clean", "overlaps"),
            "paper": ("clean", "clean", "clean", "overlaps"),
            "disjoint": ("clean", "clean", "clean", "none"),
        },
        lean=LEAN,
    )  # fmt: skip


@pytest.fixture
def request_for(fresh_graph, tmp_path):
    """Makes the request of a short run on the synthetic scene."""

    def make(experiment="synthetic", protocol="paper", seed=1, iterations=None, overrides=(), out=tmp_path):
        return Request(experiment, protocol, seed, None, False, "cpu", iterations, LEAN + tuple(overrides), out, False)

    return make
