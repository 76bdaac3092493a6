"""Time of a training step and of an epoch: our code in this stack against literal loops, in the release's and here.

Each side is a process; they work alternately, the others idle while one runs. The sizes are a scene's. The literal
loops in this stack show which part of the gain is the newer TensorFlow's.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Dict, NamedTuple

from da_imrn.bench_worker import BATCH, VALIDATED
from shared_data.cli.arguments import positive_number
from shared_data.errors import SettingsError
from shared_data.runs import environment
from shared_data.timing import medians, step_against_peak, table_row

_ERA_PYTHON = Path(__file__).resolve().parents[2] / ".venvs" / "da-imrn-era" / "bin" / "python"


class Epoch(NamedTuple):
    """Training and validation patches of a scene's partition, seed 1, protocol released."""

    training: int
    validation: int


EPOCHS = {"indianpines": Epoch(1768, 611), "pavia": Epoch(1198, 348), "salinas": Epoch(1440, 206)}


class Worker:
    """A process of `bench_worker` in some interpreter. Raises: SettingsError where it fails."""

    def __init__(self, python: str, experiment: str, side: str) -> None:
        words = [python, "-m", "da_imrn.bench_worker", experiment, side]
        pipe = subprocess.PIPE
        # TensorFlow 2 sets this on import, and TensorFlow 1 would switch to version 2 behaviour by it
        environ = {name: value for name, value in os.environ.items() if name != "TF2_BEHAVIOR"}
        process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, universal_newlines=True, env=environ)
        assert process.stdin and process.stdout and process.stderr  # all three are pipes
        self._process, self._python = process, python
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self.stack = self._answer()["stack"]

    def ask(self, what: str) -> float:
        """Seconds of one of the worker's actions; megabytes for `memory`, FLOP for `flops`, FLOP/s for `peak`."""
        self._stdin.write(what + "\n")
        self._stdin.flush()
        return float(self._answer())

    def _answer(self) -> Any:
        line = self._stdout.readline()
        if not line:
            reason = self._stderr.read().strip().splitlines()[-1:]
            raise SettingsError("the benchmark in %s failed: %s." % (self._python, " ".join(reason)))
        return json.loads(line)

    def end(self) -> None:
        self._stdin.close()
        self._process.wait()


def _medians(workers: Dict[str, Worker], what: str, repeats: int) -> Dict[str, float]:
    return medians({name: partial(worker.ask, what) for name, worker in workers.items()}, repeats)[0]


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    era = Path(arguments.literal)
    if not era.exists():
        raise SettingsError("%s does not exist; make env-da-imrn-era, or name an interpreter with --literal." % era)
    print("%s, %d cores; medians of %d" % (environment.cpu_name(), environment.usable_cores(), arguments.repeats))
    for experiment in arguments.scenes:
        _compare(experiment, str(era), arguments.repeats)
    return 0


def _compare(experiment: str, era: str, repeats: int) -> None:
    workers = {
        "literal, release's stack": Worker(era, experiment, "literal"),
        "literal, this stack": Worker(sys.executable, experiment, "literal"),
        "ours": Worker(sys.executable, experiment, "ours"),
    }
    steps, validations = (_medians(workers, what, repeats) for what in ("step", "validate"))
    epoch = EPOCHS[experiment]
    epochs = {name: epoch_seconds(epoch, steps[name], validations[name]) for name in workers}
    print("%s: mini-batches of %d; an epoch has %d training and %d validation patches" % ((experiment, BATCH) + epoch))
    for name, worker in workers.items():
        ratios = tuple(times[name] / times["ours"] for times in (steps, validations, epochs))
        print(
            "  %-24s step %.3f s (%.2f of ours), validation %.0f patches/s (%.2f), epoch %.1f s (%.2f), "
            "peak memory %.0f MB (Keras %s)"
            % (name, steps[name], ratios[0], VALIDATED / validations[name], ratios[1], epochs[name], ratios[2],
               worker.ask("memory"), worker.stack)
        )  # fmt: skip
    work, peak = workers["literal, this stack"].ask("flops"), workers["ours"].ask("peak")
    print(step_against_peak(work, peak))
    both = {"literal": steps["literal, this stack"], "ours": steps["ours"]}
    print(table_row("da-imrn " + experiment, both, work, peak), flush=True)
    for worker in workers.values():
        worker.end()


def epoch_seconds(epoch: Epoch, step: float, validation: float) -> float:
    """As many steps as the training patches need, and the validation patches once."""
    return -(-epoch.training // BATCH) * step + epoch.validation / VALIDATED * validation


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the `bench` command."""
    parser.add_argument("--scenes", nargs="+", choices=sorted(EPOCHS), default=["indianpines"])
    parser.add_argument("--repeats", type=positive_number, default=5, help="default: 5")
    parser.add_argument("--literal", default=str(_ERA_PYTHON), help="interpreter of the release's stack")
    parser.add_argument("--device", default="cpu", help=argparse.SUPPRESS)
