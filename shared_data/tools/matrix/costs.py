"""What to ask a scheduler for: minutes, memory, cores and GPUs, as measured in finished runs of the same kind.

Runs of the same kind share paper, configuration, protocol, limits of training and CPU or GPU. Nothing is inferred from
other runs: without such a record, fixed values are requested, and a run that exceeds them is retried with more.
"""

import statistics
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from shared_data.errors import RecordError
from shared_data.records.record import find_record_paths, read_record
from tools.matrix.jobs import Job

# where nothing was measured
UNKNOWN_RUNTIME = 720
UNKNOWN_MEMORY_MB = 8000
UNKNOWN_CORES = 2


class Cost(NamedTuple):
    """minutes: mean over `records` measured runs, or None. The other fields are requested from the scheduler."""

    minutes: Optional[float]
    records: int
    runtime: int
    memory_mb: int
    cores: int
    gpus: int


def usable_records(*folders: Any) -> List[Dict[str, Any]]:
    """The records below the folders, one for each run; unreadable ones are skipped."""
    records: Dict[Tuple[Any, ...], Dict[str, Any]] = {}
    for folder in folders:
        for path in find_record_paths(folder):
            try:
                record = read_record(path)
            except RecordError:
                continue
            key = (record["paper"], record["experiment"], record["protocol"], record["seed"], record["finished_at"])
            records.setdefault(key, record)
    return list(records.values())


def cost(job: Job, config: Optional[Dict[str, Any]], gpu: bool, records: Sequence[Dict[str, Any]]) -> Cost:
    """What a job needs. config: its own, None where it is not known. gpu: whether it is to run on one."""
    same = [record for record in records if _is_of_the_same_kind(record, job, config, gpu)]
    if not same:
        return Cost(None, 0, UNKNOWN_RUNTIME, UNKNOWN_MEMORY_MB, UNKNOWN_CORES, int(gpu))
    minutes = statistics.mean(record["times"]["train_s"] + record["times"]["evaluation_s"] for record in same) / 60
    memory = max(record["memory"]["peak_rss_mb"] for record in same)
    cores = max(record["environment"]["cores"] for record in same)
    # generous: start-up and validation, which records do not hold; other hardware, a later stop, a busy file system
    return Cost(minutes, len(same), int(2 * minutes) + 15, int(1.5 * memory) + 500, cores, int(gpu))


def _is_of_the_same_kind(record: Dict[str, Any], job: Job, config: Optional[Dict[str, Any]], gpu: bool) -> bool:
    return (
        (record["paper"], record["experiment"], record["protocol"]) == (job.paper, job.experiment, job.protocol)
        and (record["environment"]["gpu"] is not None) == gpu
        and (config is None or _limits(config) == _limits(record["config"]))
    )


def _limits(config: Dict[str, Any]) -> Tuple[Any, ...]:
    training = config.get("train", {})
    return tuple(training.get(key) for key in ("epochs", "num_iters", "batch", "patience"))
