"""The tool that recovered the shipped partitions, on a drawn one of which everything is known."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from da_imrn.partition import Rule, draw_partition, window_pixels, written_one_after_the_other
from da_imrn.patches import gather, grid_corners, op_patches, training_patches, validation_patches
from da_imrn.shipped import TESTED, TRAINED, VALIDATED
from shared_data.errors import SharedDataError
from shared_data.scenes.loading import load_scene

pytestmark = pytest.mark.stack_independent  # numpy alone

TOOL = Path(__file__).resolve().parents[1] / "tools" / "recover_partitions.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("recover_partitions", str(TOOL))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(tool):
    """Scene, partition, and what is at hand of the shipped ones."""
    loaded = load_scene("synthetic")
    rule = Rule(6, 4, tool.PER_WINDOW, tool.SHARE, 0.06, 0, 0, True)
    partition = draw_partition(loaded.ground_truth, rule, np.random.RandomState(3))
    validation, corners = validation_patches(partition, 4), grid_corners(*loaded.ground_truth.shape, 4)
    labels = gather(partition.test_labels[..., None], corners, 4)[..., 0, 0].astype(np.uint8)
    tested = labels.any(axis=(1, 2))
    arrays = {
        "x0val": gather(loaded.cube, validation.corners, 4)[..., 0], "y0val": validation.labels,
        "x0test": gather(loaded.cube, corners[tested], 4)[..., 0], "y0test": labels[tested],
        "y0train": training_patches(partition, 4, np.random.RandomState(3)).labels,
        "opy0train": op_patches(partition, 4).labels,
    }  # fmt: skip
    return loaded, partition, arrays


@pytest.mark.slow
def test_it_finds_a_partition_with_the_same_labels(tool, drawn, monkeypatch):
    loaded, partition, arrays = drawn
    truth, count = loaded.ground_truth, np.count_nonzero(partition.train_map)
    monkeypatch.setattr(tool, "ACCEPTED", (count - 40, count + 40))
    found = tool.recover(arrays, loaded.cube, truth, np.random.RandomState(0))
    corners = found["corners"].astype(int)
    # windows known for certain are the drawn ones, and there are some; those not known show the same labels
    placed = found["placed"]
    assert len(corners) == len(partition.corners) and 0 < placed.sum() < len(placed)
    assert np.array_equal(corners[placed], partition.corners[placed])
    trains = np.unpackbits(found["trains"], axis=1)[:, :36].reshape(-1, 6, 6).astype(bool)
    inside = truth.ravel()[window_pixels(corners, 6, truth.shape[1])]
    again = partition._replace(
        corners=corners, labels=np.where(trains, inside, 0), op_labels=np.where(trains, 0, inside), flips=found["flips"]
    )
    assert np.array_equal(training_patches(again, 4, np.random.RandomState(1)).labels, arrays["y0train"])
    assert np.array_equal(op_patches(again, 4).labels, arrays["opy0train"])
    sets = found["sets"]
    assert np.array_equal(sets == TESTED, partition.test_labels > 0)
    assert np.array_equal(sets == VALIDATED, partition.val_map > 0)
    pixels = window_pixels(corners, 6, truth.shape[1])
    covered = written_one_after_the_other(pixels, np.ones(pixels.shape, np.uint8), truth.shape)
    assert not ((covered > 0) & (sets > TRAINED)).any()
    assert np.count_nonzero((sets == TRAINED) & (covered == 0)) < 60  # of windows that the border cut


@pytest.mark.parametrize("change, expected", [
    (lambda arrays: {"y0test": arrays["y0test"] % 9 + (arrays["y0test"] > 0)}, "labels of y0test are not those"),
    (lambda arrays: {"y0train": arrays["y0train"][2:], "opy0train": arrays["opy0train"][1:]}, "sequences of windows"),
    (lambda arrays: {"x0val": arrays["x0val"] + 1}, "patch 0 is at no place"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(tool, drawn, change, expected):
    loaded, _, arrays = drawn
    wrong = dict(arrays, **change(arrays))
    with pytest.raises((SharedDataError, ValueError), match=expected):
        tool.recover(wrong, loaded.cube, loaded.ground_truth, np.random.RandomState(0))
