"""A memory-mapped scene trains and predicts as the same scene in memory."""

import numpy as np
import pytest
import torch
from a2s2k_resnet_helpers import given

from a2s2k_resnet.method import METHOD
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import pixel_logits, predict_pixels
from a2s2k_resnet.preprocessing import whitening_of
from a2s2k_resnet.validation import Validation
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


@pytest.mark.parametrize(
    "protocol, tolerance", [("paper", 0), pytest.param("released", 1e-3, marks=pytest.mark.stack_independent)]
)
def test_training_and_prediction(request_for, tmp_path, protocol, tolerance):
    """Fitted on training pixels all bits are the same; of the whole scene the decomposition goes by chunks."""
    request, loaded = request_for(protocol=protocol), load_scene("synthetic")
    held = given(request, loaded._replace(cube=np.ascontiguousarray(loaded.cube)))
    mapped = given(request, mapped_copy(loaded, tmp_path))
    assert is_mapped(mapped.loaded.cube)
    on_mapped, on_held = mapped.fit(tmp_path / "mapped", 3), held.fit(tmp_path / "held", 3)
    gatherers = [
        PatchGatherer(whitening_of(fitted.model).apply(one.loaded.cube), 7)
        for fitted, one in ((on_mapped, mapped), (on_held, held))
    ]
    assert gatherers[0](torch.tensor([5])).shape == (1, 7, 7, 7)
    networks = on_mapped.network, on_held.network
    found, expected = (
        pixel_logits(network, gatherer, torch.from_numpy(PIXELS)) for network, gatherer in zip(networks, gatherers)
    )
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=tolerance)
    classes, wanted = (predict_pixels(network, gatherer, PIXELS) for network, gatherer in zip(networks, gatherers))
    assert np.array_equal(classes, expected.argmax(dim=1).numpy() + 1) and np.array_equal(classes, wanted)
    seen, wanted = (
        METHOD.inputs(fitted.model, one.loaded.image, PIXELS) for fitted, one in ((on_mapped, mapped), (on_held, held))
    )
    assert np.allclose(seen, wanted, rtol=0, atol=1e-5)
    validated = [
        Validation(gatherer, held.labels.val, held.labels.val_pixels, 16, 1331)(network)
        for network, gatherer in zip(networks, gatherers)
    ]
    assert validated[0].accuracy == validated[1].accuracy


def test_the_map_of_a_mapped_scene(request_for, tmp_path):
    loaded = load_scene("synthetic")
    fitted = given(request_for(), loaded).fit(tmp_path / "run", 1)
    part = loaded._replace(cube=loaded.cube[:40, :30])
    mapped = mapped_copy(part, tmp_path)
    assert is_mapped(mapped.cube)
    assert np.array_equal(fitted.predict(mapped.image), fitted.predict(part.image))
