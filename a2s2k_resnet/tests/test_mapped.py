"""A memory-mapped scene trains and predicts as the same scene in memory."""

from unittest import mock

import numpy as np
import pytest
import torch

from a2s2k_resnet import training
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import pixel_logits, predict_pixels
from contracts.scale import mapped_copy
from shared_data.scenes.loading import load_scene
from shared_data.scenes.mapped import is_mapped

PIXELS = np.linspace(0, 128 * 96 - 1, 200).astype(np.int64)  # corners among them


@pytest.mark.parametrize("side", [1, 3, 9])
def test_patches_are_those_of_the_scene_on_the_device(tmp_path, side):
    cube = np.random.RandomState(0).standard_normal((11, 9, 8)).astype(np.float32)
    np.save(str(tmp_path / "cube.npy"), cube)
    mapped, held = (PatchGatherer(one, side) for one in (np.load(str(tmp_path / "cube.npy"), mmap_mode="r"), cube))
    assert (mapped.bands, mapped.height, mapped.width) == (8, 11, 9)
    every = torch.arange(99).flip(0)
    assert torch.equal(mapped(every), held(every))
    with pytest.raises(IndexError, match="outside the scene"):
        mapped(torch.tensor([99]))


def trained(request, loaded):
    """A run after three steps."""
    with mock.patch.object(training, "load_scene", return_value=loaded):
        run = training.prepare(request, *training.resolve(request))
    run.begin_epoch()
    for _, batch in zip(range(3), run.stream):
        run.train_on(batch)
    return run


@pytest.mark.parametrize("protocol, tolerance", [("paper", 0), ("released", 1e-3)])
def test_training_and_prediction(request_for, tmp_path, protocol, tolerance):
    """Fitted on training pixels all bits are the same; of the whole scene the decomposition goes by chunks."""
    request, loaded = request_for(protocol=protocol), load_scene("synthetic")
    held = trained(request, loaded._replace(cube=np.ascontiguousarray(loaded.cube)))
    mapped = trained(request, mapped_copy(loaded, tmp_path))
    assert is_mapped(mapped.loaded.cube) and mapped.gatherer(torch.tensor([5])).shape == (1, 7, 7, 7)
    found, expected = (pixel_logits(run.network, run.gatherer, torch.from_numpy(PIXELS)) for run in (mapped, held))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=tolerance)
    classes, wanted = (predict_pixels(run.network, run.gatherer, PIXELS) for run in (mapped, held))
    assert np.array_equal(classes, expected.argmax(dim=1).numpy() + 1) and np.array_equal(classes, wanted)
    assert np.allclose(mapped.inputs(PIXELS), held.inputs(PIXELS), rtol=0, atol=1e-5)
    assert mapped.validation(mapped.network).accuracy == held.validation(held.network).accuracy
