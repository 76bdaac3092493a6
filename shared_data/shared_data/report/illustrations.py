"""Which figures stand in the report: of a run, and of a comparison of methods."""

from typing import Any, Dict, List, Optional

from shared_data.comparison.methods import Comparison
from shared_data.evaluation.distances import accuracy_by_distance
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

BARS = 4  # methods with bars of their own in one figure


def run_figures(run: Dict[str, Any], maps: RunMaps) -> List[Dict[str, Any]]:
    """Its splits, accuracy by distance, and accuracy by class, as far as they are known. run: facts of `run_facts`."""
    shown = []
    if maps.splits and maps.truth is not None:
        several = len(maps.splits) > 1
        names = ["fold %d" % fold if several else "" for fold in range(len(maps.splits))]
        sizes = ["%s trained, %s tested" % (count(len(one.train)), count(len(one.test))) for one in maps.splits]
        titles = [", ".join(filter(None, pair)) for pair in zip(names, sizes)]
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
    """Distances of test pixels, accuracy by distance of all ranked methods, and accuracy by class of the best few."""
    shown: List[Dict[str, Any]] = []
    if compared is None:
        return shown
    place = "%s under %s" % (compared.scene, compared.protocol)
    measured = [row for row in compared.rows if row.distances]
    if measured:
        alt = "Histogram of the distances of test pixels of %s to the nearest training pixel." % place
        figure = draw_histogram(measured[0].distances)
        shown.append(picture("Distance of test pixels to the nearest training pixel", alt, figure))
        alt = "Accuracy by distance to the nearest training pixel on %s. %s." % (
            place, "; ".join("%s: %s" % (row.method, _by_distance(row.distances)) for row in measured)
        )  # fmt: skip
        figure = draw_by_distance([(row.method, row.distances) for row in measured])
        shown.append(picture("Accuracy against the distance to training pixels", alt, figure))
    counted = [row for row in compared.rows if row.intervals][:BARS]
    if counted:
        names, pixels = [row.name for row in compared.classes], [row.test for row in compared.classes]
        methods = [MethodRecall(row.method, row.recall, row.intervals.recall) for row in counted if row.intervals]
        alt = "Recall of each class on %s with 95 %% intervals over spatial units: %s; the table has the numbers." % (
            place, ", ".join(row.method for row in counted)
        )  # fmt: skip
        title = "Recall per class" + (", the best %d methods" % BARS if len(compared.rows) > BARS else "")
        shown.append(picture(title, alt, draw_classes(names, pixels, methods)))
    return shown


def _by_distance(entries: List[Dict[str, int]]) -> str:
    parts = accuracy_by_distance(entries)
    return ", ".join("%s %% at %s" % (percent(part.accuracy), part.name) for part in parts if part.pixels)
