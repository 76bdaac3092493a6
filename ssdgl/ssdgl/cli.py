"""python -m ssdgl: reproduce, predict, audit, bench, list, tables."""

from typing import List, Optional

from shared_data.cli.paper import Paper
from shared_data.cli.paper import main as run_paper
from shared_data.configuration.overrides import describe
from shared_data.splits.shared_protocols import protocols_of
from simplecv.errors import SimpleCVError
from ssdgl import config
from ssdgl.bench import SUBJECT
from ssdgl.decisions import PROTOCOLS, protocol_table
from ssdgl.method import METHOD

PAPER = Paper(
    title="SSDGL (Zhu et al., IEEE Transactions on Cybernetics 2021): reproduce, predict, bench.",
    experiments=config.names,
    describe=lambda name: describe(config.CONFIGS, name),
    protocols=protocols_of(PROTOCOLS),
    protocol_table=protocol_table,
    readme=config.CONFIGS.parent / "README.md",
    method=METHOD,
    bench=SUBJECT.run,
    add_bench_options=SUBJECT.add_options,
    default_seed=2333,
    errors=(SimpleCVError,),
    tiles=True,
)


def main(words: Optional[List[str]] = None) -> int:
    """Entry point; returns the exit code."""
    return run_paper(PAPER, words)
