"""A paper's method and the baselines on the pixels of the paper's own protocol."""

from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

import numpy as np

from shared_data.comparison.diff import percent
from shared_data.comparison.methods import common_seeds
from shared_data.comparison.table_formats import markdown_table

Record = Dict[str, Any]
THE_PAPER = "the paper's method"


class OwnPixels(NamedTuple):
    """Overall accuracies of all methods on the pixels of one paper. seeds: those that all methods have in common.
    accuracies: method → seed → fraction; the paper's own method is `THE_PAPER`."""

    seeds: Tuple[int, ...]
    accuracies: Dict[str, Dict[int, float]]

    def means(self) -> Dict[str, float]:
        """method → mean over `seeds`, of the methods that have them all."""
        return {
            name: float(np.mean([runs[seed] for seed in self.seeds]))
            for name, runs in self.accuracies.items()
            if self.seeds and set(self.seeds) <= set(runs)
        }


def own_pixels(records: Iterable[Record], scene: str, protocol: str) -> Dict[str, OwnPixels]:
    """Of every paper on whose pixels under one of its protocols a baseline ran: paper → `OwnPixels`."""
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
    return {
        paper: OwnPixels(common_seeds({name: set(runs) for name, runs in methods.items()}), methods)
        for paper, methods in columns.items()
    }


def own_pixels_table(records: Iterable[Record], scene: str, protocol: str) -> str:
    """Mean overall accuracies in percent as a Markdown table; a sentence where no baseline ran on a paper's pixels.

    A column per paper, whose name is followed by the seeds that all methods of the column have in common. A row per
    method, the paper's own first.
    """
    columns = own_pixels(records, scene, protocol)
    if not columns:
        return "No baselines on the pixels of a paper's protocol `%s`." % protocol
    papers, means = sorted(columns), {paper: columns[paper].means() for paper in columns}
    names = sorted(
        {name for column in columns.values() for name in column.accuracies},
        key=lambda name: (name != THE_PAPER, name),
    )
    header = ["method"] + ["%s (%s)" % (paper, _seeds(columns[paper].seeds)) for paper in papers]
    rows: List[List[str]] = [[name] + [percent(means[paper].get(name)) for paper in papers] for name in names]
    return markdown_table(header, rows) + "\n\nOverall accuracy in percent, mean over the seeds in the column's head."


def _seeds(seeds: Tuple[int, ...]) -> str:
    """Sorted seeds in words; three and more without a gap by the first and the last."""
    first, last = seeds[0], seeds[-1]
    if len(seeds) > 2 and last - first == len(seeds) - 1:
        return "seeds %d–%d" % (first, last)
    return "%s %s" % ("seed" if len(seeds) == 1 else "seeds", ", ".join(map(str, seeds)))
