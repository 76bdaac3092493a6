"""Entry point of `python -m tools.matrix`."""

import argparse
import sys
from typing import List, Optional

from shared_data.cli.console import run_command
from tools.matrix.command import add_options


def main(words: Optional[List[str]] = None) -> int:
    """Plan the matrix and let Snakemake carry it out; user errors print one line and exit with 1."""
    parser = argparse.ArgumentParser(
        prog="matrix", description="Plan and run papers × scenes × protocols × seeds with Snakemake."
    )
    add_options(parser)
    arguments = parser.parse_args(words)
    return run_command(lambda: arguments.handler(arguments))


if __name__ == "__main__":
    sys.exit(main())
