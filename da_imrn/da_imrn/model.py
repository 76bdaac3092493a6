"""The Keras model of the network, whose training step and prediction are one call of TensorFlow each.

Current Keras makes a dataset and an iterator of every mini-batch it is given. With two threads, deleting the iterator
takes up to 0.14 s, almost as long as a step of this network. Keras 2.3.1 has no such iterator.
"""

from typing import Any

import numpy as np

from da_imrn.keras_stack import keras, tf


class _DirectModel(keras.models.Model):
    """A model with one input, one output and a loss that is one number; the numbers are those of Keras' own methods."""

    def train_on_batch(self, x: np.ndarray, y: np.ndarray) -> float:
        """An optimizer step; the loss before it. x: (N, ...) inputs. y: (N, ...) targets. Both float32."""
        return float(self._step(tf.constant(x), tf.constant(y)))

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        """The outputs for (N, ...) float32 inputs."""
        return self._output(tf.constant(x)).numpy()

    @tf.function
    def _step(self, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self.loss(y, self(x, training=True))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return loss

    @tf.function
    def _output(self, x: Any) -> Any:
        return self(x, training=False)


DirectModel = _DirectModel if hasattr(keras.models.Model, "train_step") else keras.models.Model
