"""What a paper's run tells at its end: accuracies, time, memory, and where its files are."""

import shlex
from pathlib import Path
from typing import Dict, List, Optional

from shared_data.cli.console import print_metrics, print_text
from shared_data.report.wording import duration, weights_in_words
from shared_data.runs.request import Outcome

_MAPS = ("map.png", "map_full.png", "errors.png")


def print_summary(outcome: Outcome) -> None:
    """The accuracies of a finished run, and beneath them the other lines."""
    record, folder = outcome.record, outcome.directory
    assert record is not None  # the run is finished
    print_metrics(record)
    lines = [
        ("time", _times(record["times"])),
        ("memory", _memory(record["memory"])),
        ("weights", weights_in_words([record["selection"]])),
        ("maps", _maps(folder)),
        ("record", str(folder / "run.json")),
        ("curves", _curves(folder)),
    ]
    for name, text in lines:
        if text:
            print_text("  %-9s %s" % (name, text))


def print_published(sentences: List[str]) -> None:
    """The comparison with published numbers, in words, and the commands that show more."""
    for sentence in sentences:
        print_text("  %-9s %s" % ("published", sentence))
    print_text(
        "  %-9s %s" % ("report", "make report draws every run on one page; make diff: all runs beside all numbers")
    )


def _maps(folder: Path) -> str:
    names = [name for name in _MAPS if (folder / name).exists()]
    return "%s: %s" % (folder, ", ".join(names)) if names else ""


def _times(times: Dict[str, float]) -> str:
    return "training %s, %.3g s a step; prediction of the whole scene %s" % (
        duration(times["train_s"]), times["step_s"], duration(times["evaluation_s"]),
    )  # fmt: skip


def _memory(memory: Dict[str, Optional[float]]) -> str:
    told = []
    for name, where in (("peak_rss_mb", "at most %.0f MB"), ("peak_gpu_mb", "%.0f MB on the GPU")):
        value = memory.get(name)
        if value is not None:
            told.append(where % value)
    return ", ".join(told)


def _curves(folder: Path) -> str:
    """The command that shows the curves of the training, where there are any; of a cross-validation those of each
    fold."""
    if not any(folder.glob("**/events.out.tfevents.*")):
        return ""
    return "make curves RUN=%s" % shlex.quote(str(folder))
