"""The result of an audit for one item: a verdict, one sentence of evidence, and its numbers."""

from typing import Dict, NamedTuple, Tuple

from shared_data.records.audit_file import Value

ITEMS = (
    "test_labels", "gap_labels", "validation_labels", "test_spectra", "control", "openings", "context", "split",
)  # fmt: skip

# what a finding may say; the words for labels are never those for spectra
USES_GAP_LABELS = "uses gap labels"
USES_VALIDATION_LABELS = "uses validation labels for training"
FITTED, SEEN = "uses test spectra (fitted)", "uses test spectra (seen)"
IGNORES_SPECTRA, IGNORES_LABELS = "ignores spectra", "ignores training labels"
OPENS_TRUTH, READS_SCENE = "opens test labels", "reads the scene by itself"
FLAWED = "flawed split"
NOT_DETERMINISTIC, NOT_AUDITED = "not deterministic", "not audited"
NOTHING, RESPONDS = "nothing", "uses spectra and training labels"

FINISHED = "finished run"  # source of the prediction behind the accuracies


def uses_test_labels(*stages: str) -> str:
    """stages: of training, selection and prediction."""
    return "uses test labels (%s)" % ", ".join(stages)


def order_depends(whose: str) -> str:
    """For a method whose order of training examples changes with labels that it does not learn. whose: `test`, …"""
    return "order depends on %s labels" % whose


def clean_for(steps: int) -> str:
    """steps: of each training."""
    return "clean for %d step%s" % (steps, "" if steps == 1 else "s")


class Finding(NamedTuple):
    """item: of `ITEMS`. evidence: one sentence with numbers. numbers: as values, named after what they count.

    words: the part of the verdict that the audit's summary repeats; empty where nothing was found.
    """

    item: str
    verdict: str
    evidence: str
    numbers: Dict[str, Value] = {}
    words: Tuple[str, ...] = ()


def found(item: str, words: Tuple[str, ...], evidence: str, numbers: Dict[str, Value], steps: int) -> Finding:
    """The finding of what a method uses; clean where there are no words."""
    return Finding(item, "; ".join(words) or clean_for(steps), evidence, numbers, words)
