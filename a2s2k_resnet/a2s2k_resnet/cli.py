"""python -m a2s2k_resnet: reproduce, predict, audit, bench, list, tables."""

from typing import List, Optional

from a2s2k_resnet import bench, experiments
from a2s2k_resnet.decisions import PROTOCOLS, protocol_table
from a2s2k_resnet.method import METHOD
from shared_data.cli.paper import Paper
from shared_data.cli.paper import main as run_paper
from shared_data.splits.shared_protocols import protocols_of

PAPER = Paper(
    title="A2S2K-ResNet (Roy et al., IEEE TGRS 2020) and its four baselines: reproduce, predict, bench.",
    experiments=experiments.names,
    describe=experiments.describe,
    protocols=protocols_of(PROTOCOLS),
    protocol_table=protocol_table,
    readme=experiments.CONFIGS.parent / "README.md",
    method=METHOD,
    bench=bench.run,
    add_bench_options=bench.add_options,
    default_seed=1331,
)


def main(words: Optional[List[str]] = None) -> int:
    """Entry point; returns the exit code."""
    return run_paper(PAPER, words)
