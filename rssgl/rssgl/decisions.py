"""The choices of each protocol, as data. Code reads `Decisions`, never the protocol's name."""

from dataclasses import asdict, dataclass
from typing import Any, Dict

from shared_data.configuration.choices import choice_table
from shared_data.splits.shared_protocols import decisions_key


@dataclass(frozen=True)
class Decisions:
    """The named choices of one protocol. `training_labels` and `class_counts` only describe; no code reads them.

    selected_on: pixels whose overall accuracy chooses the weights and ends training, `test` or `validation`.
    validation_share: share of each class's training pixels that is held out, at least one pixel; 0 holds out none. The
        shared protocols have validation pixels of their own.
    training_labels: the labels that training can read; always those of `train` pixels, because the loss is masked.
    class_counts: pixels counted for the class weights, those in `train`.
    normalisation: pixels whose spectra give the band means and deviations, `scene` or `train`; labels play no part.
    split: `release`, the class-wise random draw of the official code, or the caller's under the protocols `shared` by
        all methods.
    """

    selected_on: str
    validation_share: float
    training_labels: str = "train"
    class_counts: str = "train"
    normalisation: str = "scene"
    split: str = "release"


PROTOCOLS: Dict[str, Decisions] = {
    # the release's loop computes OA of the test loader after every epoch, keeps the weights of the best and stops
    # when it has not risen for `patience` epochs: the reported number is a maximum over evaluations on the test set
    "released": Decisions(selected_on="test", validation_share=0.0),
    # the same with a held-out tenth of the training pixels in place of the test pixels
    "paper": Decisions(selected_on="validation", validation_share=0.1),
    # as the text, under every protocol that all methods share; the network still sees the spectra of the whole scene
    "shared": Decisions(selected_on="validation", validation_share=0.0, normalisation="train", split="shared"),
}


def decide(protocol: str) -> Decisions:
    """The decisions of a protocol. Raises: UnknownNameError listing what there is."""
    return PROTOCOLS[decisions_key(protocol, PROTOCOLS)]


def as_dict(decisions: Decisions) -> Dict[str, Any]:
    """The choices as the run record holds them."""
    return asdict(decisions)


def protocol_table() -> str:
    """All protocols as a Markdown table, for the README."""
    return choice_table(["protocol"], (([name], as_dict(decisions)) for name, decisions in PROTOCOLS.items()))
