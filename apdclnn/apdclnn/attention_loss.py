"""The attention-loss subnetwork (S5, R10): class maps, trained by an auxiliary loss, weight the fused map."""

from typing import Any, NamedTuple, Optional

from apdclnn.layers import convolution, norm_relu
from apdclnn.tf_stack import tf

AUXILIARY_WEIGHT = 0.5
_MAPS = 64  # channels of the convolution before the class maps


class Attended(NamedTuple):
    """maps: fused·(1 + attention), (N, p, p, C). auxiliary: logits (N, K)."""

    maps: Any
    auxiliary: Any


def attend(fused: Any, num_classes: int) -> Attended:
    """R10: class maps of the fused map (N, p, p, C); their means are the auxiliary logits, their combination the
    attention."""
    x = norm_relu(convolution(fused, _MAPS, 3, "attention_conv"), "attention_norm")
    class_maps = convolution(x, num_classes, 1, "class_maps")
    attention = tf.sigmoid(convolution(class_maps, 1, 1, "attention_map"))
    return Attended(fused * (1 + attention), tf.reduce_mean(class_maps, axis=(1, 2)))


def loss(logits: Any, auxiliary: Optional[Any], targets: Any) -> Any:
    """R10: CE(main) + ½·CE(auxiliary), means over the patches; without a subnetwork CE(main). targets: (N) 0..K−1."""
    total = _cross_entropy(logits, targets)
    return total if auxiliary is None else total + AUXILIARY_WEIGHT * _cross_entropy(auxiliary, targets)


def _cross_entropy(logits: Any, targets: Any) -> Any:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits))
