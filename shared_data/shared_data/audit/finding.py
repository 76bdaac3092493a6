"""The result of an audit for one item: a verdict, one sentence of evidence, and its numbers."""

from typing import Dict, NamedTuple

from shared_data.records.audit_file import Value

ITEMS = ("labels", "selection", "preprocessing", "overlap", "split")

CLEAN, LEAKS, OVERLAPS, NONE, FLAWED = "clean", "leaks", "overlaps", "none", "flawed"
FINISHED = "finished run"  # source of the prediction behind the accuracies
NOT_DETERMINISTIC, NOT_AUDITED = "not deterministic", "not audited"


class Finding(NamedTuple):
    """item: of `ITEMS`. evidence: one sentence with numbers. numbers: as values, named `<item>_…` or `oa_…`."""

    item: str
    verdict: str
    evidence: str
    numbers: Dict[str, Value] = {}
