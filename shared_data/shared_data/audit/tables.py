"""An audit as entries of a run record, as a table for a terminal, and as rows of a README."""

import shutil
import textwrap
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple

from shared_data.audit.finding import FINISHED, ITEMS, Finding, Value


class Audit(NamedTuple):
    """One finding per item, in the order of `ITEMS`."""

    findings: Tuple[Finding, ...]


def as_record(found: Audit, **facts: Value) -> Dict[str, Value]:
    """Flat entries for `audit` of a run record: audit_<item>, audit_<item>_evidence and audit_<number>.

    facts: more entries, such as steps=20; their names get the prefix too.
    """
    entries: Dict[str, Value] = {}
    for finding in found.findings:
        entries["audit_" + finding.item] = finding.verdict
        entries["audit_%s_evidence" % finding.item] = finding.evidence
        entries.update(("audit_" + name, value) for name, value in finding.numbers.items())
    entries.update(("audit_" + name, value) for name, value in facts.items())
    return entries


def as_text(found: Audit, width: Optional[int] = None) -> str:
    """The findings as a table, item | verdict | evidence, in `width` columns (None: the terminal's, or 120)."""
    width = width or shutil.get_terminal_size((120, 24)).columns
    rows = [("item", "verdict", "evidence")] + [finding[:3] for finding in found.findings]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = []
    for item, verdict, evidence in rows:
        for part in textwrap.wrap(evidence, max(width - first - second - 6, 24)):
            lines.append("%-*s | %-*s | %s" % (first, item, second, verdict, part))
            item = verdict = ""  # further lines of the evidence, in its column
    return "\n".join(lines)


def as_markdown(rows: Iterable[Tuple[str, Mapping[str, Any]]], head: str = "protocol") -> str:
    """A Markdown table with one line per (name, entries of `as_record`): verdicts, overlap and accuracies.

    Accuracies are those of finished runs; those of the audit's own short trainings are meaningless.
    """
    heads = (head,) + ITEMS + ("test pixels that see a training pixel", "their OA", "OA of the others")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, entries in rows:
        cells = [name] + [str(entries.get("audit_" + item, "–")) for item in ITEMS]
        finished = entries.get("audit_overlap_oa_of", FINISHED) == FINISHED
        cells.append(_percent(entries.get("audit_overlap_share")))
        cells += [_percent(entries.get("audit_" + key) if finished else None) for key in ("oa_seeing", "oa_not_seeing")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _percent(fraction: Optional[float]) -> str:
    return "–" if fraction is None else "%.2f %%" % (100 * fraction)
