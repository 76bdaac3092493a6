"""python -m rssgl: reproduce, predict, audit, bench, list, tables."""

from typing import List, Optional

from rssgl import config
from rssgl.bench import SUBJECT
from rssgl.decisions import PROTOCOLS, protocol_table
from rssgl.method import METHOD
from rssgl.selection_table import selection_table
from shared_data.cli.paper import Paper
from shared_data.cli.paper import main as run_paper
from shared_data.configuration.overrides import describe
from shared_data.splits.shared_protocols import protocols_of
from simplecv.errors import SimpleCVError

PAPER = Paper(
    title="RSSGL (Wang et al., IEEE TGRS 2022): reproduce, predict, bench.",
    experiments=config.names,
    describe=lambda name: describe(config.CONFIGS, name),
    protocols=protocols_of(PROTOCOLS),
    protocol_table=protocol_table,
    readme=config.CONFIGS.parent / "README.md",
    method=METHOD,
    bench=SUBJECT.run,
    add_bench_options=SUBJECT.add_options,
    default_seed=1,
    errors=(SimpleCVError,),
    tiles=True,
    own_tables={"selection": selection_table},
)


def main(words: Optional[List[str]] = None) -> int:
    """Entry point; returns the exit code."""
    return run_paper(PAPER, words)
