"""The published numbers, read from published.toml and brought to one unit (fractions) and one ± (ddof 1)."""

import math
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import jsonschema

from shared_data.configuration.schema import Validator, load_schema
from shared_data.errors import RecordError
from shared_data.files.toml import load_toml

METRICS = ("oa", "aa", "kappa")
# Protocols that split the scene as the authors did. Only their runs are comparable with published numbers.
ANSWERING = ("released", "paper")
_SCALES = {"percent": 0.01, "fraction": 1.0}
_OWN = Path(__file__).with_name("published.toml")
_SCHEMA = load_schema(Path(__file__).with_name("published.schema.json"))


class PublishedNumber(NamedTuple):
    """Mean and sample standard deviation (ddof 1; None where not given) as fractions.

    definition: in words, where it is not the usual one. metric: the entry of a record's metrics that is defined alike.
    """

    value: float
    std: Optional[float]
    metric: str
    definition: str = ""


class PublishedResult(NamedTuple):
    """The numbers of one source for one experiment, by metric, over `n` runs."""

    paper: str
    experiment: str
    protocol: str
    kind: str
    n: int
    source: str
    numbers: Dict[str, PublishedNumber]


class Paper(NamedTuple):
    """A reproduced paper; code: whether its authors released any; tested: what of that code ours is tested against."""

    slug: str
    title: str
    code: bool
    tested: str = ""


def _number(name: str, entry: Dict[str, Any], n: int) -> PublishedNumber:
    scale, std = _SCALES[entry["unit"]], entry.get("std")
    if std is not None:
        std *= scale * math.sqrt((n - entry.get("std_ddof", 1)) / (n - 1))
    return PublishedNumber(entry["value"] * scale, std, entry.get("metric", name), entry.get("definition", ""))


def load_papers() -> List[Paper]:
    """The papers, in the order in which they are shown. All other methods are baselines."""
    return [Paper(**entry) for entry in _document(_OWN)["paper"]]


def load_published(path: Any = None) -> List[PublishedResult]:
    """All results of published.toml in file order.

    Raises: RecordError naming the entry that does not follow published.schema.json.
    """
    return [
        PublishedResult(
            paper=entry["paper"],
            experiment=entry["experiment"],
            protocol=entry["protocol"],
            kind=entry["kind"],
            n=entry["n"],
            source=entry["source"],
            numbers={name: _number(name, entry[name], entry["n"]) for name in METRICS if name in entry},
        )
        for entry in _document(Path(path or _OWN))["result"]
    ]


def _document(path: Path) -> Dict[str, Any]:
    document = load_toml(path)
    error = jsonschema.exceptions.best_match(Validator(_SCHEMA).iter_errors(document))
    if error is not None:
        place = [str(part + 1) if isinstance(part, int) else part for part in error.absolute_path]
        raise RecordError(
            "%s does not follow published.schema.json at %s: %s."
            % (path.name, " ".join(place) or "top level", error.message)
        )
    return document
