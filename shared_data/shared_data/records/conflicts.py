"""Conflicting records: two of one run with different results, or one whose path disagrees with its content.

Records of several machines are merged by copying. Conflicts are reported; the first record found wins.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from shared_data.errors import RecordError, UnknownNameError
from shared_data.quoting import one_line
from shared_data.records.map_codec import name_of, prediction_of
from shared_data.records.record_scene import scene_of_record
from shared_data.scenes.loading import data_identities

with open(str(Path(__file__).with_name("record.schema.json")), encoding="utf-8") as _file:
    _PROPERTIES = json.load(_file)["properties"]
_PAPERS, _PROTOCOL = _PROPERTIES["paper"]["enum"], re.compile(_PROPERTIES["protocol"]["pattern"])
_SEED = re.compile(r"seed-([0-9]+)")


class Conflict(NamedTuple):
    """One disagreement.

    run: as `map_codec.name_of` names it. used: the file whose record counts. other: the file whose record is ignored;
    None where the path of `used` disagrees. differs: the differences, in words.
    """

    run: str
    used: Path
    other: Optional[Path]
    differs: Tuple[str, ...]

    def sentence(self) -> str:
        """One line: the files that disagree, their differences, and the file that counts."""
        used, differs = one_line(self.used, 400), ", ".join(self.differs)
        if self.other is None:
            return "%s: its path says %s, but its record is of %s; the record counts." % (used, differs, self.run)
        return "%s: two different runs were kept, %s, which counts, and %s, which does not; they differ in: %s." % (
            self.run, used, one_line(self.other, 400), differs
        )  # fmt: skip


Listener = Callable[[Conflict], Any]


def warn(conflict: Conflict) -> None:
    """Print it on standard error."""
    print("warning: %s" % conflict.sentence(), file=sys.stderr)


def _machine(record: Dict[str, Any]) -> Tuple[Any, ...]:
    return tuple(record["environment"][name] for name in ("system", "cpu", "cores", "gpu"))


def _software(record: Dict[str, Any]) -> Tuple[Any, ...]:
    return tuple(record["environment"][name] for name in ("framework", "framework_version", "python"))


def _known(record: Dict[str, Any], other: Dict[str, Any], name: str) -> bool:
    """Whether both records have this entry; the oldest were written without weights and maps."""
    return name in record and name in other


def _same_prediction(record: Dict[str, Any], other: Dict[str, Any]) -> bool:
    """Whether the maps are of the same pixels; the same picture may be compressed to other bytes elsewhere."""
    if record["maps"]["prediction"] == other["maps"]["prediction"]:
        return True
    try:
        scene = scene_of_record(record)
        return bool((prediction_of(record, scene) == prediction_of(other, scene)).all())
    except (RecordError, UnknownNameError):
        return False


def differences(record: Dict[str, Any], other: Dict[str, Any]) -> Tuple[str, ...]:
    """The differences between two records of one run; empty where their results are the same.

    Results are metrics, weights, the predicted map and the hashes of the data. Where one of them differs, the settings
    and the circumstances that differ are named, too, because they may be the reason. Times are ignored.
    """
    results = {
        "metrics": record["metrics"] != other["metrics"],
        "weights": _known(record, other, "weights") and record["weights"] != other["weights"],
        "map": _known(record, other, "maps") and not _same_prediction(record, other),
        "data": data_identities(record) != data_identities(other),
    }
    if not any(results.values()):
        return ()
    reasons = {
        "split": record["split"] != other["split"],
        "config": record["config"] != other["config"],
        "decisions": record["decisions"] != other["decisions"],
        "revision": record["revision"] != other["revision"],
        "machine": _machine(record) != _machine(other),
        "software": _software(record) != _software(other),
    }
    differs = [name for found in (results, reasons) for name, value in found.items() if value]
    if record["modified"] != other["modified"]:
        shown = tuple(", ".join(one_line(key) for key in part["modified"]) or "nothing" for part in (record, other))
        differs.append("changed settings (%s; %s)" % shown)
    return tuple(differs)


def conflict_of(path: Path, record: Dict[str, Any], other_path: Path, other: Dict[str, Any]) -> Optional[Conflict]:
    """The conflict of two records of one run, of which `record` counts; None where their results are the same."""
    differs = differences(record, other)
    return Conflict(name_of(record), path, other_path, differs) if differs else None


def misplaced(path: Path, record: Dict[str, Any]) -> Optional[Conflict]:
    """The conflict of a record with its own path; None where the path agrees, or says nothing.

    A path says the seed (`seed-<n>.json`, `seed-<n>/run.json`) and, where its folders are <paper>/<experiment>/
    <protocol> with names of a paper and of a protocol, these three.
    """
    run = path.parent if path.name == "run.json" else path
    seed = _SEED.match(run.name)
    if not seed:
        return None
    said: List[Tuple[str, Any]] = [("seed", int(seed.group(1)))]
    paper, experiment, protocol = ([""] * 3 + list(run.absolute().parts[:-1]))[-3:]
    if paper in _PAPERS and _PROTOCOL.fullmatch(protocol):
        said += [("protocol", protocol), ("experiment", experiment), ("paper", paper)]
    wrong = ["%s %s" % (name, one_line(value)) for name, value in said if record[name] != value]
    return Conflict(name_of(record), path, None, tuple(wrong)) if wrong else None
