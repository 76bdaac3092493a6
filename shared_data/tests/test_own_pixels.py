"""A paper's method and the baselines on the paper's own pixels: over the seeds that they share, the network first."""

import pytest

from shared_data.comparison.own_pixels import own_pixels_table
from shared_data.errors import RecordError

pytestmark = pytest.mark.stack_independent


def run(paper, protocol, seed, accuracy, scene="indianpines"):
    """A record whose pixels are decided by paper, protocol and seed alone, as they should be."""
    pixels = "%s %d" % (protocol if "-" in protocol else "%s-%s" % (paper, protocol), seed)
    split = {name: {"sha256": "%s %s" % (name, pixels)} for name in ("train", "val", "test")}
    metrics = {"oa": accuracy, "per_class": [accuracy], "confusion": [[1]]}
    return {
        "paper": paper, "experiment": scene, "protocol": protocol, "seed": seed, "metrics": metrics, "split": split,
    }  # fmt: skip


RECORDS = [
    run("ssdgl", "paper", 1, 0.9), run("ssdgl", "paper", 2, 0.8), run("ssdgl", "released", 1, 0.1),
    run("svm", "ssdgl-paper", 1, 0.7), run("svm", "ssdgl-paper", 2, 0.5), run("svm", "ssdgl-paper", 3, 0.1),
    run("1nn-position", "ssdgl-paper", 1, 0.95), run("1nn-position", "ssdgl-paper", 2, 0.85),
    run("svm", "da-imrn-paper", 4, 0.25), run("svm", "ssdgl-released", 1, 0.1), run("svm", "spatial-cv", 1, 0.1),
    run("svm", "ssdgl-paper", 1, 0.1, scene="pavia"),
]  # fmt: skip


def test_methods_are_shown_over_common_seeds_and_the_paper_first():
    lines = own_pixels_table(RECORDS, "indianpines", "paper").splitlines()
    assert lines[0] == "| method | da-imrn (seed 4) | ssdgl (seeds 1, 2) |"
    assert lines[2:5] == [
        "| the paper's method | – | 85.00 |",
        "| 1nn-position | – | 90.00 |",
        "| svm | 25.00 | 60.00 |",
    ]


@pytest.mark.parametrize("seeds, shown", [
    ((2, 3, 4), "seeds 2–4"),
    ((1, 2, 4), "seeds 1, 2, 4"),
    ((1, 2), "seeds 1, 2"),
])  # fmt: skip
def test_the_head_of_a_column_names_its_seeds(seeds, shown):
    records = [run("svm", "ssdgl-paper", seed, 0.5) for seed in seeds]
    assert own_pixels_table(records, "indianpines", "paper").startswith("| method | ssdgl (%s) |" % shown)


@pytest.mark.parametrize("paper, protocol", [("svm", "ssdgl-paper"), ("ssdgl", "paper")])
def test_runs_of_other_pixels_are_refused(paper, protocol):
    other = run(paper, protocol, 2, 0.5)
    other["split"]["test"]["sha256"] = "of another file"
    records = [record for record in RECORDS if (record["paper"], record["seed"]) != (paper, 2)]
    with pytest.raises(RecordError, match="differ in their test pixels"):
        own_pixels_table([*records, other], "indianpines", "paper")


def test_an_own_split_of_a_similar_name_is_no_paper():
    records = [*RECORDS, run("svm", "own-paper", 1, 0.3), run("rssgl", "own-paper", 1, 0.3)]
    assert own_pixels_table(records, "indianpines", "paper") == own_pixels_table(RECORDS, "indianpines", "paper")


def test_another_protocol_and_none():
    assert "| svm | 10.00 |" in own_pixels_table(RECORDS, "indianpines", "released")
    assert own_pixels_table(RECORDS, "ksc", "paper").startswith("No baselines on the pixels")
