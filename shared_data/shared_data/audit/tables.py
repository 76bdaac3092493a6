"""An audit as entries of a run record, as a table for a terminal, and as rows of a README."""

import shutil
import textwrap
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from shared_data.audit.finding import Finding, Value, clean_for


class Audit(NamedTuple):
    """One finding per item, in the order of `ITEMS`. steps: of each training."""

    findings: Tuple[Finding, ...]
    steps: int

    @property
    def verdict(self) -> str:
        """Everything that was found, and for how many steps nothing else was."""
        words: List[str] = []
        for finding in self.findings:
            words.extend(word for word in finding.words if word not in words)
        return "; ".join(words + [("otherwise " if words else "") + clean_for(self.steps)])


def as_record(audit: Audit, **facts: Value) -> Dict[str, Value]:
    """Flat entries for `audit` of a run record: audit_verdict, audit_steps, audit_<item>, audit_<item>_evidence and
    audit_<number>.

    facts: more entries; their names get the prefix too.
    """
    entries: Dict[str, Value] = {"audit_verdict": audit.verdict, "audit_steps": audit.steps}
    for finding in audit.findings:
        entries["audit_" + finding.item] = finding.verdict
        entries["audit_%s_evidence" % finding.item] = finding.evidence
        entries.update(("audit_" + name, value) for name, value in finding.numbers.items())
    entries.update(("audit_" + name, value) for name, value in facts.items())
    return entries


def as_text(audit: Audit, width: Optional[int] = None) -> str:
    """The findings as a table, item | verdict | evidence, in `width` columns (None: the terminal's, or 120), and the
    verdict below."""
    width = width or shutil.get_terminal_size((120, 24)).columns
    rows = [("item", "verdict", "evidence")]
    rows += [(finding.item.replace("_", " "), finding.verdict, finding.evidence) for finding in audit.findings]
    first, second = max(len(row[0]) for row in rows), min(max(len(row[1]) for row in rows), 30)
    third = max(width - first - second - 6, 24)
    lines = []
    for item, verdict, evidence in rows:
        cells = [item], textwrap.wrap(verdict, second), textwrap.wrap(evidence, third)
        for line in range(max(len(cell) for cell in cells)):
            parts = [cell[line] if line < len(cell) else "" for cell in cells]
            lines.append(("%-*s | %-*s | %s" % (first, parts[0], second, parts[1], parts[2])).rstrip())
    return "\n".join(lines + ["verdict: " + audit.verdict])


def as_markdown(rows: Iterable[Tuple[str, Mapping[str, Any]]], head: str = "protocol") -> str:
    """A Markdown table with one line per (name, entries of `as_record`): the verdict, distances, overlap and its
    accuracies, which are those of finished runs."""
    heads = (
        head, "verdict", "split", "least distance of test to training pixels", "to validation pixels",
        "test pixels with a training pixel in their input", "their OA", "OA of the others",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, entries in rows:
        cells = [name] + [_cell(entries.get("audit_" + key)) for key in (
            "verdict", "split", "context_test_to_training", "context_test_to_validation",
        )]  # fmt: skip
        cells += [
            _percent(entries.get("audit_" + key))
            for key in ("context_test_with_training_pixel", "oa_seeing", "oa_not_seeing")
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return "–" if value is None else str(value)


def _percent(fraction: Optional[float]) -> str:
    return "–" if fraction is None else "%.2f %%" % (100 * fraction)
