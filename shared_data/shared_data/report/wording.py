"""Numbers and other values as text."""

import json
import re
from typing import Any, Dict, Optional, Sequence, Tuple

from shared_data.comparison.diff import percent, probability
from shared_data.runs.cross_validation import EACH_FOLD

NOTHING = "–"
_NUMBER = re.compile(r"\d+")
_BY_NOTHING = "nothing: "  # how the reason of a selection begins where nothing chooses the weights


def count(value: Optional[int]) -> str:
    """A whole number with separators of thousands."""
    return NOTHING if value is None else "{:,}".format(value)


def span(numbers: Sequence[int]) -> str:
    """The smallest and the largest of some numbers: "529", or "12–14" where they differ."""
    low, high = min(numbers), max(numbers)
    return count(low) if low == high else "%s–%s" % (count(low), count(high))


def ends(interval: Optional[Tuple[float, float]]) -> str:
    """An interval of fractions in percent: "81.20–84.05"."""
    return NOTHING if interval is None else "%s–%s" % (percent(interval[0]), percent(interval[1]))


def plain(value: Any) -> str:
    """Any JSON value as a reader expects it: yes, no, six digits of a fraction; lists and objects as JSON."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "%.6g" % value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def dotted(values: Dict[str, Any], above: str = "") -> Dict[str, Any]:
    """A nested configuration on one level, by names such as "train.epochs", as `modified` of a record has them."""
    flat: Dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            flat.update(dotted(value, above + name + "."))
        else:
            flat[above + name] = value
    return flat


def duration(seconds: float) -> str:
    """Seconds as "0.145 s", "12.3 s", "15 min 55 s" or "2 h 05 min"."""
    if seconds < 60:
        return "%.3g s" % seconds
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return "%d min %02d s" % (minutes, rest)
    return "%d h %02d min" % divmod(minutes, 60)


def commit(revision: dict) -> str:
    """A revision as "862f02b4859b" or "862f02b4859b with uncommitted changes"."""
    if revision["git"] is None:
        return "unknown revision"
    return revision["git"][:12] + (" with uncommitted changes" if revision["dirty"] else "")


def weights_in_words(selections: Sequence[Dict[str, Any]]) -> str:
    """Which step's weights runs of one procedure use and why; of a cross-validation the latest step of any fold."""
    steps, reason = [selection["step"] for selection in selections], _one_sentence([s["on"] for s in selections])
    last = [selection["last_step"] for selection in selections if selection.get("last_step") is not None]
    which = "of step %s" % span(steps) + (" of %s" % span(last) if last else "")
    if reason.startswith(EACH_FOLD):
        which, reason = "of each fold's own step, %s at most" % count(max(steps)), reason[len(EACH_FOLD) :]
    if reason.startswith(_BY_NOTHING):
        return "%s: %s" % (which, reason[len(_BY_NOTHING) :])
    return "%s, chosen on %s" % (which, reason)


def _one_sentence(sentences: Sequence[str]) -> str:
    """Sentences that differ in whole numbers alone as one with their spans; others beside each other."""
    patterns = {_NUMBER.sub("%s", sentence.replace("%", "%%")) for sentence in sentences}
    if len(patterns) > 1:
        return " / ".join(sorted(set(sentences)))
    numbers = zip(*(map(int, _NUMBER.findall(sentence)) for sentence in sentences))
    return patterns.pop() % tuple(map(span, numbers))


FILTERS = {
    function.__name__: function
    for function in (percent, count, span, ends, plain, dotted, duration, commit, probability)
}
