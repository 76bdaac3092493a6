"""PDConvLSTM2D, the pseudo-complex deformable ConvLSTM (S1, R5, R6). Its time axis is the spectral axis.

z = W∗x̃ + U∗h + b            x̃: the input, deformed
i, f, o = σ(z), g = tanh(z)  of real and imaginary parts apart
c' = f·c + i·g,  h' = o·tanh(c')   with complex products
"""

from typing import Any, List, Optional, Tuple

from apdclnn.deformable import deform
from apdclnn.pseudo_complex import Numbers, convolve, kernel, product
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
        z_inputs = tf.reshape(tf.nn.bias_add(convolve(folded, of_input), bias), (steps, -1, height, width, gates))
        states: List[Any] = []
        cell: Optional[Numbers] = None
        for z in tf.unstack(z_inputs):
            if states:
                z += convolve(states[-1], of_hidden)
            hidden, cell = lstm_step(z, cell, parts)
            states.append(hidden)
        return tf.stack(states)


def lstm_step(z: Any, cell: Optional[Numbers], parts: int) -> Tuple[Any, Numbers]:
    """R6: h' (N, H, W, parts·C) and c' of the gates' z (N, H, W, 4·parts·C) and c, which is None at first.

    Real and imaginary parts stay apart within the step: to join them after each product would copy them.
    """
    separate = tf.split(z, GATES * parts, axis=-1)
    i, f, o, g = (separate[gate * parts : (gate + 1) * parts] for gate in range(GATES))
    candidate = product([tf.sigmoid(one) for one in i], [tf.tanh(one) for one in g])
    if cell is not None:
        kept = product([tf.sigmoid(one + FORGET_BIAS) for one in f], cell)
        candidate = [new + old for new, old in zip(candidate, kept)]
    hidden = product([tf.sigmoid(one) for one in o], [tf.tanh(one) for one in candidate])
    return tf.concat(hidden, axis=-1), candidate
