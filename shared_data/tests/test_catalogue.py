"""The catalogue as shipped, and the mistakes its reader must not let pass."""

import itertools
import re

import numpy as np
import pytest

from shared_data.errors import CatalogueError, UnknownNameError
from shared_data.scenes import catalogue

SCENES = catalogue.scenes()
DOWNLOADED = [scene for scene in SCENES.values() if scene.access == "download"]


def test_the_six_scenes_exist():
    assert list(SCENES)[:6] == ["indianpines", "pavia", "salinas", "ksc", "houston", "synthetic"]


@pytest.mark.parametrize(
    "slug, shape, classes, labelled",
    [
        ("indianpines", (145, 145, 200), 16, 10249),
        ("pavia", (610, 340, 103), 9, 42776),
        ("salinas", (512, 217, 204), 16, 54129),
        ("ksc", (512, 614, 176), 13, 5211),
        ("houston", (349, 1905, 144), 15, 15029),
        ("synthetic", (128, 96, 64), 9, None),
    ],
)
def test_scene_facts(slug, shape, classes, labelled):
    scene = catalogue.get_scene(slug)
    assert (scene.height, scene.width, scene.bands) == shape
    assert scene.num_classes == classes == len(scene.palette) == len(set(scene.class_names))
    assert scene.labelled_pixels == labelled


@pytest.mark.parametrize("scene", DOWNLOADED, ids=lambda scene: scene.slug)
def test_downloaded_scenes_have_hashes_two_sources_and_counts(scene):
    assert sum(scene.class_counts) == scene.labelled_pixels
    for file in (scene.cube, scene.ground_truth):
        assert re.match("[0-9a-f]{64}$", file.sha256)
        assert len(file.urls) == 2
        assert all(url.endswith("/" + file.name) for url in file.urls)


def test_no_hash_is_used_twice():
    files = [file for scene in DOWNLOADED for file in (scene.cube, scene.ground_truth)]
    hashes = [file.sha256 for file in files] + [file.content.sha256 for file in files if file.content]
    assert len(set(hashes)) == len(hashes) == 8 + 5


def test_indian_pines_has_values_to_verify_and_a_package_as_its_last_source():
    scene = SCENES["indianpines"]
    assert [file.content.shape for file in (scene.cube, scene.ground_truth)] == [(145, 145, 200), (145, 145)]
    assert [file.package.requirement for file in (scene.cube, scene.ground_truth)] == ["tensorly==0.10.0"] * 2
    assert scene.cube.names == ("Indian_pines_corrected.mat", "Indian_pines_corrected.npy")


def test_houston_is_neither_downloaded_nor_hashed():
    houston = SCENES["houston"]
    assert houston.access == "manual"
    assert [(file.key, file.sha256, file.urls) for file in (houston.cube, houston.ground_truth)] == [
        ("ans", None, ()),
        ("name", None, ()),
    ]


def test_unknown_scene_lists_those_that_exist():
    with pytest.raises(UnknownNameError, match=r"'paris'.*indianpines, pavia, salinas, ksc, houston, synthetic"):
        catalogue.get_scene("paris")


def test_changing_the_returned_dictionary_changes_nothing():
    catalogue.scenes().clear()
    assert catalogue.scenes()


# Machado, Oliveira and Fernandes (2009): linear RGB as seen with complete protanopia, deuteranopia, tritanopia
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def cielab(linear_rgb):
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    relative = np.clip(linear_rgb, 0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
    x, y, z = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize("sight", SIGHTS)
def test_any_two_colours_can_be_told_apart(sight):
    palette = catalogue.first_colours()
    hexadecimal = palette + ("#000000", "#ffffff")  # unlabelled pixels and paper
    srgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in hexadecimal])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab = cielab(linear @ np.transpose(SIGHTS[sight]))
    nearest = min(np.linalg.norm(one - other) for one, other in itertools.combinations(lab, 2))
    # 2.3 is the just noticeable difference; thin regions of a map need several times that
    assert nearest > (30 if sight == "normal" else 20)


VALID = catalogue.CATALOGUE_PATH.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("[scenes.ksc]", '[scenes."the cape"]', "scenes: found 'the cape', expected a name of letters, digits"),
        ("[scenes.ksc]", "[scenes.-ksc]", "scenes: found '-ksc', expected a name of letters, digits"),
        ("height = 145", "height = 145\nheigth = 145", "scenes.indianpines: unknown key 'heigth'"),
        ("width = 145\n", "", "scenes.indianpines: missing key 'width'"),
        ("bands = 200", "bands = 0", "scenes.indianpines.bands: found 0, expected a whole number that is at least 1"),
        ("bands = 200", "bands = true", "bands: found True, expected a whole number"),
        ("bands = 200", 'bands = "200"', "bands: found '200', expected a whole number"),
        ("labelled_pixels = 10249", "labelled_pixels = 10248", "classes hold 10249 pixels, labelled_pixels says 10248"),
        ('name = "Corn", pixels = 237', 'name = "Corn"', "pixels for every class or for none"),
        ('name = "Corn", pixels', 'name = "Woods", pixels', "classes with different names"),
        (
            'access = "manual"',
            'access = "by mail"',
            "access: found 'by mail', expected one of: download",
        ),
        ('access = "generated"', 'access = "manual"', "scenes.synthetic: missing key 'cube'"),
        ('access = "manual"', 'access = "generated"', "expected no cube and no ground_truth of a generated scene"),
        ("[scenes.ksc.ground_truth]", "[scenes.ksc.truth]", "scenes.ksc: unknown key 'truth'"),
        ('sha256 = "ec2f', 'sha256 = "EC2F', "expected 64 lower-case hexadecimal digits"),
        ('dtype = "uint16"\n', "", "indianpines.cube: content_sha256 needs dtype"),
        ('content_sha256 = "3646', 'content_sha256 = "x646', "content_sha256: found 'x646.*hexadecimal digits"),
        ('dtype = "uint16"', 'dtype = "float32"', "dtype: found 'float32', expected one of: uint8"),
        (
            '"tensorly==0.10.0"',
            '"tensorly"',
            "package.requirement: found 'tensorly', expected '<name>==<version>'",
        ),
        ('"tensorly==0.10.0"', '"--pre==1"', "requirement: found '--pre==1'"),
        ("corrected.npy", "corrected.mat", "member: found '.*corrected.mat', expected the path of a .npy file"),
        (', member = "tensorly', ', file = "tensorly', "cube.package: unknown key 'file'"),
        (
            'key = "paviaU"\n',
            'key = "paviaU"\npackage = { requirement = "a==1", member = "a.npy" }\n',
            "pavia.cube: package needs content_sha256",
        ),
        ('key = "paviaU"\n', "", "scenes.pavia.cube: missing key 'key'"),
        ('name = "PaviaU.mat"', 'name = "../PaviaU.mat"', "expected a plain file name"),
        ('"http://www.ehu', '"ftp://www.ehu', r"urls\[0\]: found 'ftp.*expected an http"),
        ('"#a6fe1c"', '"green"', r"palette\[0\]: found 'green', expected a colour written as '#rrggbb'"),
        ('"#a6fe1c"', '"#c702a1"', "palette: expected different colours"),
        (
            'name = "Alfalfa", pixels',
            'name = "Alfalfa", colour = "green", pixels',
            r"classes\[0\].colour: found 'green', expected a colour written as '#rrggbb'",
        ),
        ("palette = [", "palette = ", "scenes.toml: "),
    ],
)
def test_a_mistake_in_the_catalogue_is_named(tmp_path, old, new, complaint):
    assert old in VALID
    path = tmp_path / "scenes.toml"
    path.write_text(VALID.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogueError, match=complaint) as error:
        catalogue.read_catalogue(path)
    assert str(path) in str(error.value)


def test_a_scene_placed_by_hand_may_have_no_ground_truth(tmp_path):
    path, entry = tmp_path / "scenes.toml", '[scenes.houston.ground_truth]\nname = "GRSS2013.mat"\nkey = "name"\n'
    assert entry in VALID
    path.write_text(VALID.replace(entry, ""), encoding="utf-8")
    houston = catalogue.read_catalogue(path)["houston"]
    assert houston.ground_truth is None and houston.cube.key == "ans"


def test_names_of_scenes(tmp_path):
    path = tmp_path / "scenes.toml"
    path.write_text(VALID.replace("[scenes.ksc", "[scenes.my-plot_A2"), encoding="utf-8")
    assert catalogue.read_catalogue(path)["my-plot_A2"].slug == "my-plot_A2"


def numpy_cube(tmp_path, old='name = "PaviaU.mat"\nkey = "paviaU"\n', new='name = "PaviaU.npy"\n'):
    text = catalogue.CATALOGUE_PATH.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "scenes.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return catalogue.read_catalogue(path)["pavia"]


def test_a_numpy_cube_needs_no_key(tmp_path):
    scene = numpy_cube(tmp_path)
    assert (scene.cube.name, scene.cube.key, scene.cube.is_mapped) == ("PaviaU.npy", None, True)
    assert scene.cube.sha256 and scene.cube.urls and not scene.ground_truth.is_mapped


def test_a_numpy_cube_has_no_key_to_give(tmp_path):
    with pytest.raises(CatalogueError, match=r"scenes\.pavia\.cube: expected no key of a \.npy file"):
        numpy_cube(tmp_path, new='name = "PaviaU.npy"\nkey = "paviaU"\n')


def test_labels_are_in_a_matlab_file(tmp_path):
    with pytest.raises(CatalogueError, match=r"ground_truth\.name: found 'PaviaU_gt\.npy', expected a MATLAB file"):
        numpy_cube(tmp_path, 'name = "PaviaU_gt.mat"', 'name = "PaviaU_gt.npy"')


def test_a_missing_catalogue_is_named(tmp_path):
    with pytest.raises(CatalogueError, match=r"absent\.toml"):
        catalogue.read_catalogue(tmp_path / "absent.toml")
