"""A scene that no catalogue knows, described by a file: every paper trains on it with its generic configuration."""

import re

import numpy as np
import pytest

from shared_data.records.record import read_record
from shared_data.runs.request import Request
from shared_data.scenes import catalogue
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.content import content_sha256
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.draws import load_split

NAME = "meadow-7"  # with a hyphen, as before the suffix of a variant
SHAPE = (40, 30, 24)
LABELS = (2, 5, 6, 9, 40)  # of the file, in the order of the classes 1..5
CLASSES = "\n".join('[[classes]]\nlabel = %d\nname = "crop %d"\npixels = %%d' % (label, label) for label in LABELS)
DESCRIPTION = """name = "{name}"
title = "Meadow"
height = {shape[0]}
width = {shape[1]}
bands = {shape[2]}

[cube]
file = "cube.npy"
dtype = "{cube.dtype}"
content_sha256 = "{cube_hash}"

[ground_truth]
file = "labels.npy"
dtype = "{labels.dtype}"
content_sha256 = "{labels_hash}"

[labels]
unlabelled = [0]

{classes}
"""


# bands and classes for which a generic configuration has to work
SIZES = ((20, 2), (64, 9), (103, 22), (200, 2), (410, 9))


class Resolved:
    """A paper's generic configuration for an own scene of random numbers that is in no file.

    module: where the paper's `load_scene` is called. counts: pixels of the classes, in C order from the first pixel on.
    """

    def __init__(self, monkeypatch, module, resolve, bands, counts, sides=(40, 30), overrides=(), protocol="paper"):
        names = tuple("class %d" % label for label in range(1, len(counts) + 1))
        scene = get_scene("synthetic")._replace(
            slug=NAME, height=sides[0], width=sides[1], bands=bands, class_names=names, class_counts=None,
            palette=("#000000",) * len(names), labelled_pixels=None, own="a description",
        )  # fmt: skip
        truth = np.zeros(sides, np.uint8)
        truth.ravel()[: sum(counts)] = np.repeat(np.arange(1, len(counts) + 1), counts)
        cube = np.random.RandomState(0).rand(*sides, bands).astype(np.float32)
        self.loaded = LoadedScene(scene, cube, truth, (), True)
        monkeypatch.setattr(catalogue, "_ADDED", {NAME: scene})
        monkeypatch.setattr(module, "load_scene", lambda *_: self.loaded)
        self.request = Request(NAME, protocol, 1, None, False, "cpu", None, tuple(overrides), None, False)
        self.configuration, _ = resolve(self.request)
        self.settings = self.configuration.settings
        assert self.settings["scene"] == NAME
        assert {each.key for each in self.configuration.derived}.isdisjoint(each.split("=")[0] for each in overrides)


def equal_counts(classes, pixels=1080):
    """As many pixels for each class."""
    return [pixels // classes] * classes


def describe(folder):
    """Write cube, labels and description of the scene into a folder; the description's path.

    Fields of 10×10 pixels in rows of one class and another, with unlabelled pixels on one side.
    """
    random = np.random.RandomState(0)
    rows, columns = np.indices(SHAPE[:2]) // 10
    numbers = (rows * 2 + columns) % len(LABELS)
    cube = (random.rand(len(LABELS), SHAPE[2])[numbers] + random.normal(0, 0.05, SHAPE)).astype(np.float32)
    labels = np.array(LABELS, np.int16)[numbers]
    labels[:, -2:] = 0
    np.save(str(folder / "cube.npy"), cube)
    np.save(str(folder / "labels.npy"), labels)
    path = folder / (NAME + ".toml")
    content = DESCRIPTION.format(
        name=NAME, shape=SHAPE, cube=cube, labels=labels, cube_hash=content_sha256(cube, cube.dtype.name),
        labels_hash=content_sha256(labels, labels.dtype.name),
        classes=CLASSES % tuple(int((labels == label).sum()) for label in LABELS),
    )  # fmt: skip
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.stack_independent
class OwnScene:
    """Commands with --scene; for the fixture `paper`."""

    @pytest.fixture(autouse=True)
    def registry(self, monkeypatch):
        """The scene is unknown again after a test."""
        monkeypatch.setattr(catalogue, "_ADDED", {})

    @pytest.mark.slow
    @pytest.mark.parametrize("protocol", ["paper", "spatial-cv"])
    def test_an_own_scene_is_trained_and_then_predicted(self, paper, tmp_path, capsys, protocol):
        changes = [word for override in paper.lean_generic or paper.lean for word in ("--set", override)]
        words = [NAME, "--scene", str(describe(tmp_path)), "--device", "cpu", "--out", str(tmp_path / "out")]
        fold = ["--fold", "0"] if protocol == "spatial-cv" else []
        assert paper.main(["reproduce", *words, "--protocol", protocol, *fold, "--iters", "2", *changes]) == 0
        said = capsys.readouterr().out
        assert said.count("generic configuration for %s: " % NAME) == 1

        folder = tmp_path / "out" / paper.slug / NAME / protocol / ("seed-%d" % paper.default_seed)
        folder = folder / "fold-0" if fold else folder
        record = read_record(folder / "run.json")
        assert (record["scene"], record["status"], record["truncated"]) == (NAME, "finished", True)
        assert record["data_verified"] is True
        losses = [entry["loss"] for entry in record["history"] if "loss" in entry]
        assert losses and np.isfinite(losses).all()
        assert np.sum(record["metrics"]["confusion"]) == load_split(folder / "split.npz").test.size
        set_by_user = {key_and_value.partition("=")[0] for key_and_value in changes[1::2]}
        assert set(record["modified"]) - {"train.num_iters"} <= set_by_user | set(paper.follow)
        for line in said.splitlines():
            if line.startswith("generic configuration"):
                assert not [key for key in set_by_user if " %s = " % key in line]

        if fold:
            return
        (weights,) = (folder / "checkpoints").glob("selected.*")
        capsys.readouterr()
        assert paper.main(["predict", *words, "--weights", str(weights)]) == 0
        how = r"the scene is classified at once|%s %s: batch (\d+) of \1, " % (paper.slug, NAME)
        assert re.search(how, "\n".join(capsys.readouterr()))
        (predicted,) = (tmp_path / "out" / paper.slug / NAME / "predictions").glob("*/prediction.npy")
        np.testing.assert_array_equal(np.load(str(predicted)), np.load(str(folder / "prediction.npy")))

    def test_generic_needs_a_scene(self, paper, tmp_path, capsys):
        assert paper.main(["reproduce", "generic", "--out", str(tmp_path)]) == 1
        assert "--scene path/to/<name>.toml" in capsys.readouterr().err
        assert paper.main(["list"]) == 0
        assert "\n<name>, for a scene of your own" in capsys.readouterr().out
        assert not list(tmp_path.iterdir())
