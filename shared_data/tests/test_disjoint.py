"""The disjoint split: distances, shares, repeatable, and what it says of classes it cannot split."""

import json
import os

import numpy as np
import pytest

from shared_data.cli.shared import main
from shared_data.errors import SplitError
from shared_data.scenes.loading import load_scene
from shared_data.splits.disjoint import DisjointRule, common_split, draw_disjoint, least_distance, manifest, near
from shared_data.splits.draws import index_hash


@pytest.fixture(scope="module")
def truth():
    return load_scene("synthetic").ground_truth


def chebyshev(one, other, width):
    """Smallest distance pair by pair, without any table."""
    pairs = ((divmod(a, width), divmod(b, width)) for a in one for b in other)
    return min(max(abs(a[0] - b[0]), abs(a[1] - b[1])) for a, b in pairs)


@pytest.mark.parametrize("distance", [0, 3, 13])
def test_no_test_or_validation_pixel_is_near_a_training_pixel(truth, distance):
    split = draw_disjoint(truth, DisjointRule(distance=distance), seed=1).split
    for part in (split.test, split.val):
        assert least_distance(split.train, part, truth.shape) > distance
    assert least_distance(split.val, split.test, truth.shape) > 6
    assert least_distance(split.train[:20], split.test[::40], truth.shape) == chebyshev(
        split.train[:20], split.test[::40], truth.shape[1]
    )


def test_sets_are_disjoint_labelled_and_as_large_as_the_rule_says(truth):
    rule = DisjointRule(train=0.04, val=0.02, minimum=6, distance=2)
    split = draw_disjoint(truth, rule, seed=3).split
    everything = np.concatenate(split)
    assert len(np.unique(everything)) == len(everything) and (truth.ravel()[everything] > 0).all()
    for label in range(1, truth.max() + 1):
        count = (truth == label).sum()
        assert (truth.ravel()[split.train] == label).sum() == max(int(np.ceil(0.04 * count)), 6)


def test_the_seed_decides(truth):
    one, same, other = (draw_disjoint(truth, DisjointRule(distance=3), seed).split for seed in (1, 1, 2))
    assert [index_hash(part) for part in one] == [index_hash(part) for part in same]
    assert index_hash(one.test) != index_hash(other.test)


def test_every_python_draws_the_same(truth):
    """Stored splits would be worth little if an old stack drew others."""
    split = draw_disjoint(truth, DisjointRule(), seed=1).split
    assert [index_hash(part)[:12] for part in split] == ["eff78b31727b", "bb930cdd9a10", "09d47a94bf71"]


def test_training_pixels_lie_in_blocks(truth):
    """They fill few blocks instead of being strewn over the scene, as the usual random draw strews them."""
    split = draw_disjoint(truth, DisjointRule(distance=3), seed=1).split
    random = np.random.RandomState(0).choice(np.flatnonzero(truth), len(split.train), replace=False)

    def covered(pixels):
        mask = np.zeros(truth.shape, bool)
        mask.ravel()[pixels] = True
        return near(mask, 3).mean()

    assert covered(split.train) < 0.5 * covered(random)


def test_a_class_in_one_corner_is_named_and_trains_alone():
    truth = np.repeat(np.repeat(np.array([[1, 2], [2, 1]], np.uint8), 30, axis=0), 30, axis=1)
    truth[:4, :4] = 3
    drawn = draw_disjoint(truth, DisjointRule(distance=5), seed=0)
    assert drawn.unsplit == [3]
    labels = truth.ravel()
    assert (labels[drawn.split.train] == 3).any() and not (labels[drawn.split.test] == 3).any()
    assert {1, 2} == set(labels[drawn.split.test])


def test_errors_name_the_class_and_the_distance(truth):
    with pytest.raises(SplitError, match=r"class 2 \(Oats\) has no labelled pixel"):
        draw_disjoint((truth == 1).astype(np.uint8), DisjointRule(), 0, ["Corn", "Oats"])
    with pytest.raises(SplitError, match="further than 200 from all training pixels"):
        draw_disjoint(truth, DisjointRule(distance=200), 0)


def test_the_manifest_is_complete_and_read_by_any_tool(truth):
    loaded, rule = load_scene("synthetic"), DisjointRule(distance=3)
    drawn = draw_disjoint(truth, rule, 1, loaded.scene.class_names)
    stored = json.loads(json.dumps(manifest(drawn, rule, 1, truth, loaded.scene)))
    assert stored["least_distance"] > 3 and stored["rule"]["block"] == rule.block
    for name, part in drawn.split._asdict().items():
        assert stored["indices"][name] == part.tolist()
        assert stored["sets"][name]["sha256"] == index_hash(part) and sum(stored["sets"][name]["per_class"]) == len(
            part
        )


def test_the_command_writes_a_manifest(tmp_path, capsys):
    path = tmp_path / "splits" / "synthetic-1.json"
    assert main(["split", "synthetic", "--seed", "1", "--distance", "3", "--to", str(path)]) == 0
    assert "least distance" in capsys.readouterr().out
    assert json.loads(path.read_text())["scene"] == "synthetic"


def test_the_command_draws_the_split_of_the_protocol_unless_told_otherwise(tmp_path):
    """Every option reaches the parameter of its name."""
    path, loaded = tmp_path / "split.json", load_scene("synthetic")
    assert main(["split", "synthetic", "--to", str(path)]) == 0
    drawn = json.loads(path.read_text())
    shared = common_split(loaded, 1)._asdict()
    assert {name: part["sha256"] for name, part in drawn["sets"].items()} == {
        name: index_hash(part) for name, part in shared.items()
    }
    given = {"train": 0.04, "val": 0.03, "minimum": 4, "distance": 3, "val_distance": 2, "block": 8}
    words = [word for name, value in given.items() for word in ("--" + name.replace("_", "-"), str(value))]
    assert main(["split", "synthetic", "--to", str(path), *words]) == 0
    assert json.loads(path.read_text())["rule"] == given


@pytest.mark.skipif("HSI_DATA" not in os.environ, reason="HSI_DATA names no folder with scene files")
def test_indian_pines(tmp_path):
    loaded = load_scene("indianpines", unverified=True)
    drawn = draw_disjoint(loaded.ground_truth, DisjointRule(), 1, loaded.scene.class_names)
    assert len(drawn.unsplit) <= 7 and len(drawn.split.test) > 2000
