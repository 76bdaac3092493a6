"""Nadam with the schedule of Keras 2.3.1, in whichever stack runs this."""

import numpy as np

from da_imrn import optimizer
from da_imrn.keras_stack import keras


def linear_model(weights):
    """y = x·w without bias, squared loss, Nadam."""
    layer = keras.layers.Dense(1, use_bias=False, input_shape=(len(weights),))
    model = keras.models.Sequential([layer])
    model.compile(optimizer.build_optimizer(0.01), loss="mse")
    model.set_weights([np.array(weights, np.float32)[:, None]])
    return model


def literal_nadam(weights, gradients, learning_rates):
    """Dozat's Nadam as Keras 2.3.1 writes it, in float64."""
    w = np.array(weights, np.float64)
    m, v, product = np.zeros_like(w), np.zeros_like(w), 1.0
    for t, (gradient, learning_rate) in enumerate(zip(gradients, learning_rates), start=1):
        g = gradient(w)
        momentum = optimizer.BETA_1 * (1 - 0.5 * 0.96 ** (0.004 * t))
        following = optimizer.BETA_1 * (1 - 0.5 * 0.96 ** (0.004 * (t + 1)))
        product *= momentum
        m = optimizer.BETA_1 * m + (1 - optimizer.BETA_1) * g
        v = optimizer.BETA_2 * v + (1 - optimizer.BETA_2) * g * g
        step = (1 - momentum) * g / (1 - product) + following * m / (1 - product * following)
        w = w - learning_rate * step / (np.sqrt(v / (1 - optimizer.BETA_2**t)) + optimizer.EPSILON)
    return w


def batches(count):
    random = np.random.RandomState(0)
    return [(random.randn(4, 3).astype(np.float32), random.randn(4, 1).astype(np.float32)) for _ in range(count)]


def gradient_of(x, y):
    return lambda w: (2 * x.astype(float).T.dot(x.astype(float).dot(w[:, None]) - y) / len(x)).ravel()


def train(model, data, rates):
    for (x, y), rate in zip(data, rates):
        optimizer.set_learning_rate(model, rate)
        model.train_on_batch(x, y)


def test_sixty_steps_are_those_of_the_equations():
    """Sixty, because the schedules of old and new Keras differ most after some ten."""
    data, rates, start = batches(60), [0.01] * 40 + [0.001] * 20, [0.5, -0.3, 0.2]
    model = linear_model(start)
    train(model, data, rates)
    expected = literal_nadam(start, [gradient_of(x, y) for x, y in data], rates)
    assert np.allclose(model.get_weights()[0].ravel(), expected, rtol=1e-5, atol=1e-6)


def test_training_goes_on_from_a_stored_state():
    data, rates, start = batches(20), [0.01] * 20, [0.5, -0.3, 0.2]
    whole = linear_model(start)
    train(whole, data, rates)
    first = linear_model(start)
    train(first, data[:7], rates)
    second = linear_model([0.0, 0.0, 0.0])
    second.set_weights(first.get_weights())
    optimizer.set_state(second, optimizer.get_state(first))
    train(second, data[7:], rates)
    assert np.array_equal(whole.get_weights()[0], second.get_weights()[0])
