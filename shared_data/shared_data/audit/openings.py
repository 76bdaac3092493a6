"""Test labels that are opened, and scenes that are read, before the final evaluation."""

from typing import List, Tuple

from shared_data.audit.finding import NOTHING, OPENS_TRUTH, READS_SCENE, Finding
from shared_data.audit.trials import PREDICTION, TRAINING, Trials


def openings_finding(trials: Trials) -> Finding:
    """The item `openings`, with the reasons that the method gave."""
    base = trials.base
    words: List[str] = []
    clauses = ["%s opens test labels: %s" % opening for opening in sorted(set(base.openings))]
    if clauses:
        words.append(OPENS_TRUTH)
    for when, reads in (("fit", base.reads_in_fit), ("predict", base.reads_in_predict)):
        clauses.extend("`%s` reads the scene by itself: %s" % (when, read) for read in reads)
    if base.reads_in_fit or base.reads_in_predict:
        words.append(READS_SCENE)
    evidence = "; ".join(clauses) or "before the final evaluation no test label is opened, and no scene is read"
    return Finding("openings", "; ".join(words) or NOTHING, evidence, {"openings_before": len(clauses)}, tuple(words))


def traces_of_reads(trials: Trials) -> Tuple[Tuple[str, str], ...]:
    """(stage, clause of evidence) for the file of the scene's labels, which has no other use than to know them."""
    base = trials.base
    traces: List[Tuple[str, str]] = []
    for stage, when, reads in (
        (TRAINING, "fit", base.reads_in_fit),
        (PREDICTION, "predict", base.reads_in_predict),
    ):
        traces.extend((stage, "`%s` opens %s" % (when, read)) for read in reads if read != "load_scene")
    return tuple(traces)
