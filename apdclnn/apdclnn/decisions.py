"""The choices of each protocol, as data. Code reads the choices, never the protocol's name.

No code was ever released, so nothing can be reproduced under `released`.
"""

from typing import Any, Dict, NamedTuple

from shared_data.configuration.choices import choice_table
from shared_data.splits.shared_protocols import decisions_key


class Decisions(NamedTuple):
    """The named choices of one protocol.

    split: how the pixels are drawn, a `share_of_every_class`, or the caller's under the protocols `shared` by all
        methods. validation: pixels that choose the weights.
    fitted: pixels on whose spectra scaling and principal components are fitted, `scene` or `train`; those of the Gabor
        responses as well. normalisation: of the cube.
    weights_kept: which epoch's. learning_rate: over the epochs.
    """

    split: str
    validation: str
    fitted: str
    normalisation: str
    weights_kept: str
    learning_rate: str


PROTOCOLS: Dict[str, Decisions] = {
    "paper": Decisions(
        split="share_of_every_class",
        # test labels choose nothing
        validation="tenth_of_training_pixels",
        # R1 and R8 speak of the cube: spectra of test pixels, not their labels, shape scaling and axes
        fitted="scene",
        normalisation="min_max_then_whitened_components",
        weights_kept="lowest_validation_loss",
        learning_rate="constant",
    ),
    # as `paper`, under every protocol that all methods share, but preprocessing is fitted on training pixels only
    "shared": Decisions(
        split="shared",
        validation="of_the_split",
        fitted="train",
        normalisation="min_max_then_whitened_components",
        weights_kept="lowest_validation_loss",
        learning_rate="constant",
    ),
}


def decide(protocol: str) -> Decisions:
    """The decisions of a protocol. Raises: UnknownNameError listing what there is."""
    return PROTOCOLS[decisions_key(protocol, PROTOCOLS)]


def as_dict(decisions: Decisions) -> Dict[str, Any]:
    """The choices as the run record holds them."""
    return dict(decisions._asdict())


def protocol_table() -> str:
    """All protocols as a Markdown table, for the README."""
    return choice_table(["protocol"], (([name], as_dict(decisions)) for name, decisions in PROTOCOLS.items()))
