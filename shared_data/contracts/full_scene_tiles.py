"""Prediction in tiles equals prediction of the whole scene. Needs the fixtures `golden`, `paper` and `method`."""

import importlib
import re
from typing import Any, List, Tuple

import numpy as np
import pytest
import torch
from torch import Tensor

from contracts.full_scene_runs import fails, predict_words, request_for, untrained
from shared_data.scenes.loading import load_scene

HEIGHT, WIDTH = 80, 112
TOLERANCE = 1e-4  # of a logit; the measured float32 rounding is up to 2e-5


class WholeMaps:
    """Carries out stages on whole maps (1, C, H, W); `seen` has every local stage with the channels it was given.

    module: the paper's `stages`.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self.seen: List[Tuple[Any, int]] = []

    def through(self, stages: Any, x: Tensor) -> Tensor:
        answer = None
        while True:
            try:
                stage = stages.send(answer)
            except StopIteration:
                return x
            if isinstance(stage, self._module.Local):
                self.seen.append((stage, x.shape[1]))
                x, answer = stage.function(x.clone()), None
            else:
                values = x.double()[0].flatten(1)
                answer = self._module.Moments(
                    values.mean(dim=1), values.var(dim=1, unbiased=False), values.max(dim=1)[0]
                )

    def sum(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


def true_reach(stage: Any, channels: int) -> int:
    """Distance of the furthest input pixel with a nonzero gradient of one output pixel, on random maps of sufficient
    size."""
    reach = 0
    for level in (0, -5, 5):  # a rectified attention is zero at some of them
        side = 2 * (stage.reach + 3)
        x = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(0)).add_(level)
        x.requires_grad_()
        place = side // 2
        output = stage.function(x.clone())[0, :, place * stage.grow // stage.shrink, place * stage.grow // stage.shrink]
        (gradient,) = torch.autograd.grad(output.sum(), x)
        touched = gradient[0].abs().sum(dim=0).nonzero()
        reach = max([reach] + (touched - place // stage.shrink * stage.shrink).abs().flatten().tolist())
    return reach


def random_scene(bands: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(5).standard_normal((1, bands, HEIGHT, WIDTH)).astype(np.float32))


def in_a_file(path):
    """The synthetic scene with a memory-mapped cube."""
    loaded = load_scene("synthetic")
    np.save(str(path), loaded.cube)
    cube = np.load(str(path), mmap_mode="r")
    assert isinstance(cube, np.memmap)
    return loaded._replace(cube=cube)


class Tiles:
    """Predictions in tiles against those of the whole scene; for the fixtures `golden`, `paper` and `method`."""

    @pytest.fixture
    def stages(self, paper):
        return importlib.import_module(paper.package + ".stages")

    @pytest.fixture
    def tiles(self, paper):
        return importlib.import_module(paper.package + ".tiles")

    @pytest.mark.parametrize("tile", [32, 128])
    def test_in_tiles_as_on_the_whole_scene(self, golden, tiles, tile, tmp_path):
        _, content, _, network = golden
        x = random_scene(content["config"]["in_channels"])
        with torch.no_grad():
            whole = network.eval()(x)[0].numpy()
        network.train()
        tiled = tiles.logits_tiled(network, x, tile, tmp_path)
        assert tiled.shape == whole.shape and tiled.dtype == np.float32
        assert np.abs(tiled - whole).max() < TOLERANCE
        classes = tiles.predict_tiled(network, x[0].numpy(), HEIGHT - 3, WIDTH - 11, tile, tmp_path)
        assert classes.dtype == np.uint8
        np.testing.assert_array_equal(classes, whole.argmax(axis=0)[:-3, :-11] + 1)
        assert network.training
        assert not list(tmp_path.iterdir())

    @pytest.mark.slow
    def test_no_stage_reaches_further_than_it_states(self, golden, stages):
        _, content, _, network = golden
        execution = WholeMaps(stages)
        x = random_scene(content["config"]["in_channels"])[..., :16, :16]
        with torch.no_grad():
            logits = network.eval().tiled(execution, x)
            assert (logits - network(x)).abs().max() < TOLERANCE
        for stage, channels in execution.seen:
            assert true_reach(stage, channels) == stage.reach, stage.reason

    @pytest.mark.parametrize("mapped", [False, True])
    def test_predict_in_tiles_gives_the_same_prediction(self, paper, method, mapped, tmp_path, monkeypatch):
        weights = tmp_path / "weights.pth"
        torch.save({"model": untrained(method, request_for(paper, tmp_path)).network.state_dict()}, str(weights))
        predictions = []
        for tile in ("0", "48"):
            if mapped and tile != "0":
                config = importlib.import_module(paper.package + ".config")
                monkeypatch.setattr(
                    config, "load_scene", lambda *_arguments, **_options: in_a_file(tmp_path / "cube.npy")
                )
            words = predict_words(paper, tmp_path / tile, weights) + ["--tile", tile]
            for override in paper.lean:
                words += ["--set", override]
            assert paper.main(words) == 0
            (path,) = (tmp_path / tile / paper.slug / "synthetic" / "predictions").glob(
                "synthetic-weights-*/prediction.npy"
            )
            predictions.append(np.load(str(path)))
        assert len(np.unique(predictions[0])) > 1
        np.testing.assert_array_equal(*predictions)

    def test_tiles_are_chosen_where_the_scene_does_not_fit_into_memory(
        self, paper, method, tmp_path, monkeypatch, capsys
    ):
        untrained(method, request_for(paper, tmp_path)).save(tmp_path / "weights.pth")
        module = importlib.import_module(paper.package + ".predict")
        folders = {"": tmp_path / "whole", "tile": tmp_path / "tiles", "--tile": tmp_path / "asked"}
        for kind, free in (("", 10**11), ("tile", 10**6), ("--tile", 10**6)):
            monkeypatch.setattr(module, "free_memory_of", lambda _device, free=free: free)
            words = predict_words(paper, folders[kind], tmp_path / "weights.pth")
            assert paper.main(words + (["--tile", "0"] if kind == "--tile" else [])) == 0
            said, progress = capsys.readouterr()
            assert ("at once: it takes" in said) == (kind == "")
            assert ("in tiles of 64 pixels: at once it would take" in said) == (kind == "tile")
            assert bool(re.search(r"%s synthetic: tile (\d+) of \1, " % paper.slug, progress)) == (kind == "tile")
        predictions = [np.load(str(next(folder.glob("**/prediction.npy")))) for folder in folders.values()]
        np.testing.assert_array_equal(predictions[0], predictions[1])
        np.testing.assert_array_equal(predictions[0], predictions[2])

    @pytest.mark.parametrize("tile", ["100", "8"])
    def test_a_side_that_is_no_multiple_of_16(self, paper, method, tile, tmp_path, capsys):
        fitted = untrained(method, request_for(paper, tmp_path))
        fitted.save(tmp_path / "weights.pth")
        words = predict_words(paper, tmp_path, tmp_path / "weights.pth") + ["--tile", tile]
        fails(paper, capsys, words, "--tile: a tile's side must be a multiple of 16 pixels, not %s." % tile)
