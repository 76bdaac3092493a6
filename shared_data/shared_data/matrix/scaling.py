"""What runs cost, and how long the full matrix takes on a number of workers: the tables of docs/scaling.md.

The full matrix is every paper on every scene it has a configuration for, under every protocol it has, with ten seeds. A
worker is what the records were measured on; its runs are scheduled by `simulate`, longest first.

    python -m shared_data.matrix.scaling                            # the plan, from the records made without a GPU
    python -m shared_data.matrix.scaling --device cuda              # from the records made on a GPU, once there are any
    python -m shared_data.matrix.scaling --faster 10                # as if runs, start-up excepted, took a tenth
"""

import argparse
import calendar
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from shared_data.argument_types import positive_number
from shared_data.catalogue import scenes
from shared_data.configs import check_name, load_config
from shared_data.console import print_text, run_command
from shared_data.diff import markdown_table
from shared_data.errors import RecordError
from shared_data.matrix.costs import START_UP_S, Cost, cost, steps_of
from shared_data.matrix.jobs import Job
from shared_data.matrix.simulate import efficiency, lower_bound, makespan, saturation
from shared_data.records import find_records

REPOSITORY = Path(__file__).resolve().parents[3]
SEEDS = 10
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128)
DEVICES = ("cpu", "cuda")
FACTORS = (1, 3, 10, 30, 100)
_ALL = ("paper", "released", "disjoint")
# folder and protocols of each paper
PAPERS = {
    "ssdgl": ("ssdgl", _ALL),
    "rssgl": ("rssgl", _ALL),
    "a2s2k": ("a2s2k_resnet", _ALL),
    "da-imrn": ("da_imrn", _ALL),
    "apdclnn": ("apdclnn", ("paper", "disjoint")),  # no code was ever released
}


class Priced(NamedTuple):
    """A job and what it costs."""

    job: Job
    cost: Cost

    @property
    def measured(self) -> bool:
        """Whether runs like this one were measured in their full length."""
        return self.cost.origin.startswith("measured")


def configuration(paper: str, experiment: str) -> Optional[Dict[str, Any]]:
    """A paper's configuration of an experiment; the base one of a variant such as indianpines-ssrn; None without one.

    Raises: SharedDataError naming the file that cannot be read.
    """
    if paper not in PAPERS:
        return None
    folder = REPOSITORY / PAPERS[paper][0] / "configs"
    for name in (experiment, experiment.partition("-")[0]):
        if (folder / (name + ".toml")).is_file():
            return load_config(folder, name)
    return None


def full_matrix(seeds: int = SEEDS) -> List[Job]:
    """Papers × scenes × protocols × seeds. The generated scene, and further configurations of a scene, are left out."""
    return [
        Job(paper, scene, protocol, seed)
        for paper, (folder, protocols) in PAPERS.items()
        for scene in scenes()
        if scene != "synthetic" and (REPOSITORY / folder / "configs" / (scene + ".toml")).is_file()
        for protocol in protocols
        for seed in range(1, seeds + 1)
    ]


def price(
    jobs: Iterable[Job], records: Sequence[Dict[str, Any]], gpu: bool = False, faster: float = 1.0
) -> List[Priced]:
    """What each job costs, from the records made with or without a GPU.

    faster: a factor by which everything but the start-up of a run is divided.
    Raises: RecordError for a paper of which there is no such record.
    """
    known: Dict[Tuple[str, str, str], Cost] = {}  # seeds cost the same
    priced = []
    for job in jobs:
        if job[:3] not in known:
            known[job[:3]] = _faster(
                cost(job, configuration(job.paper, job.experiment), gpu, records), job, gpu, faster
            )
        priced.append(Priced(job, known[job[:3]]))
    return priced


def _faster(found: Cost, job: Job, gpu: bool, factor: float) -> Cost:
    if found.minutes is None:
        raise RecordError(
            "the cost of %s on %s is not known: no record of it was made there; run one of its configurations with "
            "DEVICE=%s and keep it with 'make record'."
            % (job.paper, "a GPU" if gpu else "a processor", "cuda" if gpu else "cpu")
        )
    start_up = START_UP_S / 60
    return found._replace(minutes=start_up + (found.minutes - start_up) / factor)


# the tables


def measured_table(records: Sequence[Dict[str, Any]]) -> str:
    """A line for every configuration and protocol of which there are runs, and hardware they ran on."""
    groups: Dict[Tuple[str, ...], List[Dict[str, Any]]] = {}
    for record in records:
        key = (record["paper"], record["experiment"], record["protocol"], _hardware(record))
        groups.setdefault(key, []).append(record)
    header = ("paper", "configuration", "protocol", "runs", "steps", "s per step", "training, s", "evaluation, s",
              "h per full run", "peak memory, MB", "hardware", "others at once", "shortened")  # fmt: skip
    return markdown_table(header, [_measured_row(*item, records) for item in sorted(groups.items())])


def _measured_row(
    key: Tuple[str, ...], members: List[Dict[str, Any]], records: Sequence[Dict[str, Any]]
) -> Tuple[str, ...]:
    paper, experiment, protocol, hardware = key
    job = Job(paper, experiment, protocol, members[0]["seed"])
    config, gpu = configuration(paper, experiment), members[0]["environment"]["gpu"] is not None
    minutes = cost(job, config, gpu, members).minutes
    times = [record["times"] for record in members]
    peaks = [record["memory"]["peak_gpu_mb"] or record["memory"]["peak_rss_mb"] for record in members]
    return (
        paper, experiment, protocol, str(len(members)),
        _span([steps_of(record) for record in members], "%d"),
        _span([time["step_s"] for time in times], "%.3f"),
        _span([time["train_s"] for time in times], "%.0f"),
        _span([time["evaluation_s"] for time in times], "%.1f"),
        "–" if minutes is None else "%.2f" % (minutes / 60),
        "%.0f" % max(peaks),
        hardware,
        _span([at_once(record, records) for record in members], "%d"),
        "; ".join(sorted({part for record in members for part in _shortened(record, config)})) or "–",
    )  # fmt: skip


def _hardware(record: Dict[str, Any]) -> str:
    where = record["environment"]
    return where["gpu"] or "%s, %d cores" % (where["cpu"], where["cores"])


def _interval(record: Dict[str, Any]) -> Tuple[float, float]:
    """Seconds since 1970 from the first step to the end of a run that was not interrupted."""
    end = calendar.timegm(time.strptime(record["finished_at"], "%Y-%m-%dT%H:%M:%SZ"))
    return end - record["times"]["train_s"] - record["times"]["evaluation_s"], end


def at_once(record: Dict[str, Any], records: Sequence[Dict[str, Any]]) -> int:
    """The largest number of other runs that went on at one moment of this one, on equal hardware."""
    start, end = _interval(record)
    others = [_interval(other) for other in records if other is not record and _hardware(other) == _hardware(record)]
    moments = [start] + [first for first, _ in others if start < first < end]
    return max(sum(first <= moment < last for first, last in others) for moment in moments)


def _shortened(record: Dict[str, Any], config: Optional[Dict[str, Any]]) -> List[str]:
    """Settings that were changed for the run, with their values: "train.epochs 34 of 100"."""
    return ["%s %s of %s" % (name, _at(record["config"], name), _at(config, name)) for name in record["modified"]]


def _at(config: Any, name: str) -> str:
    for part in name.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return "?" if config is None else str(config)


def _span(values: Sequence[float], form: str) -> str:
    ends = list(dict.fromkeys(form % value for value in (min(values), max(values))))
    return "–".join(ends)


def runs_table(priced: Sequence[Priced]) -> str:
    """The runs of the matrix: a line per paper and scene, hours of one run per protocol, ≈ where it is scaled."""
    groups: Dict[Tuple[str, str], List[Priced]] = {}
    for run in priced:
        groups.setdefault((run.job.paper, run.job.experiment), []).append(run)
    rows = []
    for (paper, scene), runs in groups.items():
        by_protocol = {run.job.protocol: run for run in runs}
        cells = [_hours_of(by_protocol.get(protocol)) for protocol in _ALL]
        memory = max(run.cost.memory_mb for run in runs) / 1000
        rows.append((paper, scene, *cells, str(len(runs)), _total(runs), "%.0f" % memory))
    rows.append(("all", "", "", "", "", str(len(priced)), _total(priced), ""))
    header = (
        "paper",
        "scene",
        *("%s, h" % protocol for protocol in _ALL),
        "runs",
        "all runs, h",
        "memory to ask for, GB",
    )
    return markdown_table(header, rows)


def _total(runs: Sequence[Priced]) -> str:
    return "%.0f" % (sum(run.cost.minutes for run in runs) / 60)


def _hours_of(run: Optional[Priced]) -> str:
    if run is None:
        return "–"
    return "%s%.2f" % ("" if run.measured else "≈ ", run.cost.minutes / 60)


def workers_table(priced: Sequence[Priced], workers: Sequence[int] = WORKERS) -> str:
    """How long the whole takes on a number of workers, the bound no schedule undercuts, and how busy they are."""
    minutes = [run.cost.minutes for run in priced]
    alone = makespan(minutes, 1)
    rows = []
    for number in workers:
        end, bound = makespan(minutes, number), lower_bound(minutes, number)
        busy = "%.0f %%" % (100 * efficiency(minutes, number))
        rows.append((str(number), _hours(end), "%.1f" % (end / 60 / 24), _hours(bound), "%.1f" % (alone / end), busy))
    return markdown_table(("workers", "makespan, h", "days", "lower bound, h", "times faster", "busy"), rows)


def limit_text(priced: Sequence[Priced]) -> str:
    """The longest run, and from how many workers on nothing else counts; as a list."""
    minutes = [run.cost.minutes for run in priced]
    longest = max(priced, key=lambda run: run.cost.minutes)
    least, near = saturation(minutes), saturation(minutes, 0.1)
    lines = (
        "%d runs, %.0f worker hours; %d of the runs are of a kind that was measured in full length, the others scaled."
        % (len(priced), sum(minutes) / 60, sum(run.measured for run in priced)),
        "The limit is the longest run: %s on %s under `%s`, %s h (%s). On no number of workers is it all done sooner."
        % (*longest.job[:3], _hours(longest.cost.minutes), longest.cost.origin),
        "From %d workers on it takes just as long as that run: scaling stops. They are busy for %.0f %% of the time."
        % (least, 100 * efficiency(minutes, least)),
        "%d workers come within a tenth of the limit, busy for %.0f %% of the time."
        % (near, 100 * efficiency(minutes, near)),
    )
    return "\n".join("- " + line for line in lines)


def _hours(minutes: float) -> str:
    return "%.1f" % (minutes / 60)


def factors_table(records: Sequence[Dict[str, Any]], gpu: bool = False, workers: Sequence[int] = (1, 8, 64)) -> str:
    """Hours to the end of the full matrix, were a worker s times as fast as the measured one."""
    rows = []
    for factor in FACTORS:
        minutes = [run.cost.minutes for run in price(full_matrix(), records, gpu, factor)]
        ends = [_hours(makespan(minutes, number)) for number in workers]
        rows.append((str(factor), *ends, str(saturation(minutes))))
    header = ("s", *("%d worker%s, h" % (number, "s" if number > 1 else "") for number in workers), "stops scaling at")
    return markdown_table(header, rows)


def _of_matrix(table: Callable[[Sequence[Priced]], str]) -> Callable[[str, List[Dict[str, Any]]], str]:
    return lambda device, records: table(price(full_matrix(), records, _is_gpu(device)))


def _is_gpu(device: str) -> bool:
    check_name("device of a matrix", device, DEVICES)
    return device == "cuda"


# by kind, as `tables` asks for them: of a device, whose records count, and all records
TABLES: Dict[str, Callable[[str, List[Dict[str, Any]]], str]] = {
    "measured": lambda device, records: measured_table(
        [record for record in records if (record["environment"]["gpu"] is not None) == _is_gpu(device)]
    ),
    "runs": _of_matrix(runs_table),
    "workers": _of_matrix(workers_table),
    "limit": _of_matrix(limit_text),
    "factors": lambda device, records: factors_table(records, _is_gpu(device)),
}


def main(words: Optional[List[str]] = None) -> int:
    """The command line: print the plan."""
    parser = argparse.ArgumentParser(prog="shared_data.matrix.scaling", description="the plan of the full matrix")
    parser.add_argument("folders", nargs="*", default=["records"], help="folders with records (default: records)")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="of the runs to go by (default: cpu)")
    parser.add_argument("--seeds", type=positive_number, default=SEEDS, help="number of seeds (default: %(default)s)")
    parser.add_argument("--workers", type=positive_number, nargs="+", default=WORKERS, help="numbers of workers")
    parser.add_argument("--faster", type=positive_number, default=1, help="divide all but the start-up of runs by this")
    arguments = parser.parse_args(words)

    def show() -> int:
        records = list(find_records(*arguments.folders))
        priced = price(full_matrix(arguments.seeds), records, _is_gpu(arguments.device), arguments.faster)
        print_text("\n\n".join((runs_table(priced), workers_table(priced, arguments.workers), limit_text(priced))))
        return 0

    return run_command(show)


if __name__ == "__main__":
    raise SystemExit(main())
