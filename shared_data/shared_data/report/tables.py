"""Tables and a picture in README files, generated between markers so that no number is typed by hand.

    <!-- table: results paper=ssdgl -->
    ... replaced ...
    <!-- end table -->

Kinds of a paper: `results` (accuracies per experiment and protocol), `costs` (time and memory) and `audit` (what
reaches training) from the records, and kinds that the paper defines itself, such as its table of protocols. Kinds of a
scene, as in `<!-- table: comparison scene=ksc protocol=spatial-cv -->`: `comparison` (all methods under a protocol that
they share), `baselines` (those without a network alone, over all seeds that they have in common), `pairs` (two at a
time), `per-class`, `overview` (the papers' published numbers beside their runs), `answers` (three paragraphs about each
paper) and `own-pixels` (a paper's method and the baselines under a protocol of the paper).

The overview is a picture, too, which is written to a file beside the document and shown with a text of its numbers:

    <!-- figure: overview scene=ksc protocol=spatial-cv file=figures/ksc.svg -->
    ... replaced ...
    <!-- end figure -->
"""

import functools
import re
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

from shared_data.audit import as_markdown as as_audit_markdown
from shared_data.comparison.baselines.table import BASELINES
from shared_data.comparison.diff import as_markdown, compare, doubts
from shared_data.comparison.methods import Comparison, classes_table, compare_methods, methods_table, pairs_table
from shared_data.comparison.overview import Overview, in_words, overview, overview_table
from shared_data.comparison.own_pixels import own_pixels_table
from shared_data.comparison.published import load_published
from shared_data.errors import RecordError
from shared_data.files.atomic import write_text
from shared_data.records.record import find_records
from shared_data.report.answers import answers, answers_text

_START = re.compile(r"^<!-- (?:table|figure):", re.M)
_BLOCK = re.compile(
    r"^(<!-- table: ([\w-]+) (?:paper=([\w-]+)|scene=([\w-]+) protocol=([\w-]+)) -->\n)(.*?)(<!-- end table -->)",
    re.M | re.S,
)
_FIGURE = re.compile(
    r"^(<!-- figure: overview scene=([\w-]+) protocol=([\w-]+) file=([\w./-]+\.svg) -->\n)(.*?)(<!-- end figure -->)",
    re.M | re.S,
)


def results_table(paper: str, records: List[Dict[str, Any]]) -> str:
    """Published against reproduced, one line per experiment, protocol and metric."""
    published = [result for result in load_published() if result.paper == paper]
    return as_markdown(compare(records, published))


COSTS = (
    "Training: the sum over the optimizer's steps, without validation; most runs shared the machine with other work. "
    "Step: the median. Evaluation: one prediction of the whole scene. Of a cross-validation: sums over its folds."
)


def costs_table(paper: str, records: List[Dict[str, Any]]) -> str:
    """Time and memory of every kept run with the hardware it ran on; a note says what each time is."""
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
                _hardware(where),
                where["framework"],
                where["framework_version"],
                where["python"],
                "; ".join(doubts([record])) or "–",
            )
        )
    return "\n".join([*lines, "", COSTS])


def _hardware(where: Dict[str, Any]) -> str:
    """The GPU, or the processor with the threads that were used, which not every record knows. where: `environment`."""
    if where["gpu"]:
        return where["gpu"] + (", CUDA graphs" if where.get("cuda_graphs") else "")
    threads = where.get("threads")
    return where["cpu"] + ("" if threads is None else ", 1 thread" if threads == 1 else ", %d threads" % threads)


def audit_table(paper: str, records: List[Dict[str, Any]]) -> str:
    """The verdicts of every kept run that was audited; a sentence where none was."""
    audited = [record for record in records if "audit_verdict" in record.get("audit", {})]
    if not audited:
        return "No kept run was audited."
    return as_audit_markdown([(_audited_run(record), record["audit"]) for record in audited], head="run")


def _audited_run(record: Dict[str, Any]) -> str:
    """The run's name; of a cross-validation with the fold whose verdict and accuracies the audit holds."""
    fold = ", fold %d" % record["audit"]["audit_fold"] if "audit_fold" in record["audit"] else ""
    return "%s %s %d%s" % (record["experiment"], record["protocol"], record["seed"], fold)


Table = Callable[[str, List[Dict[str, Any]]], str]
_OF_A_PAPER: Dict[str, Table] = {"results": results_table, "costs": costs_table, "audit": audit_table}
_OF_A_COMPARISON: Dict[str, Callable[[Comparison], str]] = {
    "comparison": methods_table,
    "pairs": pairs_table,
    "per-class": classes_table,
}
OWN_PIXELS, OVERVIEW, ALONE, ANSWERS = "own-pixels", "overview", "baselines", "answers"


class _OfScenes:
    """What tables and pictures of scenes show, from all records; each comparison is made once, which takes seconds."""

    def __init__(self, records: Sequence[Dict[str, Any]]):
        self.records = records
        self.compared = functools.lru_cache(maxsize=None)(self._compared)

    def _compared(self, scene: str, protocol: str) -> Comparison:
        return compare_methods(self.records, scene, protocol)

    def overview(self, scene: str, protocol: str) -> Overview:
        """The papers on a scene; `protocol` is that of other fields."""
        return overview(self.records, self.compared(scene, protocol))

    def table(self, kind: str, scene: str, protocol: str) -> str:
        """Raises: RecordError for an unknown kind."""
        _check_kind(kind, "scene", [OWN_PIXELS, OVERVIEW, ALONE, ANSWERS, *_OF_A_COMPARISON])
        if kind == OWN_PIXELS:
            return own_pixels_table(self.records, scene, protocol)
        if kind == OVERVIEW:
            return overview_table(self.overview(scene, protocol))
        if kind == ANSWERS:
            compared = self.compared(scene, protocol)
            return answers_text(answers(self.overview(scene, protocol), compared, self.records))
        if kind == ALONE:
            without_network = [record for record in self.records if record["paper"] in BASELINES]
            return methods_table(compare_methods(without_network, scene, protocol))
        return _OF_A_COMPARISON[kind](self.compared(scene, protocol))


def render(
    text: str,
    records: List[Dict[str, Any]],
    own_kinds: Optional[Dict[str, Table]] = None,
    scenes: Optional[_OfScenes] = None,
) -> str:
    """`text` with the content of every block generated anew; of a figure, that is the link to its file.

    own_kinds: further kinds of tables of a paper. scenes: of the same records, where several files are rendered.
    Raises: RecordError for an unknown kind, a malformed start, or a block without an end.
    """
    of_scenes = scenes or _OfScenes(records)

    def table(match: Any) -> str:
        start, kind, paper, scene, protocol, _, end = match.groups()
        if paper is not None:
            kinds = dict(_OF_A_PAPER, **(own_kinds or {}))
            _check_kind(kind, "paper", kinds)
            content = kinds[kind](paper, [record for record in records if record["paper"] == paper])
        else:
            content = of_scenes.table(kind, scene, protocol)
        return start + content + "\n" + end

    def figure(match: Any) -> str:
        start, scene, protocol, file, _, end = match.groups()
        return "%s![%s](%s)\n%s" % (start, in_words(of_scenes.overview(scene, protocol)), file, end)

    # without this check a block that lacks its end would extend to the next block's end, and the text between be lost
    if len(_START.findall(text)) != len(_BLOCK.findall(text)) + len(_FIGURE.findall(text)):
        raise RecordError(
            "a table block is malformed; expected '<!-- table: KIND paper=SLUG -->' or '<!-- table: KIND scene=SLUG "
            "protocol=NAME -->'; then the table, '<!-- end table -->'; or '<!-- figure: overview scene=SLUG "
            "protocol=NAME file=NAME.svg -->', '<!-- end figure -->'."
        )
    return _FIGURE.sub(figure, _BLOCK.sub(table, text))


def _drawn(text: str, folder: Path, scenes: _OfScenes) -> Dict[Path, str]:
    """The content of the files that the figure blocks of a document in `folder` name."""
    from shared_data.report.charts import svg_of  # here: tables need no matplotlib
    from shared_data.report.overview_figure import draw_overview

    return {
        folder / file: svg_of(draw_overview(scenes.overview(scene, protocol))).decode("utf-8")
        for _, scene, protocol, file, _, _ in _FIGURE.findall(text)
    }


def _check_kind(kind: str, key: str, kinds: Iterable[str]) -> None:
    if kind not in kinds:
        raise RecordError("unknown table kind '%s'; there are for a %s: %s." % (kind, key, ", ".join(sorted(kinds))))


def update_tables(
    files: Iterable[Path], records_folder: Any, write: bool, own_kinds: Optional[Dict[str, Table]] = None
) -> List[Path]:
    """Files whose tables differ from the records, and pictures; with `write` they are brought up to date.

    Raises: RecordError naming the file that cannot be read, rendered or written.
    """
    records = list(find_records(records_folder))
    scenes = _OfScenes(records)
    stale = []
    for path in map(Path, files):
        try:
            old = path.read_text(encoding="utf-8")
            wanted = {path: render(old, records, own_kinds, scenes)}
            wanted.update(_drawn(old, path.parent, scenes) if _FIGURE.search(old) else {})
            for target, content in wanted.items():
                if not target.exists() or target.read_text(encoding="utf-8") != content:
                    stale.append(target)
                    if write:
                        target.parent.mkdir(parents=True, exist_ok=True)
                        write_text(target, content)
        except (OSError, ValueError, RecordError) as error:
            raise RecordError("%s: its tables cannot be generated: %s" % (path, error)) from error
    return stale


def report_tables(
    files: Iterable[Path], records_folder: Any, check: bool, own_kinds: Optional[Dict[str, Table]] = None
) -> int:
    """The `tables` command: update the files, or with `check` only say which are stale (exit code 1)."""
    stale = update_tables(files, records_folder, write=not check, own_kinds=own_kinds)
    for path in stale:
        what = "the picture is" if path.suffix == ".svg" else "tables are"
        print("%s: %s" % (path, what + (" stale; run 'make tables'" if check else " updated")))
    return 1 if stale and check else 0
