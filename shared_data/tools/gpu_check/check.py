"""Check the papers on PyTorch on a GPU, in eight minutes at most: `make gpu-check`, or `python3 check.py`.

It needs PyTorch and no installed packages of this repository. Every part is a process of its own with a limited time;
gpu-check.json and gpu-check.md are written after every finding, so an interrupted check keeps those it has.
"""

import argparse
import importlib
import importlib.util
import json
import os
import platform
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple
from unittest.mock import MagicMock

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("shared_data", "simplecv_vendor", "ssdgl", "rssgl", "a2s2k_resnet")
# Packages that judge files and draw curves. Where they are missing, the check does without: it reads files of this
# repository alone, and nobody looks at its curves.
OPTIONAL = {
    "jsonschema": ("jsonschema",),
    "tensorboardX": (
        "tensorboardX", "tensorboardX.summary", "tensorboardX.event_file_writer", "tensorboardX.proto",
        "tensorboardX.proto.event_pb2",
    ),
}  # fmt: skip


class Part(NamedTuple):
    """module, function: yields rows. seconds: its time on a GPU; all together eight minutes. cuda: needs it.

    required: something is required of its rows, so all of them must be there.
    """

    about: str
    module: str
    function: str
    seconds: int
    cuda: bool = False
    required: bool = True


# the most important first
PARTS = {
    "parity": Part("golden files of the official networks, float32 without TF32", "parity", "rows", 45),
    "timing": Part("the literal network → ours, as PyTorch sets TF32", "parts", "timing", 95, required=False),
    "graphs": Part("plain steps → CUDA graphs", "parts", "graphs", 50, cuda=True),
    "determinism": Part("two trainings of one seed", "parts", "determinism", 55),
    "interruption": Part("SIGKILL in training, then the same command again", "interruption", "rows", 75),
    "trajectories": Part("30 steps on the CPU and on the device", "parts", "trajectories", 70),
    "precision": Part("autocast; reported only", "parts", "precision", 40, required=False),
    "compiled": Part("torch.compile; reported only", "parts", "compiled", 40, cuda=True, required=False),
}
SLOWER = 10  # a CPU takes longer than the budgets of a GPU


def find_packages() -> List[str]:
    """Put the repository's packages on the path; stand in for optional packages, and return those that are missing."""
    tests = [ROOT / folder / "tests" for folder in ("ssdgl", "rssgl", "a2s2k_resnet")]
    sys.path[:0] = [str(path) for path in (*(ROOT / folder for folder in FOLDERS), *tests)]
    missing = [name for name in OPTIONAL if name not in sys.modules and importlib.util.find_spec(name) is None]
    for name in missing:
        sys.modules.update({module: MagicMock() for module in OPTIONAL[name]})
    if "jsonschema" in missing:
        sys.modules["jsonschema"].exceptions.best_match.return_value = None  # nothing is wrong with any file
    return missing


def main(words: List[str]) -> int:
    """Run the parts one after the other; 1 where something required does not hold or was cut off, or a part failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:N or cpu (default: auto)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, the default on a CPU")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the two files (default: results)")
    parser.add_argument("--part", choices=tuple(PARTS), action="append", help="this part alone; default: all")
    parser.add_argument("--rows-of", choices=tuple(PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    missing = find_packages()
    if arguments.rows_of:
        return print_rows(arguments.rows_of, arguments.device, arguments.quick)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # ends the process of the part, too
    from simplecv.errors import SimpleCVError
    from simplecv.util.device import select_device

    try:
        device = select_device(arguments.device)
    except SimpleCVError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    quick = arguments.quick or device.type == "cpu"
    return check(device, quick, arguments.out, arguments.part or list(PARTS), missing)


def check(device: Any, quick: bool, out: Path, names: List[str], missing: List[str]) -> int:
    """Run the parts, with a line on the console for each finding."""
    from tools.gpu_check import report

    out.mkdir(parents=True, exist_ok=True)
    facts = facts_of(device, quick, missing)
    done: List[Dict[str, Any]] = []
    print("; ".join("%s: %s" % pair for pair in facts.items()), flush=True)
    for name in names:
        part: Dict[str, Any] = {"name": name, "about": PARTS[name].about, "state": "cut off", "seconds": 0, "rows": []}
        done.append(part)
        start = time.perf_counter()
        for row in rows_of_process(name, device, quick, part):
            part["rows"].append(row)
            part["seconds"] = time.perf_counter() - start
            print("%s: %s: %s" % (name, row["subject"], row["result"]), flush=True)
            report.write(out, facts, done)
        part["seconds"] = time.perf_counter() - start
        print("%s: %s, %.0f s" % (name, part["state"], part["seconds"]), flush=True)
        report.write(out, facts, done)
    print("%s and gpu-check.json written" % (out / "gpu-check.md"))
    return int(any(is_broken(part) for part in done))


def is_broken(part: Dict[str, Any]) -> bool:
    """Whether something required does not hold or was not shown in time, or the part failed."""
    missing = PARTS[part["name"]].required and part["state"].startswith("cut off")
    return missing or part["state"].startswith("failed") or any(row["passed"] is False for row in part["rows"])


def rows_of_process(name: str, device: Any, quick: bool, part: Dict[str, Any]) -> Any:
    """Yield the rows of a part as its process prints them; then set the part's state."""
    if PARTS[name].cuda and device.type != "cuda":
        part["state"] = "needs CUDA"
        return
    words = [sys.executable, __file__, "--rows-of", name, "--device", str(device)] + ["--quick"] * quick
    budget = PARTS[name].seconds * (1 if device.type == "cuda" else SLOWER)
    over = threading.Event()
    # a process group, so that the processes which a part starts end with it
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def kill() -> None:
        over.set()
        os.killpg(process.pid, signal.SIGKILL)

    errors: List[bytes] = []
    assert process.stdout is not None and process.stderr is not None  # both are pipes
    reader = threading.Thread(target=lambda stream: errors.append(stream.read()), args=(process.stderr,))
    timer = threading.Timer(budget, kill)
    reader.start()
    timer.start()
    try:
        for line in process.stdout:
            yield json.loads(line)
        code = process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            kill()
            process.wait()
    reader.join()
    last = b"".join(errors).decode(errors="replace").strip().splitlines()[-1:] or ["exit code %d" % code]
    part["state"] = "cut off after %d s" % budget if over.is_set() else "done" if code == 0 else "failed: " + last[0]


def print_rows(name: str, device: str, quick: bool) -> int:
    """The process of a part: one JSON object a line. What anything else prints goes to standard error."""
    rows, sys.stdout = sys.stdout, sys.stderr
    import torch

    part = PARTS[name]
    function = getattr(importlib.import_module("tools.gpu_check." + part.module), part.function)
    for row in function(torch.device(device), quick):
        print(json.dumps(row._asdict()), file=rows, flush=True)
    return 0


def deterministic_run(package: str, words: List[str]) -> None:
    """`python -m <package>` with deterministic algorithms, each the first that fits, so that two processes agree."""
    find_packages()
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark_limit = 1
    sys.argv = [package, *words]
    runpy.run_module(package, run_name="__main__")


def facts_of(device: Any, quick: bool, missing: List[str]) -> Dict[str, Any]:
    """The machine, and what is measured."""
    import numpy
    import torch

    from shared_data.runs import environment
    from simplecv.util.device import device_name
    from tools.gpu_check.subjects import INDIAN_PINES, scene_of

    facts = {"device": device_name(device) or environment.cpu_name()}
    if device.type == "cuda":
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            facts["driver"] = subprocess.check_output(query, text=True).splitlines()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            facts["driver"] = "unknown"
        facts["cuDNN"] = str(torch.backends.cudnn.version())
    facts.update(
        PyTorch=torch.__version__, Python=platform.python_version(), numpy=numpy.__version__,
        cores=str(environment.usable_cores()), revision=environment.revision()["git"] or "unknown",
        sizes="tiny" if quick else "of the scenes; at that of Indian Pines " + scene_of(INDIAN_PINES).origin,
    )  # fmt: skip
    if missing:
        facts["without"] = ", ".join(missing)
    return facts


if __name__ == "__main__":
    if sys.argv[1:2] == ["--deterministic-run"]:
        deterministic_run(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main(sys.argv[1:]))
