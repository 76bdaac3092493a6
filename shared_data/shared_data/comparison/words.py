"""The rows of a comparison as sentences, for the end of a run; `diff` has them as a table."""

from typing import List, Sequence

from shared_data.comparison.diff import FEW_RUNS, NO_NUMBER, OTHER_DEFINITION, OTHER_SPLIT, Row, percent

_NAMES = {"oa": "OA", "aa": "AA", "kappa": "kappa × 100"}


def in_words(rows: Sequence[Row]) -> List[str]:
    """How the runs of these rows compare with published numbers: a line for every number, then what limits them."""
    rows = [row for row in rows if row.n]
    numbered = [row for row in rows if row.published is not None]
    if not numbered:
        return [_nothing_to_compare(rows)]
    told = [_compared(row) for row in numbered]
    if any(row.verdict in FEW_RUNS.values() for row in numbered):
        told.append('a verdict needs three runs, such as SEEDS="1 2 3"')
    doubts = sorted({doubt for row in numbered for doubt in row.doubts})
    if doubts:
        told.append("doubts whether these runs stand for the paper's: %s" % "; ".join(doubts))
    return told


def _nothing_to_compare(rows: Sequence[Row]) -> str:
    if any(row.verdict == OTHER_SPLIT for row in rows):
        return "the published numbers are of the authors' split, so this protocol is not compared with them"
    assert all(row.verdict == NO_NUMBER for row in rows)  # `compare` has no other rows without a published number
    return "none for this configuration"


def _compared(row: Row) -> str:
    """One published number: the reproduced one beside it, and the verdict."""
    metric, _, definition = row.metric.partition(" ")
    name = " ".join(filter(None, (_NAMES[metric], definition)))
    published = "%s %s published%s" % (
        name, percent(row.published, row.published_std), " in a log file" if row.kind == "official log" else "",
    )  # fmt: skip
    if row.verdict == OTHER_DEFINITION:
        return published + ", which is not computed here"
    assert row.delta is not None  # of every other row with a published number
    told = "%s, %s reproduced: %.2f points %s" % (
        published, percent(row.reproduced, row.std), abs(100 * row.delta), "above" if row.delta > 0 else "below",
    )  # fmt: skip
    if row.interval is None:
        return told
    return told + "; verdict: %s, 90 %% interval %+.2f to %+.2f" % (
        row.verdict, 100 * row.interval[0], 100 * row.interval[1],
    )  # fmt: skip
