"""APDCLNN, top-down (S1 to S5): deep maps of a patch, mutual attention with Gabor maps at every scale, class logits.

D1, D2, D3 = SSPDCL2DNN(components)        R3 to R7
Fs = MAMLF(Ds, Gs)                         R8, R9
fused = [F1, F2, F3] at the last scale     R7
logits = FC(fused·(1 + attention))         R10
"""

from typing import Any, List, NamedTuple, Optional, Tuple

from apdclnn.attention_loss import attend
from apdclnn.layers import fully_connected, halved
from apdclnn.mutual_attention import gabor_maps, mamlf
from apdclnn.pseudo_complex import COMPLEX, REAL
from apdclnn.sspdcl import sspdcl2dnn
from apdclnn.tf_stack import tf


class Structure(NamedTuple):
    """widths: complex maps of the layers (R7). The others are the paper's components, each an ablation when False.

    complex: without it, as many real maps as real and imaginary ones together. deformable: without it, the cell reads
    its input without offsets. gabor: Gabor features and MAMLF. attention_loss: the subnetwork.
    """

    widths: Tuple[int, ...]
    complex: bool
    deformable: bool
    gabor: bool
    attention_loss: bool


class Logits(NamedTuple):
    """main: (N, K). auxiliary: (N, K), None without the subnetwork."""

    main: Any
    auxiliary: Optional[Any]


def check_side(side: int, structure: Structure) -> None:
    """Raises: ValueError where halving a patch of side × side pixels from layer to layer leaves no pixel."""
    times = len(structure.widths) - 1
    if side >> times < 1:
        raise ValueError(
            "a patch of %d × %d pixels cannot be halved %d times; choose a larger patch side or fewer layers"
            % (side, side, times)
        )


def build_network(patches: Any, gabor_patches: Optional[Any], num_classes: int, structure: Structure) -> Logits:
    """patches: (N, P, P, T) components; gabor_patches: (N, P, P, T'), None where the structure has no Gabor features.

    Raises: ValueError where halving leaves no pixel.
    """
    check_side(patches.get_shape().as_list()[1], structure)
    # the number of real channels is the same with and without complex numbers
    channels = tuple(2 * width for width in structure.widths)
    if structure.complex:
        deep = sspdcl2dnn(patches, structure.widths, COMPLEX, structure.deformable)
    else:
        deep = sspdcl2dnn(patches, channels, REAL, structure.deformable)
    maps = deep
    if structure.gabor:
        pairs = zip(deep, gabor_maps(gabor_patches, channels))
        maps = [mamlf(d, g, "mamlf%d" % number) for number, (d, g) in enumerate(pairs, start=1)]
    fused = at_one_scale(maps)
    auxiliary = None
    if structure.attention_loss:
        fused, auxiliary = attend(fused, num_classes)
    return Logits(fully_connected(fused, num_classes, "classes"), auxiliary)


def at_one_scale(maps: List[Any]) -> Any:
    """Scale enhancement (R7): the maps of all layers, halved down to the last one's size, in one tensor."""
    levelled = []
    for number, x in enumerate(maps, start=1):
        for _ in range(len(maps) - number):
            x = halved(x)
        levelled.append(x)
    return tf.concat(levelled, axis=-1)
