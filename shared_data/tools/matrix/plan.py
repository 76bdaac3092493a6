"""The plan: each job with its state and its cost, as a table for a reader and as JSON for Snakemake."""

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from tools.matrix.costs import Cost
from tools.matrix.jobs import Job
from tools.matrix.states import MISSING, RUNNING, STALE, STATES, UNFINISHED, State

WORK = ".matrix"  # in the results folder: plans, logs, Snakemake's own files

_LONGEST_REASON = 150


class Planned(NamedTuple):
    """A job, its state, and its cost."""

    job: Job
    state: State
    cost: Cost
    command: List[str]


def runs(planned: Planned, redo_stale: bool) -> bool:
    """Whether Snakemake is to run the job."""
    return planned.state.name in (MISSING, UNFINISHED, RUNNING) or (redo_stale and planned.state.name == STALE)


def as_table(plan: Sequence[Planned], redo_stale: bool) -> str:
    """A line for each job: state, minutes as measured and from how many records, resources; reasons below it."""
    rows = [("run", "state", "minutes", "records", "needs")]
    for planned in plan:
        cost = planned.cost
        needs = "%d CPU%s, %.1f GB" % (cost.cores, ", %d GPU" % cost.gpus if cost.gpus else "", cost.memory_mb / 1000)
        minutes = "?" if cost.minutes is None else "%.1f" % cost.minutes
        if not runs(planned, redo_stale):
            minutes = "-"
        rows.append((planned.job.name, planned.state.name, minutes, str(cost.records), needs))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    described: List[Optional[Planned]] = [None, *plan]  # the header is no run
    for row, shown in zip(rows, described):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        for reason in shown.state.reasons if shown else ():
            lines.append("    %s" % (reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "..."))
    return "\n".join(lines)


def totals(plan: Sequence[Planned], redo_stale: bool) -> str:
    """The number of runs in each state, and how stale ones are treated."""
    counts = ["%d %s" % (sum(planned.state.name == name for planned in plan), name) for name in STATES]
    lines = ["%d runs: %s" % (len(plan), ", ".join(counts))]
    stale = sum(planned.state.name == STALE for planned in plan)
    if stale:
        fate = "are started over (STALE=redo)" if redo_stale else "are kept as they are; STALE=redo starts them over"
        lines.append("%d stale runs %s" % (stale, fate))
    return "\n".join(lines)


def as_json(
    plan: Sequence[Planned], redo_stale: bool, out: Path, python: str, resources: Dict[str, Any]
) -> Dict[str, Any]:
    """The Snakefile's input. python: the interpreter of `run_one`. resources: further resources of every job, such as
    the partition."""
    jobs = {
        planned.job.name: {
            "command": planned.command,
            "minutes": planned.cost.runtime,
            "memory_mb": planned.cost.memory_mb,
            "cores": planned.cost.cores,
        }
        for planned in plan
        if runs(planned, redo_stale)
    }
    return {"out": str(out), "python": python, "resources": resources, "jobs": jobs}


def file_name(content: Dict[str, Any]) -> str:
    """A plan's file: equal plans share one, and jobs that wait in a queue find theirs unchanged."""
    text = json.dumps(content, sort_keys=True)
    return "plan-%s.json" % hashlib.sha256(text.encode()).hexdigest()[:12]
