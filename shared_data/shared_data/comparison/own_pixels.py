"""A paper's method and the baselines on the pixels of the paper's own protocol."""

from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

import numpy as np

from shared_data.comparison.diff import percent
from shared_data.comparison.methods import check_comparable, common_seeds
from shared_data.comparison.published import load_papers
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
    """Of every paper on whose pixels under one of its protocols a baseline ran: paper → `OwnPixels`.

    Raises: RecordError where two runs of one seed are of different pixels.
    """
    kept = [record for record in records if record["experiment"] == scene]
    columns = {}
    for paper in load_papers():
        baselines = [record for record in kept if record["protocol"] == "%s-%s" % (paper.slug, protocol)]
        if baselines:
            own = [record for record in kept if (record["paper"], record["protocol"]) == (paper.slug, protocol)]
            columns[paper.slug] = _own_pixels_of(own, baselines)
    return columns


def _own_pixels_of(own: List[Record], baselines: List[Record]) -> OwnPixels:
    check_comparable(own + baselines)
    methods: Dict[str, Dict[int, float]] = {}  # method → seed → overall accuracy
    for record in baselines:
        methods.setdefault(record["paper"], {})[record["seed"]] = record["metrics"]["oa"]
    for record in own:
        methods.setdefault(THE_PAPER, {})[record["seed"]] = record["metrics"]["oa"]
    return OwnPixels(common_seeds({name: set(runs) for name, runs in methods.items()}), methods)


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
