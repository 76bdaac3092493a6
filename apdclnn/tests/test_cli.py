"""What of the command line is APDCLNN's own; the rest is in test_bad_input.py."""

import numpy as np
import pytest
from apdclnn_helpers import LEAN

from apdclnn import experiments, preprocessing
from apdclnn.decisions import protocol_table
from contracts import set_options
from contracts.bad_input import fails, reproduce
from shared_data.comparison.diff import as_text, compare
from shared_data.comparison.published import load_published
from shared_data.configuration.overrides import experiment_names
from shared_data.errors import SettingsError
from shared_data.runs import npz_checkpoint


@pytest.mark.parametrize("override, expected", [
    ("patch.side=4", "patch.side: expected a whole number that is at least 1 and odd, found 4"),
    ("network.widths=[2,2,2,2]", "3 × 3 pixels cannot be halved 3 times"),
    ("network.widths=[]", "network.widths: expected a list of 1 to 6 entries"),
    ("preprocessing.components=65", "a scene of 64 bands has 1 to 64 components, not 65"),
    ("gabor.frequencies=[0.7]",
     "gabor.frequencies[0]: expected a number that is at least 0.001 and at most 0.5, found 0.7"),
    ("split.minimum=1", "split.minimum: expected a whole number that is at least 2, found 1"),
    ("train.epochs=2.5", "train.epochs: expected a whole number that is at least 1, found 2.5"),
    ("network.gabor=false", "use the configuration synthetic-without-gabor"),
])  # fmt: skip
def test_settings_that_do_not_fit(paper, capsys, tmp_path, monkeypatch, override, expected):
    """They are found before anything of the scene is computed, and nothing is written."""
    monkeypatch.setattr(preprocessing, "fit", lambda *_: pytest.fail("preprocessing ran before the check"))
    fails(paper, capsys, reproduce(tmp_path, *set_options(*LEAN, override)), expected)
    assert {path.name for path in tmp_path.glob("**/*") if path.is_file()} <= {".lock"}  # free for any other run
    weights = tmp_path / "weights.npz"
    npz_checkpoint.write(weights, {"classes/b": np.zeros(9, np.float32)})
    words = ["predict", "synthetic", "--out", str(tmp_path), "--device", "cpu", "--weights", str(weights)]
    fails(paper, capsys, [*words, *set_options(*LEAN, override)], expected)


def test_the_official_code_has_no_protocol(paper, capsys):
    fails(paper, capsys, ["reproduce", "synthetic", "--protocol", "released"], "unknown protocol 'released'", "paper")


def test_weights_that_are_none(paper, tmp_path, capsys):
    path = tmp_path / "weights.npz"
    words = ["predict", "synthetic", "--out", str(tmp_path), "--device", "cpu", "--weights", str(path)]
    words += set_options(*LEAN)
    fails(paper, capsys, words, "weights.npz")
    path.write_text("<html>404</html>")
    fails(paper, capsys, words, "weights.npz")


def test_every_configuration_is_complete_and_has_its_four_ablations():
    names = experiments.names()
    assert len(names) == len(experiment_names(experiments.CONFIGS)) * (1 + len(experiments.COMPONENTS))
    assert {"pavia", "indianpines-without-gabor"} <= set(names)
    for name in names:
        base, component = experiments.base_and_ablation(name)
        structure = experiments.structure(experiments.load(name))
        left_out = [one for one in experiments.COMPONENTS if not getattr(structure, one)]
        assert left_out == ([component] if component else []), name
        assert experiments.describe(name).startswith(base if component else "APDCLNN")


def test_a_switch_is_no_override():
    with pytest.raises(SettingsError, match="indianpines-without-attention-loss"):
        experiments.load("indianpines", ["network.attention_loss=false"])


def test_there_is_no_published_number():
    record = {"paper": "apdclnn", "experiment": "indianpines", "scene": "indianpines", "protocol": "paper", "seed": 1,
              "metrics": {"oa": 0.9, "aa": 0.8, "kappa": 0.85}, "data_verified": True, "modified": [],
              "revision": {"git": None, "dirty": None}}  # fmt: skip
    table = as_text(compare([record], load_published()))
    assert table.count("no published number") == 3 and "reproduced" not in table.partition("apdclnn")[2]


def test_the_protocol_table_is_that_of_the_decisions():
    assert "| paper | share_of_every_class | tenth_of_training_pixels | scene |" in protocol_table()
