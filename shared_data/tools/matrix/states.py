"""The state of a run: missing, unfinished with checkpoints, running, or finished with a result that may be stale."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from shared_data.errors import RecordError
from shared_data.records.record import read_record
from shared_data.runs.directory import is_held
from shared_data.scenes.loading import data_identities
from tools.matrix.jobs import Job

DONE, MISSING, UNFINISHED, RUNNING, STALE = STATES = ("done", "missing", "unfinished", "running", "stale")

# While this file lies in a run's directory the run is started over; the start itself removes it, so that what is
# interrupted after that is resumed.
REDO = "redo.txt"
_SHOWN = 2  # places of a configuration in one reason


class State(NamedTuple):
    """One of STATES; the reasons are words for the table."""

    name: str
    reasons: List[str] = []


def state_of(
    job: Job, out: Path, settings: Optional[Dict[str, Any]], error: Optional[str],
    code_changed: Callable[[Optional[str]], Optional[str]],
) -> State:  # fmt: skip
    """The state of a job's directory.

    settings: the current `config` and `data`; None where `error` says why they are missing. code_changed: returns why
    the code differs from a revision, None where it does not.
    """
    folder = job.folder(out)
    if is_held(folder):
        return State(RUNNING, ["its directory is locked; waited for"])
    unknown = [error] if error else []
    if (folder / "run.json").exists():
        try:
            record = read_record(folder / "run.json")
        except RecordError:
            return State(STALE, ["its record cannot be read"])
        reasons = list(_stale_reasons(record, settings, code_changed))
        return State(STALE, reasons) if reasons else State(DONE, unknown)
    if (folder / REDO).exists():
        return State(MISSING, ["to be started over: its old result was set aside"] + unknown)
    if not (folder / "settings.json").exists():
        return State(MISSING, unknown)
    reasons = list(_other_settings(folder / "settings.json", settings))
    if reasons:
        return State(STALE, ["unfinished"] + reasons)
    return State(UNFINISHED, ["resumes from its checkpoints"] + unknown)


def _stale_reasons(record: Dict[str, Any], settings: Optional[Dict[str, Any]], code_changed: Any) -> Iterator[str]:
    if settings is not None:
        yield from _changes({"config": record["config"], "data": data_identities(record)}, settings)
    # those of the folds where the record is a repeat's; old ones do not name them
    revisions = [part["revision"] for part in [record, *record.get("folds", [])] if "revision" in part]
    if any(revision.get("dirty") for revision in revisions):
        yield "made from a changed checkout"
    yield from filter(None, map(code_changed, dict.fromkeys(revision.get("git") for revision in revisions)))


def _other_settings(path: Path, settings: Optional[Dict[str, Any]]) -> Iterator[str]:
    """The settings of an unfinished run that differ from the current ones."""
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        begun = {"config": begun["config"], "data": begun["data"]}
    except (OSError, ValueError, LookupError, TypeError):
        yield "its settings.json cannot be read"
        return
    if settings is not None:
        yield from _changes(begun, settings)


def _changes(old: Dict[str, Any], new: Dict[str, Any]) -> Iterator[str]:
    data = [
        name for name in sorted(set(old["data"]) | set(new["data"])) if old["data"].get(name) != new["data"].get(name)
    ]
    if data:
        yield "data changed: %s" % ", ".join(data)
    places = list(_places(old["config"], new["config"]))
    if places:
        more = " and %d more" % (len(places) - _SHOWN) if len(places) > _SHOWN else ""
        yield "configuration changed: %s%s" % (", ".join(places[:_SHOWN]), more)


def _places(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """The keys in which two configurations differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(set(old) | set(new)):
            yield from _places(old.get(key), new.get(key), "%s.%s" % (place, key) if place else key)
    elif old != new:
        yield "%s %s, was %s" % (place, json.dumps(new), json.dumps(old))
