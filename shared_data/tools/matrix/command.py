"""python -m tools.matrix: print the plan of a matrix of runs and let Snakemake carry it out."""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

from shared_data.cli import run_options
from shared_data.cli.arguments import positive_number, seed_number
from shared_data.cli.console import print_text
from shared_data.configuration.overrides import split_overrides
from shared_data.errors import SettingsError
from shared_data.runs.environment import usable_cores
from tools.matrix import engine
from tools.matrix.ask import ask
from tools.matrix.costs import cost, usable_records
from tools.matrix.jobs import Options, paper_source, select
from tools.matrix.plan import Planned, as_json, as_table, runs, totals
from tools.matrix.revision import code_changed
from tools.matrix.runners import RUNNERS, Runner
from tools.matrix.states import state_of

PROTOCOLS = ("released", "paper", "spatial-cv")
SLURM = {"slurm_partition": "SLURM_PARTITION", "slurm_account": "SLURM_ACCOUNT"}  # resources, from the environment


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command, which the Makefile fills in from its variables."""
    parser.add_argument("--paper", dest="papers", action="append", required=True, metavar="SLUG=FOLDER:SOURCE,SOURCE")
    parser.add_argument("--scenes", nargs="*", default=[], help="configurations that are named as their scene")
    parser.add_argument("--experiments", nargs="*", default=[], help="further configurations by their exact names")
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS))
    parser.add_argument("--seeds", nargs="+", type=seed_number, default=[1, 2, 3], help="default: 1 2 3")
    parser.add_argument("--profile", default="local", help="%s, or a folder" % ", ".join(engine.PROFILES))
    parser.add_argument("--jobs", type=positive_number, default=1, help="runs at once (default: 1)")
    parser.add_argument(
        "--cores", type=positive_number, help="cores of each run (default: as measured; here: an equal share)"
    )
    parser.add_argument("--stale", choices=("keep", "redo"), default="keep", help="stale runs (default: keep)")
    parser.add_argument("--dry", action="store_true", help="print the plan and start nothing")
    parser.add_argument("--runner", choices=RUNNERS, default="venv")
    parser.add_argument("--variant", default="modern", help="stack of the environment, variant of the image")
    parser.add_argument("--interpreter", default=Runner().interpreter, help="default: %(default)s")
    parser.add_argument("--image", default=Runner().image, help="default: %(default)s")
    run_options.add_options(parser, "--data", "--unverified", "--device", "--iters", "--set", "--out")
    parser.add_argument(
        "--records", nargs="*", default=["records", "results"], help="folders that costs are taken from"
    )
    parser.set_defaults(handler=run)


def make_plan(arguments: argparse.Namespace, options: Options) -> List[Planned]:
    """Ask the papers, look at the directories and at the records. Prints which combinations do not exist."""
    papers = {paper.slug: paper for paper in map(paper_source, arguments.papers)}
    runner = Runner(arguments.runner, arguments.variant, arguments.interpreter, arguments.image)
    names = list(dict.fromkeys(arguments.scenes + arguments.experiments))
    if not names:
        raise SettingsError('nothing to run; name SCENES="..." or EXPERIMENTS="...".')
    told = ask(list(papers.values()), runner, names, options)
    jobs, left_out = select(told, arguments.scenes, arguments.experiments, arguments.protocols, arguments.seeds)
    for sentence in left_out:
        print("left out: %s" % sentence)
    records = usable_records(*arguments.records, options.out)
    gpu, stack = options.device.startswith("cuda"), "era" if "era" in arguments.variant else "modern"
    plan = []
    for job in jobs:
        paper, answer = papers[job.paper], told[job.paper]
        settings = answer.settings.get(job.experiment)
        state = state_of(
            job, options.out, settings, answer.errors.get(job.experiment),
            partial(code_changed, _root(), paper=paper, stack=stack),
        )  # fmt: skip
        needs = cost(job, settings["config"] if settings else None, gpu, records)
        if arguments.cores or arguments.profile == "local":
            needs = needs._replace(cores=arguments.cores or max(usable_cores() // arguments.jobs, 1))
        plan.append(Planned(job, state, needs, runner.run_command(paper, job, options)))
    return plan


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; then, unless it is a dry run or there is nothing to do, let Snakemake work. The exit code."""
    # restores the handler: a shell without job control starts background jobs with SIGINT ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = Options(
        arguments.out.absolute(), arguments.data, arguments.unverified, arguments.device, arguments.iters,
        tuple(one for text in arguments.overrides for one in split_overrides(text)),
    )  # fmt: skip
    # locked, so that the plan is still valid when it runs
    lock = None if arguments.dry else engine.take_matrix(options.out)
    plan, redo = make_plan(arguments, options), arguments.stale == "redo"
    print_text(as_table(plan, redo))
    print_text(totals(plan, redo))
    sys.stdout.flush()
    chosen = [planned for planned in plan if runs(planned, redo)]
    if not chosen:
        print("nothing to run")
        return 0
    if importlib.util.find_spec("snakemake") is None:
        raise SettingsError("Snakemake is not in this environment, so nothing can be started; use 'make matrix'.")
    cores = max(planned.cost.cores for planned in chosen)
    content = as_json(plan, redo, options.out, sys.executable, _resources(arguments.profile, options))
    words = engine.command(content, options.out, arguments.profile, arguments.jobs, cores, arguments.dry)
    if lock is None:
        return subprocess.call(words)
    for planned in engine.stale(chosen):
        engine.set_aside(planned.job, options.out, planned.state.reasons)
    return engine.supervise(words, lock)


def _root() -> str:
    return str(Path(__file__).resolve().parents[3])


def _resources(profile: str, options: Options) -> Dict[str, Any]:
    """Resources of every job, beside those that are estimated."""
    found: Dict[str, Any] = {}
    if options.device.startswith("cuda"):
        found.update(gpu=1, gpu_manufacturer="nvidia")
    if profile == "slurm":
        found.update({resource: os.environ[name] for resource, name in SLURM.items() if os.environ.get(name)})
    return found
