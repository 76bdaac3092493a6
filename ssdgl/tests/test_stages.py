"""Tiles on networks made for the purpose: what a new network needs, what is refused, what becomes of the files."""

import errno
import os
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shared_data.errors import SettingsError, SharedDataError
from shared_data.preprocessing.standardise import BandStatistics, band_statistics, padded_shape, standardise_and_pad
from shared_data.scenes import mapped
from shared_data.scenes.mapped import temporary_array
from ssdgl import tiles
from ssdgl.attention import JointAttention
from ssdgl.encoder_decoder import EncoderDecoder, conv3x3_norm_relu, encoder
from ssdgl.predict import predict_scene
from ssdgl.stages import STATISTICS, Local, stages_of
from ssdgl.tiles import (
    GatheredMoments,
    LocalMap,
    StoredMap,
    Tiles,
    Window,
    forget_pages,
    logits_tiled,
    predict_tiled,
    windows,
)

NONE = BandStatistics(np.zeros(5), np.zeros(5))
CPU = torch.device("cpu")


class Contrast(nn.Module):
    """A block no other network has: every pixel against the whole map's mean, times its fifth neighbour."""

    REACH = 5

    def forward(self, x):
        return self._against(x, x.mean(dim=(2, 3), keepdim=True))

    def _against(self, x, mean):
        return (x - mean) * F.pad(x, (0, 5))[..., 5:]

    def stages(self):
        whole = yield STATISTICS
        mean = whole.mean.to(torch.float32).view(1, -1, 1, 1)
        yield Local(lambda x: self._against(x, mean), self.REACH, "the fifth neighbour")


class Small(EncoderDecoder):
    """A network of the skeleton that states only what is its own."""

    CHANNELS = (8, 12, 16, 20)

    def __init__(self, level=Contrast):
        super().__init__({})
        self.feature_ops = encoder(6, self.CHANNELS, 4, lambda _channels: level())
        self.reduce_1x1convs = nn.ModuleList([nn.Conv2d(channels, 8, 1) for channels in self.CHANNELS])
        fuse = [conv3x3_norm_relu(8, 8, 2) for _ in range(3)]
        self.fuse_3x3convs = nn.ModuleList(fuse + [nn.Conv2d(8, 6, 3, padding=1)])
        self.cls_pred_conv = nn.Conv2d(6, 5, 1)

    def set_default_config(self):
        pass


@pytest.fixture
def scene():
    torch.manual_seed(3)
    return torch.randn(1, 6, 80, 112)


@pytest.mark.parametrize("tile", [16, 48, 256])
def test_a_network_of_the_skeleton_with_a_block_of_its_own(scene, tile):
    network = Small()
    with torch.no_grad():
        whole = network.eval()(scene)[0].numpy()
    assert np.abs(logits_tiled(network, scene, tile) - whole).max() < 1e-4
    np.testing.assert_array_equal(predict_tiled(network, scene, 71, 99, tile), predict_scene(network, scene, 71, 99))


def test_a_reach_that_is_stated_too_small_shows(scene, monkeypatch):
    monkeypatch.setattr(Contrast, "REACH", 4)
    network = Small()
    with torch.no_grad():
        whole = network.eval()(scene)[0].numpy()
    assert np.abs(logits_tiled(network, scene, 16) - whole).max() > 1e-2


@pytest.mark.parametrize("tile", [0, -16, 8, 100])
def test_sides_of_tiles_that_are_no_multiple_of_16(scene, tile):
    with pytest.raises(ValueError, match="must be a multiple of 16 pixels, not %d" % tile):
        predict_tiled(Small(), scene, 80, 112, tile)


def test_sides_of_scenes_that_are_no_multiple_of_16(scene):
    with pytest.raises(ValueError, match="Small needs sides that are multiples of 16, not 80 × 100"):
        predict_tiled(Small(), scene[..., :100], 80, 100, 32)


class Silent(nn.Module):
    def forward(self, x):
        return x


class Overridden(Contrast):
    def forward(self, x):
        return 2 * super().forward(x)


def test_a_module_that_says_no_stages_is_refused_before_the_first_pass(scene):
    with pytest.raises(SettingsError, match=r"Silent cannot be .* no method 'stages' .* leave --tile away"):
        predict_tiled(Small(Silent), scene, 80, 112, 32)
    with pytest.raises(SettingsError, match="'stages' describes the 'forward' of Contrast, not that of Overridden"):
        predict_tiled(Small(Overridden), scene, 80, 112, 32)


def test_a_network_that_replaces_an_operation_must_describe_it(scene):
    class Sharpened(Small):
        def lateral(self, index, x):
            return 2 * super().lateral(index, x)

    with pytest.raises(SettingsError, match="'lateral_stages' describes the 'lateral' of EncoderDecoder"):
        predict_tiled(Sharpened(), scene, 80, 112, 32)


@pytest.mark.parametrize("convolution, message", [
    (nn.Conv2d(2, 2, 4, padding=1), "odd kernels"),
    (nn.Conv2d(2, 2, 3), "half as much zero padding"),
    (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), "half as much zero padding"),
    (nn.Conv2d(2, 2, 3, padding=1, stride=(1, 2)), "its two strides differ"),
])  # fmt: skip
def test_convolutions_whose_tiles_would_not_be_those_of_the_whole(convolution, message):
    with pytest.raises(SettingsError, match=message):
        next(stages_of(convolution))


def parts_equal_the_whole(stages, x, module, side):
    with torch.no_grad():
        result = Tiles(side).through(stages, StoredMap(x[0].numpy(), CPU))
        whole = module(x)[0]
        assert (result.height, result.width) == whole.shape[1:]
        for window in windows(result.height, result.width, side):
            np.testing.assert_allclose(result.read(window)[0], whole[:, window.rows, window.columns], atol=1e-5)


@pytest.mark.parametrize("module", [
    nn.Conv2d(4, 3, 3, padding=1),
    nn.Conv2d(4, 3, 3, padding=1, stride=2),
    nn.Conv2d(4, 3, 5, padding=2, stride=2),
    nn.Conv2d(4, 3, (5, 3), padding=(4, 1), dilation=(2, 1)),
    nn.GroupNorm(2, 4),
    nn.GroupNorm(1, 4, affine=False),
    JointAttention(4, 2, F.relu, torch.sigmoid),
    nn.Sequential(nn.Conv2d(4, 3, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(3, 2, 5, padding=2, stride=2)),
])  # fmt: skip
def test_modules_in_tiles_of_any_side(module):
    torch.manual_seed(0)
    for side in (1, 3, 7, 100):  # windows that lie anywhere between the pixels that a stride keeps
        parts_equal_the_whole(stages_of(module), torch.randn(1, 4, 12, 20), module, side)


@pytest.mark.parametrize("mode, reach", [("nearest", 0), ("bilinear", 1)])
def test_upsampling_in_tiles_of_any_side(mode, reach):
    options = {} if mode == "nearest" else {"align_corners": False}

    def upsample(x):
        return F.interpolate(x, scale_factor=2.0, mode=mode, **options)

    for side in (1, 3, 7, 100):
        result = LocalMap(Local(upsample, reach, mode, grow=2), StoredMap(torch.arange(60.0).view(1, 6, 10), CPU))
        whole = upsample(torch.arange(60.0).view(1, 1, 6, 10))
        for window in windows(12, 20, side):
            np.testing.assert_array_equal(result.read(window), whole[:, :, window.rows, window.columns])


def test_a_stride_that_does_not_divide_the_map_is_refused():
    with pytest.raises(SettingsError, match=r"a map of 6 × 5 pixels .* multiples of 2"):
        Tiles(16).through(stages_of(nn.Conv2d(1, 1, 3, 2, 1)), StoredMap(torch.zeros(1, 6, 5), CPU))


def test_moments_of_tiles_are_those_of_the_map_far_from_zero_too():
    values = np.random.RandomState(0).standard_normal((40, 30, 50)) + 1e4 * np.arange(40)[:, None, None]
    gathered = GatheredMoments()
    for window in windows(30, 50, 16):
        gathered.add(torch.from_numpy(values[:, window.rows, window.columns]))
    moments = gathered.moments()
    np.testing.assert_allclose(moments.mean, values.mean(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(moments.variance, values.var(axis=(1, 2)), rtol=1e-9)
    np.testing.assert_array_equal(moments.maximum, values.max(axis=(1, 2)))


def test_the_scene_itself_is_not_written_to(scene):
    kept = scene.clone()
    for given in (scene, scene[0].numpy()):
        execution = Tiles(256)
        execution.stored(execution.through(stages_of(nn.ReLU(inplace=True)), StoredMap(given.reshape(6, 80, 112), CPU)))
    assert torch.equal(scene, kept)


def file_memory() -> int:
    """Resident memory of this process that lies in files, in kB."""
    with open("/proc/self/status", encoding="utf-8") as status:
        return sum(int(line.split()[1]) for line in status if line.startswith(("RssFile:", "RssShmem:")))


def test_maps_have_no_name_give_their_space_back_and_leave_the_process(tmp_path):
    array = temporary_array((16, 512, 512), np.dtype(np.float32), tmp_path)
    assert not list(tmp_path.iterdir())
    descriptors = len(os.listdir("/proc/self/fd"))
    array[:] = 3
    written = file_memory()
    forget_pages(array)
    assert file_memory() < written - 15000
    assert (array == 3).all()
    del array
    assert len(os.listdir("/proc/self/fd")) < descriptors


def test_a_private_mapping_keeps_what_was_written_to_it(tmp_path):
    np.save(str(tmp_path / "array.npy"), np.zeros(4096, np.float32))
    array = np.load(str(tmp_path / "array.npy"), mmap_mode="c")
    array[:] = 3
    forget_pages(array)
    assert (array == 3).all()


def test_a_folder_without_room_or_none_at_all_is_one_sentence(scene, tmp_path, monkeypatch):
    with pytest.raises(SharedDataError, match=r"MB cannot be made in .*nowhere: No such file or directory; name a"):
        predict_tiled(Small(), scene, 80, 112, 32, tmp_path / "nowhere")

    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(SharedDataError, match="No space left on device; name a folder with more room by TMPDIR"):
        predict_tiled(Small(), scene, 80, 112, 32, tmp_path)


def test_maps_that_no_part_reads_any_more_are_released(scene, monkeypatch):
    """The finest level is a chain of four maps with the scene's sides; one is read while another is written."""
    alive, most, original = [], [0], tiles.temporary_array

    def counted(*arguments):
        array = original(*arguments)
        alive.append(weakref.ref(array))
        most[0] = max(most[0], sum(reference().nbytes for reference in alive if reference() is not None))
        return array

    monkeypatch.setattr(tiles, "temporary_array", counted)
    predict_tiled(Small(lambda: nn.Sequential(Contrast(), Contrast(), Contrast())), scene, 80, 112, 32)
    one = 8 * 80 * 112 * 4
    assert len(alive) > 10 and most[0] < 2.5 * one
    assert all(reference() is None for reference in alive)


# the scene as one image


@pytest.mark.parametrize("fitted", [None, np.array([3, 500, 2000, 2500])])
def test_a_mapped_cube_is_standardised_as_one_in_memory(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "_BLOCK_BYTES", 4 * 34 * 5 * 7)  # blocks of seven rows
    cube = np.random.RandomState(0).randint(0, 9000, (76, 34, 5)).astype(np.float32)
    cube[:, :, 2] = 0.3  # constant
    np.save(str(tmp_path / "cube.npy"), cube)
    expected = standardise_and_pad(cube, 16, band_statistics(cube, fitted))
    out = temporary_array(padded_shape(cube.shape, 16), np.dtype(np.float32))
    out[:] = np.nan
    in_file = np.load(str(tmp_path / "cube.npy"), mmap_mode="r")
    result = standardise_and_pad(in_file, 16, band_statistics(in_file, fitted), out)
    assert result is out and expected.shape == (5, 80, 48)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-7)
    assert not result[2].any() and result[1].any()


def test_an_array_of_another_shape_is_no_place_for_the_result():
    with pytest.raises(ValueError, match=r"expected float32 of shape \(5, 16, 16\)"):
        standardise_and_pad(np.ones((9, 9, 5)), 16, NONE, np.zeros((5, 9, 9), np.float32))


def test_windows_cover_a_map_once():
    covered = np.zeros((35, 50), int)
    for window in windows(35, 50, 16):
        covered[window.rows, window.columns] += 1
    assert (covered == 1).all() and Window(0, 16, 48, 50) in windows(35, 50, 16)
