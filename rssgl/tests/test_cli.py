"""What of the command line is RSSGL's own; the rest is in test_bad_input.py."""

import pytest

from contracts.bad_input import fails, reproduce
from rssgl.bench import SUBJECT
from rssgl.decisions import PROTOCOLS, protocol_table
from rssgl.selection_table import selection_table


def test_unknown_regulariser(paper, tmp_path, capsys):
    words = reproduce(tmp_path, "--set", "loss.regulariser='cosine'", *paper.short)
    fails(paper, capsys, words, "unknown loss.regulariser 'cosine'", "statistical, improved triplet, sphere, none")


def test_one_training_pixel_of_a_class_leaves_none_for_validation(paper, tmp_path, capsys):
    words = reproduce(tmp_path, "--set", "split.ratio=0.0", "--set", "split.minimum=1", *paper.short)
    fails(paper, capsys, words, "class 1 has 1 training pixel", "split.minimum")


@pytest.mark.parametrize("override, message", [
    ("model.params.kernel=[3, 4, 3]", "kernel[1]: expected a whole number that is at least 1 and odd, found 4"),
    ("model.params.block_channels=[32, 40, 64, 96]", "a multiple of 32, found 40"),
])  # fmt: skip
def test_impossible_networks(paper, tmp_path, capsys, override, message):
    fails(paper, capsys, reproduce(tmp_path, *paper.short, "--set", override), message)


def test_protocol_table_names_every_decision():
    table = protocol_table()
    assert table.count("\n") == 1 + len(PROTOCOLS)
    assert "| paper | validation | 0.1 |" in table and "| released | test | 0.0 |" in table


def test_step_flops_are_those_of_the_literal_network():
    """Of its convolutions, at the Indian Pines size."""
    assert SUBJECT.step_flops("indianpines") == 195_512_126_400


def test_selection_table_says_what_selecting_on_test_is_worth():
    history = [{"step": 10, "test_oa": 0.9}, {"step": 20, "test_oa": 0.96}, {"step": 30, "test_oa": 0.95}]
    record = {
        "experiment": "indianpines", "protocol": "paper", "seed": 1, "history": history,
        "metrics": {"oa": 0.95, "oa_last": 0.95}, "decisions": {"selected_on": "validation"},
        "selection": {"step": 30, "last_step": 30},
    }  # fmt: skip
    last = selection_table("rssgl", [record]).splitlines()[-1]
    assert last == "| indianpines | paper | 1 | validation | 30 | 30 | 95.00 | 95.00 | 96.00 (20) | +1.00 |"
    pooled = dict(record, history=[], folds=[dict(record, fold=3)], metrics={"oa": 0.5})
    lines = selection_table("rssgl", [pooled]).splitlines()
    assert lines[2:] == [last.replace("| 1 |", "| 1, fold 3 |", 1)]
