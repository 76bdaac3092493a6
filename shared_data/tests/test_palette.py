"""Colours for any number of classes: different, the same in every process, and the user's own ones first."""

import numpy as np
import pytest
from test_catalogue import SIGHTS, cielab

from shared_data.evaluation.maps import BACKGROUND
from shared_data.scenes import catalogue
from shared_data.scenes.palette import class_colours

FIRST = catalogue.first_colours()


def least_difference(colours, sight="normal"):
    """Between any two colours in CIELAB, as a kind of sight sees them."""
    srgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in colours])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab = cielab(linear @ np.transpose(SIGHTS[sight]))
    apart = np.linalg.norm(lab[:, None] - lab, axis=2)
    return apart[~np.eye(len(lab), dtype=bool)].min()


def test_up_to_sixteen_classes_have_the_palette_of_the_catalogue():
    for number in (1, 9, 16):
        assert class_colours([None] * number, FIRST) == FIRST[:number]


def test_more_classes_keep_their_colours_when_classes_are_added():
    many = class_colours([None] * 255, FIRST)
    assert many[:16] == FIRST and class_colours([None] * 40, FIRST) == many[:40]


@pytest.mark.parametrize("number, least", [(22, 14), (40, 9), (255, 3)])
def test_any_two_colours_differ_for_every_kind_of_sight(number, least):
    colours = class_colours([None] * number, FIRST)
    assert len(set(colours)) == number and all(colour == colour.lower() for colour in colours)
    for sight in SIGHTS:
        assert least_difference((*colours, BACKGROUND), sight) > least, sight


def test_the_generated_colours_are_these_in_every_stack():
    assert class_colours([None] * 20, FIRST)[16:] == ("#480048", "#003000", "#c0c0c0", "#189048")


def test_own_colours_win_and_the_others_differ_from_them():
    given = ["#A6FE1D", None, "#00ff00", None]  # the first is nearly the catalogue's first
    colours = class_colours(given, FIRST)
    assert colours[0] == "#a6fe1d" and colours[2] == "#00ff00"
    assert least_difference(colours) > 30 and FIRST[0] not in colours


def test_every_class_may_have_its_own_colour():
    assert class_colours(["#123456", "#123456"], FIRST) == ("#123456", "#123456")


def test_a_catalogue_with_twenty_two_classes_or_colours_is_read(tmp_path):
    text = catalogue.CATALOGUE_PATH.read_text(encoding="utf-8")
    rows = "".join('  { name = "class %d"%s },\n' % (k, ', colour = "#0000FF"' if k == 2 else "") for k in range(1, 23))
    entry = (
        '[scenes.many-classes]\ntitle = ""\nheight = 40\nwidth = 40\nbands = 12\naccess = "manual"\nhow_to_get = "x"\n'
    )
    entry += 'classes = [\n%s]\n[scenes.many-classes.cube]\nname = "h.mat"\nkey = "data"\n' % rows
    path = tmp_path / "scenes.toml"
    path.write_text(text + "\n" + entry, encoding="utf-8")
    scenes = catalogue.read_catalogue(path)
    palette = scenes["many-classes"].palette
    assert len(set(palette)) == 22 and palette[1] == "#0000ff" and palette[0] == FIRST[0]
    assert scenes["indianpines"].palette == catalogue.get_scene("indianpines").palette
