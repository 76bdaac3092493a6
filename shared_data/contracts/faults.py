"""Support for the long fault tests, and the table of their cases: `make faults`.

HSI_FAULTS=1          switches the long tests on
HSI_FAULTS_LOG=file   receives a line per fault and paper that passed
python -m contracts.faults file [document]     prints these lines as a Markdown table, and writes it into a document
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import List, Optional, Set, Tuple

from shared_data.cli.console import print_text, run_command
from shared_data.errors import SharedDataError
from shared_data.files.atomic import write_text

FAULTS = bool(os.environ.get("HSI_FAULTS"))


def note(fault: str, where: str, cases: int, outcome: str) -> None:
    """Log that a fault was tested in this number of cases without a failure. where: a paper's slug, or a module."""
    path = os.environ.get("HSI_FAULTS_LOG")
    if path:
        line = json.dumps({"fault": fault, "where": where, "cases": cases, "outcome": outcome})
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def table(path: Path) -> str:
    """The lines of a file as a Markdown table, by fault and place."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = ["| fault | where | cases | outcome |", "|---|---|---|---|"]
    for entry in sorted(entries, key=lambda entry: (entry["fault"], entry["where"])):
        lines.append("| %(fault)s | %(where)s | %(cases)d | %(outcome)s |" % entry)
    return "\n".join(lines)


_PLACE = re.compile(r"(<!-- faults -->\n)(.*?)(<!-- end faults -->)", re.S)


def _cases(text: str) -> Set[Tuple[str, ...]]:
    """Fault and place of every row of a table."""
    return {tuple(cell.strip() for cell in line.split("|")[1:3]) for line in text.splitlines() if line.startswith("| ")}


def write_table(document: Path, content: str) -> None:
    """Put a table between the marks `<!-- faults -->` and `<!-- end faults -->` of a document.

    Raises: SharedDataError where the document has no such marks, or a row of a fault and place that the table lacks.
    """
    text = document.read_text(encoding="utf-8")
    place = _PLACE.search(text)
    if not place:
        raise SharedDataError(
            "%s has no '<!-- faults -->' and '<!-- end faults -->' to put the table between." % document
        )
    missing = sorted(": ".join(case) for case in _cases(place.group(2)) - _cases(content))
    if missing:  # a test that was skipped notes nothing
        raise SharedDataError(
            "%s is left as it was, because these of its rows were not tested: %s. Remove the row of what is no longer "
            "tested." % (document, "; ".join(missing))
        )
    write_text(document, _PLACE.sub(lambda match: match.group(1) + content + "\n" + match.group(3), text))


def main(words: Optional[List[str]] = None) -> int:
    """Print the table of a file; with a document, write it there, too."""
    path, *documents = sys.argv[1:] if words is None else words
    content = table(Path(path))
    print_text(content)  # first: it took hours, and the document may refuse it
    for document in documents:
        write_table(Path(document), content)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
