"""Tables in README files, generated between markers so that no number is typed by hand.

    <!-- table: results paper=ssdgl -->
    ... replaced ...
    <!-- end table -->

Kinds of a paper: `results` (accuracies per experiment and protocol), `costs` (time and memory) and `audit` (what
reaches training) from the records, and kinds that the paper defines itself, such as its table of protocols. Kinds of a
scene, as in `<!-- table: comparison scene=ksc protocol=spatial-cv -->`: `comparison` (all methods under a protocol that
they share), `pairs` (two at a time), `per-class`, and `own-pixels` (a paper's method and the baselines under a protocol
of the paper).
"""

import functools
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional

from shared_data.audit import as_markdown as as_audit_markdown
from shared_data.comparison.diff import as_markdown, compare, doubts
from shared_data.comparison.methods import Comparison, classes_table, compare_methods, methods_table, pairs_table
from shared_data.comparison.own_pixels import own_pixels_table
from shared_data.comparison.published import load_published
from shared_data.errors import RecordError
from shared_data.files.atomic import write_text
from shared_data.records.record import find_records

_START = re.compile(r"^<!-- table:", re.M)
_BLOCK = re.compile(
    r"^(<!-- table: ([\w-]+) (?:paper=([\w-]+)|scene=([\w-]+) protocol=([\w-]+)) -->\n)(.*?)(<!-- end table -->)",
    re.M | re.S,
)


def results_table(paper: str, records: List[Dict[str, Any]]) -> str:
    """Published against reproduced, one line per experiment, protocol and metric."""
    published = [result for result in load_published() if result.paper == paper]
    return as_markdown(compare(records, published))


def costs_table(paper: str, records: List[Dict[str, Any]]) -> str:
    """Time and memory of every kept run with the hardware it ran on."""
    lines = [
        "| experiment | protocol | seed | training | step | evaluation | peak memory | hardware | software | doubts |",
        "|" + "---|" * 10,
    ]
    for record in records:
        times, where = record["times"], record["environment"]
        memory = record["memory"]["peak_gpu_mb"] or record["memory"]["peak_rss_mb"]
        lines.append(
            "| %s | %s | %d | %.0f s | %.3f s | %.2f s | %.0f MB | %s | %s %s, Python %s | %s |"
            % (
                record["experiment"],
                record["protocol"],
                record["seed"],
                times["train_s"],
                times["step_s"],
                times["evaluation_s"],
                memory,
                where["gpu"] or "%s, %d cores" % (where["cpu"], where["cores"]),
                where["framework"],
                where["framework_version"],
                where["python"],
                "; ".join(doubts([record])) or "–",
            )
        )
    return "\n".join(lines)


def audit_table(paper: str, records: List[Dict[str, Any]]) -> str:
    """The verdicts of every kept run that was audited; a sentence where none was."""
    audited = [record for record in records if "audit_verdict" in record.get("audit", {})]
    if not audited:
        return "No kept run was audited."
    rows = [("%s %s %d" % (r["experiment"], r["protocol"], r["seed"]), r["audit"]) for r in audited]
    return as_audit_markdown(rows, head="run")


Table = Callable[[str, List[Dict[str, Any]]], str]
_OF_A_PAPER: Dict[str, Table] = {"results": results_table, "costs": costs_table, "audit": audit_table}
_OF_A_COMPARISON: Dict[str, Callable[[Comparison], str]] = {
    "comparison": methods_table,
    "pairs": pairs_table,
    "per-class": classes_table,
}
OWN_PIXELS = "own-pixels"


def render(text: str, records: List[Dict[str, Any]], own_kinds: Optional[Dict[str, Table]] = None) -> str:
    """`text` with the content of every table block generated anew.

    own_kinds: further kinds of tables of a paper.
    Raises: RecordError for an unknown kind, a malformed start, or a block without an end.
    """

    @functools.lru_cache(maxsize=None)
    def compared(scene: str, protocol: str) -> Comparison:
        return compare_methods(records, scene, protocol)  # takes seconds, and several tables show it

    def block(match: Any) -> str:
        start, kind, paper, scene, protocol, _, end = match.groups()
        if paper is not None:
            kinds = dict(_OF_A_PAPER, **(own_kinds or {}))
            _check_kind(kind, "paper", kinds)
            table = kinds[kind](paper, [record for record in records if record["paper"] == paper])
        else:
            _check_kind(kind, "scene", [OWN_PIXELS, *_OF_A_COMPARISON])
            if kind == OWN_PIXELS:
                table = own_pixels_table(records, scene, protocol)
            else:
                table = _OF_A_COMPARISON[kind](compared(scene, protocol))
        return start + table + "\n" + end

    # without this check a block that lacks its end would extend to the next block's end, and the text between be lost
    if len(_START.findall(text)) != len(_BLOCK.findall(text)):
        raise RecordError(
            "a table block is malformed; expected '<!-- table: KIND paper=SLUG -->' or '<!-- table: KIND scene=SLUG "
            "protocol=NAME -->'; then the table, '<!-- end table -->'."
        )
    return _BLOCK.sub(block, text)


def _check_kind(kind: str, key: str, kinds: Iterable[str]) -> None:
    if kind not in kinds:
        raise RecordError("unknown table kind '%s'; there are for a %s: %s." % (kind, key, ", ".join(sorted(kinds))))


def update_tables(
    files: Iterable[Path], records_folder: Any, write: bool, own_kinds: Optional[Dict[str, Table]] = None
) -> List[Path]:
    """Files whose tables differ from the records; with `write` they are brought up to date.

    Raises: RecordError naming the file that cannot be read, rendered or written.
    """
    records = list(find_records(records_folder))
    stale = []
    for path in files:
        try:
            old = Path(path).read_text(encoding="utf-8")
            new = render(old, records, own_kinds)
            if new != old:
                stale.append(path)
                if write:
                    write_text(path, new)
        except (OSError, ValueError, RecordError) as error:
            raise RecordError("%s: its tables cannot be generated: %s" % (path, error)) from error
    return stale


def report_tables(
    files: Iterable[Path], records_folder: Any, check: bool, own_kinds: Optional[Dict[str, Table]] = None
) -> int:
    """The `tables` command: update the files, or with `check` only say which are stale (exit code 1)."""
    stale = update_tables(files, records_folder, write=not check, own_kinds=own_kinds)
    for path in stale:
        print("%s: %s" % (path, "tables are stale; run 'make tables'" if check else "tables updated"))
    return 1 if stale and check else 0
