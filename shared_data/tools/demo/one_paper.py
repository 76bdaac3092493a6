"""The runs of one paper in one process: python -m tools.demo.one_paper SLUG PACKAGE [OPTION ...]."""

import importlib
import sys
from typing import List

from tools.demo.runs import protocols_of, words_of


def main(words: List[str]) -> int:
    """The exit code of the first run that fails, or 0. Options are those of `reproduce`, for every run."""
    slug, package, *options = words
    paper = importlib.import_module(package + ".cli")
    for protocol in protocols_of(slug):
        code = paper.main(words_of(slug, protocol, options))
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
