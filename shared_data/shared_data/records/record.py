"""Run records: one JSON file with a run's settings, data and results. It is validated and written last, atomically."""

import json
import math
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import jsonschema

from shared_data.errors import RecordError
from shared_data.files.atomic import write_text
from shared_data.files.plain import read_text
from shared_data.quoting import one_line
from shared_data.records.conflicts import Listener, conflict_of, differences, misplaced, warn

SCHEMA_VERSION = 1
_LARGEST_RECORD = 50 * 10**6  # bytes; a real one is about 100 kB
_FOLD = re.compile(r"fold-\d+\Z")  # folder of one fold of a cross-validation


def _anchored(schema: Dict[str, Any]) -> Dict[str, Any]:
    """`$` is the end of the text in a JSON Schema; in Python it would match before a final line break, too."""
    if isinstance(schema.get("pattern"), str):
        schema["pattern"] = re.sub(r"\$$", r"\\Z", schema["pattern"])
    return schema


with open(str(Path(__file__).with_name("record.schema.json")), encoding="utf-8") as _file:
    _VALIDATOR = jsonschema.Draft7Validator(json.load(_file, object_hook=_anchored))


def _refuse(constant: str) -> None:
    raise ValueError("%s is not a number a record may hold" % constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # 1e999
        _refuse(one_line(digits, 20))
    return number


def validate_record(record: Any, origin: str = "the record") -> Dict[str, Any]:
    """Return `record` where it follows the schema; RecordError names the first offending place otherwise."""
    error = jsonschema.exceptions.best_match(_VALIDATOR.iter_errors(record))
    if error is not None:
        place = "/".join(str(part) for part in error.absolute_path) or "top level"
        message = "%s is not a valid run record: at %s: %s."
        raise RecordError(message % (origin, one_line(place), one_line(error.message, 300)))
    return record


def write_record(path: Any, record: Dict[str, Any]) -> None:
    """Validate and write atomically. Raises: RecordError, OSError."""
    validate_record(record, str(path))
    try:
        text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise RecordError("%s cannot be written: it holds NaN or an infinity (%s)." % (path, error)) from error
    except RecursionError as error:
        raise RecordError("%s cannot be written: it is nested too deeply." % path) from error
    write_text(path, text + "\n")


def read_record(path: Any) -> Dict[str, Any]:
    """Read and validate one record. Raises: RecordError with the path for anything unreadable or invalid."""
    try:
        text = read_text(path, _LARGEST_RECORD)
        record = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        json.dumps(record, ensure_ascii=False).encode("utf-8")  # no lone surrogates, which cannot be encoded again
        return validate_record(record, str(path))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError("%s cannot be read as a run record: %s." % (path, error)) from error


def find_record_paths(folder: Any) -> List[Path]:
    """Paths of all records below a folder: run.json of finished runs and the collected seed-<n>.json; sorted.

    Those of single folds are left out; the pooled record of their repeat counts.
    """
    runs = (path for path in Path(folder).glob("**/run.json") if not _FOLD.match(path.parent.name))
    return sorted(set(runs) | set(Path(folder).glob("**/seed-*.json")))


def find_single_folds(*folders: Any) -> List[Dict[str, Any]]:
    """Records of single folds, sorted by path, whose repeat has no pooled record beside them: other folds are missing.

    Raises: RecordError with the path of a record that cannot be read.
    """
    found = sorted({path for folder in folders for path in Path(folder).glob("**/run.json")})
    alone = [path for path in found if _FOLD.match(path.parent.name) and not (path.parents[1] / path.name).exists()]
    return [record for record in map(read_record, alone) if "fold" in record]


def find_record_files(*folders: Any, on_conflict: Listener = warn) -> Iterator[Tuple[Path, Dict[str, Any]]]:
    """(path, record) of every run below the folders.

    Sorted by paper, experiment, protocol and seed, so the order does not depend on the folders they were copied to. A
    run that is found twice counts once: in the first folder, or by the first path within one.

    on_conflict: called with a `Conflict` for every record whose results differ from the one that counts, and for every
        record whose path disagrees with it; the default prints a warning on standard error.
    Raises: RecordError with the path of a record that cannot be read.
    """
    found: Dict[Tuple[str, str, str, int], Tuple[Path, Dict[str, Any]]] = {}
    for folder in folders:
        for path in find_record_paths(folder):
            record = read_record(path)
            first = found.setdefault(_key(record), (path, record))
            for conflict in (misplaced(path, record), conflict_of(*first, path, record)):
                if conflict is not None:
                    on_conflict(conflict)
    for key in sorted(found):
        yield found[key]


def find_records(*folders: Any, on_conflict: Listener = warn) -> Iterator[Dict[str, Any]]:
    """The records of `find_record_files`."""
    for _, record in find_record_files(*folders, on_conflict=on_conflict):
        yield record


def _key(record: Dict[str, Any]) -> Tuple[str, str, str, int]:
    return record["paper"], record["experiment"], record["protocol"], record["seed"]


def collect(run_directory: Any, records_folder: Any, replace: bool = False) -> Path:
    """Copy a finished run's record to records/<paper>/<experiment>/<protocol>/seed-<n>.json; return that path.

    replace: whether to overwrite a kept record with another result.
    Raises: RecordError where the directory holds no finished run, another result of the same run is kept, or the folder
    cannot be written.
    """
    source = Path(run_directory) / "run.json"
    if not source.exists():
        raise RecordError(
            "%s has no run.json, so the run is not finished. Start it again to resume it." % run_directory
        )
    record = read_record(source)
    if "fold" in record:
        raise RecordError(
            "%s holds one fold of a cross-validation; keep the record of its repeat, in %s."
            % (source, source.parents[1])
        )
    target = (
        Path(records_folder)
        / record["paper"]
        / record["experiment"]
        / record["protocol"]
        / ("seed-%d.json" % record["seed"])
    )
    if target.exists() and not replace:
        _refuse_another_result(target, source, record)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_record(target, record)
    except OSError as error:
        raise RecordError("%s cannot be written: %s." % (target, error.strerror or error)) from error
    return target


def _refuse_another_result(target: Path, source: Path, record: Dict[str, Any]) -> None:
    """Raises: RecordError where a kept record holds another result of the run than its new record."""
    kept = read_record(target)
    differs = differences(kept, record)
    if differs:
        raise RecordError(
            "%s holds another result of this run (%s) than %s (%s); they differ in %s. To keep the new one instead: "
            "make record RUN=... REPLACE=1, or --replace."
            % (target, _result(kept), source, _result(record), ", ".join(differs))
        )


def _result(record: Dict[str, Any]) -> str:
    metrics = record["metrics"]
    return "OA %.2f %%, AA %.2f %%, kappa %.4f, finished %s" % (
        100 * metrics["oa"], 100 * metrics["aa"], metrics["kappa"], record["finished_at"]
    )  # fmt: skip
