"""What of the command line is DA-IMRN's own; the rest is in test_bad_input.py."""

import pytest
from da_imrn_helpers import LEAN

from contracts import set_options
from contracts.bad_input import fails, reproduce
from da_imrn import experiments
from da_imrn.decisions import protocol_table


@pytest.mark.parametrize("override, expected", [
    ("partition.patch=3", "patch"),
    ("partition.window=2", "window"),
    ("network.strides=[1,1,1]", "64 bands are too many: 63 remain after the last stage"),
    ("network.strides=[2,2]", "one stride and one band kernel per stage, not 2 and 3"),
    ("network.spatial_block=five", "unknown network.spatial_block 'five'; there are: three_kernels, pointwise"),
    ("partition.fitted.train=2.5",
     "partition.fitted.train: expected a number that is at least 0 and at most 1, found 2.5"),
    ("partition.accepted=[5000,5001]", "training"),
    ("train.epochs=2.5", "train.epochs: expected a whole number that is at least 1, found 2.5"),
])  # fmt: skip
def test_settings_that_do_not_fit(paper, capsys, tmp_path, override, expected):
    fails(paper, capsys, reproduce(tmp_path, "--set", override), expected)
    assert not list(tmp_path.glob("**/settings.json"))  # the same folder may now take any run


def test_weights_that_are_none(paper, tmp_path, capsys):
    path = tmp_path / "weights.hdf5"
    words = ["predict", "synthetic", "--out", str(tmp_path), "--device", "cpu", "--weights", str(path)]
    words += set_options(*LEAN)
    fails(paper, capsys, words, "weights.hdf5")
    path.write_text("<html>404</html>")
    fails(paper, capsys, words, "weights.hdf5")


def test_every_configuration_is_complete_and_builds_its_rule_and_structure():
    for name in experiments.names():
        config = experiments.load(name)
        for protocol in ("released", "paper", "disjoint"):
            rule, draws, nearest = experiments.partition_rule(config, protocol)
            assert rule.window >= rule.patch and nearest is (protocol == "released")
            assert draws == {"released": 100, "paper": 2000, "disjoint": 0}[protocol]
            assert experiments.structure(config, protocol).strides == tuple(config["network"]["strides"])


def test_the_protocol_table_is_that_of_the_decisions():
    table = protocol_table()
    released = "| released | shipped | released | 100 | nearest | blanked | scene | all_positions | grid | n_plus_one |"
    assert released in table
    assert "| paper | drawn | fitted | 2000 | error | used | three_kernels | labelled | scene | n_plus_one |" in table
