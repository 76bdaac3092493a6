"""What of the command line is SSDGL's own; the rest is in test_bad_input.py."""

from contracts.bad_input import fails, reproduce
from ssdgl.bench import SUBJECT
from ssdgl.decisions import PROTOCOLS, decide, protocol_table


def test_a_class_with_fewer_pixels_than_the_split_needs(paper, tmp_path, capsys):
    words = reproduce(tmp_path, "--set", "split.minimum=8", *paper.short)
    fails(paper, capsys, words, "class 9 (Metal roofs) has 8 labelled pixels; the split draws 8")


def test_unknown_network_variant(paper, tmp_path, capsys):
    fails(paper, capsys, reproduce(tmp_path, "--set", "model.params.variant='v2030'", *paper.short), "v2030")


def test_protocol_table_names_every_decision():
    table = protocol_table()
    for protocol in ("released", "paper", "spatial-cv"):
        assert decide(protocol, "v2022").loss in table
    assert table.count("\n") == 1 + sum(len(variants) for variants in PROTOCOLS.values())


def test_houston_reconstructs_every_pixel_as_released_alone():
    losses = [decide(protocol, "houston").loss for protocol in ("released", "paper", "spatial-cv")]
    assert losses == ["sampled_with_reconstruction", "sampled", "sampled"]


def test_step_flops_are_those_of_the_literal_network():
    """Of its convolutions, at the Indian Pines size."""
    assert SUBJECT.step_flops("indianpines") == 173_722_084_800
