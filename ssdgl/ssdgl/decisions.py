"""The choices of each protocol, as data. Code reads `Decisions`, never the protocol's name.

The release trains three networks with three losses, so `released` has one row per network variant. Everything that
differs between `released` and `paper` is visible here, in one place, with its evidence.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Dict

from shared_data.configuration.choices import choice_table
from shared_data.configuration.overrides import check_name
from shared_data.splits.shared_protocols import decisions_key


@dataclass(frozen=True)
class Decisions:
    """The named choices of one protocol for one network. `weights_kept` and `split` only describe; no code reads them.

    loss: a key of `ssdgl.loss.OBJECTIVES`.
    training_labels: the labels that training can read: those of `train` pixels, or of `train and test` pixels.
    class_counts: pixels counted for the class weights, those of `training_labels`; `none` where the loss has no
        weights, which is all that code asks.
    weights_kept: which step's weights are reported; always the `last` (the release selects nothing).
    accuracy_shown: pixels whose accuracy is shown while training.
    normalisation: pixels whose spectra give the band means and deviations, `scene` or `train`; labels play no part.
    split: `release`, the class-wise random draw of the official code, or the caller's under the protocols `shared` by
        all methods.
    """

    loss: str
    training_labels: str
    class_counts: str
    accuracy_shown: str
    weights_kept: str = "last"
    normalisation: str = "scene"
    split: str = "release"


# v2022: the network's multiplication by the training indicator is commented out, but the release's own trainer has
# removed all other labels before; the program's printed losses are those of the sampled pixels (test_trace.py)
_RELEASED_2022 = Decisions("sampled", "train", "none", "test")
# v2021: without that trainer; its printed losses (0.2074 on Indian Pines) are those of ALL labels (test_trace.py), and
# so are the first losses of the official log (0.2379 and 0.0497): ln(K)·Σ n_c·w_c/pixels (test_official_log.py)
_RELEASED_2021 = Decisions("weighted_all_labelled", "train and test", "train and test", "test")
# Houston: this network's loss is multiplied by the training indicator itself
_RELEASED_HOUSTON = Decisions("sampled_with_reconstruction", "train", "none", "test")

# the text: cross-entropy over the sampled training pixels; for Houston, too, without the reconstruction, whose target
# is every pixel of the scene
_PAPER = Decisions("sampled", "train", "none", "sampled train")


def _under_shared(decisions: Decisions) -> Decisions:
    return replace(decisions, normalisation="train", split="shared")


PROTOCOLS: Dict[str, Dict[str, Decisions]] = {
    "released": {
        "v2022": _RELEASED_2022,
        "v2022-fewshot": _RELEASED_2022,
        "v2021": _RELEASED_2021,
        "houston": _RELEASED_HOUSTON,
    },
    "paper": {"v2022": _PAPER, "v2022-fewshot": _PAPER, "v2021": _PAPER, "houston": _PAPER},
    # as the text, under every protocol that all methods share; the network still sees the spectra of the whole scene
    "shared": {
        "v2022": _under_shared(_PAPER),
        "v2022-fewshot": _under_shared(_PAPER),
        "v2021": _under_shared(_PAPER),
        "houston": _under_shared(_PAPER),
    },
}


def decide(protocol: str, variant: str) -> Decisions:
    """The decisions of a protocol for a network variant. Raises: UnknownNameError listing what there is."""
    decided = PROTOCOLS[decisions_key(protocol, PROTOCOLS)]
    check_name("variant", variant, decided)
    return decided[variant]


def as_dict(decisions: Decisions) -> Dict[str, Any]:
    """The choices as the run record holds them."""
    return asdict(decisions)


def protocol_table() -> str:
    """All protocols and networks as a Markdown table, for the README."""
    rows = (
        ([protocol, variant], as_dict(decisions))
        for protocol, variants in PROTOCOLS.items()
        for variant, decisions in variants.items()
    )
    return choice_table(["protocol", "network"], rows)
