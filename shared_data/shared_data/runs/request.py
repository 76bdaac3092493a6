"""A user's request for a run, and the run's outcome."""

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
    tile: Optional[int] = None  # side in pixels of the tiles of a prediction, 0: the whole scene; None: as memory asks
    settings_alone: bool = False  # only return the settings that determine the result; run nothing
    predata: Optional[str] = None  # folder with the partitions that a paper's authors shipped
    fold: Optional[int] = None  # of a cross-validation
    split: Tuple[str, ...] = ()  # file or files with the pixels of an own split
    verbose: bool = False  # show the log of a training on the console

    @property
    def with_iterations(self) -> Tuple[str, ...]:
        """`overrides`, and the limit of iterations, where there is one, as one more."""
        return self.overrides + (() if self.iterations is None else ("train.num_iters=%d" % self.iterations,))


class Configuration(NamedTuple):
    """Everything that determines a run, resolved and checked.

    scene: slug. settings: the resolved configuration, JSON values. packaged: the same without the request's changes.
    decisions: the paper's choices under the protocol, a class of its own; described: the same in the form of the
        record.
    discloses: whether training itself reads labels of test pixels under this protocol.
    given: further resolved values of the paper; only the paper reads it.
    fold: of a cross-validation. from_files: the pixels, where the protocol reads them from files; set by the caller.
    derived: the values in `settings` that an own scene decided, `Derived` of `shared_data.runs.generic`.
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
    fold: Optional[int] = None
    from_files: Any = None
    derived: Tuple[Any, ...] = ()


def configuration_of(
    request: Request,
    settings: Dict[str, Any],
    packaged: Dict[str, Any],
    decisions: Any,
    described: Dict[str, Any],
    discloses: bool = False,
    given: Any = None,
) -> Configuration:
    """The configuration of a request. settings: resolved but for the limit of iterations, which is entered here."""
    if request.iterations is not None:
        settings["train"]["num_iters"] = request.iterations
    return Configuration(
        request.experiment, request.protocol, settings["scene"], settings, packaged, decisions, described, discloses,
        given, request.fold,
    )  # fmt: skip


class Outcome(NamedTuple):
    """The outcome of a run: its directory, and its record, which is None where a signal stopped it.

    settings: what determines the result, if the request asked only for that.
    """

    directory: Path
    record: Optional[Dict[str, Any]]
    settings: Optional[Dict[str, Any]] = None


def title_of(paper: str, request: Request) -> str:
    """A run in words, such as "ssdgl indianpines, protocol paper, seed 1"."""
    fold = "" if request.fold is None else ", fold %d" % request.fold
    return "%s %s, protocol %s, seed %d%s" % (paper, request.experiment, request.protocol, request.seed, fold)


def run_directory_of(paper: str, request: Request) -> Path:
    """results/<paper>/<experiment>/<protocol>/seed-<n>, and in it fold-<k> for one fold of a cross-validation."""
    folder = request.out / paper / request.experiment / request.protocol / ("seed-%d" % request.seed)
    return folder if request.fold is None else folder / ("fold-%d" % request.fold)
