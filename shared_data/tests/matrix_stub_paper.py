"""A paper that learns nothing, fast, and keeps the contract of a run directory: it locks, resumes, stops and fails.

STUB_RECORD names a JSON file with a valid record; STUB_STEP_S is the duration of a step. A file `fail` in the results
folder holds lines `seed step`: at that step the run of that seed fails. Every step done is a line of `steps.txt` there.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from shared_data.cli.console import run_command
from shared_data.runs.directory import RunDirectory
from shared_data.runs.signals import stop_on_signals

STEPS = 5
EXPERIMENTS, PROTOCOLS = ["synthetic", "indianpines"], ["paper", "disjoint"]


def config_of(arguments, experiment):
    return {"scene": experiment, "train": {"num_iters": arguments.iters or STEPS}}


def settings(arguments):
    found = {name: {"config": config_of(arguments, name), "data": {}} for name in arguments.experiments}
    print("something a framework says")
    print(json.dumps({"experiments": EXPERIMENTS, "protocols": PROTOCOLS, "settings": found, "errors": {}}))
    return 0


def reproduce(arguments):
    (experiment,) = arguments.experiments
    config = config_of(arguments, experiment)
    name = "%s/%s/seed-%d" % (experiment, arguments.protocol, arguments.seed)
    own = {"config": config, "protocol": arguments.protocol, "seed": arguments.seed, "data": {}}
    with RunDirectory(arguments.out / "ssdgl" / name, own, arguments.force) as directory:
        if directory.record():
            print("finished already")
            return 0
        directory.begin()
        if not train(directory.path, config["train"]["num_iters"], arguments, name):
            return 143
        record = json.loads(Path(os.environ["STUB_RECORD"]).read_text())
        record.update(
            experiment=experiment,
            scene=experiment,
            protocol=arguments.protocol,
            seed=arguments.seed,
            data=[],
            config=config,
        )
        directory.finish(record)
    return 0


def train(folder, steps, arguments, name):
    """Step by step, each with a checkpoint; False where a signal stopped it."""
    checkpoint, stopped = folder / "checkpoint", []
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    with stop_on_signals(stopped.append):
        while done < steps:
            if stopped:
                return False
            fail_where_asked(arguments, done)
            time.sleep(float(os.environ.get("STUB_STEP_S", "0")))
            done += 1
            checkpoint.write_text(str(done))
            with open(str(arguments.out / "steps.txt"), "a") as file:
                file.write("%s %d\n" % (name, done))
    return True


def fail_where_asked(arguments, step):
    asked = arguments.out / "fail"
    if asked.exists() and "%d %d" % (arguments.seed, step) in asked.read_text().splitlines():
        for line in range(30):
            print("line %d of what went wrong" % line)
        sys.exit(3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("settings", "reproduce"))
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--protocol", default="paper")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--iters", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--force", action="store_true")
    for ignored in ("--device", "--data", "--set"):
        parser.add_argument(ignored)
    arguments = parser.parse_args()
    return run_command(lambda: {"settings": settings, "reproduce": reproduce}[arguments.command](arguments))


if __name__ == "__main__":
    sys.exit(main())
