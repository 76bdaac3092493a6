"""What of the command line is A2S2K's own; the rest is in test_bad_input.py."""

import numpy as np
import pytest
import torch

from a2s2k_resnet import bench, experiments, overlap, preprocessing
from a2s2k_resnet.decisions import PROTOCOLS, protocol_table
from a2s2k_resnet.network import MODELS, build_network
from contracts.bad_input import fails, reproduce
from shared_data.configuration.overrides import experiment_names
from shared_data.splits.draws import Split


def fails_with(paper, capsys, tmp_path, override, *expected, experiment="synthetic"):
    words = reproduce(tmp_path, "--set", override)
    words[1] = experiment
    message = fails(paper, capsys, words, *expected)
    assert {path.name for path in tmp_path.glob("**/*") if path.is_file()} <= {".lock"}  # free for any other run
    return message


@pytest.mark.parametrize("experiment, override, expected", [
    ("synthetic", "patch.side=8", "patch.side: expected a whole number that is at least 1 and odd, found 8"),
    ("synthetic", "patch.side=5", "A2S2K-ResNet needs a patch side of 7, 9, 11, not 5"),
    ("synthetic-ssrn", "patch.side=13", "SSRN needs a patch side of 7, 9, 11, not 13"),
    ("synthetic-resnet", "patch.side=97", "a patch of 97 × 97 pixels is larger than the scene of 128 × 96"),
    ("synthetic", "preprocessing.components=6", "needs at least 7 bands for its spectral kernels, not 6"),
    ("synthetic-pyresnet", "model.kernels=12", "only a2s2k and ssrn have a number of kernels to choose"),
    ("synthetic-resnet", "preprocessing.components=65", "a scene of 64 bands has 1 to 64 components, not 65"),
    ("synthetic", "split.held_out=0.4", "none is left to test"),
    ("synthetic-pyresnet", "train.batch=587", "588 training pixels in mini-batches of 587 leave a last one of a"),
    ("synthetic-resnet", "train.batch=1", "choose another size with train.batch"),
])  # fmt: skip
def test_settings_that_do_not_fit(paper, capsys, tmp_path, monkeypatch, experiment, override, expected):
    """They are found before principal components are fitted."""
    monkeypatch.setattr(preprocessing.whitening, "fit", lambda *_: pytest.fail("preprocessing ran before the check"))
    fails_with(paper, capsys, tmp_path, override, expected, experiment=experiment)


@pytest.mark.parametrize("override, expected", [
    ("patch.side=5", "needs a patch side of 7, 9, 11, not 5"),
    ("preprocessing.components=65", "a scene of 64 bands has 1 to 64 components, not 65"),
])  # fmt: skip
def test_settings_that_do_not_fit_weights_alone(paper, capsys, tmp_path, monkeypatch, override, expected):
    path = tmp_path / "official.pth"
    torch.save(build_network("a2s2k", 64, 9, 7).state_dict(), str(path))
    monkeypatch.setattr(preprocessing.whitening, "fit", lambda *_: pytest.fail("preprocessing ran before the check"))
    fails(paper, capsys, predict_words(tmp_path, path, "--protocol", "released", "--set", override), expected)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("override, expected", [
    ("model.name='ssrn'", "the model is part of the experiment's name, such as synthetic-ssrn"),
    ("optimizer.name='diffgrad'", "unknown optimizer.name 'diffgrad'; there are: adam"),
    ("train.epochs=2.5", "train.epochs: expected a whole number that is at least 1, found 2.5"),
    ("train.batch=0", "train.batch: expected a whole number that is at least 1, found 0"),
    ("split.held_out=1.5", "split.held_out: expected a number that is at least 0.001 and at most 0.999, found 1.5"),
])  # fmt: skip
def test_values_no_configuration_may_have(paper, capsys, tmp_path, override, expected):
    fails_with(paper, capsys, tmp_path, override, expected)


def test_a_missing_key_is_named(paper, capsys, tmp_path, monkeypatch):
    text = (experiments.CONFIGS / "synthetic.toml").read_text()
    (tmp_path / "synthetic.toml").write_text(text.replace("batch = 16", ""))
    monkeypatch.setattr(experiments, "CONFIGS", tmp_path)
    fails(paper, capsys, reproduce(tmp_path), "synthetic.toml: the key 'train.batch' is missing")


def predict_words(tmp_path, weights, *words):
    return ["predict", "synthetic", "--out", str(tmp_path), "--device", "cpu", "--weights", str(weights), *words]


def test_weights_that_are_none(paper, tmp_path, capsys):
    path = tmp_path / "weights.pth"
    fails(paper, capsys, predict_words(tmp_path, path), "weights.pth does not exist")
    path.write_text("<html>404</html>")
    fails(paper, capsys, predict_words(tmp_path, path), "weights.pth is damaged or holds more than")
    torch.save([torch.zeros(1)], str(path))
    fails(paper, capsys, predict_words(tmp_path, path), "expected a dict of weights, found a list")


def test_official_weights_do_not_fit_the_kernel_of_the_text(paper, tmp_path, capsys):
    path = tmp_path / "official.pth"
    torch.save(build_network("a2s2k", 12, 9, 7).state_dict(), str(path))
    fails(paper, capsys, predict_words(tmp_path, path), "does not fit the network of synthetic under --protocol paper")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize("name, expected", [("cuda:1", "sees 0 CUDA devices; choose DEVICE=cpu"), ("tpu", "'tpu'")])
def test_devices_that_are_not_there(paper, tmp_path, capsys, name, expected):
    words = ["reproduce", "synthetic", "--out", str(tmp_path), "--device", name]
    fails(paper, capsys, words, expected)
    assert not list(tmp_path.glob("**/settings.json"))


def test_every_experiment_has_a_configuration_that_loads():
    names = experiments.names()
    assert len(names) == len(MODELS) * len(experiment_names(experiments.CONFIGS))
    assert {"pavia-resnet", "salinas-pyresnet", "ksc"} <= set(names)
    for name in names:
        config = experiments.load(name)
        base, model = experiments.base_and_model(name)
        assert (config["scene"], config["model"]["name"]) == (experiments.load(base)["scene"], model)
        assert config["patch"]["side"] == (9 if model == "contextualnet" else 7)
        assert experiments.describe(name)


def test_protocol_table_names_every_decision():
    table = protocol_table()
    assert table.count("\n") == 1 + len(PROTOCOLS)
    assert "| released | shared | scene | randomised | last_validation_batch | first_worse_epoch | precision |" in table
    assert "| paper | per_branch | train | full | mean_validation_loss | best_epoch | none | held_out |" in table


def test_overlap_counts_training_pixels_in_the_patch():
    """Pixels of a row, patches of 3: pixel 1 has the training pixel 0 beside it, 3 none, 5 one of another class."""
    labels = np.array([[1, 1, 0, 1, 2, 1, 2, 2]] + [[0] * 8] * 2, np.uint8)
    split = Split(np.array([0, 6]), np.zeros(0, np.int64), np.array([1, 3, 5, 7]))
    found = overlap.overlap(split, labels, 3)
    assert found == (0.75, 0.5)
    assert overlap.overlap(split, labels, 1) == (0, 0)


def test_overlap_of_a_scene(capsys):
    assert overlap.main(["synthetic"]) == 0
    assert "of 4725 test pixels" in capsys.readouterr().out


def test_bench_compares_the_same_weights_on_the_same_patches(monkeypatch):
    monkeypatch.setattr(bench, "LABELLED", 40)
    monkeypatch.setattr(bench, "BANDS", 20)
    ours, literal = (bench.SIDES[name]("a2s2k", torch.device("cpu")) for name in ("ours", "literal"))
    pixels = torch.tensor([3, 39, 0])
    assert torch.equal(ours.patches(pixels), literal.patches(pixels))
    with torch.no_grad():
        logits = [side.network.eval()(side.patches(pixels)) for side in (ours, literal)]
    assert torch.allclose(*logits, atol=1e-5)


def test_work_of_the_bench_is_that_of_the_literal_step(monkeypatch):
    monkeypatch.setattr(bench, "LABELLED", 40)  # only these are in the array of patches
    side, forward = bench.Literal("a2s2k", torch.device("cpu")), []
    work = bench.step_flops(bench.training_step(side))
    if work is None:
        pytest.skip("PyTorch %s does not count" % torch.__version__)
    for module in side.network.modules():
        if isinstance(module, (torch.nn.Conv3d, torch.nn.Linear)):
            module.register_forward_hook(
                lambda module, _, output: forward.append(2 * output.numel() * module.weight[0].numel())
            )
    side.network(side.patches(bench.minibatch(bench.BATCH)))
    # gradients of kernels and inputs are as much again each; patches have none
    assert 2.8 * sum(forward) < work < 3 * sum(forward)


def test_an_epoch_of_the_bench_is_64_steps_and_1018_patches():
    assert bench.epoch_seconds(1.0, 0.0) == 64
    assert bench.epoch_seconds(0.0, 256.0) == 1018
