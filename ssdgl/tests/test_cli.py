"""The command line: what it prints, and one clear sentence for everything that can be wrong with the input."""

import os
import shutil

import numpy as np
import pytest
import torch
from scipy.io import savemat

from shared_data.run_directory import RunDirectory
from ssdgl import training
from ssdgl.bench import SIZES, step_flops
from ssdgl.cli import main
from ssdgl.decisions import PROTOCOLS, decide, protocol_table

FEW = ["--iters", "2", "--device", "cpu", "--set", "minibatch.images=2"]


def fails(capsys, words, *expected):
    """The command ends with 1 and one sentence on stderr that holds all the expected parts."""
    assert main(words) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    for part in expected:
        assert part in message, message
    return message


def test_reproduce_prints_accuracies_maps_and_the_comparison(tmp_path, capsys):
    assert main(["reproduce", "synthetic", "--out", str(tmp_path), *FEW]) == 0
    out = capsys.readouterr().out
    assert "ssdgl synthetic, protocol paper, seed 2333: OA" in out
    assert "errors.png" in out and "synthetic scene" in out


def test_several_seeds(tmp_path, capsys):
    assert main(["reproduce", "synthetic", "--out", str(tmp_path), "--seeds", "1", "2", *FEW]) == 0
    assert "seed 1:" in capsys.readouterr().out
    assert (tmp_path / "ssdgl/synthetic/paper/seed-2/run.json").exists()


def test_list_shows_every_configuration(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for name in ("pavia", "indianpines-fewshot", "houston-v2021", "synthetic"):
        assert name in out
    assert "Expected time" in out and "@@" not in out


def test_unknown_experiment(capsys):
    fails(capsys, ["reproduce", "mars"], "unknown configuration 'mars'", "houston", "synthetic")


def test_unknown_protocol(capsys):
    fails(capsys, ["reproduce", "synthetic", "--protocol", "hope"], "unknown protocol 'hope'", "released, paper")


def test_unknown_configuration_key_in_an_override(tmp_path, capsys):
    words = ["reproduce", "synthetic", "--out", str(tmp_path), "--set", "train.iterations=3"]
    fails(capsys, words, "override 'train.iterations=3'", "no key")


@pytest.mark.parametrize("section, key", [("minibatch", "per_clas"), ("model.params", "widht"), ("train", "num_iter")])
def test_unknown_configuration_key_in_a_file(tmp_path, monkeypatch, capsys, section, key):
    shutil.copytree(str(training.CONFIGS), str(tmp_path / "configs"))
    path = tmp_path / "configs" / "synthetic.toml"
    path.write_text(path.read_text().replace("[%s]" % section, "[%s]\n%s = 3" % (section, key)))
    monkeypatch.setattr(training, "CONFIGS", tmp_path / "configs")
    fails(capsys, ["reproduce", "synthetic", "--out", str(tmp_path / "out"), "--device", "cpu"], key)


def test_missing_file(tmp_path, capsys):
    words = ["reproduce", "indianpines", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    fails(capsys, words, "Indian_pines_corrected.mat", str(tmp_path), "make data-indianpines")
    assert not (tmp_path / "out").exists()


def test_wrong_hash_without_unverified(tmp_path, capsys):
    savemat(str(tmp_path / "Indian_pines_corrected.mat"),
            {"indian_pines_corrected": np.ones((145, 145, 200), np.uint16)})  # fmt: skip
    savemat(str(tmp_path / "Indian_pines_gt.mat"), {"indian_pines_gt": np.ones((145, 145), np.uint8)})
    words = ["reproduce", "indianpines", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    fails(capsys, words, "Indian_pines_corrected.mat", "ec2f8808", "UNVERIFIED=1")


def test_a_class_without_any_pixel(tmp_path, capsys):
    savemat(str(tmp_path / "Indian_pines_corrected.mat"),
            {"indian_pines_corrected": np.ones((145, 145, 200), np.uint16)})  # fmt: skip
    savemat(str(tmp_path / "Indian_pines_gt.mat"), {"indian_pines_gt": np.ones((145, 145), np.uint8)})
    words = ["reproduce", "indianpines", "--data", str(tmp_path), "--unverified", "--out", str(tmp_path / "out")]
    fails(capsys, words, "class 2 (Corn-notill) has no labelled pixel")


def test_a_class_with_fewer_pixels_than_the_split_needs(tmp_path, capsys):
    words = ["reproduce", "synthetic", "--out", str(tmp_path), "--set", "split.minimum=8", *FEW]
    fails(capsys, words, "class 9 (Metal roofs) has 8 labelled pixels; the split draws 8")


def test_two_runs_into_the_same_directory(tmp_path, capsys):
    words = ["reproduce", "synthetic", "--out", str(tmp_path), *FEW]
    folder = tmp_path / "ssdgl" / "synthetic" / "paper" / "seed-2333"
    with RunDirectory(folder, {}):
        fails(capsys, words, str(folder), "in use by process %d" % os.getpid())


def test_a_directory_with_another_run(tmp_path, capsys):
    assert main(["reproduce", "synthetic", "--out", str(tmp_path), *FEW]) == 0
    words = ["reproduce", "synthetic", "--out", str(tmp_path), "--device", "cpu", "--iters", "3"]
    fails(capsys, words, "config.minibatch.images was 2 and is now 20", "FORCE=1")


def test_unwritable_output_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    fails(capsys, ["reproduce", "synthetic", "--out", str(tmp_path / "file"), *FEW], "cannot be written", "OUT=")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_without_a_cuda_device(tmp_path, capsys):
    words = ["reproduce", "synthetic", "--out", str(tmp_path), "--device", "cuda"]
    fails(capsys, words, "Device 'cuda'", "sees 0 CUDA devices", "DEVICE=cpu")
    assert not list(tmp_path.glob("**/settings.json"))  # the same folder may now take any run


def test_weights_that_are_no_checkpoint(tmp_path, capsys):
    (tmp_path / "weights.pth").write_text("<html>404</html>")
    words = ["predict", "synthetic", "--out", str(tmp_path), "--device", "cpu",
             "--weights", str(tmp_path / "weights.pth")]  # fmt: skip
    fails(capsys, words, "weights.pth")


def test_weights_of_another_network(tmp_path, capsys):
    torch.save({"model": {"module.stem.weight": torch.zeros(1)}}, str(tmp_path / "other.pth"))
    words = ["predict", "synthetic", "--out", str(tmp_path), "--device", "cpu",
             "--weights", str(tmp_path / "other.pth")]  # fmt: skip
    fails(capsys, words, "other.pth", "does not fit")


def test_protocol_table_names_every_decision():
    table = protocol_table()
    for protocol in PROTOCOLS:
        assert decide(protocol, "v2022").loss in table
    assert table.count("\n") == 1 + sum(len(variants) for variants in PROTOCOLS.values())


def test_step_flops_are_those_of_the_literal_network():
    """173 GFLOP at the Indian Pines size, as counted for the official network."""
    assert step_flops("indianpines") / 1e9 == pytest.approx(173, rel=0.02)
    assert set(SIZES) == {"indianpines", "pavia"}
