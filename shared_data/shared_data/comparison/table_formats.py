"""A table of texts as Markdown or LaTeX, and of numbers as CSV."""

import csv
import io
import re
from typing import Any, Callable, Iterable, NamedTuple, Sequence

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "Δ": r"$\Delta$", "±": r"$\pm$", "×": r"$\times$", "−": "$-$", "·": r"$\cdot$", "–": "--", "†": r"\textdagger{}",
    "…": r"\ldots{}", "[": "{[}",  # which after a line's end would be an option of it
}  # fmt: skip
_SPECIAL = re.compile("[%s]" % re.escape("".join(_LATEX)))
_CODE = re.compile("`([^`]*)`")


class Shape(NamedTuple):
    """How a table, of a header and rows of cells, and the sentences around it are written."""

    table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]
    sentence: Callable[[str], str]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells as a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def latex_text(text: str) -> str:
    """A text for LaTeX, with everything escaped that it would take for a command."""
    return _SPECIAL.sub(lambda match: _LATEX[match.group()], text)


def latex_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells as a LaTeX tabular with the rules of booktabs."""
    lines = [" & ".join(map(latex_text, line)) + r" \\" for line in [header, *rows]]
    return "\n".join(
        [r"% needs \usepackage{booktabs}", r"\begin{tabular}{%s}" % ("l" * len(header)), r"\toprule", lines[0]]
        + [r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}"]
    )


def _latex_sentence(text: str) -> str:
    return _CODE.sub(r"\\texttt{\1}", latex_text(text))


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows of numbers and texts as CSV; None is an empty cell."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return file.getvalue().rstrip("\n")


MARKDOWN = Shape(markdown_table, str)
LATEX = Shape(latex_table, _latex_sentence)
