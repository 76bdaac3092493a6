"""The command line: its output, and one clear sentence for every kind of wrong input."""

import os
import shutil

import numpy as np
import pytest
from scipy.io import savemat

from shared_data.runs.directory import RunDirectory


def fails(paper, capsys, words, *expected):
    """The command ends with 1 and one sentence on stderr that holds all the expected parts."""
    assert paper.main(words) == 1
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    for part in expected:
        assert part in message, message
    return message


def reproduce(tmp_path, *words):
    return ["reproduce", "synthetic", "--device", "cpu", "--out", str(tmp_path), *words]


def fake_indian_pines(folder):
    """Files of the right names and shapes with every pixel in class 1."""
    savemat(str(folder / "Indian_pines_corrected.mat"), {"indian_pines_corrected": np.ones((145, 145, 200), np.uint16)})
    savemat(str(folder / "Indian_pines_gt.mat"), {"indian_pines_gt": np.ones((145, 145), np.uint8)})


@pytest.mark.stack_independent
class BadInput:
    """Errors for wrong input, and the output for right input; for the fixture `paper`."""

    def test_reproduce_prints_accuracies_maps_and_the_comparison(self, paper, finished):
        out = finished.printed
        assert "%s synthetic, protocol paper, seed %d: OA" % (paper.slug, paper.default_seed) in out
        assert "errors.png" in out and "  record    " in out and "  published none for this configuration\n" in out

    @pytest.mark.slow
    def test_several_seeds(self, paper, tmp_path, capsys):
        assert paper.main(reproduce(tmp_path, "--seeds", "1", "2", *paper.short)) == 0
        assert "seed 1:" in capsys.readouterr().out
        assert (tmp_path / paper.slug / "synthetic/paper/seed-2/run.json").exists()

    def test_list_shows_every_configuration(self, paper, capsys):
        assert paper.main(["list"]) == 0
        out = capsys.readouterr().out
        for name in paper.listed:
            assert "\n%s\n" % name in "\n" + out
        assert "Expected time" in out

    def test_unknown_experiment(self, paper, capsys):
        fails(paper, capsys, ["reproduce", "mars"], "unknown configuration 'mars'", "synthetic")

    def test_unknown_protocol(self, paper, capsys):
        words = ["reproduce", "synthetic", "--protocol", "hope"]
        fails(paper, capsys, words, "unknown protocol 'hope'", paper.protocols)

    def test_unknown_configuration_key_in_an_override(self, paper, tmp_path, capsys):
        words = reproduce(tmp_path, "--set", "train.iterations=3")
        fails(paper, capsys, words, "override 'train.iterations=3'", "no key")

    def test_unknown_configuration_key_in_a_file(self, paper, tmp_path, monkeypatch, capsys):
        original = paper.configs_owner.CONFIGS
        for section, key in paper.wrong_keys:
            folder = tmp_path / key
            shutil.copytree(str(original), str(folder / "configs"))
            path = folder / "configs" / "synthetic.toml"
            text = path.read_text()
            assert "[%s]" % section in text
            path.write_text(text.replace("[%s]" % section, "[%s]\n%s = 3" % (section, key)))
            monkeypatch.setattr(paper.configs_owner, "CONFIGS", folder / "configs")
            fails(paper, capsys, reproduce(folder / "out"), key)

    def test_missing_file(self, paper, tmp_path, capsys):
        words = ["reproduce", "indianpines", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
        fails(paper, capsys, words, "Indian_pines_corrected.mat", str(tmp_path), "make data-indianpines")
        assert not (tmp_path / "out").exists()

    def test_wrong_hash_without_unverified(self, paper, tmp_path, capsys):
        fake_indian_pines(tmp_path)
        words = ["reproduce", "indianpines", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
        fails(paper, capsys, words, "Indian_pines_corrected.mat", "ec2f8808", "UNVERIFIED=1")

    def test_classes_with_other_numbers_of_pixels(self, paper, tmp_path, capsys):
        fake_indian_pines(tmp_path)
        words = ["reproduce", "indianpines", "--data", str(tmp_path), "--unverified", "--out", str(tmp_path / "out")]
        fails(paper, capsys, words, "expected 46 pixels of the class 'Alfalfa' of indianpines, found 21025")

    def test_two_runs_into_the_same_directory(self, paper, tmp_path, capsys):
        folder = tmp_path / paper.slug / "synthetic" / "paper" / ("seed-%d" % paper.default_seed)
        with RunDirectory(folder, {}):
            fails(paper, capsys, reproduce(tmp_path, *paper.short), str(folder), "in use by process %d" % os.getpid())

    def test_a_directory_with_another_run(self, paper, finished, capsys):
        words = reproduce(finished.out, "--iters", "3")
        fails(paper, capsys, words, "config.%s was" % paper.short_override, "FORCE=1")

    def test_unwritable_output_folder(self, paper, tmp_path, capsys):
        (tmp_path / "file").write_text("not a folder")
        fails(paper, capsys, reproduce(tmp_path / "file", *paper.short), "cannot be written", "OUT=")
