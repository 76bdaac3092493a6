"""A table for the README, from run records: the gain in test accuracy by selecting weights on the test pixels."""

from typing import Any, Dict, List


def selection_table(_paper: str, records: List[Dict[str, Any]]) -> str:
    """One line per run: test OA of the selected and of the last weights, and the best of the same run's evaluations."""
    lines = [
        "| experiment | protocol | seed | selected on | selected at step | of | test OA | test OA of the last step "
        "| best test OA of the run (step) | gained by selecting on test |",
        "|" + "---|" * 10,
    ]
    for record in records:
        best = max(record["history"], key=lambda entry: entry["test_oa"])
        oa = record["metrics"]["oa"]
        lines.append(
            "| %s | %s | %d | %s | %d | %d | %.2f | %.2f | %.2f (%d) | %+.2f |"
            % (
                record["experiment"],
                record["protocol"],
                record["seed"],
                record["decisions"]["selected_on"],
                record["selection"]["step"],
                record["selection"]["last_step"],
                100 * oa,
                100 * record["metrics"]["oa_last"],
                100 * best["test_oa"],
                best["step"],
                100 * (best["test_oa"] - oa),
            )
        )
    return "\n".join(lines)
