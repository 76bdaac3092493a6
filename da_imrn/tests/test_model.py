"""The model's training step and prediction have the numbers of Keras' own."""

import numpy as np
import pytest

from da_imrn.attention import conv
from da_imrn.keras_stack import keras
from da_imrn.loss import focal_loss
from da_imrn.model import DirectModel
from da_imrn.norm import BandNorm
from da_imrn.optimizer import build_optimizer
from da_imrn.patches import one_hot


def minibatches():
    """Two full ones and a last, smaller one."""
    random = np.random.RandomState(2)
    for size in (4, 4, 3):
        patches = random.uniform(0, 2, (size, 4, 4, 8, 1)).astype(np.float32)
        yield patches, one_hot(random.randint(0, 6, (size, 4, 4)), 5)


def test_steps_and_predictions_are_those_of_keras():
    patches = keras.layers.Input((4, 4, 8, 1))
    x = conv(BandNorm(8)(patches), 5, (1, 1, 8), activation="softmax")
    direct, plain = DirectModel(patches, x), keras.models.Model(patches, x)  # the same layers, so the same weights
    start = direct.get_weights()

    def trained(model):
        model.set_weights(start)
        model.compile(build_optimizer(1e-2), loss=focal_loss)
        losses = [float(model.train_on_batch(*minibatch)) for minibatch in minibatches()]
        return losses, model.get_weights(), [model.predict_on_batch(patches) for patches, _ in minibatches()]

    (losses, weights, outputs), (keras_losses, keras_weights, keras_outputs) = trained(direct), trained(plain)
    assert len(set(losses)) == 3 and losses == pytest.approx(keras_losses, 1e-6)
    assert all(np.any(after != before) for after, before in zip(weights, start))  # moving statistics, too
    for ours, theirs in zip(weights + outputs, keras_weights + keras_outputs):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
