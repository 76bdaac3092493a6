"""A scene at a glance: the overall accuracy that each paper published, and what runs gave as the code was released,
from the text, and on other fields than those of training.

What is missing stays missing: a cell without a number says why.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from shared_data.comparison import diff
from shared_data.comparison.diff import Row, percent
from shared_data.comparison.methods import Comparison, MethodRow, common_seeds, method_of
from shared_data.comparison.own_pixels import THE_PAPER, own_pixels
from shared_data.comparison.published import Paper, PublishedResult, load_papers, load_published
from shared_data.comparison.table_formats import MARKDOWN, Shape
from shared_data.evaluation.statistics import mean_and_std

PUBLISHED, RELEASED, TEXT, OTHER_FIELDS = "published", "as released", "from the text", "on other fields"
COLUMNS = (PUBLISHED, RELEASED, TEXT, OTHER_FIELDS)
POSITION = "1nn-position"  # the baseline that takes the class of the nearest training pixel and reads no spectrum
NOT_RUN, NO_CODE, NO_NUMBER = "not run", "no code released", "no number known here"
_PROTOCOL_OF = {RELEASED: "released", TEXT: "paper"}

Record = Dict[str, Any]


class Cell(NamedTuple):
    """One overall accuracy, as a fraction; None where there is none, and `missing` says why.

    std: over n runs. interval: 95 % over spatial units, of the column `OTHER_FIELDS` alone. verdict: beside the
    published number, from three runs on; else empty. log: whether a published number is of an official log, not of the
    paper. baselines: mean overall accuracies on the same pixels.
    """

    value: Optional[float] = None
    std: Optional[float] = None
    n: int = 0
    interval: Optional[Tuple[float, float]] = None
    verdict: str = ""
    delta: Optional[float] = None
    doubts: Tuple[str, ...] = ()
    log: bool = False
    missing: str = ""
    baselines: Dict[str, float] = {}

    @property
    def text(self) -> str:
        """The cell in words, accuracies in percent."""
        if self.value is None:
            return self.missing
        interval = " (%.2f–%.2f)" % tuple(100 * end for end in self.interval) if self.interval else ""
        judged = ": " + self.verdict if self.verdict else ""
        return "%s%s%s, %s%s" % (percent(self.value, self.std), interval, " (log)" if self.log else "",
                                 runs(self.n), judged)  # fmt: skip


class OverviewRow(NamedTuple):
    """One paper, or another configuration of it; cells: by the names in `COLUMNS`."""

    paper: str
    title: str
    experiment: str
    cells: Dict[str, Cell]

    @property
    def place_alone(self) -> Optional[float]:
        """Overall accuracy of the class of the nearest training pixel, on the pixels of the runs from the text, or of
        those as released where there are no others; None where that baseline was not run."""
        cells = sorted((self.cells[column] for column in (TEXT, RELEASED)), key=lambda cell: cell.value is None)
        return next((cell.baselines[POSITION] for cell in cells if POSITION in cell.baselines), None)


class Overview(NamedTuple):
    """rows: in the order of the papers. protocol: of the column `OTHER_FIELDS`. baselines: under it, over the seeds of
    the papers' methods. repeats: the same baselines' accuracies over all seeds that they share, from the best down."""

    scene: str
    protocol: str
    rows: List[OverviewRow]
    baselines: List[MethodRow]
    repeats: List[Tuple[str, List[float]]]


def runs(number: int) -> str:
    """ "1 run", "3 runs"."""
    return "%d run%s" % (number, "" if number == 1 else "s")


def overview(records: Sequence[Record], compared: Comparison, variants: bool = False) -> Overview:
    """The overview of the scene and protocol of `compared`, which is the comparison of the same records.

    variants: with a row for every further configuration of a paper on this scene that has runs, too.
    """
    scene, papers = compared.scene, load_papers()
    slugs = {paper.slug for paper in papers}
    published = [result for result in load_published() if "oa" in result.numbers]
    of_scene = [record for record in records if record["scene"] == scene]
    others = sorted({(r["paper"], r["experiment"]) for r in of_scene if r["experiment"] != scene}) if variants else []
    rows = []
    for paper in papers:
        for experiment in [scene] + [name for slug, name in others if slug == paper.slug]:
            own = [r for r in of_scene if (r["paper"], r["experiment"]) == (paper.slug, experiment)]
            beside = [p for p in published if (p.paper, p.experiment) == (paper.slug, experiment)][:1]
            title = paper.title + method_of({"paper": "", "experiment": experiment, "scene": scene})
            cells = _cells(paper, experiment, own, beside, of_scene)
            method = method_of({"paper": paper.slug, "experiment": experiment, "scene": scene})
            cells[OTHER_FIELDS] = _on_other_fields(compared, method)
            rows.append(OverviewRow(paper.slug, title, experiment, cells))
    baselines = [row for row in compared.rows if row.method.split(" ")[0] not in slugs]
    repeats = _repeats(of_scene, compared.protocol, [row.method for row in baselines])
    return Overview(scene, compared.protocol, rows, baselines, repeats)


def _repeats(of_scene: List[Record], protocol: str, baselines: List[str]) -> List[Tuple[str, List[float]]]:
    runs_of: Dict[str, Dict[int, float]] = {name: {} for name in baselines}
    for record in of_scene:
        if record["protocol"] == protocol and record["paper"] in runs_of:
            runs_of[record["paper"]][record["seed"]] = record["metrics"]["oa"]
    seeds = common_seeds({name: set(own) for name, own in runs_of.items()})
    found = [(name, [own[seed] for seed in seeds if seed in own]) for name, own in runs_of.items()]
    return sorted(found, key=lambda one: -sum(one[1]))


def _cells(
    paper: Paper, experiment: str, own: List[Record], published: List[PublishedResult], of_scene: List[Record]
) -> Dict[str, Cell]:
    """The columns that are of the paper's own pixels."""
    cells = {PUBLISHED: Cell(missing=NO_NUMBER)}
    for result in published:
        number = result.numbers["oa"]
        cells[PUBLISHED] = Cell(number.value, number.std, result.n, log=result.kind == "official log")
    for column, protocol in _PROTOCOL_OF.items():
        beside = own_pixels(of_scene, experiment, protocol).get(paper.slug)
        baselines = {name: oa for name, oa in beside.means().items() if name != THE_PAPER} if beside else {}
        given = [record for record in own if record["protocol"] == protocol]
        row = _row_of(given, published)
        cell = Cell(missing=NO_CODE if column == RELEASED and not paper.code else NOT_RUN)
        if row is not None:
            verdict = ""
            if row.interval is not None:
                verdict = row.verdict + ("" if row.published_spread else " " + diff.ALONE)
            cell = Cell(row.reproduced, row.std, row.n, None, verdict, row.delta, row.doubts)
        cells[column] = cell._replace(baselines=baselines)
    return cells


def _row_of(records: List[Record], published: List[PublishedResult]) -> Optional[Row]:
    """The comparison's row of the overall accuracy; None without a run."""
    rows = [row for row in diff.compare(records, published) if row.metric == "oa"] if records else []
    return rows[0] if rows else None


def _on_other_fields(compared: Comparison, method: str) -> Cell:
    """A method's accuracy under the protocol of a comparison, with the baselines that have the same seeds."""
    rows = [row for row in compared.rows + compared.unranked if row.method == method]
    if not rows:
        return Cell(missing=NOT_RUN)
    row = rows[0]
    return Cell(*row.oa, n=len(row.seeds), interval=row.intervals.oa if row.intervals else None, doubts=row.doubts)


# as a table

LEGEND = (
    "Overall accuracy in percent: mean over n runs with different seeds, ± sample standard deviation; under `%s` the "
    "95 %% interval by a bootstrap over spatial units (fields, or strips of them) in parentheses. Place alone: the "
    "class of the nearest training pixel, without reading a spectrum, on the pixels of the runs from the text, or as "
    "released where there are no others. A verdict needs three runs."
)


def overview_table(seen: Overview, shape: Shape = MARKDOWN) -> str:
    """The overview as a table: a line per paper, and below it the baselines and the doubts in sentences."""
    header = ("paper", PUBLISHED, RELEASED, TEXT, "place alone, same pixels", "%s (%s)" % (OTHER_FIELDS, seen.protocol))
    lines = []
    for row in seen.rows:
        alone = row.place_alone
        before, last = [row.cells[column].text for column in COLUMNS[:-1]], row.cells[OTHER_FIELDS].text
        lines.append([row.title, *before, NOT_RUN if alone is None else percent(alone), last])
    cells = [cell for line in lines for cell in line]
    marks = [note for mark, note in diff.NOTES if mark == diff.ALONE and any(mark in cell for cell in cells)]
    sentences = [LEGEND % seen.protocol, *marks, baselines_sentence(seen), *doubts_sentences(seen)]
    return "\n\n".join([shape.table(header, lines), *map(shape.sentence, filter(None, sentences))])


def baselines_sentence(seen: Overview) -> str:
    """What the baselines reach under the protocol of other fields."""
    if not seen.baselines:
        return "No baseline was run under `%s`." % seen.protocol
    best, worst = seen.baselines[0], seen.baselines[-1]
    named = [
        "%s (`%s`%s)" % (percent(row.oa[0]), row.method, _interval(row))
        for row in ([best] if best is worst else [worst, best])
    ]
    return "Under `%s` the %s without a network reach%s %s; %s%s." % (
        seen.protocol,
        "baseline" if best is worst else "%d baselines" % len(seen.baselines),
        "es" if best is worst else "",
        " to ".join(named),
        "1 run" if len(best.seeds) == 1 else "%d runs each" % len(best.seeds),
        _over_repeats(seen, len(best.seeds)),
    )


def _over_repeats(seen: Overview, already: int) -> str:
    """The same over all seeds that the baselines share, where these are more than `already` said."""
    (best, of_best), (worst, of_worst) = seen.repeats[0], seen.repeats[-1]
    if len(of_best) <= already:
        return ""
    ends = ["%s (`%s`)" % (percent(*mean_and_std(of)), name) for name, of in ((worst, of_worst), (best, of_best))]
    return "; over %s %s" % (runs(len(of_best)), " to ".join(ends if len(seen.repeats) > 1 else ends[1:]))


def _interval(row: MethodRow) -> str:
    return ", 95 %% interval %.2f–%.2f" % tuple(100 * end for end in row.intervals.oa) if row.intervals else ""


def doubts_sentences(seen: Overview) -> List[str]:
    """One sentence that lists why runs may not represent their cell; none without doubts."""
    named = [
        "%s %s: %s" % (row.title, column, ", ".join(row.cells[column].doubts))
        for row in seen.rows
        for column in COLUMNS
        if row.cells[column].doubts
    ]
    return ["Doubts: %s." % "; ".join(named)] if named else []


def in_words(seen: Overview) -> str:
    """The whole overview as one text, for those who cannot see the picture."""
    parts = [
        "%s: %s" % (row.title, ", ".join("%s %s" % (column, row.cells[column].text) for column in COLUMNS))
        for row in seen.rows
    ]
    return "Overall accuracy in percent. %s. %s" % (". ".join(parts), baselines_sentence(seen).replace("`", ""))
