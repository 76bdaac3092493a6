"""Patches, mini-batches and prediction of every pixel."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from a2s2k_resnet.network import build_network
from a2s2k_resnet.patches import MinibatchStream, PatchGatherer
from a2s2k_resnet.prediction import predict_pixels, predict_scene
from shared_data.runs.environment import peak_memory_mb

HEIGHT, WIDTH, BANDS = 11, 9, 8


@pytest.fixture
def cube():
    return np.random.RandomState(0).standard_normal((HEIGHT, WIDTH, BANDS)).astype(np.float32)


@pytest.mark.parametrize("side", [1, 3, 7, 9])
def test_patches_are_windows_of_the_padded_scene(cube, side):
    half = side // 2
    padded = np.pad(cube, ((half, half), (half, half), (0, 0)), mode="constant")
    patches = PatchGatherer(cube, side)(torch.arange(HEIGHT * WIDTH)).numpy()
    for index, patch in enumerate(patches):
        row, column = divmod(index, WIDTH)
        assert np.array_equal(patch, padded[row : row + side, column : column + side])
        assert np.array_equal(patch[half, half], cube[row, column])


def test_patches_come_in_the_order_of_the_indices(cube):
    gatherer, chosen = PatchGatherer(cube, 5), torch.tensor([40, 3, 98, 3])
    assert torch.equal(gatherer(chosen), gatherer(torch.arange(HEIGHT * WIDTH))[chosen])


@pytest.mark.parametrize("index", [-1, HEIGHT * WIDTH])
def test_an_index_outside_the_scene_is_refused(cube, index):
    with pytest.raises(IndexError, match="outside the scene of 11 × 9 pixels"):
        PatchGatherer(cube, 3)(torch.tensor([0, index]))


def test_a_patch_larger_than_the_scene_is_refused(cube):
    with pytest.raises(ValueError, match=r"11 × 11 pixels is larger than the scene of 11 × 9; .*\(<scene>-resnet\)"):
        PatchGatherer(cube, 11)


def test_an_even_patch_side_is_refused(cube):
    with pytest.raises(ValueError, match="must be odd, so that a pixel stands in the middle, not 4"):
        PatchGatherer(cube, 4)


def test_gathering_needs_little_memory_beside_the_scene():
    """Every pixel's 7×7 patch at once would be 49 scenes, 785 MB here."""
    gatherer = PatchGatherer(np.ones((200, 200, 100), np.float32), 7)
    before = peak_memory_mb()
    for start in range(0, 200 * 200, 1024):
        gatherer(torch.arange(start, min(start + 1024, 200 * 200)))
    assert peak_memory_mb() - before < 200


def stream_of(cube, batch=16, seed=3):
    labels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 7 + 1
    indices = np.random.RandomState(1).permutation(HEIGHT * WIDTH)[:42]
    return MinibatchStream(PatchGatherer(cube, 3), labels, indices, batch, seed), indices


def test_an_epoch_holds_every_pixel_once_with_its_label(cube):
    stream, indices = stream_of(cube)
    batches = list(stream)
    assert [len(targets) for _, targets in batches] == [16, 16, 10]
    assert len(stream) == 3
    centres = torch.cat([patches[:, 1, 1] for patches, _ in batches]).numpy()
    targets = torch.cat([targets for _, targets in batches]).numpy()
    spectra = cube.reshape(-1, BANDS)
    found = [int(np.flatnonzero((spectra == centre).all(axis=1))[0]) for centre in centres]
    assert sorted(found) == sorted(indices.tolist())
    assert np.array_equal(targets, np.array(found) % 7)


def test_the_order_changes_between_epochs_and_is_that_of_the_seed(cube):
    first, again, other = stream_of(cube)[0], stream_of(cube)[0], stream_of(cube, seed=4)[0]
    epochs = [torch.cat([targets for _, targets in stream]) for stream in (first, first, again, other)]
    assert torch.equal(epochs[0], epochs[2])
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0], epochs[3])


@pytest.mark.parametrize("stopped_after", [0, 1, 2, 3, 4, 5, 6])
def test_position_inside_an_epoch_is_restored(cube, stopped_after):
    whole = stream_of(cube)[0]
    expected = [targets for _ in range(3) for _, targets in whole]
    broken = stream_of(cube)[0]
    first = []
    while len(first) < stopped_after:
        for _, targets in broken:
            first.append(targets)
            if len(first) == stopped_after:
                break
    state = json.loads(json.dumps(broken.state_dict()))
    resumed = stream_of(cube, seed=99)[0]
    resumed.load_state_dict(state)
    rest = []
    while len(first) + len(rest) < len(expected):
        rest += [targets for _, targets in resumed]
    assert len(first) + len(rest) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(first + rest, expected))


class Centre(nn.Module):
    """Logits that are the spectrum of the patch's middle pixel."""

    def forward(self, patches):
        assert not self.training
        return patches[:, patches.shape[1] // 2, patches.shape[2] // 2]


@pytest.mark.parametrize("batch", [0, 1, 13, 1000])
def test_prediction_of_every_pixel(cube, batch):
    network = Centre()
    expected = cube.argmax(axis=2).astype(np.uint8) + 1
    scene = predict_scene(network, PatchGatherer(cube, 3), batch)
    assert scene.dtype == np.uint8 and np.array_equal(scene, expected)
    assert network.training
    chosen = np.array([7, 90, 0])
    assert np.array_equal(predict_pixels(network, PatchGatherer(cube, 3), chosen, batch), expected.ravel()[chosen])


def test_prediction_does_not_depend_on_the_batch(cube):
    torch.manual_seed(0)
    network = build_network("a2s2k", BANDS, 4, 7)
    gatherer = PatchGatherer(cube, 7)
    scene = predict_scene(network, gatherer, 50)
    assert scene.shape == (HEIGHT, WIDTH) and scene.min() >= 1 and scene.max() <= 4
    with torch.no_grad():
        logits = torch.cat([network.eval()(gatherer(torch.tensor([index]))) for index in range(HEIGHT * WIDTH)])
    top = logits.topk(2)[0]
    clear = (top[:, 0] - top[:, 1] > 1e-5).numpy()
    assert clear.mean() > 0.9
    assert np.array_equal(scene.ravel()[clear], logits.argmax(dim=1).numpy()[clear] + 1)
