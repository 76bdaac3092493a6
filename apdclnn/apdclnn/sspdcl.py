"""SSPDCL2DNN (S2, R7): three PDConvLSTM2D layers; each gives one map enhanced over the spectrum, at its own scale."""

from typing import Any, List, Sequence

from apdclnn.layers import fully_connected, halved
from apdclnn.pd_conv_lstm import pd_conv_lstm
from apdclnn.pseudo_complex import COMPLEX, with_imaginary_part
from apdclnn.tf_stack import tf


def sspdcl2dnn(patches: Any, widths: Sequence[int], parts: int, deformable: bool) -> List[Any]:
    """The spectral-enhanced map of every layer, (N, p, p, parts·C), p halved from layer to layer.

    patches: (N, P, P, T), a step per component. widths: C of the layers.
    """
    _, side, _, steps = patches.get_shape().as_list()
    x = tf.reshape(tf.transpose(patches, (3, 0, 1, 2)), (-1, side, side, 1))  # all steps as one batch, time outermost
    if parts == COMPLEX:
        x = with_imaginary_part(x)
    enhanced = []
    for number, maps in enumerate(widths, start=1):
        if number > 1:
            x, side = halved(x), side // 2
        sequence = tf.reshape(x, (steps, -1, side, side, x.get_shape().as_list()[-1]))
        states = pd_conv_lstm(sequence, maps, parts, deformable, "pd_conv_lstm%d" % number)
        enhanced.append(spectral_attention(states, "spectral_attention%d" % number))
        x = tf.reshape(states, (-1, side, side, parts * maps))
    return enhanced


def spectral_attention(states: Any, scope: str) -> Any:
    """R7: D = Σ_t α_t·h_t, α the softmax over the steps of a learnt score of each state's mean over the pixels.

    states: (T, N, p, p, C). Result: (N, p, p, C).
    """
    steps, _, _, _, channels = states.get_shape().as_list()
    means = tf.reshape(tf.reduce_mean(states, axis=(2, 3)), (-1, channels))
    scores = tf.transpose(tf.reshape(fully_connected(means, 1, scope), (steps, -1)))  # a row per patch
    shares = tf.transpose(tf.nn.softmax(scores))
    return tf.reduce_sum(states * shares[:, :, None, None, None], axis=0)
