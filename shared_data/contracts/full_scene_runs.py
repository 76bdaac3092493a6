"""Complete runs of SSDGL or RSSGL: their output, the labels that reach training, the weights that are selected.

Needs the fixtures `paper`, a `contracts.PaperUnderTest`, and `method`, the paper's `Method`.
"""

import errno
import importlib
import json
import os
import signal
import sys
from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score

from shared_data.errors import CheckpointError, RunDirectoryError, SealedError
from shared_data.records.record import read_record
from shared_data.runs import predict as predicting
from shared_data.runs.history import History
from shared_data.runs.method import Draw, Fitted, Run
from shared_data.runs.pixels import draw_pixels, resolve
from shared_data.runs.predict import predict
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Configuration, Request
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.draws import load_split
from shared_data.splits.labels import SealedTruth
from simplecv.core.config import AttrDict
from simplecv.core.parallel import SingleDevice
from simplecv.module.model_builder import make_model

SHORT = ("minibatch.images=4",)  # epochs of four steps, so that a short run has several checkpoints
FINAL = ("shared_data.runs.reproduce", "final evaluation", "evaluation")  # of a protocol without disclosure


def request_for(paper, tmp_path, protocol="paper", iterations=8, overrides=SHORT, seed=2333) -> Request:
    """A short run on the synthetic scene; `paper.lean` makes its network small."""
    return Request(
        "synthetic", protocol, seed, None, False, "cpu", iterations, paper.lean + tuple(overrides), tmp_path, False
    )


class Prepared(NamedTuple):
    """A request resolved, and its pixels drawn."""

    configuration: Configuration
    loaded: LoadedScene
    draw: Draw


def prepare(method, request) -> Prepared:
    configuration, loaded = resolve(method, request)
    return Prepared(configuration, loaded, draw_pixels(method, loaded, configuration, request.seed))


def labels_for(method, prepared, ground_truth=None, disclosed=None):
    """The labels that training may read. ground_truth: other labels than the scene's, on the same pixels.

    disclosed: whether test labels are included; None: as the protocol says.
    """
    truth = prepared.loaded.ground_truth if ground_truth is None else ground_truth
    labels = method.labels(prepared.draw, truth)
    if prepared.configuration.discloses if disclosed is None else disclosed:
        labels = labels._replace(truth=SealedTruth(truth, prepared.draw.split))
    return labels


def trained(method, request, folder, ground_truth=None, steps=None) -> Fitted:
    """Train without writing a record."""
    prepared = prepare(method, request)
    labels = labels_for(method, prepared, ground_truth)
    run = Run(folder, request.device)
    return method.fit(prepared.loaded.image, labels, prepared.configuration, request.seed, run, steps)


def untrained(method, request) -> Fitted:
    """The request's network with its initial weights."""
    prepared = prepare(method, request)
    labels = labels_for(method, prepared)
    model = method.preprocess(prepared.loaded.image, labels, prepared.configuration, request.seed)
    torch.manual_seed(request.seed)
    network = make_model(AttrDict.from_dict(prepared.configuration.settings)["model"], strict=True)
    return sys.modules[method.load.__module__].TrainedNetwork(network, model)


def openings(record):
    """Who opened the labels, why, and when in the run."""
    return [(entry["by"], entry["reason"], entry["while"]) for entry in record["truth_opened"]]


def minibatches(paper, patched):
    """A list to which every later forward pass of training appends (x, y, w) and its outputs."""
    seen, trainable = [], importlib.import_module(paper.package + ".train").Trainable
    forward = trainable.forward

    def recorded(self, *batch):
        outputs = forward(self, *batch)
        seen.append((batch, outputs))
        return outputs

    patched.setattr(trainable, "forward", recorded)
    return seen


def classified(method, request, weights):
    """(H, W) classes that `predict` writes."""
    return np.load(str(predict(method, request, weights).directory / "prediction.npy"))


def stop_after(patched, steps):
    """A stop signal arrives at this step."""
    add_step = History.add_step

    def step_and_signal(history, seconds):
        add_step(history, seconds)
        if len(history.seconds) == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    patched.setattr(History, "add_step", step_and_signal)


def predict_words(paper, tmp_path, weights):
    return ["predict", "synthetic", "--out", str(tmp_path), "--device", "cpu", "--weights", str(weights)]


def fails(paper, capsys, words, *expected):
    assert paper.main(words) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    for part in expected:
        assert part in message, message


class FullSceneRuns:
    """Runs of SSDGL or RSSGL from start to prediction; for the fixtures `paper` and `method`."""

    def test_a_run_leaves_a_valid_record_and_all_files(self, paper, method, tmp_path):
        same = ("scene=synthetic",)  # an override that changes nothing
        outcome = reproduce(method, request_for(paper, tmp_path, overrides=SHORT + same))
        folder = tmp_path / paper.slug / "synthetic" / "paper" / "seed-2333"
        assert outcome.directory == folder
        record = read_record(folder / "run.json")
        prediction, split = np.load(str(folder / "prediction.npy")), load_split(folder / "split.npz")
        scene = load_scene("synthetic")

        assert prediction.shape == scene.ground_truth.shape and prediction.dtype == np.uint8
        assert prediction.min() >= 1 and prediction.max() <= scene.scene.num_classes
        truth, ours = scene.ground_truth.ravel()[split.test], prediction.ravel()[split.test]
        assert record["metrics"]["oa"] == pytest.approx(accuracy_score(truth, ours))
        assert record["metrics"]["aa"] == pytest.approx(balanced_accuracy_score(truth, ours))
        assert record["metrics"]["kappa"] == pytest.approx(cohen_kappa_score(truth, ours))
        assert record["split"]["train"]["size"] == split.train.size
        changed = {override.partition("=")[0] for override in paper.lean + SHORT}
        assert set(record["modified"]) == changed | {"train.num_iters"} and record["truncated"] is True
        assert record["data_verified"] is False  # the scene is generated
        assert record["config"]["model"]["params"]["in_channels"] == scene.scene.bands
        assert [entry["step"] for entry in record["history"]] == [4, 8]
        for name in ("map.png", "map_full.png", "errors.png", "log.txt", "settings.json"):
            assert (folder / name).stat().st_size > 0
        assert list((folder / "checkpoints").glob("events.out.tfevents*"))

    @pytest.mark.stack_independent  # in both stacks: FileSystems
    @pytest.mark.slow
    def test_a_full_disk_is_one_sentence_and_the_run_resumes(self, paper, method, tmp_path, monkeypatch):
        def full(*_arguments, **_options):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        request = request_for(paper, tmp_path)
        with monkeypatch.context() as broken:
            broken.setattr(torch, "save", full)
            with pytest.raises(RunDirectoryError, match="seed-2333 cannot be written: No space left on device"):
                reproduce(method, request)
        assert reproduce(method, request).record["status"] == "finished"

    @pytest.mark.stack_independent  # in both stacks: Interruption
    @pytest.mark.slow
    def test_same_seed_same_metrics(self, paper, method, tmp_path):
        first = reproduce(method, request_for(paper, tmp_path / "a", iterations=4)).record
        again = reproduce(method, request_for(paper, tmp_path / "b", iterations=4)).record
        assert first["metrics"] == again["metrics"] and first["split"] == again["split"]
        assert first["history"] == again["history"]

    def test_official_checkpoints_are_classified(self, paper, method, tmp_path):
        """A file as the release writes it: model, opt, global_step, names with the prefix of DataParallel."""
        request = request_for(paper, tmp_path)
        fitted, path = untrained(method, request), tmp_path / "model-600.pth"
        wrapped = SingleDevice(fitted.network)
        optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1, momentum=0.9)
        torch.save({"model": wrapped.state_dict(), "opt": optimizer.state_dict(), "global_step": 600}, str(path))
        assert all(name.startswith("module.") for name in wrapped.state_dict())
        assert np.array_equal(classified(method, request, path), fitted.predict(load_scene("synthetic").image))

    @pytest.mark.parametrize("wrap", [
        lambda weights: weights,
        lambda weights: {"module." + name: tensor for name, tensor in weights.items()},
        lambda weights: {"state_dict": {"module." + name: tensor for name, tensor in weights.items()}, "epoch": 3},
    ])  # fmt: skip
    def test_bare_weights_in_any_wrapping_are_classified(self, paper, method, tmp_path, wrap):
        request = request_for(paper, tmp_path)
        fitted = untrained(method, request)
        torch.save(wrap(fitted.network.state_dict()), str(tmp_path / "dp.pth"))
        expected = fitted.predict(load_scene("synthetic").image)
        assert np.array_equal(classified(method, request, tmp_path / "dp.pth"), expected)

    def test_bare_weights_alone_are_no_model(self, paper, method, tmp_path):
        fitted = untrained(method, request_for(paper, tmp_path))
        torch.save(fitted.network.state_dict(), str(tmp_path / "bare.pth"))
        with pytest.raises(CheckpointError, match=r"bare\.pth holds weights alone; classify with `predict`"):
            method.load(tmp_path / "bare.pth", "cpu")

    def test_a_saved_model_predicts_what_its_run_predicted_whatever_the_request(self, paper, method, tmp_path):
        outcome = reproduce(method, request_for(paper, tmp_path, "disjoint"))
        other = request_for(paper, tmp_path, "released", overrides=(), seed=5)._replace(overrides=())
        again = classified(method, other, outcome.directory / "checkpoints" / "selected.pth")
        stored = np.load(str(outcome.directory / "prediction.npy"))
        assert np.array_equal(stored, again) and len(np.unique(stored)) > 1

    def test_fitted_saved_and_loaded_is_the_same(self, paper, method, tmp_path):
        fitted = trained(method, request_for(paper, tmp_path), tmp_path / "run", steps=5)
        assert len(fitted.report.history.seconds) == 5
        fitted.save(tmp_path / "saved.pth")
        loaded = method.load(tmp_path / "saved.pth", "cpu")
        image = load_scene("synthetic").image
        expected = fitted.predict(image)
        assert np.array_equal(loaded.predict(image), expected) and expected.dtype == np.uint8
        assert loaded.report is None and loaded.model.config == fitted.model.config
        assert np.array_equal(loaded.model.trained, fitted.model.trained)
        ours, theirs = fitted.weights(), loaded.weights()
        assert list(ours) == list(theirs) and all(np.array_equal(ours[name], theirs[name]) for name in ours)

    @pytest.mark.stack_independent
    @pytest.mark.parametrize("labels", [True, False])
    def test_another_scene_is_standardised_as_the_scene_of_training(self, paper, method, tmp_path, monkeypatch, labels):
        request = request_for(paper, tmp_path, "disjoint")
        fitted = trained(method, request, tmp_path / "run")
        fitted.save(tmp_path / "selected.pth")
        true = load_scene("synthetic")
        brighter = true._replace(cube=true.cube * 1.5 + 100)
        if not labels:
            brighter = brighter._replace(ground_truth=np.zeros_like(true.ground_truth))
        monkeypatch.setattr(predicting, "load_scene", lambda *_arguments, **_options: brighter)
        outcome = predict(method, request, tmp_path / "selected.pth")
        train = prepare(method, request).draw.split.train
        spectra = true.cube.reshape(-1, true.cube.shape[2])[train].astype(np.float64)
        expected = (brighter.cube - spectra.mean(axis=0)) / spectra.std(axis=0)
        height, width = expected.shape[:2]
        x = torch.zeros(1, expected.shape[2], -(-height // 16) * 16, -(-width // 16) * 16)
        x[0, :, :height, :width] = torch.from_numpy(expected.transpose(2, 0, 1))
        with torch.no_grad():
            classes = fitted.network.eval()(x)[0].argmax(dim=0)[:height, :width].numpy() + 1
        assert (np.load(str(outcome.directory / "prediction.npy")) == classes).mean() > 0.999  # rounding
        assert (outcome.directory / "errors.png").exists() is labels

    @pytest.mark.stack_independent
    def test_under_paper_the_loss_sees_labels_of_training_pixels_alone(self, paper, method, tmp_path, monkeypatch):
        request = request_for(paper, tmp_path)
        seen = minibatches(paper, monkeypatch)
        trained(method, request, tmp_path / "run", steps=1)
        ((_, y, w), _), train = seen[0], prepare(method, request).draw.split.train
        assert int((y > 0).sum()) == train.size
        assert bool((y[w > 0] > 0).all())

    @pytest.mark.stack_independent
    @pytest.mark.parametrize("protocol", ["paper", "disjoint"])
    def test_labels_are_opened_once_and_after_training(self, paper, method, tmp_path, protocol):
        record = reproduce(method, request_for(paper, tmp_path, protocol, iterations=2)).record
        assert openings(record) == [FINAL]

    @pytest.mark.stack_independent
    def test_the_released_method_without_disclosed_labels_stops_before_anything_is_written(
        self, paper, method, tmp_path
    ):
        request = request_for(paper, tmp_path, "released")
        prepared = prepare(method, request)
        assert prepared.configuration.discloses
        labels = labels_for(method, prepared, disclosed=False)
        with pytest.raises(SealedError, match=r"%s\.train asks for test labels" % paper.package):
            method.fit(prepared.loaded.image, labels, prepared.configuration, 1, Run(tmp_path / "run", "cpu"))
        assert not (tmp_path / "run").exists()

    @pytest.mark.stack_independent
    @pytest.mark.slow
    def test_a_run_resumed_with_another_number_of_threads_names_both(self, paper, method, tmp_path, monkeypatch):
        request = request_for(paper, tmp_path)
        known = torch.get_num_threads()
        with monkeypatch.context() as patched:
            patched.setattr(torch, "get_num_threads", lambda: known + 5)
            stop_after(patched, 4)
            assert reproduce(method, request).record is None
        record = reproduce(method, request).record
        assert record["environment"]["threads"] == known and record["environment"]["device"] == "cpu"
        assert [before["environment"]["threads"] for before in record["resumed_from"]] == [known + 5]
        assert set(record["revision"]) == {"version", "git", "dirty"}

    @pytest.mark.stack_independent
    def test_the_settings_file_names_what_decides_the_result(self, paper, method, tmp_path):
        reproduce(method, request_for(paper, tmp_path, iterations=2))
        settings = json.loads((tmp_path / paper.slug / "synthetic/paper/seed-2333/settings.json").read_text())
        assert settings["config"]["train"]["num_iters"] == 2
        assert settings["protocol"] == "paper" and settings["seed"] == 2333

    def test_weights_that_are_no_checkpoint(self, paper, tmp_path, capsys):
        (tmp_path / "weights.pth").write_text("<html>404</html>")
        fails(paper, capsys, predict_words(paper, tmp_path, tmp_path / "weights.pth"), "weights.pth")

    def test_weights_of_another_network(self, paper, tmp_path, capsys):
        torch.save({"model": {"module.stem.weight": torch.zeros(1)}}, str(tmp_path / "other.pth"))
        fails(paper, capsys, predict_words(paper, tmp_path, tmp_path / "other.pth"), "other.pth", "does not fit")

    @pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
    def test_cuda_without_a_cuda_device(self, paper, tmp_path, capsys):
        words = ["reproduce", "synthetic", "--out", str(tmp_path), "--device", "cuda"]
        fails(paper, capsys, words, "Device 'cuda'", "sees 0 CUDA devices", "DEVICE=cpu")
        assert not list(tmp_path.glob("**/settings.json"))  # the folder is free for any run again
