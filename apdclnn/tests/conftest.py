"""Fixtures of the APDCLNN tests: who the paper is, requests of short runs, and a graph to compute in."""

import numpy as np
import pytest
from apdclnn_helpers import LEAN

from apdclnn import experiments, preprocessing
from apdclnn.cli import main
from apdclnn.tf_stack import tf, tflearn
from contracts import PaperUnderTest, set_options
from shared_data.runs.request import Request


@pytest.fixture(autouse=True, scope="session")
def gabor_once(tmp_path_factory):
    """Every run of the tests writes into a folder of its own; the Gabor features of the scene are kept in one."""
    folder, original = tmp_path_factory.mktemp("gabor"), preprocessing.features_and_fit
    preprocessing.features_and_fit = lambda cube, frequencies, components, _, **options: original(
        cube, frequencies, components, folder, **options
    )
    yield folder
    preprocessing.features_and_fit = original


@pytest.fixture
def paper():
    return PaperUnderTest(
        slug="apdclnn",
        package="apdclnn",
        main=main,
        configs_owner=experiments,
        short=("--iters", "2", *set_options("train.batch=8", *LEAN)),
        epochs=set_options("train.epochs=16", *LEAN),
        short_override="train.batch",
        wrong_keys=(("train", "epoch"), ("network", "width")),
        listed=("indianpines", "pavia", "salinas", "houston", "synthetic", "indianpines-without-gabor"),
        default_seed=1,
        # the lean Gabor filters are shorter than the distance between the sets
        verdicts={"spatial-cv": ("", "none")},
        # principal components of the whole scene
        long_verdicts={"paper": ("uses test spectra (fitted)", "overlaps")},
        protocols="paper",
        lean=LEAN,
    )


@pytest.fixture
def request_for(tmp_path):
    """request_for(...) makes a Request of a lean run on the synthetic scene."""

    def make(experiment="synthetic", seed=1, iterations=None, overrides=()):
        return Request(experiment, "paper", seed, None, False, "cpu", iterations, LEAN + tuple(overrides), tmp_path,
                       False)  # fmt: skip

    return make


@pytest.fixture
def compute():
    """compute(function, *arrays, variables={name: values}) builds function(*placeholders) in a graph and runs it."""

    def run(function, *arrays, variables=None):
        with tf.Graph().as_default():
            tf.set_random_seed(0)
            tflearn.config.init_training_mode()
            fed = [tf.placeholder(tf.float32, np.shape(array)) for array in arrays]
            built = function(*fed)
            with tf.Session() as session:
                session.run(tf.global_variables_initializer())
                tflearn.is_training(False, session=session)
                for variable in tf.global_variables():
                    if variable.op.name in (variables or {}):
                        variable.load(variables[variable.op.name], session)
                return session.run(built, dict(zip(fed, arrays)))

    return run
