"""One run as a whole: what it leaves, what reaches training, and that nothing is lost when it is killed."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score

from shared_data.errors import RunDirectoryError
from shared_data.paper_cli import Request
from shared_data.records import read_record
from shared_data.scene import LoadedScene, load_scene
from shared_data.splits import load_split
from ssdgl import training

SHORT = ("minibatch.images=4",)  # epochs of four steps, so that a short run has several checkpoints


def request_for(tmp_path, protocol="paper", iterations=8, **changes) -> Request:
    request = Request("synthetic", protocol, 2333, None, False, "cpu", iterations, SHORT, tmp_path, False)
    return request._replace(**changes)


def command(out, *extra):
    return [sys.executable, "-m", "ssdgl", "reproduce", "synthetic", "--device", "cpu", "--out", str(out),
            "--set", SHORT[0], *extra]  # fmt: skip


def test_a_run_leaves_a_valid_record_and_all_files(tmp_path):
    outcome = training.reproduce(request_for(tmp_path))
    folder = tmp_path / "ssdgl" / "synthetic" / "paper" / "seed-2333"
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
    assert record["modified"] == ["minibatch.images", "train.num_iters"]
    assert record["data_verified"] is False  # the scene is generated
    assert [entry["step"] for entry in record["history"]] == [4, 8]
    for name in ("map.png", "map_full.png", "errors.png", "log.txt", "settings.json"):
        assert (folder / name).stat().st_size > 0
    assert list((folder / "checkpoints").glob("events.out.tfevents*"))


def build(request, loaded=None) -> training.Run:
    """The run of a request; `loaded` with other labels than the scene keeps the true scene's split."""
    scene, config = load_scene("synthetic"), training.resolve_config(request)
    return training.Run(request, config, loaded or scene, training.draw_split(config, scene, request.seed))


def with_permuted_test_labels(loaded: LoadedScene, test: np.ndarray) -> LoadedScene:
    labels = loaded.ground_truth.copy().ravel()
    labels[test] = np.random.RandomState(0).permutation(labels[test])
    return loaded._replace(ground_truth=labels.reshape(loaded.ground_truth.shape))


def weights_after_training(run: training.Run, folder) -> torch.Tensor:
    folder.mkdir()
    assert run.train(folder)
    return torch.cat([parameter.detach().flatten() for parameter in run.model.parameters()])


@pytest.mark.parametrize("protocol, reaches", [("paper", False), ("released", True)])
def test_whether_test_labels_reach_the_weights(tmp_path, protocol, reaches):
    """The evidence behind the table of protocols: permute the test labels and look whether the weights change."""
    request = request_for(tmp_path, protocol)
    true = build(request)
    permuted = build(request, with_permuted_test_labels(true.loaded, true.split.test))
    first = weights_after_training(true, tmp_path / "true")
    assert torch.equal(first, weights_after_training(permuted, tmp_path / "permuted")) is not reaches


def test_learning_rate_is_set_after_the_step_from_the_old_counter(tmp_path):
    training.reproduce(request_for(tmp_path, iterations=5, overrides=("minibatch.images=1",)))
    record = read_record(tmp_path / "ssdgl/synthetic/paper/seed-2333/run.json")
    rates = [entry["lr"] for entry in record["history"]]
    formula = [0.005 * (1 - step / 200) ** 0.8 for step in (0, 0, 1, 2, 3)]
    assert rates == pytest.approx(formula, rel=1e-12)


def run_and_kill(out, number, after_steps):
    """Start a run, send the signal some time after the checkpoint of that step; return the exit code."""
    process = subprocess.Popen(command(out, "--iters", "40"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = out / "ssdgl/synthetic/paper/seed-2333/log.txt"
    deadline = time.time() + 120
    while time.time() < deadline and process.poll() is None:
        if log.exists() and "model-%d.pth saved" % after_steps in log.read_text():
            break
        time.sleep(0.01)
    time.sleep(random.random() * 0.3)  # an arbitrary moment: in a step, an evaluation or a checkpoint
    process.send_signal(number)
    return process.wait(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, number):
    subprocess.run(command(tmp_path / "whole", "--iters", "40"), check=True, stdout=subprocess.DEVNULL)
    code = run_and_kill(tmp_path / "killed", number, after_steps=8)
    unfinished = tmp_path / "killed/ssdgl/synthetic/paper/seed-2333"
    assert code == (-9 if number == signal.SIGKILL else 143)
    assert not (unfinished / "run.json").exists()

    subprocess.run(command(tmp_path / "killed", "--iters", "40"), check=True, stdout=subprocess.DEVNULL)
    results = []
    for name in ("whole", "killed"):
        folder = tmp_path / name / "ssdgl/synthetic/paper/seed-2333"
        record = read_record(folder / "run.json")
        results.append((record["metrics"], record["history"], np.load(str(folder / "prediction.npy")).tobytes()))
    assert results[0] == results[1]
    assert "resumed from" in (unfinished / "log.txt").read_text()


def test_a_full_disk_is_one_sentence_and_the_run_resumes(tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    request = request_for(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(torch, "save", full)
        with pytest.raises(RunDirectoryError, match="seed-2333 cannot be written: No space left on device"):
            training.reproduce(request)
    assert training.reproduce(request).record["status"] == "finished"


def test_same_seed_same_prediction_other_seed_other_split(tmp_path):
    first = training.reproduce(request_for(tmp_path / "a", iterations=4)).record
    again = training.reproduce(request_for(tmp_path / "b", iterations=4)).record
    other = training.reproduce(request_for(tmp_path / "c", iterations=4, seed=7)).record
    assert first["metrics"] == again["metrics"] and first["split"] == again["split"]
    assert first["split"]["train"]["sha256"] != other["split"]["train"]["sha256"]


def test_a_finished_run_is_reported_and_not_run_again(tmp_path, capsys):
    first = training.reproduce(request_for(tmp_path, iterations=2)).record
    again = training.reproduce(request_for(tmp_path, iterations=2)).record
    assert again == first
    assert "is finished already" in capsys.readouterr().out


def test_official_checkpoints_are_classified(tmp_path):
    """A file as the release writes it: model, opt, global_step, names with the prefix of DataParallel."""
    request = request_for(tmp_path)
    run = build(request)
    path = tmp_path / "model-600.pth"
    torch.save({"model": run.model.state_dict(), "opt": run.optimizer.state_dict(), "global_step": 600}, str(path))
    assert all(name.startswith("module.") for name in run.model.state_dict())
    outcome = training.predict(request, path)
    assert np.array_equal(np.load(str(outcome.directory / "prediction.npy")), run.predict())


def test_few_shot_and_v2021_configurations_train(tmp_path):
    for changes in (("model.params.variant='v2022-fewshot'",), ("model.params.variant='v2021'",)):
        for protocol in ("paper", "released"):
            folder = tmp_path / changes[0].replace("'", "") / protocol
            request = request_for(folder, protocol, iterations=2, overrides=SHORT + changes)
            record = training.reproduce(request).record
            assert (
                record["decisions"]["loss"]
                == training.decide(protocol, record["config"]["model"]["params"]["variant"]).loss
            )


def test_memory_of_a_step_does_not_hold_the_test_labels(tmp_path):
    """Under `paper` the label map that training holds has no label outside the training pixels."""
    request = request_for(tmp_path)
    run = build(request)
    _, y, w = next(iter(run.stream))
    assert int((y > 0).sum()) == run.split.train.size
    assert bool((y[w > 0] > 0).all())


def test_the_settings_file_names_what_decides_the_result(tmp_path):
    training.reproduce(request_for(tmp_path, iterations=2))
    settings = json.loads((tmp_path / "ssdgl/synthetic/paper/seed-2333/settings.json").read_text())
    assert settings["config"]["train"]["num_iters"] == 2
    assert settings["protocol"] == "paper" and settings["seed"] == 2333
    assert "HSI_DATA" not in os.environ or settings["data"] == {}
