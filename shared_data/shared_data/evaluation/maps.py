"""Pictures of a scene's labels: class maps in the catalogue's colours, and maps of a method's errors.

Each scene pixel becomes a square of whole picture pixels, so nothing is interpolated and a colour can be read back.
The pictures are drawn with matplotlib's objects, without pyplot, so no global state changes and no display is needed.
The same input gives the same bytes under the same versions of matplotlib and FreeType.
"""

import textwrap
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform

from shared_data.errors import SceneFormatError
from shared_data.files.atomic import atomic_path
from shared_data.scenes.catalogue import Scene

BACKGROUND = "#f2f2f2"
# They differ in lightness, so that they are distinct with any colour vision.
RIGHT, WRONG, NOT_TESTED = "#a9c4d4", "#d7301f", "#16243d"

_FRAME = "#8c8c8c"
_INK, _FAINT_INK = "#1a1a1a", "#5c5c5c"
# Scenes are enlarged by whole factors until their longer side has about as many picture pixels.
_LONGER_SIDE = 1000


def write_map(path: Any, labels: np.ndarray, scene: Scene, title: str, mask: Optional[np.ndarray] = None) -> None:
    """Write a class map as a PNG file, atomically.

    Args:
        labels: (H, W) integers 0..K of the scene's size; 0 is background.
        title: what is shown; a line below it counts the pixels that are, and the legend those of each class.
        mask: (H, W) bool; pixels where it is False are background.

    Raises: SceneFormatError when `labels` or `mask` does not fit the scene; OSError when the folder cannot be written.
    """
    _write(path, draw_map(labels, scene, title, mask))


def write_truth(path: Any, truth: np.ndarray, scene: Scene) -> None:
    """Write the ground truth, (H, W) integers 0..K, as a class map under the scene's own title.

    Raises: as `write_map`.
    """
    write_map(path, truth, scene, scene.title + ": ground truth")


def write_errors(
    path: Any,
    truth: np.ndarray,
    prediction: np.ndarray,
    scene: Scene,
    title: str,
    tested: Optional[np.ndarray] = None,
) -> None:
    """Write a PNG file, atomically, that shows where a prediction is right and where it is wrong.

    Args:
        truth: (H, W) integers 0..K; pixels with 0 are background.
        prediction: (H, W) integers 0..K; a labelled pixel without a prediction, 0, is wrong.
        title: what is shown; the legend counts the pixels, and a line below the title gives the overall accuracy.
        tested: (H, W) bool; labelled pixels outside of it, such as those that train or lie too near to test pixels, are
            drawn apart, counted neither right nor wrong. None: every labelled pixel is tested.

    Raises: as `write_map`.
    """
    _write(path, draw_errors(truth, prediction, scene, title, tested))


def draw_map(labels: np.ndarray, scene: Scene, title: str, mask: Optional[np.ndarray] = None) -> Figure:
    """The figure that `write_map` writes."""
    labels = _checked_labels(labels, scene, "labels")
    if mask is not None:
        labels = np.where(_checked_mask(mask, scene, "mask"), labels, 0)
    shown = np.count_nonzero(labels)
    remark = f"All {labels.size:,} pixels" if shown == labels.size else f"{shown:,} of {labels.size:,} pixels shown"
    counts = np.bincount(labels.ravel(), minlength=scene.num_classes + 1)
    keys = [
        _Key(f"{number} {name}: {counts[number]:,}", colour)
        for number, (name, colour) in enumerate(zip(scene.class_names, scene.palette), start=1)
    ]
    return _compose(_colour(labels, (BACKGROUND,) + scene.palette), title, remark, keys)


def draw_errors(
    truth: np.ndarray, prediction: np.ndarray, scene: Scene, title: str, tested: Optional[np.ndarray] = None
) -> Figure:
    """The figure that `write_errors` writes."""
    truth = _checked_labels(truth, scene, "truth")
    prediction = _checked_labels(prediction, scene, "prediction")
    outcome = np.where(truth == 0, 0, np.where(truth == prediction, 1, 2))
    if tested is not None:
        outcome[~_checked_mask(tested, scene, "tested") & (truth > 0)] = 3
    _, right, wrong, others = np.bincount(outcome.ravel(), minlength=4)
    keys = [_Key(f"Right: {right:,}", RIGHT), _Key(f"Wrong: {wrong:,}", WRONG)]
    if tested is not None:
        keys.append(_Key(f"Labelled, not tested: {others:,}", NOT_TESTED))
    counted = right + wrong
    accuracy = f", overall accuracy {100.0 * right / counted:.2f} %" if counted else ""
    return _compose(
        _colour(outcome, (BACKGROUND, RIGHT, WRONG, NOT_TESTED)), title, f"{counted:,} pixels tested{accuracy}", keys
    )


class _Key(NamedTuple):
    """One line of a legend."""

    text: str
    colour: str


def _checked_labels(labels: Any, scene: Scene, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    _check_size(labels, scene, name)
    if labels.dtype.kind not in "iu":
        raise SceneFormatError(f"{scene.slug}: {name} holds {labels.dtype} values, expected whole numbers.")
    if labels.min() < 0 or labels.max() > scene.num_classes:
        raise SceneFormatError(
            f"{scene.slug}: {name} holds labels {labels.min()}..{labels.max()}, expected 0..{scene.num_classes}."
        )
    return labels


def _checked_mask(mask: Any, scene: Scene, name: str) -> np.ndarray:
    mask = np.asarray(mask)
    _check_size(mask, scene, name)
    if mask.dtype != bool:
        raise SceneFormatError(f"{scene.slug}: {name} holds {mask.dtype} values, expected bool.")
    return mask


def _check_size(array: np.ndarray, scene: Scene, name: str) -> None:
    if array.shape != (scene.height, scene.width):
        raise SceneFormatError(
            f"{scene.slug}: {name} has the shape {array.shape}, expected the scene's {(scene.height, scene.width)}."
        )


def _colour(values: np.ndarray, palette: Sequence[str]) -> np.ndarray:
    """(H, W) indices into a palette of "#rrggbb" → (H, W, 3) uint8."""
    return np.array([tuple(bytes.fromhex(colour[1:])) for colour in palette], dtype=np.uint8)[values]


def _compose(pixels: np.ndarray, title: str, remark: str, keys: List[_Key]) -> Figure:
    """Lay out title, remark, picture and legend. Every length below is in picture pixels, from the lower left."""
    picture = _enlarge(pixels)
    height, width = picture.shape[:2]
    # text grows with the picture, which is viewed from further away when it is wide
    dpi = max(100, round(100 * max(height, width) / _LONGER_SIDE))
    gap = dpi // 6
    figure = Figure(dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)

    beside = width <= 1.6 * height
    legend = _legend(figure, keys, None if beside else width)
    legend_width, legend_height = _extent(legend)
    content_width = width + gap + legend_width if beside else max(width, legend_width)
    content_height = max(height, legend_height) if beside else height + gap + legend_height
    heading = _text(figure, title, 12, _INK, content_width)
    subheading = _text(figure, remark, 9, _FAINT_INK, content_width)
    (heading_width, heading_height), (subheading_width, subheading_height) = _extent(heading), _extent(subheading)

    total_width = max(content_width, heading_width, subheading_width) + 2 * gap
    top = gap + content_height
    total_height = top + subheading_height + heading_height + 2 * gap + gap // 2
    figure.set_size_inches(total_width / dpi, total_height / dpi)
    figure.figimage(picture, xo=gap, yo=top - height, origin="upper")
    corner = (2 * gap + width, top) if beside else (gap, top - height - gap)
    legend.set_bbox_to_anchor(corner, transform=IdentityTransform())
    subheading.set_position((gap, top + gap))
    heading.set_position((gap, top + gap + subheading_height + gap // 2))
    return figure


def _enlarge(pixels: np.ndarray) -> np.ndarray:
    """Repeat each pixel by a whole factor, and draw a frame of one pixel around the whole."""
    factor = max(1, round(_LONGER_SIDE / max(pixels.shape[:2])))
    large = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    framed = np.empty((large.shape[0] + 2, large.shape[1] + 2, 3), dtype=np.uint8)
    framed[:] = _colour(np.array(0), (_FRAME,))
    framed[1:-1, 1:-1] = large
    return framed


def _legend(figure: Figure, keys: List[_Key], width: Optional[int]) -> Legend:
    """A legend in one column or, where a width is given, in as many columns as fit into it."""
    handles = [Patch(facecolor=key.colour, edgecolor=_FRAME, linewidth=0.5) for key in keys]
    for columns in range(1 if width is None else len(keys), 0, -1):
        legend = figure.legend(
            handles=handles,
            labels=[as_text(key.text) for key in keys],
            ncol=columns,
            loc="upper left",
            prop=_font(10),
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=1.4,
            handleheight=1.0,
            labelspacing=0.45,
        )
        if width is None or columns == 1 or _extent(legend)[0] <= width:
            break
        legend.remove()
    return legend


def _text(figure: Figure, text: str, size: int, colour: str, width: int) -> Text:
    """A text at the origin, broken into lines of about the given width."""
    letters = max(30, int(width / (0.58 * size * figure.dpi / 72)))
    return figure.text(
        0,
        0,
        as_text(textwrap.fill(text, letters)),
        fontproperties=_font(size),
        color=colour,
        va="bottom",
        transform=IdentityTransform(),
    )


def as_text(text: str) -> str:
    """A text for matplotlib, which would take what stands between two dollar signs for mathematics."""
    return text.replace("$", r"\$")


def _font(size: int) -> FontProperties:
    # the font that comes with matplotlib, whatever a user's matplotlibrc prefers
    return FontProperties(family="DejaVu Sans", size=size)


def _extent(artist: Any) -> Tuple[int, int]:
    """Width and height of a text or a legend, rounded up."""
    box = artist.get_window_extent(artist.figure.canvas.get_renderer())
    return int(np.ceil(box.width)), int(np.ceil(box.height))


def _write(path: Any, figure: Figure) -> None:
    assert isinstance(figure.canvas, FigureCanvasAgg)  # as _compose makes it, for any backend
    with atomic_path(path) as temporary:
        # without matplotlib's version, so that the bytes depend only on the drawing
        figure.canvas.print_png(temporary, metadata={"Software": None})
