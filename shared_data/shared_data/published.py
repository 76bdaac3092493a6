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
    keys = set(entry) if isinstance(entry, dict) else set()
    if not {"value", "unit"} <= keys <= {"value", "std", "unit", "definition"} or entry["unit"] not in _UNITS:
        raise RecordError(
            "%s: expected value, unit ('percent' or 'fraction'), std, definition; found %s." % (place, entry)
        )
    scale = _UNITS[entry["unit"]]
    return PublishedNumber(entry["value"] * scale, entry["std"] * scale if "std" in entry else None)


def load_published(path: Any = None) -> List[PublishedResult]:
    """All results of published.toml in file order. Raises: RecordError naming the entry that is wrong."""
    path = Path(path or Path(__file__).with_name("published.toml"))
    document = load_toml(path)
    if set(document) != {"result"}:
        raise RecordError("%s: expected [[result]] entries alone, found: %s." % (path.name, ", ".join(document)))
    results = []
    for index, entry in enumerate(document["result"], start=1):
        place = "%s, result %d" % (path.name, index)
        missing = {"paper", "experiment", "protocol", "kind", "n", "source"} - set(entry)
        if missing or set(entry) - _KEYS:
            wrong = sorted(missing) or sorted(set(entry) - _KEYS)
            raise RecordError("%s: missing or unknown key: %s." % (place, ", ".join(wrong)))
        if not isinstance(entry["n"], int) or entry["n"] < 1:
            raise RecordError("%s: expected the number of runs as n, found %s." % (place, entry["n"]))
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
