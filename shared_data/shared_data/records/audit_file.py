"""An audit kept with its run: audit.json in the run directory, and its entries in the run's record.

The entries of an audit begin with `audit_`. They replace those of an earlier audit; other entries of the record's
`audit` are kept.
"""

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from shared_data.errors import RecordError
from shared_data.files.atomic import write_text
from shared_data.files.plain import read_text
from shared_data.records.record import read_record, write_record
from shared_data.scenes.loading import data_identities

Value = Union[float, bool, str]  # of an entry

_FILE, _RECORD, _PREFIX = "audit.json", "run.json", "audit_"
NOT_AUDITED = "not audited"
_LARGEST = 10**6  # bytes; a real one has some thousand
_SETTINGS = _PREFIX + "settings_sha256"


def verdict_of(record: Mapping[str, Any]) -> str:
    """What the audit of a record's run found, in words."""
    return str(record.get("audit", {}).get("audit_verdict", NOT_AUDITED))


def verdicts_of(records: Sequence[Mapping[str, Any]]) -> List[str]:
    """What the audits of some runs found, each verdict once, with its number of runs where it is not that of all."""
    found = [verdict for verdict in map(verdict_of, records) if verdict != NOT_AUDITED]
    if not found:
        return [NOT_AUDITED]
    counts = sorted((verdict, found.count(verdict)) for verdict in set(found))
    all_runs = len(records)
    return [one if n == all_runs else "%s (%d of %d runs)" % (one, n, all_runs) for one, n in counts]


def write_audit(folder: Any, entries: Mapping[str, Value]) -> None:
    """Write audit.json into a run directory, and the entries into run.json where the run is finished.

    entries: of `as_record`. Both files are written atomically.
    Raises: RecordError where an entry is not valid, the record has another split or other settings, or a file cannot be
    written.
    """
    folder = Path(folder)
    entries = _checked(dict(entries), "the audit")
    record = folder / _RECORD
    merged = _merged(record, entries) if record.exists() else None
    text = json.dumps(entries, indent=1, sort_keys=True) + "\n"
    try:
        write_text(folder / _FILE, text)
        if merged is not None:
            write_record(record, merged)
    except OSError as error:
        raise RecordError("the audit cannot be written to %s: %s." % (folder, error.strerror or error)) from error


def read_audit(folder: Any) -> Dict[str, Value]:
    """What `write_audit` left in a run directory; empty without one. Raises: RecordError where it cannot be read."""
    path = Path(folder) / _FILE
    if not path.exists():
        return {}
    try:
        content = json.loads(read_text(path, _LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError("%s cannot be read as an audit: %s; audit the run again." % (path, error)) from error
    return _checked(content, str(path))


def add_to_record(path: Any, entries: Mapping[str, Value]) -> None:
    """Write the entries of an audit into a kept record.

    Raises: RecordError where the record has another split or other settings, an entry is not valid, or the file cannot
    be written.
    """
    merged = _merged(path, _checked(dict(entries), "the audit"))
    try:
        write_record(path, merged)
    except OSError as error:
        raise RecordError("%s cannot be written: %s." % (path, error.strerror or error)) from error


def with_audit(record: Dict[str, Any], folder: Any) -> Dict[str, Any]:
    """Add the audit in the run directory to a record about to be written, if pixels and settings are the same.

    Raises: RecordError where audit.json cannot be read.
    """
    entries = read_audit(folder)
    try:
        check_fits(record, entries, "the run in %s" % folder)
    except RecordError as error:
        print("audit.json is not taken into the record: %s" % error, file=sys.stderr)
        return record
    facts = dict(record.get("audit", {}), **entries)
    return dict(record, audit=facts) if facts else record


def settings_sha256(
    config: Dict[str, Any], protocol: str, seed: int, data: Mapping[str, str], fold: Optional[int] = None
) -> str:
    """Hash of everything that determines a run's result except the section `train`. data: the scene files' hashes by
    name."""
    settings = {name: section for name, section in config.items() if name != "train"}
    parts = [settings, protocol, seed, dict(data)] + ([] if fold is None else [fold])
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def check_fits(record: Dict[str, Any], entries: Mapping[str, Value], place: Any) -> None:
    """Raises: RecordError where the entries are of other pixels or settings than a record, which is that of `place`."""
    record = fold_of(record, entries.get(_PREFIX + "fold"))
    for name, part in record["split"].items():
        audited = entries.get("%ssplit_%s_sha256" % (_PREFIX, name))
        if audited not in (None, part["sha256"]):
            raise RecordError(
                "%s is of another split: its %s pixels have sha256 %s, the audited ones %s; audit the split of "
                "this run." % (place, name, part["sha256"][:12], str(audited)[:12])
            )
    found = settings_sha256(
        record["config"], record["protocol"], record["seed"], data_identities(record), record.get("fold")
    )
    if entries.get(_SETTINGS) not in (None, found):
        raise RecordError("%s has other settings than the audited run; audit it with its own." % place)


def fold_of(record: Dict[str, Any], fold: Any) -> Dict[str, Any]:
    """What the pooled record of a cross-validation says of one fold; any other record as it is."""
    for entry in record.get("folds", []):
        if entry["fold"] == fold:
            return dict(record, **entry)
    return record


def audit_of_folds(records: Iterable[Dict[str, Any]]) -> Dict[str, Value]:
    """The entries of the first fold that was audited, for the pooled record; they name it. Empty where none was."""
    for record in records:
        entries = {key: value for key, value in record.get("audit", {}).items() if key.startswith(_PREFIX)}
        if entries:
            return entries
    return {}


def _merged(path: Any, entries: Dict[str, Value]) -> Dict[str, Any]:
    record = read_record(path)
    check_fits(record, entries, path)
    kept = {key: value for key, value in record.get("audit", {}).items() if not key.startswith(_PREFIX)}
    return dict(record, audit=dict(kept, **entries))


def _checked(entries: Any, origin: str) -> Dict[str, Value]:
    if not isinstance(entries, dict):
        raise RecordError("%s is no audit: expected entries audit_…, found %.40r." % (origin, entries))
    for key, value in entries.items():
        number = isinstance(value, (int, float)) and math.isfinite(value)
        if not key.startswith(_PREFIX) or not (number or isinstance(value, str)):
            raise RecordError(
                "%s holds %s = %.40r; expected a name that begins with %s and a finite number, a truth value or a "
                "text." % (origin, key, value, _PREFIX)
            )
    return entries
