"""The choices of each protocol, as data. Code reads the choices, never the protocol's name."""

from typing import Any, Dict, NamedTuple

from shared_data.configuration.choices import choice_table
from shared_data.splits.shared_protocols import decisions_key


class Decisions(NamedTuple):
    """The named choices of one protocol.

    partition: `shipped`, the authors' where there is one (a user's copy, else what was recovered), or `drawn`.
    ratios: the section of [partition] with a draw's share of window centres per class, or `none`.
    draws: the maximum number of drawn partitions. unaccepted: then the `nearest` one is taken, or it is an `error`.
    cut_windows: the labels in training windows that the border cuts and that are therefore not trained on: `blanked`,
        or `used` by validation and test.
    spatial_block: `scene` (the configuration's, as the release) or `three_kernels` for every scene.
    monitored: the validation accuracy that selects, over `all_positions` of a patch or the `labelled` ones.
    tested: test pixels, those of the release's `grid` or of the whole `scene`.
    aa_beside_recall: a second AA in the record as `aa_released`, `n_plus_one`, or `none`.
    split: how the pixels are drawn, as `blocks`, or the caller's under the protocols `shared` by all methods.
    normalisation: of the cube.
    weights_kept: which epoch's. learning_rate: over the epochs.
    """

    partition: str
    ratios: str
    draws: int
    unaccepted: str
    cut_windows: str
    spatial_block: str
    monitored: str
    tested: str
    aa_beside_recall: str
    split: str = "blocks"
    # raw digital numbers go into the network; the BatchNorm behind the first convolution is the only scaling
    normalisation: str = "none"
    weights_kept: str = "best_validation_accuracy"
    # divided by ten at the epochs 20, 40, 60 and 80
    learning_rate: str = "steps"


PROTOCOLS: Dict[str, Decisions] = {
    "released": Decisions(
        # the release does not draw, it loads five partitions; the published numbers are their mean
        partition="shipped",
        # the constants in the release never satisfy the release's own accept rule (test_partition.py)
        ratios="released",
        draws=100,
        # the release stops here without a partition; the draw nearest to its rule is used, and the record says so
        unaccepted="nearest",
        # the labels of all training windows are deleted from the map before those that the border cuts are dropped
        cut_windows="blanked",
        # on Indian Pines the (3,3,1) convolution is defined, but not connected: only the attentions mix pixels there
        spatial_block="scene",
        # the target of an unlabelled position is a row of zeros, whose argmax is class 1: calling everything class 1
        # scores there
        monitored="all_positions",
        # only the patches of the test grid; the remainder at the right and bottom border is dropped
        tested="grid",
        # counters of a class's pixels begin at one
        aa_beside_recall="n_plus_one",
    ),
    # the text, with shares of a class for which draws do fall into the interval
    "paper": Decisions(
        partition="drawn",
        ratios="fitted",
        draws=2000,
        unaccepted="error",
        cut_windows="used",
        spatial_block="three_kernels",
        monitored="labelled",
        tested="scene",
        # beside the mean recall, because the published AA is defined so
        aa_beside_recall="n_plus_one",
    ),
    # as `paper`, under every protocol that all methods share; no windows are drawn, and no labels held out in them
    "shared": Decisions(
        partition="drawn",
        ratios="none",
        draws=0,
        unaccepted="error",
        cut_windows="used",
        spatial_block="three_kernels",
        monitored="labelled",
        tested="scene",
        aa_beside_recall="none",
        split="shared",
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
