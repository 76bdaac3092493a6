"""The generic configuration, for own scenes of any size."""

import numpy as np
import pytest

from apdclnn import experiments, method
from apdclnn.method import METHOD
from apdclnn.network import build_network
from apdclnn.preprocessing import fitted_and_features
from apdclnn.tf_stack import tf, tflearn
from contracts.own_scene import NAME, SIZES, Resolved, equal_counts
from shared_data.errors import SplitError
from shared_data.splits.labels import labels_of

THIN = ("network.widths=[2, 2, 2]",)  # of a network that is built soon

pytestmark = pytest.mark.stack_independent


def resolved(monkeypatch, bands, counts, **options):
    return Resolved(monkeypatch, method, METHOD.resolve, bands, counts, **options)


@pytest.mark.slow
@pytest.mark.parametrize("bands, classes", [SIZES[0], SIZES[-1]])
def test_the_network_can_be_built(monkeypatch, bands, classes):
    found = resolved(monkeypatch, bands, equal_counts(classes), overrides=THIN)
    side = found.settings["patch"]["side"]
    components = [found.settings[part]["components"] for part in ("preprocessing", "gabor")]
    assert side == 27 and components == [20, 20]
    with tf.Graph().as_default():
        tflearn.config.init_training_mode()
        fed = [tf.placeholder(tf.float32, (None, side, side, depth)) for depth in components]
        logits = build_network(*fed, classes, experiments.structure(found.settings)).main
        assert logits.get_shape().as_list() == [None, classes]


@pytest.mark.parametrize("bands, sides, side, components, frequencies", [
    (12, (40, 30), 27, 12, [0.5, 0.25, 0.125]), (64, (40, 30), 27, 20, [0.5, 0.25, 0.125, 0.0625]),
    (103, (40, 30), 27, 20, [0.5, 0.25, 0.125, 0.0625]), (410, (40, 30), 27, 20, [0.5, 0.25, 0.125, 0.0625]),
    (64, (24, 60), 23, 20, [0.5, 0.25, 0.125, 0.0625]), (64, (5, 60), 5, 20, [0.5, 0.25]), (1, (40, 30), 27, 1, [0.5]),
    (64, (1, 300), 5, 20, [0.5]),
])  # fmt: skip
def test_no_size_exceeds_the_scenes_but_what_layers_can_halve(monkeypatch, bands, sides, side, components, frequencies):
    found = resolved(monkeypatch, bands, [100, 100], sides=sides).settings
    assert (found["patch"]["side"], found["preprocessing"]["components"]) == (side, components)
    assert found["gabor"]["frequencies"] == frequencies


def test_features_can_be_fitted_on_the_few_training_pixels_of_a_small_scene(monkeypatch):
    found = resolved(monkeypatch, 12, [30, 8], sides=(10, 9), protocol="spatial-cv")
    training = found.loaded.ground_truth.ravel().nonzero()[0][[0, 1, 2, 3, 4, 30, 31]]
    split = METHOD.draw(found.loaded, found.configuration, 1).split._replace(train=training)
    labels = labels_of(found.loaded.ground_truth, split)
    _, features = fitted_and_features(found.loaded.image, labels, found.configuration)
    assert features.gabor.shape == (10, 9, found.settings["gabor"]["components"]) and features.components.shape[2] == 12
    assert np.isfinite(features.gabor).all() and np.isfinite(features.components).all()


def test_ablations_have_the_own_scene_and_values_of_the_user_are_kept(monkeypatch):
    found = resolved(monkeypatch, 12, [100, 100], overrides=("patch.side=9", "gabor.frequencies=[0.0625]"))
    assert found.settings["patch"]["side"] == 9 and found.settings["gabor"]["frequencies"] == [0.0625]
    configuration, _ = METHOD.resolve(found.request._replace(experiment=NAME + "-without-gabor"))
    assert configuration.settings["network"]["gabor"] is False and configuration.settings["patch"]["side"] == 9


def test_a_tiny_class_trains_validates_and_is_tested_or_is_named(monkeypatch):
    found = resolved(monkeypatch, 20, [200, 3])
    split, truth = METHOD.draw(found.loaded, found.configuration, 1).split, found.loaded.ground_truth.ravel()
    assert [list(truth[part]).count(2) for part in split] == [1, 1, 1]
    found = resolved(monkeypatch, 20, [200, 2])
    with pytest.raises(
        SplitError, match=r"class 2 \(class 2\) has 2 labelled .*to test\. Let the class.*labels.unlabelled"
    ):
        METHOD.draw(found.loaded, found.configuration, 1)
