"""Short runs with fixed seeds, and whether two states of the code give the same bits.

    python3 .ci/fixed_seeds.py write before.json     # in one checkout
    python3 .ci/fixed_seeds.py compare before.json   # in another one, on the same machine

Every paper trains 40 steps on the generated scene under released, paper, disjoint and the first fold of spatial-cv;
SSDGL, RSSGL and A2S2K-ResNet train 20 steps on Indian Pines, too, where HSI_DATA holds it. One thread, on the CPU, in
the current stacks. Kept of a run are its metrics, and the SHA-256 of its weights and of its prediction. Other
processors round differently: hashes of two machines need not agree, and say nothing about the code.

A run that only one side has makes the comparison fail, too: both need the same HSI_DATA.

A record made by older code may stay where this finds no difference since. Standard library only.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"ssdgl": "ssdgl", "rssgl": "rssgl", "a2s2k": "a2s2k_resnet", "da-imrn": "da_imrn", "apdclnn": "apdclnn"}
ON_REAL_DATA = ("ssdgl", "rssgl", "a2s2k")
PROTOCOLS = ("released", "paper", "disjoint", "spatial-cv")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")


def runs():
    """(paper, configuration, protocol, steps) of every run."""
    for paper in PACKAGES:
        for protocol in PROTOCOLS:
            if paper == "apdclnn" and protocol == "released":
                continue  # no code of it was released
            yield paper, "synthetic", protocol, 40
            if paper in ON_REAL_DATA and os.environ.get("HSI_DATA"):
                yield paper, "indianpines", protocol, 20


def result_of(paper, configuration, protocol, steps):
    """Metrics and hashes of one run, made in a temporary folder. Raises: CalledProcessError with what it printed."""
    python = ROOT / ".venvs" / (paper + "-modern") / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        words = [str(python), "-m", PACKAGES[paper], "reproduce", configuration, "--protocol", protocol]
        words += ["--iters", str(steps), "--device", "cpu", "--out", folder]
        words += ["--fold", "0"] if protocol == "spatial-cv" else []
        environment = dict(os.environ, **ONE_THREAD)
        subprocess.run(words, check=True, cwd=str(ROOT), env=environment, capture_output=True)
        (record_path,) = Path(folder).glob("**/run.json")
        record = json.loads(record_path.read_text())
        prediction = (record_path.parent / "prediction.npy").read_bytes()
    metrics = {name: record["metrics"][name] for name in ("oa", "aa", "kappa")}
    return {"metrics": metrics, "weights": record["weights"], "prediction": hashlib.sha256(prediction).hexdigest()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("write", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--papers", nargs="+", choices=sorted(PACKAGES), default=list(PACKAGES))
    arguments = parser.parse_args()
    wanted = {" ".join(map(str, run)): run for run in runs() if run[0] in arguments.papers}
    known = json.loads(arguments.file.read_text()) if arguments.command == "compare" else {}
    known = {name: result for name, result in known.items() if name.split()[0] in arguments.papers}
    found, different = {}, []
    for name, run in wanted.items():
        if arguments.command == "compare" and name not in known:
            continue
        found[name] = result_of(*run)
        same = known.get(name, found[name]) == found[name]
        different += [] if same else [name]
        print("%s: OA %.4f, %s" % (name, found[name]["metrics"]["oa"], "same" if same else "DIFFERENT"), flush=True)
    if arguments.command == "write":
        arguments.file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        return 0
    print("%d of %d runs differ" % (len(different), len(found)))
    for name in sorted(set(wanted) ^ set(known)):
        print("not compared: %s: only %s" % (name, "in this checkout" if name in wanted else "in %s" % arguments.file))
    return 1 if different or set(wanted) != set(known) else 0


if __name__ == "__main__":
    sys.exit(main())
