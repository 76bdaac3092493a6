"""Check a split: pixels twice in a set or in two sets, unlabelled pixels, and the hashes of the official split."""

from typing import Any, Dict, List, Optional

import numpy as np

from shared_data.audit.finding import FLAWED, Finding, Value
from shared_data.audit.golden_splits import GoldenSplit
from shared_data.errors import SplitError
from shared_data.splits.draws import Split, describe

SOUND = "sound"


def check_indices(split: Split, size: int) -> None:
    """Raises: SplitError where an index is no whole number or no pixel of a scene of `size` pixels."""
    for name, indices in split._asdict().items():
        if indices.size and indices.dtype.kind not in "iu":
            raise SplitError("the %s set holds %s; flat pixel indices are whole numbers." % (name, indices.dtype))
        if indices.size and (indices.min() < 0 or indices.max() >= size):
            raise SplitError(
                "the %s set reaches from pixel %d to %d; the scene has the pixels 0 to %d."
                % (name, indices.min(), indices.max(), size - 1)
            )


def split_finding(split: Split, ground_truth: np.ndarray, num_classes: int, golden: Optional[GoldenSplit]) -> Finding:
    """The item `split`. golden: the official split to compare with, None where there is none."""
    described = describe(split, ground_truth, num_classes)
    twice = sum(part.size - np.unique(part).size for part in split)
    train, val, test = (np.unique(part) for part in split)
    shared = sum(np.intersect1d(*pair).size for pair in ((train, val), (train, test), (val, test)))
    unlabelled = sum(int((ground_truth.ravel()[part] == 0).sum()) for part in split)
    numbers: Dict[str, Value] = {}
    for name, part in described.items():
        numbers["split_%s" % name] = part["size"]
        numbers["split_%s_sha256" % name] = part["sha256"]
        numbers["split_%s_per_class" % name] = " ".join(str(count) for count in part["per_class"])
    numbers.update(split_duplicates=int(twice), split_shared=int(shared), split_unlabelled=unlabelled)
    evidence = "%d pixels train, %d validate, %d test; " % tuple(part.size for part in split)
    evidence += "%d twice in a set, %d in two sets, %d unlabelled; " % (twice, shared, unlabelled)
    differences: List[str] = []
    if golden is None:
        evidence += "there is no official split to compare with"
        numbers["split_golden"] = "none"
    else:
        differences = golden_differences(golden, split, ground_truth, num_classes)
        numbers["split_golden"] = "differs" if differences else "matches"
        evidence += _compared(golden, differences)
    flawed = twice or shared or unlabelled or differences
    return Finding("split", FLAWED if flawed else SOUND, evidence, numbers, (FLAWED,) if flawed else ())


def golden_differences(golden: GoldenSplit, split: Split, ground_truth: np.ndarray, num_classes: int) -> List[str]:
    """The differences between a split and the official one; empty where everything known agrees."""
    described: Dict[str, Any] = describe(split, ground_truth, num_classes)
    united = split._replace(train=np.concatenate([split.train, split.val]))
    described["train_and_val"] = describe(united, ground_truth, num_classes)["train"]
    differences = []
    for name, known in sorted(golden.sets.items()):
        for key, value in sorted(known.items()):
            found = described[name][key]
            if found != value:
                differences.append("%s of %s is %s, not %s" % (key, _words(name), _brief(found), _brief(value)))
    return differences


def _compared(golden: GoldenSplit, differences: List[str]) -> str:
    if differences:
        return "not the official split %s of %s: %s" % (golden.draw, golden.scene, ", ".join(differences))
    names = " and of ".join(_words(name) for name in sorted(golden.sets))
    return "the hash of %s is that of the official split %s of %s" % (names, golden.draw, golden.scene)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(str(count) for count in value)
    return str(value)[:12]
