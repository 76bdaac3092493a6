"""Which figures stand in the report, or are written to files: of a run, and of a comparison of methods."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from matplotlib.figure import Figure

from shared_data.comparison.methods import Comparison
from shared_data.errors import SharedDataError
from shared_data.evaluation.distances import accuracy_by_distance
from shared_data.files.atomic import write_text
from shared_data.report.charts import svg_of
from shared_data.report.figures import (
    MethodRecall,
    draw_by_distance,
    draw_classes,
    draw_histogram,
    draw_splits,
    picture,
    roles_of,
)
from shared_data.report.run_maps import RunMaps
from shared_data.report.wording import count, percent
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import Split
from shared_data.splits.shared_protocols import draw_shared, folds_of

BARS = 4  # methods with bars of their own in one figure


class Drawing(NamedTuple):
    """A figure, its title, what it shows in words, and its name among the figures of one comparison."""

    name: str
    title: str
    alt: str
    figure: Figure


def run_figures(run: Dict[str, Any], maps: RunMaps) -> List[Dict[str, Any]]:
    """Its splits, accuracy by distance, and accuracy by class, as far as they are known. run: facts of `run_facts`."""
    shown = []
    if maps.splits and maps.truth is not None:
        titles = _titles(maps.splits)
        figure = draw_splits([roles_of(maps.truth, split) for split in maps.splits], titles)
        alt = "Maps of the pixels that train, validate and are tested, of %s: %s." % (run["title"], "; ".join(titles))
        shown.append(picture("Split", alt, figure))
    if run["distances"]:
        figure = draw_by_distance([(run["paper"], run["distances"])])
        alt = "Accuracy of %s by distance to the nearest training pixel: %s." % (
            run["title"], _by_distance(run["distances"])
        )  # fmt: skip
        shown.append(picture("Accuracy against the distance to training pixels", alt, figure))
    if run["fields"] and not run["fields"]["problem"]:
        rows = run["classes"]
        method = MethodRecall(run["paper"], [row["accuracy"] for row in rows], run["fields"]["recall"])
        names, pixels = [row["name"] for row in rows], [(row["test"], row["test"]) for row in rows]
        alt = (
            "Recall of each class of %s, with 95 %% intervals over spatial units; the table has the numbers."
            % (run["title"])
        )
        shown.append(picture("Recall per class", alt, draw_classes(names, pixels, [method])))
    return shown


def comparison_figures(compared: Optional[Comparison]) -> List[Dict[str, Any]]:
    """The drawings of a comparison as the page shows them."""
    drawings = [] if compared is None else comparison_drawings(compared)
    return [picture(drawing.title, drawing.alt, drawing.figure) for drawing in drawings]


def comparison_drawings(compared: Comparison) -> List[Drawing]:
    """Distances of test pixels, accuracy by distance of all ranked methods, and accuracy by class of the best few."""
    shown: List[Drawing] = []
    place = "%s under %s" % (compared.scene, compared.protocol)
    measured = [row for row in compared.rows if row.distances]
    if measured:
        alt = "Histogram of the distances of test pixels of %s to the nearest training pixel." % place
        title, figure = "Distance of test pixels to the nearest training pixel", draw_histogram(measured[0].distances)
        shown.append(Drawing("distances", title, alt, figure))
        alt = "Accuracy by distance to the nearest training pixel on %s. %s." % (
            place, "; ".join("%s: %s" % (row.method, _by_distance(row.distances)) for row in measured)
        )  # fmt: skip
        figure = draw_by_distance([(row.method, row.distances) for row in measured])
        shown.append(Drawing("by-distance", "Accuracy against the distance to training pixels", alt, figure))
    counted = [row for row in compared.rows if row.intervals][:BARS]
    if counted:
        names, pixels = [row.name for row in compared.classes], [row.test for row in compared.classes]
        methods = [MethodRecall(row.method, row.recall, row.intervals.recall) for row in counted if row.intervals]
        alt = "Recall of each class on %s with 95 %% intervals over spatial units: %s; the table has the numbers." % (
            place, ", ".join(row.method for row in counted)
        )  # fmt: skip
        title = "Recall per class" + (", the best %d methods" % BARS if len(compared.rows) > BARS else "")
        shown.append(Drawing("classes", title, alt, draw_classes(names, pixels, methods)))
    return shown


def split_drawing(loaded: LoadedScene, protocol: str, seed: int) -> Drawing:
    """The pixels of a seed under a protocol of `SHARED`, of every fold. Raises: SplitError."""
    folds: Sequence[Optional[int]] = folds_of(protocol) or [None]
    splits = [draw_shared(loaded, protocol, seed, fold) for fold in folds]
    titles = _titles(splits)
    alt = "Maps of the pixels that train, validate and are tested on %s under %s, seed %d: %s." % (
        loaded.scene.slug, protocol, seed, "; ".join(titles)
    )  # fmt: skip
    figure = draw_splits([roles_of(loaded.ground_truth, split) for split in splits], titles)
    return Drawing("split", "Split", alt, figure)


def write_drawings(drawings: Sequence[Drawing], folder: Path, prefix: str) -> List[Path]:
    """Write each as <prefix>-<name>.svg; return the paths. Raises: SharedDataError where that is not possible."""
    paths = [folder / ("%s-%s.svg" % (prefix, drawing.name)) for drawing in drawings]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, drawing in zip(paths, drawings):
            write_text(path, svg_of(drawing.figure).decode("utf-8"))
    except OSError as error:
        raise SharedDataError("%s cannot be written: %s; choose another folder." % (folder, error.strerror)) from error
    return paths


def _titles(splits: Sequence[Split]) -> List[str]:
    """Above each map of a split: its fold, where there are several, and its pixels."""
    names = ["fold %d, " % fold if len(splits) > 1 else "" for fold in range(len(splits))]
    return [
        "%s%s trained, %s tested" % (name, count(len(split.train)), count(len(split.test)))
        for name, split in zip(names, splits)
    ]


def _by_distance(entries: List[Dict[str, int]]) -> str:
    parts = accuracy_by_distance(entries)
    return ", ".join("%s %% at %s" % (percent(part.accuracy), part.name) for part in parts if part.pixels)
