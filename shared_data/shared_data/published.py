"""The published numbers, read from published.toml and brought to one unit (fractions)."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from shared_data.errors import RecordError
from shared_data.toml_file import load_toml

METRICS = ("oa", "aa", "kappa")
_KEYS = {"paper", "experiment", "protocol", "kind", "n", "source", "margin"} | set(METRICS)
_UNITS = {"percent": 0.01, "fraction": 1.0}


class PublishedNumber(NamedTuple):
    """Mean and standard deviation (None where not given) as fractions."""

    value: float
    std: Optional[float]


class PublishedResult(NamedTuple):
    """What one source says of one experiment; `n` runs; `margin` as a fraction."""

    paper: str
    experiment: str
    protocol: str
    kind: str
    n: int
    source: str
    margin: float
    numbers: Dict[str, PublishedNumber]


def _number(entry: Dict[str, Any], place: str) -> PublishedNumber:
    if set(entry) - {"value", "std", "unit", "definition"} or entry.get("unit") not in _UNITS:
        raise RecordError(
            "%s: expected value, unit ('percent' or 'fraction'), std, definition; found %s." % (place, entry)
        )
    scale = _UNITS[entry["unit"]]
    return PublishedNumber(entry["value"] * scale, entry["std"] * scale if "std" in entry else None)


def load_published(path: Any = None) -> List[PublishedResult]:
    """All results of published.toml in file order. Raises: RecordError naming the entry with a wrong or missing key."""
    path = Path(path or Path(__file__).with_name("published.toml"))
    results = []
    for index, entry in enumerate(load_toml(path).get("result", []), start=1):
        place = "%s, result %d" % (path.name, index)
        missing = {"paper", "experiment", "protocol", "kind", "n", "source"} - set(entry)
        if missing or set(entry) - _KEYS:
            wrong = sorted(missing) or sorted(set(entry) - _KEYS)
            raise RecordError("%s: missing or unknown key: %s." % (place, ", ".join(wrong)))
        results.append(
            PublishedResult(
                paper=entry["paper"],
                experiment=entry["experiment"],
                protocol=entry["protocol"],
                kind=entry["kind"],
                n=entry["n"],
                source=entry["source"],
                margin=entry.get("margin", 0.5) / 100,
                numbers={name: _number(entry[name], place) for name in METRICS if name in entry},
            )
        )
    return results
