"""One run as a user asks for it, and what it leaves."""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple


class Request(NamedTuple):
    """One run as the user asked for it."""

    experiment: str  # of `predict`, a scene may stand here
    protocol: str
    seed: int
    data: Optional[str]
    unverified: bool
    device: str
    iterations: Optional[int]
    overrides: Tuple[str, ...]  # "dotted.key=value"
    out: Path
    force: bool
    tile: int = 0  # side in pixels of the tiles in which a scene is predicted; 0 is the whole scene at once
    settings_alone: bool = False  # say what decides the result, and run nothing
    predata: Optional[str] = None  # folder with the partitions that a paper's authors shipped


class Configuration(NamedTuple):
    """What decides a run, resolved and checked.

    scene: slug. settings: the resolved configuration, JSON values. packaged: the same without the request's changes.
    decisions: the paper's choices under the protocol, a class of its own; described: the same as the record holds it.
    discloses: whether training itself reads labels of test pixels under this protocol.
    given: what a paper resolves beside these; only the paper reads it.
    """

    experiment: str
    protocol: str
    scene: str
    settings: Dict[str, Any]
    packaged: Dict[str, Any]
    decisions: Any
    described: Dict[str, Any]
    discloses: bool = False
    given: Any = None


class Outcome(NamedTuple):
    """What a run leaves: its directory, and its record, which is None where a signal stopped it.

    settings: what decides the result, where the request asked for that alone.
    """

    directory: Path
    record: Optional[Dict[str, Any]]
    settings: Optional[Dict[str, Any]] = None


def run_directory_of(paper: str, request: Request) -> Path:
    """results/<paper>/<experiment>/<protocol>/seed-<n>."""
    return request.out / paper / request.experiment / request.protocol / ("seed-%d" % request.seed)
