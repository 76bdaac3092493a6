"""The demo's table: overall accuracies, and those of two baselines trained and tested on the same pixels."""

import tempfile
from pathlib import Path
from typing import List, Optional, Sequence

from shared_data.comparison.baselines.methods import METHODS
from shared_data.runs.method import Run
from shared_data.runs.request import Request
from shared_data.splits.draws import Split
from shared_data.splits.labels import labels_of
from tools.demo.runs import FOLD, PROTOCOLS, SCENE, Finished

BASELINES = (("1nn-position", "1-NN on position"), ("1nn", "1-NN on spectra"))
_HEADINGS = ("released", "paper", "other fields")


def baseline_accuracy(slug: str, split: Split) -> float:
    """Overall accuracy, 0..1, of a baseline that is fitted to a run's training pixels, on the run's test pixels."""
    request = Request(SCENE, "spatial-cv", 1, None, False, "cpu", None, (), Path("results"), False, fold=FOLD)
    method = METHODS[slug]
    configuration, loaded = method.resolve(request)
    with tempfile.TemporaryDirectory(prefix="demo-") as scratch:
        labels = labels_of(loaded.ground_truth, split)
        fitted = method.fit(loaded.image, labels, configuration, request.seed, Run(Path(scratch), "cpu"))
    assert fitted is not None  # it trains for a moment, and no signal comes
    right = fitted.predict(loaded.image).ravel()[split.test] == loaded.ground_truth.ravel()[split.test]
    return float(right.mean())


def as_text(papers: Sequence[str], runs: List[Finished]) -> str:
    """One row a method: its accuracy under each protocol, then those of the baselines on the same pixels."""
    groups = ["network"] + [name for _, name in BASELINES]
    lines = [" " * 10 + "".join("%-33s" % name for name in groups).rstrip()]
    lines.append("%-10s" % "" + "".join("%11s" % heading for _ in groups for heading in _HEADINGS))
    for paper in papers:
        found = [_of(paper, protocol, runs) for protocol in PROTOCOLS]
        cells: List[Optional[float]] = [run and run.record["metrics"]["oa"] for run in found]
        for slug, _ in BASELINES:
            cells += [run and baseline_accuracy(slug, run.split) for run in found]
        lines.append("%-10s" % paper + "".join("%11s" % _percent(cell) for cell in cells))
    return "\n".join(lines)


def _of(paper: str, protocol: str, runs: List[Finished]) -> Optional[Finished]:
    return next((run for run in runs if (run.paper, run.protocol) == (paper, protocol)), None)


def _percent(accuracy: Optional[float]) -> str:
    return "–" if accuracy is None else "%.1f" % (100 * accuracy)
