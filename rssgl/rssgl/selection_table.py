"""A table for the README, from run records: the gain in test accuracy by selecting weights on the test pixels."""

from typing import Any, Dict, List

Record = Dict[str, Any]


def selection_table(_paper: str, records: List[Record]) -> str:
    """One line per training, so per fold of a cross-validation: test OA of the selected and of the last weights, and
    the best of the training's evaluations."""
    lines = [
        "| experiment | protocol | seed | selected on | selected at step | of | test OA | test OA of the last step "
        "| best test OA of the run (step) | gained by selecting on test |",
        "|" + "---|" * 10,
    ]
    for record in records:
        if "folds" in record:
            lines += [_line(record, fold, "%d, fold %d" % (record["seed"], fold["fold"])) for fold in record["folds"]]
        else:
            lines.append(_line(record, record, str(record["seed"])))
    return "\n".join(lines)


def _line(record: Record, training: Record, seed: str) -> str:
    """training: the record, or one of its folds."""
    best = max(training["history"], key=lambda entry: entry["test_oa"])
    oa = training["metrics"]["oa"]
    return "| %s | %s | %s | %s | %d | %d | %.2f | %.2f | %.2f (%d) | %+.2f |" % (
        record["experiment"],
        record["protocol"],
        seed,
        record["decisions"]["selected_on"],
        training["selection"]["step"],
        training["selection"]["last_step"],
        100 * oa,
        100 * training["history"][-1]["test_oa"],
        100 * best["test_oa"],
        best["step"],
        100 * (best["test_oa"] - oa),
    )
