"""The three sentences that a referee needs, of a scene and of each paper: does the published number hold, what exactly
produced it, and what is left on other fields than those of training. They are made of the records; what was not run is
said to be missing.
"""

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from shared_data.comparison.methods import Comparison, Pair, method_of
from shared_data.comparison.overview import (
    OTHER_FIELDS,
    PUBLISHED,
    RELEASED,
    TEXT,
    Cell,
    Overview,
    OverviewRow,
    baselines_sentence,
    runs,
)
from shared_data.comparison.published import load_papers
from shared_data.records.audit_file import NOT_AUDITED, verdicts_of
from shared_data.report.wording import percent, probability, span, weights_in_words

QUESTIONS = (
    "Does the published number hold?",
    "What exactly produced it?",
    "What is left on other fields than those of training?",
)
LEVEL = 0.05  # of a paired test, after Holm's correction
PROTOCOL_OF = {RELEASED: "released", TEXT: "paper"}

Record = Dict[str, Any]


class Answers(NamedTuple):
    """The three sentences about one paper on one scene, in the order of `QUESTIONS`."""

    title: str
    paper: str
    sentences: Tuple[str, str, str]


def answers(seen: Overview, compared: Comparison, records: Sequence[Record]) -> List[Answers]:
    """Of every row of an overview. compared: of the same scene and protocol. records: all of the report."""
    tested = {paper.slug: paper.tested for paper in load_papers()}
    found = []
    for row in seen.rows:
        sentences = _holds(row), _produced(row, records, tested[row.paper]), _on_other_fields(row, seen, compared)
        found.append(Answers(row.title, row.paper, sentences))
    return found


def summary(seen: Overview, compared: Comparison, records: Sequence[Record]) -> Tuple[str, str, str]:
    """The three sentences about all papers on a scene."""
    return _all_hold(seen), _all_produced(seen, records), _all_on_other_fields(seen, compared)


def answers_text(told: Sequence[Answers]) -> str:
    """The sentences of every paper as Markdown, a paragraph for each question."""
    parts = []
    for one in told:
        paragraphs = ["*%s* %s" % (question, sentence) for question, sentence in zip(QUESTIONS, one.sentences)]
        parts += ["**%s.** %s" % (one.title, paragraphs[0]), *paragraphs[1:]]
    return "\n\n".join(parts)


def _all_hold(seen: Overview) -> str:
    published = [row for row in seen.rows if row.cells[PUBLISHED].value is not None]
    if not published:
        return "No published number for this scene is known here."
    parts = ["%s %s" % (row.title, "; ".join(_verdicts(row)) or "not run") for row in published]
    without = [row.title for row in seen.rows if row.cells[PUBLISHED].value is None]
    if without:
        parts.append("for %s no published number is known here" % _listed(without))
    return _sentence("of %d published numbers on this scene: %s" % (len(published), "; ".join(parts)))


def _verdicts(row: OverviewRow) -> List[str]:
    cells = [(column, row.cells[column], row.cells[column].delta) for column in PROTOCOL_OF]
    return [
        "%s %+.2f points (%s)" % (column, 100 * delta, _verdict(cell))
        for column, cell, delta in cells
        if delta is not None
    ]


def _verdict(cell: Cell) -> str:
    return "%s, %s" % (runs(cell.n), cell.verdict or "too few for a verdict")


def _all_produced(seen: Overview, records: Sequence[Record]) -> str:
    parts = []
    for row in seen.rows:
        own = _runs_of(row, PROTOCOL_OF[RELEASED], records)
        if own:
            told = "%s, %s" % (own[0]["selection"]["on"], _audit(own))
        parts.append("%s (%s)" % (row.title, told if own else row.cells[RELEASED].missing))
    return _sentence("as released, what chooses the weights that are tested: " + "; ".join(parts))


def _all_on_other_fields(seen: Overview, compared: Comparison) -> str:
    ran = [row for row in seen.rows if row.cells[OTHER_FIELDS].value is not None]
    parts = ["%s %s" % (row.title, _briefly(row, seen, compared)) for row in ran]
    if parts:
        parts = ["under %s, with 95 %% intervals over spatial units: %s" % (seen.protocol, ", ".join(parts))]
    without = [row.title for row in seen.rows if row.cells[OTHER_FIELDS].value is None]
    if without:
        parts.append("not run under %s: %s" % (seen.protocol, _listed(without)))
    alone = [row.place_alone for row in seen.rows if row.place_alone is not None]
    if alone:
        ends = percent(min(alone)) + (" to " + percent(max(alone)) if len(alone) > 1 else "")
        parts.append(
            "on the papers' own pixels, the class of the nearest training pixel alone is right in %s %%" % ends
        )
    return _sentence("; ".join(parts)) + " " + baselines_sentence(seen).replace("`", "")


def _listed(names: List[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _runs_of(row: OverviewRow, protocol: str, records: Sequence[Record]) -> List[Record]:
    wanted = (row.paper, row.experiment, protocol)
    return [record for record in records if (record["paper"], record["experiment"], record["protocol"]) == wanted]


def _audit(records: Sequence[Record]) -> str:
    """What the audits of some runs of one procedure found; not every run is audited."""
    told = " / ".join(verdicts_of(records))
    return told if told == NOT_AUDITED else "audit: " + told


def _holds(row: OverviewRow) -> str:
    published = row.cells[PUBLISHED]
    if published.value is None:
        start = "No published number for this scene is known here"
    else:
        source = "The official log gives" if published.log else "The authors give"
        start = "%s %s over %s" % (source, percent(published.value, published.std), runs(published.n))
    return "%s; %s." % (start, "; ".join(_against(column, row.cells[column]) for column in PROTOCOL_OF))


def _against(column: str, cell: Cell) -> str:
    """What the runs of a protocol say about the published number."""
    if cell.value is None:
        return "%s: %s" % (column, cell.missing)
    found = "%s: %s over %s" % (column, percent(cell.value, cell.std), runs(cell.n))
    if cell.delta is None:
        return found
    found += ", %+.2f points" % (100 * cell.delta)
    return found + (", %s" % cell.verdict if cell.verdict else ", too few runs for a verdict")


def _produced(row: OverviewRow, records: Sequence[Record], tested: str) -> str:
    """tested: what of the official code ours is tested against, empty where there is none."""
    parts = []
    for column, protocol in PROTOCOL_OF.items():
        own = _runs_of(row, protocol, records)
        parts.append("%s: %s" % (column, _procedure(own) if own else row.cells[column].missing))
    return _sentence("; ".join(parts)) + (" Our code is tested against %s." % tested if tested else "")


def _procedure(records: Sequence[Record]) -> str:
    """How runs came to their numbers: pixels, the steps that were kept and why, what else read test labels."""
    sizes = [[record["split"][part]["size"] for record in records] for part in ("train", "val", "test")]
    told = "%s training, %s validation and %s test pixels, weights %s" % (
        *map(span, sizes),
        weights_in_words([record["selection"] for record in records]),
    )
    opened = [one["reason"] for record in records for one in record.get("truth_opened", [])]
    reasons = sorted(set(opened) - {"final evaluation"})
    if reasons:
        told += ", test labels opened for %s" % " and ".join(reasons)
    return "%s, %s" % (told, _audit(records))


def _on_other_fields(row: OverviewRow, seen: Overview, compared: Comparison) -> str:
    alone = row.place_alone
    told = "not run under %s" % seen.protocol
    if row.cells[OTHER_FIELDS].value is not None:
        told = _under_other_fields(row, seen, compared)
    if alone is not None:
        told += "; on the paper's own pixels, where fields are shared, the class of the nearest training pixel alone "
        told += "is right in %s %%" % percent(alone)
    return _sentence(told)


def _under_other_fields(row: OverviewRow, seen: Overview, compared: Comparison) -> str:
    cell = row.cells[OTHER_FIELDS]
    told = "%s over %s under %s" % (percent(cell.value, cell.std), runs(cell.n), seen.protocol)
    if cell.interval:
        told += ", 95 %% interval over spatial units %.2f–%.2f" % tuple(100 * end for end in cell.interval)
    return told + "; " + _beside_baselines(row, seen, compared)


def _briefly(row: OverviewRow, seen: Overview, compared: Comparison) -> str:
    cell, (method, pairs) = row.cells[OTHER_FIELDS], _pairs_of(row, seen, compared)
    interval = ["%.2f–%.2f" % tuple(100 * end for end in cell.interval)] if cell.interval else []
    told = _ranked(pairs, method, "baselines")
    return "%s (%s)" % (percent(cell.value, cell.std), "; ".join(interval + [told if pairs else "beside no baseline"]))


def _pairs_of(row: OverviewRow, seen: Overview, compared: Comparison) -> Tuple[str, List[Pair]]:
    """The method's name in a comparison, and its pairs with baselines."""
    method = method_of({"paper": row.paper, "experiment": row.experiment, "scene": seen.scene})
    baselines = {one.method for one in seen.baselines}
    pairs = [p for p in compared.pairs if method in (p.method_a, p.method_b) and {p.method_a, p.method_b} & baselines]
    return method, pairs


def _ranked(pairs: Sequence[Pair], method: str, others: str) -> str:
    """How many of the others a paired test finds the method better than, and worse than."""
    above = [_is_above(pair, method) for pair in pairs if pair.p_holm < LEVEL]
    if not above:
        return "not shown to be better or worse than any of the %d %s" % (len(pairs), others)
    return "better than %d and worse than %d of the %d %s" % (above.count(True), above.count(False), len(pairs), others)


def _beside_baselines(row: OverviewRow, seen: Overview, compared: Comparison) -> str:
    """What paired tests over fields say; nothing is ranked by means alone."""
    method, pairs = _pairs_of(row, seen, compared)
    if not pairs:
        return "no baseline was tested on the same fields"
    told = _ranked(pairs, method, "baselines on the same fields")
    best = seen.baselines[0].method  # the rows of a comparison are in the order of their accuracies
    return told + "".join(_difference(pair, method) for pair in pairs if best in (pair.method_a, pair.method_b))


def _difference(pair: Pair, method: str) -> str:
    """The method's overall accuracy minus the other's, with its interval."""
    other, points = (pair.method_b, 100) if pair.method_a == method else (pair.method_a, -100)
    low, high = sorted(points * end for end in pair.difference.interval)
    estimate, p = points * pair.difference.estimate, probability(pair.p_holm)
    told = "; beside the best of them, %s: %+.2f points" % (other, estimate)
    return told + " (95 %% interval %+.2f to %+.2f, p after Holm's correction %s)" % (low, high, p)


def _is_above(pair: Pair, method: str) -> bool:
    return (pair.difference.estimate > 0) == (pair.method_a == method)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
