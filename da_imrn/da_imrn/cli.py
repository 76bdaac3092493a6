"""python -m da_imrn: reproduce, predict, audit, bench, list, tables."""

from typing import List, Optional

from da_imrn import bench, experiments
from da_imrn.decisions import PROTOCOLS, protocol_table
from da_imrn.method import METHOD
from shared_data.cli.paper import Paper
from shared_data.cli.paper import main as run_paper
from shared_data.splits.shared_protocols import protocols_of

PAPER = Paper(
    title="DA-IMRN (Zou et al., Remote Sensing 2022): reproduce, predict, bench.",
    experiments=experiments.names,
    describe=experiments.describe,
    protocols=protocols_of(PROTOCOLS),
    protocol_table=protocol_table,
    readme=experiments.CONFIGS.parent / "README.md",
    method=METHOD,
    bench=bench.run,
    add_bench_options=bench.add_options,
    default_seed=1,
    predata=True,
)


def main(words: Optional[List[str]] = None) -> int:
    """Entry point; returns the exit code."""
    return run_paper(PAPER, words)
