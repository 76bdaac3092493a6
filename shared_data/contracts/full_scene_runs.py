"""One run of SSDGL or RSSGL as a whole: what it leaves, what reaches training, which weights it takes.

Needs the fixtures `paper`, a `contracts.PaperUnderTest`, and `train`, the paper's module of that name.
"""

import errno
import importlib
import json
import os
import signal

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score

from shared_data.errors import RunDirectoryError
from shared_data.records.record import read_record
from shared_data.runs.history import History
from shared_data.runs.request import Request
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import load_split

SHORT = ("minibatch.images=4",)  # epochs of four steps, so that a short run has several checkpoints


def request_for(paper, tmp_path, protocol="paper", iterations=8, overrides=SHORT, seed=2333) -> Request:
    """A short run on the synthetic scene; `paper.lean` makes its network small."""
    return Request(
        "synthetic", protocol, seed, None, False, "cpu", iterations, paper.lean + tuple(overrides), tmp_path, False
    )


def build(train, request, loaded=None):
    """The run of a request; `loaded` with other labels than the scene keeps the true scene's split."""
    return train.prepare(request, loaded)


def weights_after_training(run, folder) -> torch.Tensor:
    folder.mkdir()
    assert run.train(folder)
    return torch.cat([parameter.detach().flatten() for parameter in run.model.parameters()])


def test_a_run_leaves_a_valid_record_and_all_files(paper, train, tmp_path):
    same = ("scene=synthetic",)  # an override that changes nothing
    outcome = train.reproduce(request_for(paper, tmp_path, overrides=SHORT + same))
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


def test_a_full_disk_is_one_sentence_and_the_run_resumes(paper, train, tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    request = request_for(paper, tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(torch, "save", full)
        with pytest.raises(RunDirectoryError, match="seed-2333 cannot be written: No space left on device"):
            train.reproduce(request)
    assert train.reproduce(request).record["status"] == "finished"


def test_same_seed_same_metrics(paper, train, tmp_path):
    first = train.reproduce(request_for(paper, tmp_path / "a", iterations=4)).record
    again = train.reproduce(request_for(paper, tmp_path / "b", iterations=4)).record
    assert first["metrics"] == again["metrics"] and first["split"] == again["split"]
    assert first["history"] == again["history"]


def test_official_checkpoints_are_classified(paper, train, tmp_path):
    """A file as the release writes it: model, opt, global_step, names with the prefix of DataParallel."""
    request = request_for(paper, tmp_path)
    run = build(train, request)
    path = tmp_path / "model-600.pth"
    torch.save({"model": run.model.state_dict(), "opt": run.optimizer.state_dict(), "global_step": 600}, str(path))
    assert all(name.startswith("module.") for name in run.model.state_dict())
    outcome = classify(paper, request, path)
    assert np.array_equal(np.load(str(outcome.directory / "prediction.npy")), run.predict())


@pytest.mark.parametrize("wrap", [
    lambda weights: weights,
    lambda weights: {"module." + name: tensor for name, tensor in weights.items()},
    lambda weights: {"state_dict": {"module." + name: tensor for name, tensor in weights.items()}, "epoch": 3},
])  # fmt: skip
def test_bare_weights_in_any_wrapping_are_classified(paper, train, tmp_path, wrap):
    request = request_for(paper, tmp_path)
    run = build(train, request)
    torch.save(wrap(run.model.module.state_dict()), str(tmp_path / "dp.pth"))
    outcome = classify(paper, request, tmp_path / "dp.pth")
    assert np.array_equal(np.load(str(outcome.directory / "prediction.npy")), run.predict())


def classify(paper, request, weights):
    return importlib.import_module(paper.package + ".classify").predict(request, weights)


def test_a_saved_model_predicts_what_its_run_predicted_whatever_the_request(paper, train, tmp_path):
    outcome = train.reproduce(request_for(paper, tmp_path, "disjoint"))
    other = request_for(paper, tmp_path, "released", overrides=(), seed=5)._replace(overrides=())
    again = classify(paper, other, outcome.directory / "checkpoints" / "selected.pth")
    stored = [np.load(str(folder / "prediction.npy")) for folder in (outcome.directory, again.directory)]
    assert np.array_equal(*stored) and len(np.unique(stored[0])) > 1


@pytest.mark.parametrize("labels", [True, False])
def test_another_scene_is_standardised_as_the_scene_of_training(paper, train, tmp_path, monkeypatch, labels):
    request = request_for(paper, tmp_path, "disjoint")
    run = build(train, request)
    (tmp_path / "run").mkdir()
    assert run.train(tmp_path / "run")
    true = load_scene("synthetic")
    brighter = true._replace(cube=true.cube * 1.5 + 100)
    if not labels:
        brighter = brighter._replace(ground_truth=np.zeros_like(true.ground_truth))
    config = importlib.import_module(paper.package + ".config")
    monkeypatch.setattr(config, "load_scene", lambda *_arguments, **_options: brighter)
    outcome = classify(paper, request, tmp_path / "run" / "checkpoints" / "selected.pth")
    spectra = true.cube.reshape(-1, true.cube.shape[2])[run.split.train].astype(np.float64)
    expected = (brighter.cube - spectra.mean(axis=0)) / spectra.std(axis=0)
    run.x[0, :, : expected.shape[0], : expected.shape[1]] = torch.from_numpy(expected.transpose(2, 0, 1))
    if hasattr(run, "best"):
        run.best.restore()
    assert (np.load(str(outcome.directory / "prediction.npy")) == run.predict()).mean() > 0.999  # rounding
    assert (outcome.directory / "errors.png").exists() is labels


def test_under_paper_the_loss_sees_labels_of_training_pixels_alone(paper, train, tmp_path):
    run = build(train, request_for(paper, tmp_path))
    _, y, w = next(iter(run.stream))
    assert int((y > 0).sum()) == run.split.train.size
    assert bool((y[w > 0] > 0).all())


def test_a_run_resumed_with_another_number_of_threads_names_both(paper, train, tmp_path, monkeypatch):
    request = request_for(paper, tmp_path)
    known = torch.get_num_threads()
    with monkeypatch.context() as patched:
        patched.setattr(torch, "get_num_threads", lambda: known + 5)
        stop_after(patched, 4)
        assert train.reproduce(request).record is None
    record = train.reproduce(request).record
    assert record["environment"]["threads"] == known and record["environment"]["device"] == "cpu"
    assert [before["environment"]["threads"] for before in record["resumed_from"]] == [known + 5]
    assert set(record["revision"]) == {"version", "git", "dirty"}


def stop_after(patched, steps):
    """A stop signal arrives at this step."""
    add_step = History.add_step

    def step_and_signal(history, seconds):
        add_step(history, seconds)
        if len(history.seconds) == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    patched.setattr(History, "add_step", step_and_signal)


def test_the_settings_file_names_what_decides_the_result(paper, train, tmp_path):
    train.reproduce(request_for(paper, tmp_path, iterations=2))
    settings = json.loads((tmp_path / paper.slug / "synthetic/paper/seed-2333/settings.json").read_text())
    assert settings["config"]["train"]["num_iters"] == 2
    assert settings["protocol"] == "paper" and settings["seed"] == 2333


def predict_words(paper, tmp_path, weights):
    return ["predict", "synthetic", "--out", str(tmp_path), "--device", "cpu", "--weights", str(weights)]


def fails(paper, capsys, words, *expected):
    assert paper.main(words) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    for part in expected:
        assert part in message, message


def test_weights_that_are_no_checkpoint(paper, tmp_path, capsys):
    (tmp_path / "weights.pth").write_text("<html>404</html>")
    fails(paper, capsys, predict_words(paper, tmp_path, tmp_path / "weights.pth"), "weights.pth")


def test_weights_of_another_network(paper, tmp_path, capsys):
    torch.save({"model": {"module.stem.weight": torch.zeros(1)}}, str(tmp_path / "other.pth"))
    fails(paper, capsys, predict_words(paper, tmp_path, tmp_path / "other.pth"), "other.pth", "does not fit")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_without_a_cuda_device(paper, tmp_path, capsys):
    words = ["reproduce", "synthetic", "--out", str(tmp_path), "--device", "cuda"]
    fails(paper, capsys, words, "Device 'cuda'", "sees 0 CUDA devices", "DEVICE=cpu")
    assert not list(tmp_path.glob("**/settings.json"))  # the same folder may now take any run
