"""Coverage-guided fuzzing of a reader by Atheris: python fuzz.py TARGET CORPUS [flags of libFuzzer].

TARGET is a module beside this file with `seeds()`, small valid files that the corpus begins with, and
`try_one(content, folder)`, which must return whatever the bytes are; an exception that leaves it is a finding, and
libFuzzer keeps its input. The modules of `INSTRUMENTED` tell the fuzzer which of their branches an input took.
"""

import hashlib
import importlib
import sys
import tempfile
from pathlib import Path

import atheris

INSTRUMENTED = ["shared_data", "scipy.io.matlab", "numpy.lib", "json", "jsonschema", "zipfile"]


def main() -> None:
    """Fuzz until a flag (-max_total_time, -runs) or a finding ends it."""
    name, corpus, *flags = sys.argv[1:]
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = importlib.import_module(name)
    Path(corpus).mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (Path(corpus) / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        atheris.Setup([name, *flags, corpus], lambda content: target.try_one(content, Path(folder)))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
