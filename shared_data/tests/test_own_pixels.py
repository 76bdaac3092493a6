"""A paper's method and the baselines on the paper's own pixels: over the seeds that they share, the network first."""

import pytest

from shared_data.comparison.own_pixels import own_pixels_table

pytestmark = pytest.mark.stack_independent


def run(paper, protocol, seed, accuracy, scene="indianpines"):
    return {"paper": paper, "experiment": scene, "protocol": protocol, "seed": seed, "metrics": {"oa": accuracy}}


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


def test_another_protocol_and_none():
    assert "| svm | 10.00 |" in own_pixels_table(RECORDS, "indianpines", "released")
    assert own_pixels_table(RECORDS, "ksc", "paper").startswith("No baselines on the pixels")
