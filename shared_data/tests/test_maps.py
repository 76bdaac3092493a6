"""The maps: colours that can be read back, a legend that can be trusted, and no half-written picture."""

import subprocess
import sys
from pathlib import Path
from typing import Any, List, Tuple

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from shared_data.errors import SceneFormatError
from shared_data.evaluation import maps
from shared_data.scenes.catalogue import Scene, get_scene, scenes

SCENE = get_scene("synthetic")._replace(height=12, width=9)
LABELS = (np.arange(12 * 9) % 10).reshape(12, 9).astype(np.uint8)
FRAME = (140, 140, 140)


def read_back(path: Path, scene: Scene = SCENE) -> np.ndarray:
    """The colour of each scene pixel in a picture, (H, W, 3); fails unless every scene pixel is one plain square."""
    with Image.open(str(path)) as image:
        picture = np.array(image.convert("RGB"))
    frame = (picture == FRAME).all(axis=2)
    # the frame is the longest line of its colour in both directions
    rows = np.flatnonzero(frame.sum(axis=1) == frame.sum(axis=1).max())
    columns = np.flatnonzero(frame.sum(axis=0) == frame.sum(axis=0).max())
    inside = picture[rows[0] + 1 : rows[-1], columns[0] + 1 : columns[-1]]
    factor = inside.shape[0] // scene.height
    colours = inside[::factor, ::factor]
    assert colours.shape == (scene.height, scene.width, 3)
    np.testing.assert_array_equal(inside, colours.repeat(factor, axis=0).repeat(factor, axis=1))
    return colours


def expected_colours(values: np.ndarray, palette: Tuple[str, ...]) -> np.ndarray:
    return np.array([ImageColor.getrgb(colour) for colour in palette], dtype=np.uint8)[values]


def legend_texts(figure: Figure) -> List[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def heading_texts(figure: Figure) -> List[str]:
    """Title and remark as they were given, before line breaks."""
    return [text.get_text().replace("\n", " ") for text in sorted(figure.texts, key=lambda text: -text.get_fontsize())]


def test_map_has_the_palette_colours_at_their_places(tmp_path: Path) -> None:
    maps.write_map(tmp_path / "map.png", LABELS, SCENE, "Prediction")
    expected = expected_colours(LABELS, (maps.BACKGROUND,) + SCENE.palette)
    np.testing.assert_array_equal(read_back(tmp_path / "map.png"), expected)


def test_masked_pixels_are_background(tmp_path: Path) -> None:
    mask = np.zeros(LABELS.shape, dtype=bool)
    mask[3, 4] = mask[11, 8] = True
    maps.write_map(tmp_path / "map.png", LABELS, SCENE, "Prediction of the test pixels", mask)
    expected = expected_colours(np.where(mask, LABELS, 0), (maps.BACKGROUND,) + SCENE.palette)
    np.testing.assert_array_equal(read_back(tmp_path / "map.png"), expected)


def test_map_says_what_is_shown() -> None:
    assert heading_texts(maps.draw_map(LABELS, SCENE, "Seed 3")) == ["Seed 3", "97 of 108 pixels shown"]
    mask = LABELS <= 2
    mask[0, 1] = False
    texts = legend_texts(maps.draw_map(LABELS, SCENE, "Seed 3", mask))
    assert texts[:3] == ["1 Corn: 10", "2 Soybean: 11", "3 Wheat: 0"] and len(texts) == 9
    everything = np.ones(LABELS.shape, dtype=int)
    assert heading_texts(maps.draw_map(everything, SCENE, "Seed 3"))[1] == "All 108 pixels"


def test_ground_truth_is_a_class_map_with_the_title_of_the_scene(tmp_path: Path) -> None:
    maps.write_truth(tmp_path / "truth.png", LABELS, SCENE)
    maps.write_map(tmp_path / "map.png", LABELS, SCENE, "Synthetic fields (generated): ground truth")
    assert (tmp_path / "truth.png").read_bytes() == (tmp_path / "map.png").read_bytes()


def test_errors_show_right_wrong_and_training_pixels(tmp_path: Path) -> None:
    truth = np.ones(LABELS.shape, dtype=np.uint8)
    truth[0] = 0  # unlabelled, whatever is predicted there
    prediction = truth.copy()
    prediction[0, 0] = 5
    prediction[1, :3] = (2, 3, 0)  # two wrong classes, one without a prediction
    tested = np.ones(LABELS.shape, dtype=bool)
    tested[0, 8] = tested[1, 0] = tested[2, 0] = False  # unlabelled, predicted wrongly, predicted rightly

    maps.write_errors(tmp_path / "errors.png", truth, prediction, SCENE, "Errors", tested)
    outcome = np.ones(LABELS.shape, dtype=int)
    outcome[0] = 0
    outcome[1, 1:3] = 2
    outcome[1:3, 0] = 3
    palette = (maps.BACKGROUND, maps.RIGHT, maps.WRONG, maps.NOT_TESTED)
    np.testing.assert_array_equal(read_back(tmp_path / "errors.png"), expected_colours(outcome, palette))

    figure = maps.draw_errors(truth, prediction, SCENE, "Errors", tested)
    assert legend_texts(figure) == ["Right: 95", "Wrong: 2", "Labelled, not tested: 2"]
    assert heading_texts(figure) == ["Errors", "97 pixels tested, overall accuracy 97.94 %"]


def test_where_all_pixels_are_tested_no_others_are_mentioned() -> None:
    assert legend_texts(maps.draw_errors(LABELS, LABELS, SCENE, "Errors")) == ["Right: 97", "Wrong: 0"]


def test_errors_of_nothing_have_no_accuracy() -> None:
    figure = maps.draw_errors(np.zeros_like(LABELS), LABELS, SCENE, "Errors")
    assert heading_texts(figure)[1] == "0 pixels tested"


@pytest.mark.parametrize("slug", list(scenes()))
def test_everything_fits_on_the_picture_of_every_scene(slug: str) -> None:
    scene = get_scene(slug)
    title = "A method with a long name on " + scene.title + ", protocol paper, seed 0: prediction for the whole scene"
    figure = maps.draw_map(np.ones((scene.height, scene.width), dtype=np.uint8), scene, title)
    pixels = [f"{scene.height * scene.width:,}"] + ["0"] * (scene.num_classes - 1)
    numbered = enumerate(zip(scene.class_names, pixels), start=1)
    assert legend_texts(figure) == ["%d %s: %s" % (number, name, count) for number, (name, count) in numbered]
    assert heading_texts(figure)[0] == title

    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    assert max(width, height) < 2100
    renderer = figure.canvas.get_renderer()
    boxes = [artist.get_window_extent(renderer) for artist in figure.legends + figure.texts]
    # the picture itself is placed in whole pixels
    image = figure.images[0]
    rows, columns = image.get_array().shape[:2]
    boxes.append(type(boxes[0]).from_bounds(image.ox, image.oy, columns, rows))
    for number, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_wide_scene_has_its_legend_below_and_others_beside() -> None:
    wide, tall = (
        maps.draw_map(np.ones(size, dtype=int), SCENE._replace(height=size[0], width=size[1]), "Prediction")
        for size in ((20, 100), (100, 20))
    )
    for figure, below in ((wide, True), (tall, False)):
        figure.canvas.draw()
        legend = figure.legends[0].get_window_extent(figure.canvas.get_renderer())
        assert (legend.y1 <= figure.images[0].oy) == below


def test_same_input_gives_the_same_bytes_without_date_or_version(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        maps.write_map(tmp_path / name, LABELS, SCENE, "Prediction")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(str(tmp_path / "a.png")) as image:
        assert set(image.info) <= {"dpi"}


@pytest.mark.parametrize(
    "labels, mask, message",
    [
        (LABELS.T, None, r"synthetic: labels has the shape \(9, 12\), expected the scene's \(12, 9\)"),
        (LABELS[:, :, np.newaxis], None, r"labels has the shape \(12, 9, 1\)"),
        (LABELS + 1, None, r"labels holds labels 1\.\.10, expected 0\.\.9"),
        (LABELS.astype(int) - 1, None, r"labels holds labels -1\.\.8, expected 0\.\.9"),
        (LABELS.astype(float), None, "labels holds float64 values, expected whole numbers"),
        (LABELS, np.ones((9, 12), dtype=bool), r"mask has the shape \(9, 12\)"),
        (LABELS, np.arange(12 * 9).reshape(12, 9), "mask holds int64 values, expected bool"),
    ],
)
def test_labels_of_another_scene_are_refused(tmp_path: Path, labels: Any, mask: Any, message: str) -> None:
    with pytest.raises(SceneFormatError, match=message):
        maps.write_map(tmp_path / "map.png", labels, SCENE, "Prediction", mask)
    assert list(tmp_path.iterdir()) == []


def test_errors_name_the_array_that_does_not_fit(tmp_path: Path) -> None:
    small, mask = LABELS[:6], np.zeros((6, 9), dtype=bool)
    for arguments, name in (((small, LABELS), "truth"), ((LABELS, small), "prediction")):
        with pytest.raises(SceneFormatError, match=name + " has the shape"):
            maps.write_errors(tmp_path / "errors.png", arguments[0], arguments[1], SCENE, "Errors")
    with pytest.raises(SceneFormatError, match="tested has the shape"):
        maps.write_errors(tmp_path / "errors.png", LABELS, LABELS, SCENE, "Errors", mask)
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        maps.write_map(tmp_path / "nowhere" / "map.png", LABELS, SCENE, "Prediction")


def test_a_failure_leaves_the_old_map_and_no_other_file(tmp_path: Path, monkeypatch: Any) -> None:
    def disk_full(canvas: Any, path: Any, **_: Any) -> None:
        Path(path).write_bytes(b"\x89PNG, and then")
        raise OSError(28, "No space left on device")

    maps.write_map(tmp_path / "map.png", LABELS, SCENE, "Prediction")
    before = (tmp_path / "map.png").read_bytes()
    monkeypatch.setattr(FigureCanvasAgg, "print_png", disk_full)
    with pytest.raises(OSError, match="No space left"):
        maps.write_map(tmp_path / "map.png", LABELS, SCENE, "Another prediction")
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]
    assert (tmp_path / "map.png").read_bytes() == before


def test_pyplot_stays_out() -> None:
    # pyplot would pick a display and keep every figure alive
    code = "import sys, shared_data.evaluation.maps; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.call([sys.executable, "-c", code]) == 0
