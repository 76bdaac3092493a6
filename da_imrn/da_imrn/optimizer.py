"""Nadam as in Keras 2.3.1, and access to its whole state, in both stacks.

    μ_t = β1·(1 − ½·0.96^(0.004·t))      Π_t = μ_1·…·μ_t
    m = β1·m + (1 − β1)·g                v = β2·v + (1 − β2)·g²
    w = w − lr·[(1 − μ_t)·g / (1 − Π_t) + μ_{t+1}·m / (1 − Π_{t+1})] / (√(v / (1 − β2^t)) + ε)

The Nadam of current Keras lacks the 0.004, so that its momentum reaches β1 after a hundred steps instead of thousands;
its `legacy` Nadam is the algorithm above, and `FusedNadam` computes it in fewer passes. Keras 2.3.1 on TensorFlow 1.15
does not order the reads and writes of t and Π within a step, so the t that a step reads, and with it the result, varies
from run to run. `OrderedNadam` adds that order.
"""

from typing import Any, List

import numpy as np

from da_imrn.keras_stack import keras, tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
SCHEDULE_DECAY = 0.004
OPTIONS = {"beta_1": BETA_1, "beta_2": BETA_2, "epsilon": EPSILON, "schedule_decay": SCHEDULE_DECAY}

K = keras.backend


class OrderedNadam(keras.optimizers.Nadam):
    """Keras 2.3.1's Nadam, in whose steps t and Π are read before they are written."""

    def get_updates(self, loss: Any, params: List[Any]) -> List[Any]:
        """The operations of one step, called by Keras."""
        gradients = self.get_gradients(loss, params)
        first, second = ([K.zeros(K.int_shape(p)) for p in params] for _ in range(2))
        self.weights = [self.iterations, self.m_schedule] + first + second

        t = K.cast(self.iterations, K.floatx()) + 1
        momentum, following = self._momentum(t), self._momentum(t + 1)
        product = self.m_schedule * momentum
        with tf.control_dependencies([momentum, following, product]):
            self.updates = [K.update_add(self.iterations, 1), K.update(self.m_schedule, product)]
        unbias = 1 - K.pow(self.beta_2, t)
        for p, g, m, v in zip(params, gradients, first, second):
            m_t = self.beta_1 * m + (1 - self.beta_1) * g
            v_t = self.beta_2 * v + (1 - self.beta_2) * K.square(g)
            ahead = (1 - momentum) * g / (1 - product) + following * m_t / (1 - product * following)
            step = self.learning_rate * ahead / (K.sqrt(v_t / unbias) + self.epsilon)
            self.updates += [K.update(m, m_t), K.update(v, v_t), K.update(p, p - step)]
        return self.updates

    def _momentum(self, t: Any) -> Any:
        return self.beta_1 * (1 - 0.5 * K.pow(K.cast_to_floatx(0.96), t * self.schedule_decay))


if hasattr(keras.optimizers, "legacy"):

    class FusedNadam(keras.optimizers.legacy.Nadam):
        """The same step by two of TensorFlow's fused updates of a weight, where Keras takes some twenty operations.

        Adam's updates m, v and w by the share of m, Adagrad's, without an update of v, w by the share of g. The
        divisor of both is √v + ε·√(1 − β2^t), so that √(1 − β2^t) is a factor of their learning rates.
        """

        def _prepare_local(self, var_device: Any, var_dtype: Any, apply_state: Any) -> None:
            super()._prepare_local(var_device, var_dtype, apply_state)
            numbers = apply_state[(var_device, var_dtype)]
            unbias = tf.sqrt(numbers["v_t_prime_denominator"])
            rate = numbers["lr_t"] * unbias
            numbers["rate_of_m"] = rate * numbers["m_t_1"] / numbers["one_minus_m_schedule_next"]
            numbers["rate_of_g"] = rate * numbers["one_minus_m_t"] / numbers["one_minus_m_schedule_new"]
            numbers["unbiased_epsilon"] = numbers["epsilon"] * unbias

        def _resource_apply_dense(self, grad: Any, var: Any, apply_state: Any = None) -> Any:
            numbers = apply_state[(var.device, var.dtype.base_dtype)]
            m, v = self.get_slot(var, "m").handle, self.get_slot(var, "v").handle
            epsilon = numbers["unbiased_epsilon"]
            of_m = tf.raw_ops.ResourceApplyAdam(
                var=var.handle, m=m, v=v, beta1_power=0.0, beta2_power=0.0, lr=numbers["rate_of_m"],
                beta1=numbers["beta_1_t"], beta2=numbers["beta_2_t"], epsilon=epsilon, grad=grad,
            )  # fmt: skip
            with tf.control_dependencies([of_m]):
                return tf.raw_ops.ResourceApplyAdagradV2(
                    var=var.handle, accum=v, lr=numbers["rate_of_g"], epsilon=epsilon, grad=grad, update_slots=False
                )


def build_optimizer(learning_rate: float) -> Any:
    """A Nadam to compile a model with."""
    nadam = FusedNadam if hasattr(keras.optimizers, "legacy") else OrderedNadam
    return nadam(learning_rate=learning_rate, **OPTIONS)


def set_learning_rate(model: Any, learning_rate: float) -> None:
    """Set the learning rate of a compiled model, from the next step on."""
    K.set_value(model.optimizer.learning_rate, learning_rate)


def get_learning_rate(model: Any) -> float:
    """The learning rate of a compiled model, in the optimizer's precision."""
    return float(K.get_value(model.optimizer.learning_rate))


def create_state(model: Any) -> None:
    """Create the optimizer's moments of a compiled model, which Keras would create in the first step."""
    if hasattr(model.optimizer, "_create_all_weights"):
        model.optimizer._create_all_weights(model.trainable_variables)
    else:
        model._make_train_function()


def get_state(model: Any) -> List[np.ndarray]:
    """Steps, momentum product, and both moments of every weight."""
    return model.optimizer.get_weights()


def set_state(model: Any, state: List[np.ndarray]) -> None:
    """The inverse of `get_state`. Raises: ValueError where number or shapes differ."""
    create_state(model)
    model.optimizer.set_weights(state)
