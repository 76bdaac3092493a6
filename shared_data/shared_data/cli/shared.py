"""python -m shared_data: describe, fetch, verify, list and split scenes; keep, compare and report runs."""

import argparse
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence

from shared_data.cli.arguments import seed_number, whole_number
from shared_data.cli.baselines import add_method_option, run_baselines
from shared_data.cli.console import print_text, run_command
from shared_data.cli.describe import add_describe
from shared_data.cli.run_options import add_options, register_scene_of
from shared_data.comparison import diff as comparison
from shared_data.comparison.baselines.table import BASELINES
from shared_data.comparison.methods import Comparison, classes_table, compare_methods, methods_table, pairs_table
from shared_data.comparison.methods import as_csv as methods_as_csv
from shared_data.comparison.published import ANSWERING, PublishedResult, load_papers, load_published
from shared_data.comparison.table_formats import LATEX, MARKDOWN
from shared_data.configuration.overrides import check_name
from shared_data.errors import SceneNotFoundError, SettingsError, SharedDataError
from shared_data.export import FORMATS, export
from shared_data.records.record import collect, find_records
from shared_data.records.record_scene import is_own
from shared_data.report.tables import report_tables
from shared_data.scenes.catalogue import get_scene, scenes
from shared_data.scenes.loading import CONTENT, FILE, data_folders, load_scene, verify_scene
from shared_data.splits.disjoint import DisjointRule, draw_disjoint, manifest, write_manifest
from shared_data.splits.shared_protocols import MAIN, SHARED, is_shared


def _share(text: str) -> float:
    """An argparse type: a number above 0 and below 1."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("expected a share above 0 and below 1, found '%s'" % text)
    return value


def _fetch(arguments: argparse.Namespace) -> int:
    from shared_data.scenes.download import fetch_scene  # requests: not needed, and not loaded, for other commands

    slugs = arguments.scenes or [slug for slug, scene in scenes().items() if scene.access == "download"]
    failed = 0
    for slug in slugs:
        try:
            if arguments.missing and not _is_missing(slug, arguments.folder):
                continue
            for path in fetch_scene(slug, arguments.folder):
                print("%s: %s is complete and verified" % (slug, path))
        except SharedDataError as error:
            failed += 1
            print("error: %s" % error, file=sys.stderr)
    return 1 if failed else 0


def _is_missing(slug: str, folder: Optional[str]) -> bool:
    """Whether a scene that can be downloaded has a file that is in none of the data folders, verified or not."""
    if get_scene(slug).access != "download":
        return False
    try:
        verify_scene(slug, folder)
    except SceneNotFoundError:
        return True
    return False


def _verify(arguments: argparse.Namespace) -> int:
    wrong = 0
    for slug in arguments.scenes or [slug for slug, scene in scenes().items() if scene.cube is not None]:
        try:
            for file in verify_scene(slug, arguments.data):
                wrong += not file.verified
                state = "NOT the catalogue's file (sha256 %s)" % file.sha256
                if file.verified_by is not None:
                    state = "verified by its %s" % _PROOFS[file.verified_by]
                print("%s: %s: %s" % (slug, file.path, state))
        except SharedDataError as error:
            wrong += 1
            print("%s: %s" % (slug, error))
    return 1 if wrong else 0


_PROOFS = {FILE: "bytes (sha256 of the file)", CONTENT: "values (sha256 of the content)"}


def _list(arguments: argparse.Namespace) -> int:
    print("%-12s %-14s %-8s %-9s %s" % ("scene", "shape", "classes", "access", "title"))
    for slug, scene in scenes().items():
        shape = "%dx%dx%d" % (scene.height, scene.width, scene.bands)
        print("%-12s %-14s %-8d %-9s %s" % (slug, shape, scene.num_classes, scene.access, scene.title))
    print("data folders: %s" % ", ".join(str(folder) for folder in data_folders(arguments.data)))
    return 0


def _folders(arguments: argparse.Namespace) -> Sequence[str]:
    """The folders named, or those that a checkout has, of which either may be missing.

    Raises: SharedDataError where one that was named is no folder: nothing would be found in it.
    """
    for folder in arguments.folders:
        if not Path(folder).is_dir():
            raise SharedDataError("%s: expected a folder with runs or records, found none; name another." % folder)
    return arguments.folders or ("results", "records")


def _diff(arguments: argparse.Namespace) -> int:
    records, published = list(find_records(*_folders(arguments))), load_published()
    _check_chosen(arguments, records, published)
    records = [
        record
        for record in records
        if arguments.paper in (None, record["paper"])
        and arguments.protocol in (None, record["protocol"])
        and arguments.experiment in (None, record["experiment"])
    ]
    published = [
        result
        for result in published
        if arguments.paper in (None, result.paper) and arguments.experiment in (None, result.experiment)
    ]
    rows = [row for row in comparison.compare(records, published) if arguments.protocol in (None, row.protocol)]
    print_text(_DIFF_FORMATS[arguments.format](rows))
    return 1 if arguments.strict and comparison.falls_below(rows) else 0


def _check_chosen(arguments: argparse.Namespace, records: List[Any], published: List[PublishedResult]) -> None:
    """Raises: UnknownNameError for a paper, an experiment or a protocol of which there can be no row."""
    experiments = {record["experiment"] for record in records} | {result.experiment for result in published}
    protocols = {record["protocol"] for record in records} | {result.protocol for result in published}
    known: Dict[str, Iterable[str]] = {
        "paper": [*(paper.slug for paper in load_papers()), *BASELINES],
        "experiment": sorted(experiments),
        "protocol": sorted({*protocols, *ANSWERING, *SHARED}),  # no run of one of these yet is no mistake
    }
    for kind, names in known.items():
        if getattr(arguments, kind) is not None:
            check_name(kind, getattr(arguments, kind), names)


_DIFF_FORMATS = {
    "text": comparison.as_text,
    "markdown": comparison.as_markdown,
    "latex": comparison.as_latex,
    "csv": comparison.as_csv,
    "json": comparison.as_json,
}


def _record(arguments: argparse.Namespace) -> int:
    print("kept as %s" % collect(arguments.run, arguments.records, arguments.replace))
    return 0


def _tables(arguments: argparse.Namespace) -> int:
    return report_tables(arguments.files, arguments.records, arguments.check)


def _report(arguments: argparse.Namespace) -> int:
    try:
        from shared_data.report import write_report
    except ImportError as error:  # the stacks of the papers' time lack jinja2
        raise SharedDataError("the report cannot be made here: %s; use 'make report'." % error) from error
    print(write_report(_folders(arguments), arguments.out, arguments.data))
    return 0


def _split(arguments: argparse.Namespace) -> int:
    loaded = load_scene(arguments.scene, arguments.data, arguments.unverified)
    rule = DisjointRule(**{name: getattr(arguments, name) for name in DisjointRule._fields})
    drawn = draw_disjoint(loaded.ground_truth, rule, arguments.seed, loaded.scene.class_names)
    content = manifest(drawn, rule, arguments.seed, loaded.ground_truth, loaded.scene)
    path = arguments.to or Path("results", "splits", "%s-disjoint-%d.json" % (arguments.scene, arguments.seed))
    write_manifest(path, content)
    sizes = ", ".join("%s %d" % (name, part["size"]) for name, part in content["sets"].items())
    print("%s: %s pixels; least distance of a test pixel to a training pixel: %d"
          % (path, sizes, content["least_distance"]))  # fmt: skip
    if content["classes_not_tested"]:
        print("classes of which no pixel is far enough to be tested: %s" % ", ".join(content["classes_not_tested"]))
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    if not is_shared(arguments.protocol):
        raise SettingsError(
            "methods are compared under a protocol that all share (%s, fixed-<name>, own-<name>), not under '%s'."
            % (", ".join(SHARED), arguments.protocol)
        )
    records = list(find_records(*_folders(arguments)))
    own = {record["scene"] for record in records if is_own(record)}
    check_name("scene", arguments.scene, [*scenes(), *sorted(own)])
    compared = compare_methods(records, arguments.scene, arguments.protocol)
    if arguments.format == "csv":
        print_text(methods_as_csv(compared))
    else:
        shape = LATEX if arguments.format == "latex" else MARKDOWN
        print_text("\n\n".join(table(compared, shape) for table in (methods_table, pairs_table, classes_table)))
    if arguments.figures is not None:
        _write_figures(compared, arguments.figures, arguments.data)
    return 0


def _write_figures(compared: Comparison, folder: Path, data: Optional[str]) -> None:
    from shared_data.report.illustrations import comparison_drawings, split_drawing, write_drawings

    drawings = comparison_drawings(compared)
    if drawings and compared.protocol in SHARED:
        try:
            loaded = load_scene(compared.scene, data)
            drawings.insert(0, split_drawing(loaded, compared.protocol, compared.seeds[0]))
        except SharedDataError as error:
            print("the split is not drawn: %s" % error, file=sys.stderr)
    for path in write_drawings(drawings, folder, "%s-%s" % (compared.scene, compared.protocol)):
        print(path)


def _export(arguments: argparse.Namespace) -> int:
    exported = export(arguments.run, arguments.format or (), arguments.out)
    for line in [*exported.paths, *exported.remarks]:
        print_text(str(line))
    return 0


def _reference(arguments: argparse.Namespace) -> int:
    return run_baselines(arguments, arguments.scene, arguments.protocol)


_FOLDERS = "folders with runs or records (default: results and records, as far as they are there)"


def build_parser() -> argparse.ArgumentParser:
    """The command line of `python -m shared_data`."""
    parser = argparse.ArgumentParser(prog="shared_data", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True

    fetch = commands.add_parser("fetch", help="download scenes and check their hashes")
    fetch.add_argument("scenes", nargs="*", help="scene slugs (default: every downloadable scene)")
    fetch.add_argument("--folder", help="where to put the files (default: the first data folder)")
    fetch.add_argument("--missing", action="store_true",
                       help="only where a file is not there; silent otherwise, and without a download")  # fmt: skip
    fetch.set_defaults(handler=_fetch)

    verify = commands.add_parser("verify", help="check the hashes of the scene files that are here")
    verify.add_argument("scenes", nargs="*", help="scene slugs (default: all with files)")
    verify.add_argument("--data", help="data folder(s), separated like PATH")
    verify.set_defaults(handler=_verify)

    listing = commands.add_parser("list", help="list the scenes of the catalogue")
    listing.add_argument("--data", help="data folder(s), separated like PATH")
    listing.set_defaults(handler=_list)

    split = commands.add_parser("split", help="draw a spatially disjoint split and write it as JSON")
    split.add_argument("scene", help="scene slug")
    split.add_argument("--seed", type=seed_number, default=1, help="default: 1")
    split.add_argument("--data", help="data folder(s), separated like PATH")
    split.add_argument("--unverified", action="store_true", help="accept scene files that are not the catalogue's")
    split.add_argument("--to", type=Path, help="file (default: results/splits/<scene>-disjoint-<seed>.json)")
    for name, kind, meaning in (
        ("train", _share, "share of every class that trains"),
        ("val", _share, "share of every class that validates"),
        ("minimum", whole_number(1, 10**6), "pixels of a class in both of these, at least"),
        ("distance", whole_number(0, 10**4), "test pixels are further than this from every training pixel"),
        ("val_distance", whole_number(0, 10**4), "and further than this from every validation pixel"),
        ("block", whole_number(1, 10**4), "side of the blocks in pixels"),
    ):
        default = getattr(DisjointRule(), name)
        option = "--" + name.replace("_", "-")
        split.add_argument(option, type=kind, default=default, help="%s (default: %g)" % (meaning, default))
    split.set_defaults(handler=_split)

    diff = commands.add_parser("diff", help="compare runs with the published numbers")
    diff.add_argument("folders", nargs="*", help=_FOLDERS)
    diff.add_argument("--paper")
    diff.add_argument("--experiment")
    diff.add_argument("--protocol")
    diff.add_argument("--format", choices=tuple(_DIFF_FORMATS), default="text", help="default: text")
    diff.add_argument("--strict", action="store_true", help="exit with 1 where a row without doubts differs (below)")
    diff.set_defaults(handler=_diff)

    report = commands.add_parser("report", help="one page about every run, for a reader of the papers")
    report.add_argument("folders", nargs="*", help=_FOLDERS)
    report.add_argument("--out", type=Path, default=Path("results", "report"), help="folder (default: results/report)")
    report.add_argument("--data", help="data folder(s) with ground truths, separated like PATH")
    report.set_defaults(handler=_report)

    exporting = commands.add_parser("export", help="class map and accuracies of a run as files for other programs")
    exporting.add_argument("run", type=Path, help="folder of a finished run or of a prediction, or a kept record")
    meanings = "geotiff and envi: the class map with class names and colours; csv: confusion matrix, accuracies"
    exporting.add_argument("--format", nargs="+", choices=tuple(FORMATS), help=meanings + " (default: all)")
    exporting.add_argument("--out", type=Path, help="folder (default: export in the run's)")
    exporting.set_defaults(handler=_export)

    compare = commands.add_parser(
        "compare", help="all methods under a shared protocol: accuracies, two at a time, classes"
    )
    compare.add_argument("folders", nargs="*", help=_FOLDERS)
    compare.add_argument("--scene", required=True, help="scene slug")
    compare.add_argument("--protocol", default=MAIN, help="one that all methods share (default: %(default)s)")
    compare.add_argument("--format", choices=("markdown", "latex", "csv"), default="markdown",
                         help="csv: every accuracy as a number, without pairs (default: %(default)s)")  # fmt: skip
    compare.add_argument("--figures", type=Path, help="folder to write figures to, as SVG")
    compare.add_argument("--data", help="data folder(s), separated like PATH; for the figure of the split")
    compare.set_defaults(handler=_compare)

    reference = commands.add_parser("reference", help="run classifiers without a network under a shared protocol")
    reference.add_argument("scene", help="scene slug")
    shared = ", ".join(SHARED)
    reference.add_argument("--protocol", default="spatial-cv", help="%s (default: %%(default)s)" % shared)
    add_method_option(reference)
    names = ("--scene", "--seed", "--seeds", "--fold", "--split", "--data", "--unverified", "--out", "--force")
    add_options(reference, *names, seed=1)
    reference.set_defaults(handler=_reference)

    add_describe(commands)

    record = commands.add_parser("record", help="keep a finished run's record")
    record.add_argument("run", help="run directory")
    record.add_argument("--records", default="records", help="folder of the kept records")
    record.add_argument("--replace", action="store_true", help="also in place of another result of the same run")
    record.set_defaults(handler=_record)

    tables = commands.add_parser("tables", help="write the tables of README files from the records")
    tables.add_argument("files", nargs="+", type=Path)
    tables.add_argument("--records", default="records")
    tables.add_argument("--check", action="store_true", help="change nothing; exit with 1 where a table is stale")
    tables.set_defaults(handler=_tables)
    return parser


def main(words: Optional[List[str]] = None) -> int:
    """Run one command; user errors print one line and exit with 1."""
    arguments = build_parser().parse_args(words)

    def command() -> int:
        register_scene_of(arguments, "scene")
        return arguments.handler(arguments)

    return run_command(command)
