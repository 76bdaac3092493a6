"""PDConvLSTM2D, the pseudo-complex deformable ConvLSTM (S1, R5, R6). Its time axis is the spectral axis.

z = W∗x̃ + U∗h + b            x̃: the input, deformed
i, f, o = σ(z), g = tanh(z)  of real and imaginary parts apart
c' = f·c + i·g,  h' = o·tanh(c')   with complex products
"""

from typing import Any, List, Tuple

from apdclnn.deformable import deform
from apdclnn.pseudo_complex import convolve, kernel, product
from apdclnn.tf_stack import tf, tflearn

GATES = 4  # input, forget, output, candidate: in this order in the channels of z
FORGET_BIAS = 1.0


def pd_conv_lstm(x: Any, maps: int, parts: int, deformable: bool, scope: str, side: int = 3) -> Any:
    """(T, N, H, W, parts·I) to the hidden states of all T steps, (T, N, H, W, parts·maps); T, H and W static.

    side: of both kernels. Sampling and W∗x̃, which do not depend on the hidden state, are computed for all steps at
    once; one convolution gives the four gates.
    """
    steps, _, height, width, channels = x.get_shape().as_list()
    inputs, gates = channels // parts, GATES * parts * maps
    with tf.variable_scope(scope):
        of_input = kernel("W", side, inputs, GATES, maps, parts)
        of_hidden = kernel("U", side, maps, GATES, maps, parts)
        bias = tflearn.variables.variable("b", (gates,), initializer=tf.zeros_initializer())
        folded = tf.reshape(x, (-1, height, width, channels))
        if deformable:
            folded = deform(folded, parts)
        z_inputs = tf.reshape(convolve(folded, of_input) + bias, (steps, -1, height, width, gates))
        states: List[Any] = []
        cell = 0.0
        for z in tf.unstack(z_inputs):
            if states:
                z += convolve(states[-1], of_hidden)
            hidden, cell = lstm_step(z, cell, parts)
            states.append(hidden)
        return tf.stack(states)


def lstm_step(z: Any, cell: Any, parts: int) -> Tuple[Any, Any]:
    """R6: h' and c' (N, H, W, parts·C) of the gates' z (N, H, W, 4·parts·C) and c, which is initially the number 0."""
    i, f, o, g = tf.split(z, GATES, axis=-1)
    candidate = product(tf.sigmoid(i), tf.tanh(g), parts)
    if not isinstance(cell, float):
        candidate += product(tf.sigmoid(f + FORGET_BIAS), cell, parts)
    return product(tf.sigmoid(o), tf.tanh(candidate), parts), candidate
