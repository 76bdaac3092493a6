"""The report's figures show the numbers they are given; few test pixels look different from many."""

from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("jinja2")

from matplotlib.colors import to_hex

from shared_data.report.charts import svg_of
from shared_data.report.figures import (
    BUFFER,
    PALETTE,
    TEST,
    TRAIN,
    UNLABELLED,
    UNUSED,
    VAL,
    MethodRecall,
    draw_by_distance,
    draw_classes,
    draw_histogram,
    draw_splits,
    picture,
    roles_of,
)
from shared_data.splits.draws import Split


def entries(*rows):
    return [dict(zip(("distance", "pixels", "right"), row)) for row in rows]


def texts(figure):
    return "".join(ElementTree.fromstring(svg_of(figure)).itertext())


def test_roles_of_a_row_of_pixels():
    #         test, within 3 of it, beyond, unlabelled, training, unused, validation
    truth = np.array([[1, 1, 1, 1, 1, 0, 2, 2, 2]], np.uint8)
    split = Split(np.array([4, 6]), np.array([8]), np.array([0]))
    roles = roles_of(truth, split)
    assert roles.tolist() == [[TEST, BUFFER, BUFFER, BUFFER, TRAIN, UNLABELLED, TRAIN, UNUSED, VAL]]


def test_training_next_to_test_pixels_leaves_no_buffer():
    roles = roles_of(np.ones((1, 4), np.uint8), Split(np.array([1]), np.array([], int), np.array([0])))
    assert roles.tolist() == [[TEST, TRAIN, UNUSED, UNUSED]]


def test_split_maps_show_each_pixel_in_the_colour_of_its_role_and_name_only_what_they_show():
    roles = np.array([[UNLABELLED, TEST], [TRAIN, UNUSED]], np.uint8)
    figure = draw_splits([roles, roles.T], ["fold 0", "fold 1"])
    image = figure.axes[0].images[0]
    colours = [to_hex(image.cmap(image.norm(value))) for value in np.ravel(image.get_array())]
    legend = dict(zip([text.get_text() for text in figure.legends[0].get_texts()],
                      [to_hex(patch.get_facecolor()) for patch in figure.legends[0].get_patches()]))  # fmt: skip
    assert colours == ["#ffffff", legend["test"], legend["training"], legend["not drawn"]] and len(legend) == 3
    assert "fold 0" in texts(figure) and "fold 1" in texts(figure)


def test_single_training_pixels_are_visible_on_a_large_scene():
    roles = np.full((900, 20), TEST, np.uint8)
    roles[450, 10] = TRAIN
    shown = draw_splits([roles], [""]).axes[0].images[0].get_array()
    assert np.sum(shown == TRAIN) == 49 and shown[450, 10] == TRAIN


def test_the_histogram_gives_shares():
    bars = draw_histogram(entries((7, 30, 1), (9, 10, 1))).axes[0].patches
    assert [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in bars] == [(7, 75), (9, 25)]


def test_accuracy_by_distance_has_a_line_per_method_and_hollow_points_of_few_pixels():
    near, far = entries((1, 100, 90), (40, 10, 5)), entries((1, 100, 20), (40, 10, 10))
    figure = draw_by_distance([("a2s2k", near), ("svm", far)])
    above, below = figure.axes
    lines = [line for line in above.lines if line.get_linestyle() != "None"]
    assert [list(line.get_ydata()) for line in lines] == [[90, 50], [20, 100]]
    assert [line.get_color() for line in lines] == list(PALETTE[:2])
    points = {(x, y): line.get_markerfacecolor() for line in above.lines if line.get_linestyle() == "None"
              for x, y in zip(line.get_xdata(), line.get_ydata())}  # fmt: skip
    assert points == {(0, 90): PALETTE[0], (1, 50): "#ffffff", (0, 20): PALETTE[1], (1, 100): "#ffffff"}
    assert [bar.get_height() for bar in below.patches] == pytest.approx([1000 / 11, 100 / 11])
    assert [label.get_text() for label in below.get_xticklabels()] == ["1", "30+"]
    for name in ("a2s2k", "svm", "30+"):
        assert name in texts(figure)


def test_two_methods_of_one_colour_differ_in_their_lines():
    figure = draw_by_distance([("m%d" % number, entries((1, 50, number))) for number in range(len(PALETTE) + 1)])
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() != "None"]
    looks = [(line.get_color(), line.get_linestyle()) for line in lines]
    assert len(set(looks)) == len(looks) and looks[0][0] == looks[-1][0]


def test_bars_of_classes_with_their_intervals_and_pixels():
    methods = [MethodRecall("svm", [0.5, None, 1.0], [(0.4, 0.7), None, None]),
               MethodRecall("rf", [0.25, None, 0.0], [(0.1, 0.3), None, (0.0, 0.2)])]  # fmt: skip
    figure = draw_classes(["Corn", "Oats", "Woods"], [(100, 100), (0, 0), (12, 40)], methods)
    (axes,) = figure.axes
    bars = sorted((bar.get_y(), bar.get_width(), to_hex(bar.get_facecolor())) for bar in axes.patches)
    assert [bar[1:] for bar in bars] == [(50, PALETTE[0]), (25, PALETTE[1]), (100, "#ffffff"), (0, "#ffffff")]
    assert {tuple(line.get_xdata()) for line in axes.lines} == {(40, 70), (10, 30), (0, 20)}
    shown = texts(figure)
    assert "Corn  (n 100)" in shown and "Woods  (n 12–40)" in shown and "svm" in shown and "rf" in shown


def test_a_picture_is_720_pixels_wide_and_the_same_every_time():
    made = [picture("Title", "text", draw_histogram(entries((7, 30, 1)))) for _ in range(2)]
    assert made[0] == made[1] and made[0]["width"] == 720 and made[0]["src"].startswith("data:image/svg+xml;base64,")
