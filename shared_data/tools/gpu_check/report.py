"""The findings as JSON for programs and as a Markdown table for docs/performance.md."""

import json
from pathlib import Path
from typing import Any, Dict, List

from shared_data.files.atomic import atomic_path

VERDICTS = {True: "holds", False: "FAILS", None: "–"}


def write(folder: Path, facts: Dict[str, Any], parts: List[Dict[str, Any]]) -> None:
    """gpu-check.json and gpu-check.md in the folder. facts: of the machine; parts: name, state, seconds, rows."""
    content = json.dumps({"facts": facts, "parts": parts}, indent=1, ensure_ascii=False)
    for name, text in (("gpu-check.json", content + "\n"), ("gpu-check.md", _table(facts, parts))):
        with atomic_path(folder / name) as temporary:
            Path(temporary).write_text(text, encoding="utf-8")


def _table(facts: Dict[str, Any], parts: List[Dict[str, Any]]) -> str:
    lines = ["; ".join("%s: %s" % pair for pair in facts.items()), "", "| part | subject | result | required |"]
    lines.append("|---|---|---|---|")
    for part in parts:
        state = "%s, %.0f s" % (part["state"], part["seconds"])
        lines.append("| **%s** | %s | %s | %s |" % (part["name"], part["about"], _cell(state), "–"))
        lines += [
            "| %s | %s | %s | %s |"
            % (part["name"], _cell(row["subject"]), _cell(row["result"]), VERDICTS[row["passed"]])
            for row in part["rows"]
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
