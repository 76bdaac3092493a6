"""How a run compares with published numbers, in sentences."""

import pytest

from shared_data.comparison.diff import compare
from shared_data.comparison.published import PublishedNumber, PublishedResult
from shared_data.comparison.words import in_words


def result(**changes):
    numbers = {"oa": PublishedNumber(0.9, 0.002, "oa"), "kappa": PublishedNumber(0.8, None, "kappa")}
    return PublishedResult("ssdgl", "pavia-v2021", "paper", "paper", 10, "table 1", numbers)._replace(**changes)


def records(record, oas, **changes):
    return [dict(record, seed=seed, metrics=dict(record["metrics"], oa=oa), **changes) for seed, oa in enumerate(oas)]


def test_one_run_is_compared_and_has_no_verdict(record):
    told = in_words(compare(records(record, [0.85]), [result()]))
    assert told[:2] == [
        "OA 90.00 ± 0.20 published, 85.00 reproduced: 5.00 points below",
        "kappa × 100 80.00 published, 50.00 reproduced: 30.00 points below",
    ]
    assert "a verdict needs three runs" in told[2]


def test_three_runs_have_a_verdict_with_its_interval(record):
    told = in_words(compare(records(record, [0.901, 0.902, 0.903]), [result()]))
    assert told[0].startswith("OA 90.00 ± 0.20 published, 90.20 ± 0.10 reproduced: 0.20 points above; verdict: ")
    assert "equivalent, 90 % interval +" in told[0] and not any("three runs" in line for line in told)


def test_doubts_follow(record):
    told = in_words(compare(records(record, [0.85], modified=["train.num_iters"]), [result()]))
    assert told[-1].startswith("doubts whether these runs stand for the paper's: ")
    assert "modified (train.num_iters)" in told[-1]


@pytest.mark.parametrize(
    "changes, published, said",
    [
        ({}, [], "none for this configuration"),
        ({"protocol": "spatial-cv"}, [], "none for this configuration"),
        ({"protocol": "spatial-cv"}, [result()], "the published numbers are of the authors' split, so this protocol"),
    ],
)
def test_nothing_to_compare_with_is_said(record, changes, published, said):
    (told,) = in_words(compare(records(record, [0.85], **changes), published))
    assert told.startswith(said)


def test_a_number_of_another_definition_is_named(record):
    other = result(numbers={"aa": PublishedNumber(0.9, None, "aa_plus_one", "(n + 1)")}, kind="official log")
    told = in_words(compare(records(record, [0.85]), [other]))
    assert told == ["AA (n + 1) 90.00 published in a log file, which is not computed here", told[-1]]
