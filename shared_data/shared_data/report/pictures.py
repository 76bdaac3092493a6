"""Maps as small PNG files, one picture pixel per scene pixel, written out as data URIs; the page enlarges them."""

import base64
import io
from typing import Any, Dict, List, Sequence

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.ndimage import label as numbered

from shared_data.evaluation import maps as colours
from shared_data.report.run_maps import RunMaps
from shared_data.report.wording import count, percent

MANY_CLASSES = 8  # more colours than a reader can tell apart: fields then show the number of their class, too
_WIDE, _NARROW = 4.0, 2.0  # pixels from a field's middle to its edge


def pictures(run: Dict[str, Any], maps: RunMaps) -> List[Dict[str, Any]]:
    """Ground truth, prediction and errors, as far as they can be drawn.

    run: facts of `run_facts`. Each picture is {title, alt, src, width, height, legend: [{colour, text}],
    numbers: [{text, left, top}]}, where the prediction shares the legend of the ground truth. left, top: in percent of
    the picture.
    """
    if maps.scene is None or maps.prediction is None:
        return []
    classes = _legend(maps)
    palette = (colours.BACKGROUND,) + maps.scene.palette
    accuracy = "overall accuracy %s %% on %s test pixels" % (percent(run["metrics"]["oa"]), count(run["test_pixels"]))
    drawn = []
    if maps.truth is not None:
        alt = "Map of the ground truth of %s: %s of %s pixels are labelled, in %d classes." % (
            run["scene_title"],
            count(int(np.count_nonzero(maps.truth))),
            count(maps.truth.size),
            maps.scene.num_classes,
        )
        drawn.append(
            _picture("Ground truth", alt, maps.truth, palette, [], _numbers(maps.truth, maps.scene.num_classes))
        )
    alt = "Map of the class predicted for every pixel by %s: %s." % (run["title"], accuracy)
    numbers = _numbers(maps.prediction if maps.truth is None else np.where(maps.truth > 0, maps.prediction, 0),
                       maps.scene.num_classes)  # fmt: skip
    drawn.append(_picture("Prediction", alt, maps.prediction, palette, classes, numbers))
    outcome = maps.outcome()
    if outcome is not None:
        drawn.append(_errors(run, outcome, accuracy))
    return drawn


def _legend(maps: RunMaps) -> List[Dict[str, str]]:
    """Of the classes, with their numbers of pixels in the ground truth and in the prediction."""
    scene, prediction, truth = maps.scene, maps.prediction, maps.truth
    assert scene is not None and prediction is not None  # `pictures` draws nothing without
    predicted = np.bincount(prediction.ravel(), minlength=scene.num_classes + 1)
    labelled = None if truth is None else np.bincount(truth.ravel(), minlength=scene.num_classes + 1)
    legend = []
    for label, (name, colour) in enumerate(zip(scene.class_names, scene.palette), start=1):
        known = "" if labelled is None else "%s labelled, " % count(int(labelled[label]))
        pixels = "%s%s predicted" % (known, count(int(predicted[label])))
        legend.append({"colour": colour, "text": "%d %s: %s" % (label, name, pixels)})
    return legend


def _errors(run: Dict[str, Any], outcome: np.ndarray, accuracy: str) -> Dict[str, Any]:
    facts = run["maps"]
    legend = [
        {"colour": colours.RIGHT, "text": "right: %s" % count(facts["right"])},
        {"colour": colours.WRONG, "text": "wrong: %s" % count(facts["wrong"])},
    ]
    if facts["not_tested"]:
        legend.append({"colour": colours.NOT_TESTED, "text": "labelled, not tested: %s" % count(facts["not_tested"])})
    alt = "Map of the errors of %s: %s of %s pixels are wrong; %s." % (
        run["title"],
        count(facts["wrong"]),
        count(facts["right"] + facts["wrong"]),
        accuracy,
    )
    palette = (colours.BACKGROUND, colours.RIGHT, colours.WRONG, colours.NOT_TESTED)
    return _picture("Errors", alt, outcome, palette, legend, [])


def _numbers(labels: np.ndarray, num_classes: int) -> List[Dict[str, Any]]:
    """The class numbers in the middle of wide fields, and of the widest one of each class; none of few classes."""
    if num_classes <= MANY_CLASSES:
        return []
    height, width = labels.shape
    found = []
    for value in np.unique(labels[labels > 0]):
        fields, number = numbered(np.pad(labels == value, 1, mode="constant"))
        inside = distance_transform_edt(fields > 0)
        middles = [np.unravel_index(np.argmax(np.where(fields == one, inside, 0)), fields.shape)
                   for one in _largest(fields, number)]  # fmt: skip
        widest = max(inside[middle] for middle in middles)
        for row, column in middles:
            if inside[row, column] >= _WIDE or inside[row, column] == widest >= _NARROW:
                left, top = 100 * (column - 0.5) / width, 100 * (row - 0.5) / height
                found.append({"text": str(value), "left": "%.1f" % left, "top": "%.1f" % top})
    return found


def _largest(fields: np.ndarray, number: int, most: int = 8) -> np.ndarray:
    """The largest of numbered fields, so that speckled maps stay readable and quick to draw."""
    sizes = np.bincount(fields.ravel(), minlength=number + 1)[1:]
    return 1 + np.argsort(-sizes, kind="stable")[:most]


def _picture(
    title: str,
    alt: str,
    values: np.ndarray,
    palette: Sequence[str],
    legend: List[Dict[str, str]],
    numbers: List[Dict[str, Any]],
) -> Dict[str, Any]:
    height, width = values.shape
    return {
        "title": title,
        "alt": alt,
        "src": png_uri(values, palette),
        "width": width,
        "height": height,
        "legend": legend,
        "numbers": numbers,
    }


def png_uri(values: np.ndarray, palette: Sequence[str]) -> str:
    """(H, W) uint8 indices into a palette of "#rrggbb" as data:image/png. Raises: ValueError for another colour."""
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.uint8))
    image.putpalette(b"".join(_rgb(colour) for colour in palette))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _rgb(colour: str) -> bytes:
    value = bytes.fromhex(colour[1:])
    if colour[:1] != "#" or len(value) != 3:
        raise ValueError("'%s' is not a colour written as '#rrggbb'" % colour)
    return value
