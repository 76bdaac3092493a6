"""One static page about every run, for a reviewer: published numbers, results, and the settings that produced them.

`write_report` writes report.html: one file, which needs no network. Facts are collected as plain data first
(`content`), pictures are drawn apart from them (`pictures`, `charts`), and the template only lays out. The page needs
jinja2, which the stacks of the papers' time lack.
"""

from pathlib import Path
from typing import Any, List, Sequence

from shared_data.errors import RecordError
from shared_data.files.atomic import write_text
from shared_data.records.conflicts import Conflict
from shared_data.records.record import find_record_files, find_single_folds
from shared_data.report.content import collect, described
from shared_data.report.run_maps import load_maps
from shared_data.report.truth import Truths
from shared_data.scenes.loading import DataFolders


def write_report(folders: Sequence[Any], out: Any, data: DataFolders = None) -> Path:
    """Write report.html into a folder and return its path.

    folders: with results, kept records, or both; where two hold the same run, the first wins, and a section names the
        runs of which they hold different results.
    out: the folder to write to; it is made where it does not exist.
    data: folders with ground truths, as `scenes.loading.data_folders` takes them. What cannot be drawn without one is
        left out, and a sentence says so.

    Raises: RecordError where there is no record, one cannot be read, or `out` cannot be written; ImportError without
        jinja2.
    """
    from shared_data.report.html import render_html  # here: the tables need no jinja2

    conflicts: List[Conflict] = []
    sources = list(find_record_files(*folders, on_conflict=conflicts.append))
    if not sources:
        named = ", ".join(str(folder) for folder in folders) or "no folder at all"
        raise RecordError(
            "there is no run record (run.json, seed-<n>.json) in %s; name folders with results or kept records." % named
        )
    truths = Truths(data)
    maps = [load_maps(path, record, truths) for path, record in described(sources)]
    page = render_html(collect(sources, maps, conflicts, find_single_folds(*folders)), maps)
    path = Path(out) / "report.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, page)
    except OSError as error:
        raise RecordError(
            "%s: the report cannot be written there: %s; choose another folder." % (out, error.strerror or error)
        ) from error
    return path
