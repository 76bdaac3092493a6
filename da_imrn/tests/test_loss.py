"""The focal loss: its equation, and what it asks of the network where labels are missing."""

import da_imrn_literal as literal
import numpy as np
import pytest
from network_fixtures import fill_by_rule

from da_imrn.attention import conv
from da_imrn.keras_stack import keras, tf
from da_imrn.loss import focal_loss

K = 5


def targets_and_probabilities():
    """(2, 4, 4, 1, K) each; a third of the positions has no label."""
    labels = np.random.RandomState(1).randint(0, K + 1, (2, 4, 4, 1)) * (np.arange(4) > 0)[:, None]
    logits = np.random.RandomState(2).standard_normal((2, 4, 4, 1, K)) * 4
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return np.eye(K + 1, dtype=np.float32)[labels][..., 1:], probabilities.astype(np.float32)


def evaluated(targets, probabilities):
    constant = keras.backend.constant
    return float(keras.backend.eval(focal_loss(constant(targets), constant(probabilities))))


def gradient(targets, probabilities):
    p = keras.backend.constant(probabilities)
    with tf.GradientTape() as tape:
        tape.watch(p)
        loss = focal_loss(keras.backend.constant(targets), p)
    return keras.backend.eval(tape.gradient(loss, p))


def test_equals_the_equation():
    targets, probabilities = targets_and_probabilities()
    expected = literal.focal_loss(targets.astype(np.float64), probabilities.astype(np.float64))
    assert evaluated(targets, probabilities) == pytest.approx(expected, rel=1e-5)


def test_unlabelled_positions_add_nothing_but_count():
    targets, probabilities = targets_and_probabilities()
    labelled = targets.sum(axis=-1) > 0
    only_labelled = evaluated(targets[labelled], probabilities[labelled])
    assert evaluated(targets, probabilities) == pytest.approx(only_labelled * labelled.mean(), rel=1e-5)


def test_gradient_is_zero_where_nothing_is_labelled_and_the_slope_elsewhere():
    targets, probabilities = targets_and_probabilities()
    found = gradient(targets, probabilities)
    labelled = targets.sum(axis=-1) > 0
    assert 0 < labelled.sum() < labelled.size
    assert not found[~labelled].any()
    p = probabilities.astype(np.float64) + 1e-9
    slope = 0.5 * targets * (2 * (1 - p) * np.log(p) - (1 - p) ** 2 / p) / labelled.size
    assert found[labelled] == pytest.approx(slope[labelled], rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("sure_of", [0, 1])
def test_loss_and_gradient_are_finite_for_probabilities_of_zero_and_one(sure_of):
    targets = np.zeros((1, 2, 2, 1, K), np.float32)
    targets[..., 0] = 1
    targets[0, 0, 0] = 0
    probabilities = np.zeros_like(targets)
    probabilities[..., sure_of] = 1
    expected = literal.focal_loss(targets.astype(np.float64), probabilities.astype(np.float64))
    assert evaluated(targets, probabilities) == pytest.approx(expected, rel=1e-5, abs=1e-8)
    found = gradient(targets, probabilities)
    assert np.isfinite(found).all()
    assert not found[0, 0, 0].any()


def test_training_lowers_it():
    """As the loss of a compiled model, here one convolution: what Keras reports is our number, and falls."""
    x = keras.layers.Input((4, 4, 9, 1))
    network = fill_by_rule(keras.models.Model(x, conv(x, K, (1, 1, 9), activation="softmax")))
    network.compile(keras.optimizers.SGD(0.5), loss=focal_loss)
    patches = np.random.RandomState(4).standard_normal((2, 4, 4, 9, 1)).astype(np.float32)
    targets, _ = targets_and_probabilities()
    reported = network.test_on_batch(patches, targets)
    assert reported == pytest.approx(evaluated(targets, network.predict(patches)), rel=1e-4)
    losses = [float(network.train_on_batch(patches, targets)) for _ in range(5)]
    assert losses[-1] < 0.95 * losses[0]
