"""A paper's method and the baselines on the pixels of the paper's own protocol."""

from typing import Any, Dict, Iterable, List

import numpy as np

from shared_data.comparison.diff import percent
from shared_data.comparison.methods import common_seeds
from shared_data.comparison.table_formats import markdown_table

Record = Dict[str, Any]
THE_PAPER = "the paper's method"


def own_pixels_table(records: Iterable[Record], scene: str, protocol: str) -> str:
    """Mean overall accuracies in percent as a Markdown table; a sentence where no baseline ran on a paper's pixels.

    A column per paper, whose name it is followed by the seeds that all methods of the column have in common. A row per
    method, the paper's own first.
    """
    columns: Dict[str, Dict[str, Dict[int, float]]] = {}  # paper → method → seed → overall accuracy
    kept = [record for record in records if record["experiment"] == scene]
    for record in kept:
        paper, _, own = record["protocol"].rpartition("-")
        if paper and own == protocol:
            methods = columns.setdefault(paper, {})
            methods.setdefault(record["paper"], {})[record["seed"]] = record["metrics"]["oa"]
    for record in kept:
        if record["protocol"] == protocol and record["paper"] in columns:
            methods = columns[record["paper"]]
            methods.setdefault(THE_PAPER, {})[record["seed"]] = record["metrics"]["oa"]
    if not columns:
        return "No baselines on the pixels of a paper's protocol `%s`." % protocol
    seeds = {paper: common_seeds({name: set(runs) for name, runs in columns[paper].items()}) for paper in columns}
    papers = sorted(columns)
    names = sorted(
        {name for methods in columns.values() for name in methods}, key=lambda name: (name != THE_PAPER, name)
    )
    header = ["method"] + ["%s (%s %s)" % (paper, _word(seeds[paper]), _list(seeds[paper])) for paper in papers]
    rows = [[name] + [_cell(columns[paper].get(name, {}), seeds[paper]) for paper in papers] for name in names]
    return markdown_table(header, rows) + "\n\nOverall accuracy in percent, mean over the seeds in the column's head."


def _cell(runs: Dict[int, float], seeds: Iterable[int]) -> str:
    shared: List[float] = [runs[seed] for seed in seeds if seed in runs]
    return percent(float(np.mean(shared))) if shared and len(shared) == len(list(seeds)) else "–"


def _word(seeds: Any) -> str:
    return "seed" if len(seeds) == 1 else "seeds"


def _list(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, seeds))
