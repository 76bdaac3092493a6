"""The files of this repository of which one short run of a paper calls a function: how far a reader has to go.

    .venvs/ssdgl-modern/bin/python .ci/run_files.py ssdgl
    .venvs/a2s2k-modern/bin/python .ci/run_files.py a2s2k_resnet

Two steps on the generated scene, in the paper's environment; printed with the lines of each file.
"""

import importlib
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def files_of_a_run(package):
    """Below the repository's root, sorted."""
    called = set()

    def note(frame, _event, _argument):
        if frame.f_code.co_name != "<module>":
            called.add(frame.f_code.co_filename)

    run = importlib.import_module(package + ".cli").main
    with tempfile.TemporaryDirectory() as out:
        words = ["reproduce", "synthetic", "--protocol", "paper", "--iters", "2", "--device", "cpu", "--out", out]
        threading.settrace(note)
        sys.settrace(note)
        code = run(words)
        sys.settrace(None)
    if code:
        sys.exit(code)
    inside = [path for path in map(Path, called) if ROOT in path.parents and ".venvs" not in path.parts]
    return sorted(path.relative_to(ROOT) for path in inside if path != Path(__file__).resolve())


def main():
    files = files_of_a_run(sys.argv[1])
    counts = [len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in files]
    for path, lines in zip(files, counts):
        print("%5d %s" % (lines, path))
    print("%5d lines in %d files" % (sum(counts), len(files)))


if __name__ == "__main__":
    main()
