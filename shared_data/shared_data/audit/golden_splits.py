"""The official splits that runs are checked against, read from golden_splits.toml."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from shared_data.errors import RecordError
from shared_data.files.toml import load_toml

_SETS = ("train", "val", "test", "train_and_val")
_FACTS = {"size", "sha256", "per_class"}


class GoldenSplit(NamedTuple):
    """Hashes and counts of one official split.

    scene: slug. draw: its name in the golden values. seed: of the run, None where it does not matter. runs: which
    (paper, experiment, protocol) draw it. sets: per set `size`, `sha256` and perhaps `per_class`, as far as known;
    `train_and_val` are training and validation pixels together.
    """

    scene: str
    draw: str
    seed: Optional[int]
    runs: Tuple[Tuple[str, ...], ...]
    sets: Dict[str, Dict[str, Any]]


def load_golden(path: Any = None) -> List[GoldenSplit]:
    """All of golden_splits.toml in file order. Raises: RecordError naming the entry that is wrong."""
    path = Path(path or Path(__file__).with_name("golden_splits.toml"))
    return [
        _golden(entry, "%s, split %d" % (path.name, index))
        for index, entry in enumerate(load_toml(path).get("split", []), start=1)
    ]


def find_golden(paper: str, experiment: str, protocol: str, seed: int) -> Optional[GoldenSplit]:
    """The official split of a run whose configuration is unchanged, None where none is known."""
    for golden in load_golden():
        if (paper, experiment, protocol) in golden.runs and golden.seed in (None, seed):
            return golden
    return None


def _golden(entry: Dict[str, Any], place: str) -> GoldenSplit:
    sets = {name: entry[name] for name in _SETS if name in entry}
    unknown = set(entry) - {"scene", "draw", "seed", "runs"} - set(_SETS)
    missing = {"scene", "draw", "runs"} - set(entry)
    if missing or unknown or not sets:
        found = ", ".join(sorted(missing or unknown)) or "no set at all"
        raise RecordError(
            "%s: expected scene, draw, runs and at least one set; missing or unknown: %s." % (place, found)
        )
    for name, facts in sets.items():
        if not {"size", "sha256"} <= set(facts) <= _FACTS:
            raise RecordError("%s: expected size, sha256 and perhaps per_class of %s, found %s." % (place, name, facts))
    runs = tuple(tuple(run.split("/")) for run in entry["runs"])
    return GoldenSplit(entry["scene"], entry["draw"], entry.get("seed"), runs, sets)
