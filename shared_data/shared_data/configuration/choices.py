"""Tables of named choices: what a paper's protocols decide."""

from typing import Any, Dict, Iterable, List, Sequence, Tuple


def choice_table(heads: Sequence[str], rows: Iterable[Tuple[Sequence[str], Dict[str, Any]]]) -> str:
    """Rows of (labels, choices) as a Markdown table, a column per head and per choice.

    Every row has as many labels as there are heads, and the same choices in the same order.
    """
    lines: List[str] = []
    for labels, choices in rows:
        if not lines:
            names = list(heads) + list(choices)
            lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
        lines.append("| " + " | ".join(list(labels) + [str(value) for value in choices.values()]) + " |")
    return "\n".join(lines)
