"""PDConvLSTM2D against numpy and against the literal form that the benchmark times."""

import apdclnn_literal as literal
import numpy as np
import pytest
from numpy_oracle import as_complex, lstm_step, pd_conv_lstm, stacked

from apdclnn import pd_conv_lstm as ours
from apdclnn.tf_stack import tf

STEPS, PATCHES, SIDE, INPUTS, MAPS = 3, 2, 5, 2, 3


@pytest.fixture
def random():
    return np.random.RandomState(0)


def numbers(random, inputs, parts):
    """Input, and the layer's variables by name."""
    shapes = {"W": (3, 3, inputs, 4 * MAPS), "U": (3, 3, MAPS, 4 * MAPS)}
    variables = {
        "cell/%s_%s" % (name, part): 0.4 * random.standard_normal(shape)
        for name, shape in shapes.items()
        for part in ("re", "im")[:parts]
    }
    variables["cell/b"] = 0.3 * random.standard_normal(4 * parts * MAPS)
    variables["cell/offsets/W"] = 0.3 * random.standard_normal((3, 3, parts * inputs, 2 * inputs))
    variables["cell/offsets/b"] = random.standard_normal(2 * inputs)
    x = random.standard_normal((STEPS, PATCHES, SIDE, SIDE, parts * inputs)).astype(np.float32)
    return x, variables


def complex_of(variables, name):
    return variables["cell/%s_re" % name] + 1j * variables["cell/%s_im" % name]


def complex_bias(bias):
    """Per gate the real parts, then the imaginary ones."""
    real, imaginary = np.split(bias.reshape(4, 2 * MAPS), 2, axis=1)
    return (real + 1j * imaginary).ravel()


@pytest.mark.parametrize("deformable", [True, False])
def test_complex_states_of_every_step(random, compute, deformable):
    x, variables = numbers(random, INPUTS, 2)
    found = compute(lambda a: ours.pd_conv_lstm(a, MAPS, 2, deformable, "cell"), x, variables=variables)
    offsets = (variables["cell/offsets/W"], variables["cell/offsets/b"]) if deformable else None
    bias = complex_bias(variables["cell/b"])
    expected = pd_conv_lstm(as_complex(x), complex_of(variables, "W"), complex_of(variables, "U"), bias, offsets)
    assert as_complex(found) == pytest.approx(expected, abs=2e-5)


def test_real_states_of_every_step(random, compute):
    x, variables = numbers(random, INPUTS, 1)
    found = compute(lambda a: ours.pd_conv_lstm(a, MAPS, 1, True, "cell"), x, variables=variables)
    kernels = [variables["cell/%s_re" % name] for name in "WU"]
    offsets = variables["cell/offsets/W"], variables["cell/offsets/b"]
    assert found == pytest.approx(pd_conv_lstm(x, *kernels, variables["cell/b"], offsets), abs=2e-5)


def test_one_step_from_a_given_cell(random, compute):
    z = random.standard_normal((2, 4, 4, 4 * MAPS)) + 1j * random.standard_normal((2, 4, 4, 4 * MAPS))
    cell = random.standard_normal((2, 4, 4, MAPS)) + 1j * random.standard_normal((2, 4, 4, MAPS))
    by_gate = np.concatenate([stacked(gate) for gate in np.split(z, 4, axis=-1)], axis=-1)

    def built(a, b):
        hidden, new = ours.lstm_step(a, tf.split(b, 2, axis=-1), 2)
        return hidden, tf.concat(new, axis=-1)

    found = compute(built, by_gate, stacked(cell))
    for one, expected in zip(found, lstm_step(z, cell)):
        assert as_complex(one) == pytest.approx(expected, abs=1e-5)


def test_literal_form_has_the_same_states_and_gradients(random, compute):
    x, variables = numbers(random, INPUTS, 2)
    weights = random.standard_normal((STEPS, PATCHES, SIDE, SIDE, 2 * MAPS)).astype(np.float32)

    def built(layer):
        def states_and_gradients(a):
            states = layer(a, MAPS, 2, True, "cell")
            trainable = sorted(tf.trainable_variables(), key=lambda v: v.name)
            return [states] + tf.gradients(tf.reduce_sum(weights * states), trainable + [a])

        return compute(states_and_gradients, x, variables=variables)

    found, expected = built(ours.pd_conv_lstm), built(literal.pd_conv_lstm)
    assert len(found) == len(expected) == 9
    for one, other in zip(found, expected):
        assert one == pytest.approx(other, abs=2e-4)
