"""Published numbers, the comparison with runs, and the tables made of it."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from shared_data.comparison import published
from shared_data.comparison.diff import (
    ABOVE,
    BELOW,
    CSV_HEADER,
    EQUIVALENT,
    INCONCLUSIVE,
    NO_NUMBER,
    NOT_RUN,
    OTHER_DEFINITION,
    OTHER_SPLIT,
    as_csv,
    as_json,
    as_latex,
    as_markdown,
    as_text,
    compare,
    doubts,
    falls_below,
    verdict,
)
from shared_data.comparison.published import PublishedNumber, PublishedResult, load_published
from shared_data.errors import RecordError, SharedDataError
from shared_data.evaluation.statistics import confidence_interval, welch_interval
from shared_data.records.record import write_record
from shared_data.report.tables import render, report_tables, update_tables

pytestmark = pytest.mark.stack_independent

PUBLISHED_TOML = Path(published.__file__).with_name("published.toml")
KNOWN = {"git": "a" * 40, "dirty": False}


def run(record, oa, seed=1, **changes):
    """A record with this overall accuracy, of a clean checkout."""
    return dict(dict(record, revision=KNOWN, seed=seed, metrics=dict(record["metrics"], oa=oa)), **changes)


def runs(record, *accuracies, **changes):
    return [run(record, oa, seed=seed, **changes) for seed, oa in enumerate(accuracies, start=1)]


def result(value, std=None, n=1, metric="oa", definition="", **changes):
    """A published overall accuracy for the experiment of `record`."""
    number = PublishedNumber(value, std, metric, definition)
    row = PublishedResult("ssdgl", "pavia-v2021", "released", "published", n, "a table", {metric[:2]: number})
    return row._replace(**changes)


def only(rows, metric="oa"):
    (row,) = [row for row in rows if row.metric == metric]
    return row


# the verdict


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (-0.009, 0.009, EQUIVALENT),
        (0.002, 0.008, EQUIVALENT),  # a difference there is, and it does not matter
        (-0.008, -0.002, EQUIVALENT),
        (0.0, 0.0, EQUIVALENT),
        (0.005, 0.011, ABOVE),
        (0.02, 0.03, ABOVE),
        (-0.011, -0.005, BELOW),
        (-0.03, -0.02, BELOW),
        (-0.011, 0.001, INCONCLUSIVE),
        (-0.001, 0.011, INCONCLUSIVE),
        (-0.02, 0.02, INCONCLUSIVE),
    ],
)
def test_verdict(low, high, expected):
    assert verdict(low, high) == expected


def error_rates(delta, std, n, published_n=5, spread_known=True, draws=20000):
    """Shares of the verdicts where the true difference is `delta` points and both sides have the SD `std` points."""
    random = np.random.RandomState(20260101)
    ours = random.normal(0.9 + delta / 100, std / 100, (draws, n))
    theirs = random.normal(0.9, std / 100, (draws, published_n))
    mean, spread = ours.mean(axis=1), ours.std(axis=1, ddof=1)
    if spread_known:
        low, high = welch_interval(mean, spread, n, theirs.mean(axis=1), theirs.std(axis=1, ddof=1), published_n)
    else:
        low, high = np.array([confidence_interval(list(values), 0.9) for values in ours]).T - theirs.mean(axis=1)
    found = [verdict(*ends) for ends in zip(low, high)]
    return {word: found.count(word) / draws for word in (EQUIVALENT, ABOVE, BELOW, INCONCLUSIVE)}


def test_a_difference_that_matters_is_hardly_ever_called_equivalent():
    assert error_rates(2, 0.5, 5)[EQUIVALENT] < 0.001  # docs/verdicts.md: below 0.1 %
    assert error_rates(2, 0.5, 5)[ABOVE] > 0.99
    # the least favourable true difference is the margin itself: at most 5 %
    for std, n in ((0.25, 3), (0.25, 5), (0.5, 5), (0.5, 10), (1, 5)):
        assert error_rates(1, std, n)[EQUIVALENT] < 0.055, (std, n)
        assert error_rates(-1, std, n)[EQUIVALENT] < 0.055, (std, n)


def test_equal_methods_differ_no_more_often_than_the_level_says():
    for std, n in ((0.25, 3), (0.5, 3), (0.5, 5), (1, 5), (1, 10)):
        rates = error_rates(0, std, n)
        assert rates[ABOVE] < 0.055 and rates[BELOW] < 0.055, (std, n)


@pytest.mark.parametrize(
    "std, n, power", [(0.25, 3, 0.98), (0.25, 5, 1), (0.5, 3, 0.5), (0.5, 5, 0.76), (0.5, 10, 0.9), (1, 5, 0.06)]
)
def test_the_power_that_the_documentation_states(std, n, power):
    assert error_rates(0, std, n)[EQUIVALENT] == pytest.approx(power, abs=0.015)
    document = Path(__file__).resolve().parents[2] / "docs" / "verdicts.md"
    assert "| %g | %d | %.0f %% |" % (std, n, 100 * power) in document.read_text(encoding="utf-8")


def test_without_the_published_spread_equivalence_is_called_too_often_near_the_margin():
    # why such a row says so: the interval lacks one side's spread
    assert error_rates(1, 0.5, 5, spread_known=False, draws=4000)[EQUIVALENT] == pytest.approx(0.10, abs=0.02)
    assert error_rates(2, 0.5, 5, spread_known=False, draws=4000)[EQUIVALENT] < 0.005
    assert error_rates(1, 0.5, 5, 1, spread_known=False, draws=4000)[EQUIVALENT] == pytest.approx(0.22, abs=0.02)
    equal = error_rates(0, 0.5, 5, 1, spread_known=False, draws=4000)
    assert equal[ABOVE] + equal[BELOW] == pytest.approx(0.25, abs=0.02)


# rows


def test_mean_and_std_are_over_seeds(record):
    row = only(compare(runs(record, 0.95, 0.96, 0.97), []))
    assert (row.reproduced, row.std, row.n) == (pytest.approx(0.96), pytest.approx(0.01), 3)
    row = only(compare([run(record, 0.95)], []))
    assert (row.reproduced, row.std, row.n) == (0.95, None, 1)


def test_the_interval_of_three_runs_is_welchs(record):
    row = only(compare(runs(record, 0.958, 0.96, 0.962), [result(0.959, std=0.004, n=5)]))
    # variances of the means: 0.002²/3 = 1.333e-6 and 0.004²/5 = 3.2e-6, so SE = 0.0021292;
    # degrees of freedom 4.5333²/(1.3333²/2 + 3.2²/4) = 5.959, t(0.95) = 1.9454
    assert row.delta == pytest.approx(0.001)
    assert row.interval == (pytest.approx(0.001 - 0.004142, abs=3e-6), pytest.approx(0.001 + 0.004142, abs=3e-6))
    assert row.published_spread and row.verdict == EQUIVALENT


@pytest.mark.parametrize("std, n", [(None, 5), (None, 1), (0.004, 1)])
def test_without_a_published_spread_the_interval_is_students_and_says_so(record, std, n):
    rows = compare(runs(record, 0.958, 0.96, 0.962), [result(0.959, std=std, n=n)])
    row = only(rows)
    half = 2.920 * 0.002 / math.sqrt(3)  # t(0.95, 2)
    assert row.interval == (pytest.approx(0.001 - half, abs=1e-6), pytest.approx(0.001 + half, abs=1e-6))
    assert row.verdict == EQUIVALENT and not row.published_spread
    for text in (as_text(rows), as_markdown(rows)):
        assert "-0.24 to +0.44 (reproduced alone)" in text and "published without a ±" in text


@pytest.mark.parametrize("accuracies, word", [((0.9,), "one run"), ((0.9, 0.91), "two runs")])
def test_one_or_two_runs_have_a_difference_and_no_verdict(record, accuracies, word):
    rows = compare(runs(record, *accuracies), [result(0.95, std=0.001, n=5)])
    row = only(rows)
    assert row.delta == pytest.approx(sum(accuracies) / len(accuracies) - 0.95)
    assert (row.interval, row.verdict) == (None, word)
    assert not falls_below(rows)


@pytest.mark.parametrize(
    "accuracies, expected",
    [
        ((0.949, 0.95, 0.951), EQUIVALENT),
        ((0.93, 0.931, 0.932), BELOW),
        ((0.97, 0.971, 0.972), ABOVE),
        ((0.93, 0.95, 0.97), INCONCLUSIVE),
    ],
)
def test_verdicts_of_three_runs(record, accuracies, expected):
    rows = compare(runs(record, *accuracies), [result(0.95, std=0.001, n=5)])
    assert only(rows).verdict == expected
    assert falls_below(rows) == (expected == BELOW)


def test_runs_without_any_spread_have_an_interval(record):
    row = only(compare(runs(record, 0.95, 0.95, 0.95), [result(0.95, std=0.0, n=5)]))
    assert row.interval == (pytest.approx(0), pytest.approx(0)) and row.verdict == EQUIVALENT


# which protocols and definitions are compared


@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_runs_of_these_protocols_answer_a_published_number(record, protocol):
    rows = compare([run(record, 0.9, protocol=protocol)], [result(0.95)])
    assert only(rows).delta == pytest.approx(-0.05)
    assert NOT_RUN not in [row.verdict for row in rows]


def test_runs_of_another_split_are_never_compared(record):
    rows = compare(runs(record, 0.5, 0.51, 0.52, protocol="disjoint"), [result(0.95), result(0.9, kind="official log")])
    (row,) = [row for row in rows if row.metric == "oa" and row.protocol == "disjoint"]  # one, however many sources
    assert (row.verdict, row.reproduced, row.published, row.delta, row.interval) == (
        OTHER_SPLIT, pytest.approx(0.51), None, None, None
    )  # fmt: skip
    assert [row.verdict for row in rows if row.metric == "aa"] == [NO_NUMBER]
    # the published numbers themselves are still without a run
    assert [(row.protocol, row.published, row.n) for row in rows if row.verdict == NOT_RUN] == [
        ("released", 0.95, 0), ("released", 0.9, 0)
    ]  # fmt: skip
    assert not falls_below(rows)


def test_protocols_are_compared_apart_and_sources_each(record):
    records = [run(record, 0.95), run(record, 0.85, protocol="paper")]
    rows = compare(records, [result(0.95), result(0.85, kind="official log")])
    assert [(row.protocol, row.kind, round(100 * row.delta)) for row in rows if row.metric == "oa"] == [
        ("released", "published", 0),
        ("released", "official log", 10),
        ("paper", "published", -10),
        ("paper", "official log", 0),
    ]


def test_a_metric_is_compared_with_the_published_one_of_its_definition(record):
    source = result(0.8035, n=5, metric="aa_released", definition="correct/(n+1)")
    measured = run(record, 0.9, metrics=dict(record["metrics"], aa=0.8923, aa_released=0.8453))
    rows = compare([measured], [source])
    usual, defined = only(rows, "aa"), only(rows, "aa correct/(n+1)")
    assert (usual.verdict, usual.reproduced, usual.delta) == (NO_NUMBER, 0.8923, None)
    assert (defined.verdict, defined.reproduced) == ("one run", 0.8453)
    assert "| 80.35 | 84.53 | 1 | +4.18 |" in as_markdown(rows)
    # a run whose record lacks that metric is not compared with another one
    (row,) = [row for row in compare([run(record, 0.9)], [source]) if row.published]
    assert (row.verdict, row.reproduced, row.delta, row.n) == (OTHER_DEFINITION, None, None, 1)


def test_what_was_not_run_or_not_published_is_said(record):
    rows = compare([run(record, 0.95)], [result(0.9, experiment="houston-v2021")])
    assert [(row.experiment, row.metric, row.verdict) for row in rows] == [
        ("pavia-v2021", "oa", NO_NUMBER),
        ("pavia-v2021", "aa", NO_NUMBER),
        ("pavia-v2021", "kappa", NO_NUMBER),
        ("houston-v2021", "oa", NOT_RUN),
    ]


# doubts

DIRTY, UNKNOWN, OTHER = (
    {"git": "a" * 40, "dirty": True},
    {"git": None, "dirty": None},
    {"git": "b" * 40, "dirty": False},
)


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, ()),
        ({"data_verified": False}, ("unverified data",)),
        ({"scene": "synthetic", "data_verified": False, "data": []}, ("synthetic scene",)),
        ({"modified": ["train.num_iters", "optimizer.lr"]}, ("modified (optimizer.lr, train.num_iters)",)),
        ({"truncated": True}, ("truncated",)),
        ({"truncated": False}, ()),
        ({"revision": DIRTY}, ("dirty checkout",)),
        ({"revision": UNKNOWN}, ("unknown revision",)),
        ({"revision": dict(KNOWN, dirty=None)}, ("unknown revision",)),
        ({"resumed_from": [{"revision": KNOWN}]}, ()),
        ({"resumed_from": [{"revision": OTHER}]}, ("several revisions",)),
        ({"resumed_from": [{"revision": DIRTY}]}, ("dirty checkout",)),
        ({"folds": [{"revision": DIRTY}, {"revision": KNOWN}]}, ("dirty checkout",)),
        ({"folds": [{"revision": KNOWN, "resumed_from": [{"revision": OTHER}]}]}, ("several revisions",)),
        ({"folds": [{"fold": 0}]}, ()),  # an old record
        ({"audit": {"partition": "recovered"}}, ("training pixels partly drawn",)),
        ({"audit": {"partition": "shipped"}}, ()),
        ({"audit": {"partition": "drawn"}, "protocol": "paper"}, ()),
        (
            {"data_verified": False, "modified": ["a"], "truncated": True, "revision": DIRTY},
            ("unverified data", "modified (a)", "truncated", "dirty checkout"),
        ),
    ],
)
def test_every_doubt_is_named(record, changes, expected):
    assert doubts([run(record, 0.9, **changes)]) == expected


def test_a_doubt_of_some_runs_says_of_how_many(record):
    records = runs(record, 0.9, 0.9) + [run(record, 0.9, seed=3, data_verified=False, modified=["a"])]
    assert doubts(records) == ("unverified data (1 of 3 runs)", "modified (a; 1 of 3 runs)")


@pytest.mark.parametrize(
    "changes", [{"data_verified": False}, {"modified": ["a"]}, {"truncated": True}, {"revision": DIRTY}]
)
def test_a_doubt_changes_no_verdict_and_strict_passes(record, changes):
    records = runs(record, 0.93, 0.931) + [run(record, 0.932, seed=3, **changes)]
    rows = compare(records, [result(0.95, std=0.001, n=5)])
    assert (only(rows).verdict, len(only(rows).doubts)) == (BELOW, 1)
    assert not falls_below(rows)
    assert only(rows).doubts[0] in as_text(rows)


def test_doubts_stand_beside_rows_without_a_published_number_too(record):
    assert only(compare([run(record, 0.9, data_verified=False)], [])).doubts == ("unverified data",)


def test_text_markdown_and_json_say_the_same(record):
    rows = compare(runs(record, 0.95, 0.955, 0.96), [result(0.965, std=0.004, n=4, kind="official log")])
    text = as_text(rows).splitlines()
    assert text[0].split()[:5] == ["paper", "experiment", "protocol", "metric", "published"]
    for part in ("96.50 ± 0.40 (log)", "95.50 ± 0.50", " 3 ", "-1.00", BELOW):
        assert part in text[2]
    assert text[-2].startswith("±: sample standard deviation over runs") and "log file" in text[-1]
    table, *notes = as_markdown(rows).split("\n\n")
    assert notes == text[-2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert {len(line) for line in cells} == {11}
    # SE² = 0.005²/3 + 0.004²/4 = 12.333e-6 with 3.87 degrees of freedom, t(0.95) = 2.15
    assert cells[2] == ["ssdgl", "pavia-v2021", "released", "oa", "96.50 ± 0.40 (log)", "95.50 ± 0.50", "3", "-1.00",
                        "-1.76 to -0.24", BELOW, "–"]  # fmt: skip
    assert cells[3][-3:] == ["–", NO_NUMBER, "–"]
    (stored, *_) = json.loads(as_json(rows))
    assert stored == dict(rows[0]._asdict(), interval=list(rows[0].interval), doubts=[])


def test_csv_holds_the_numbers_unrounded_and_empty_cells_where_there_are_none(record):
    rows = compare(runs(record, 0.75, 0.77, 0.79, modified=["a, b"]), [result(0.7, std=0.01, n=5)])
    lines = list(csv.DictReader(as_csv(rows).splitlines()))
    assert tuple(lines[0]) == CSV_HEADER and len(lines) == len(rows)
    row, line = only(rows), lines[[row.metric for row in rows].index("oa")]
    for name in ("published", "published_std", "reproduced", "std", "delta"):
        assert float(line[name]) == getattr(row, name)
    assert (float(line["interval_from"]), float(line["interval_to"])) == row.interval
    assert line["n"] == "3" and line["doubts"] == "modified (a, b)"
    plain = lines[[row.metric for row in rows].index("aa")]
    assert plain["published"] == plain["delta"] == plain["interval_from"] == ""


def test_latex_has_a_line_per_row_and_escapes_everything(record):
    changed = runs(record, 0.75, 0.77, 0.79, experiment="a_b&c", modified=["x{#}", "50%", "[1]", "\\n"])
    rows = compare(changed, [result(0.7, experiment="a_b&c")])
    text, *notes = as_latex(rows).split("\n\n")
    begin, *body, end = text.splitlines()[1:]
    assert begin == r"\begin{tabular}{%s}" % ("l" * 11) and end == r"\end{tabular}"
    assert body[0] == r"\toprule" and body[2] == r"\midrule" and body[-1] == r"\bottomrule"
    lines = [body[1], *body[3:-1]]
    assert len(lines) == 1 + len(rows) and all(line.endswith(r" \\") for line in lines)
    assert all(len(re.findall(r"(?<!\\)&", line)) == 10 for line in lines)
    assert r"ssdgl & a\_b\&c & released & oa & 70.00 & 77.00 $\pm$ 2.00 & 3 & +7.00 & " in text
    assert r"modified (50\%, {[}1], \textbackslash{}n, x\{\#\})" in text and r"90 \% interval of $\Delta$" in text
    assert len(notes) == 2 and notes[0].startswith(r"$\pm$: ") and (as_latex(rows) + as_csv(rows)).count("±") == 0


# published.toml


def test_every_published_number_is_loaded_as_a_fraction():
    results = load_published()
    assert len(results) == PUBLISHED_TOML.read_text(encoding="utf-8").count("\n[[result]]\n") > 0
    for entry in results:
        assert entry.numbers and entry.source and entry.n >= 1
        for number in entry.numbers.values():
            assert 0.5 < number.value <= 1
            assert number.std is None or 0 <= number.std < 0.01


def published_of(paper, experiment):
    (entry,) = [entry for entry in load_published() if (entry.paper, entry.experiment) == (paper, experiment)]
    return entry.numbers


def test_units_are_brought_together():
    numbers = published_of("rssgl", "indianpines")
    assert numbers["oa"][:2] == pytest.approx((0.9673, 0.00095))
    assert numbers["kappa"][:2] == pytest.approx((0.9628, 0.001))


def test_a_spread_that_divides_by_n_is_converted():
    # of three runs: 0.4 points × √(3/2)
    assert published_of("a2s2k", "indianpines")["oa"][:2] == pytest.approx((0.9866, 0.004 * 1.2247449))
    assert published_of("a2s2k", "ksc")["oa"].std == pytest.approx(0.0012247449)


def test_da_imrns_average_accuracy_is_of_its_own_definition():
    for scene in ("indianpines", "pavia", "salinas"):
        numbers = published_of("da-imrn", scene)
        assert numbers["aa"][2:] == ("aa_released", "correct/(n+1)")
        assert numbers["oa"][2:] == ("oa", "")


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("n = 5\n", "n = 5\nyear = 2021\n", "at result 3: .*'year' was unexpected"),
        ("n = 5\n", "", "at result 3: 'n' is a required property"),
        ("n = 5\n", "n = 0\n", "at result 3 n: 0 is less than the minimum of 1"),
        ("n = 5\n", "n = 1\n", "at result 3 oa: .*std"),  # a spread over one run
        ("n = 5\n", "n = 5.0\n", "at result 3 n: 5.0 is not of type 'integer'"),
        ('protocol = "released"', 'protocol = "disjoint"', "at result 1 protocol: 'disjoint' is not one of"),
        ("value = 96.73", "mean = 96.73", "at result 3 oa: "),
        ("std = 0.095", "std = -1", "at result 3 oa std: -1 is less than"),
        ("std = 0.095", "std_ddof = 0", "at result 3 oa: 'std' is a dependency of 'std_ddof'"),
        (', metric = "aa_released"', "", "at result 9 aa: 'metric' is a dependency of 'definition'"),
        ('metric = "aa_released"', 'metric = "per_class"', "at result 9 aa metric: 'per_class' does not match"),
        ('unit = "percent"', 'unit = "permille"', "at result 3 oa unit: 'permille' is not one of"),
        ("oa = { value = 96.73", "oa = 96.73 # {", "at result 3 oa: 96.73 is not of type 'object'"),
        ("\n[[result]]\n", "\n[[results]]\n", "at top level: .*'results' was unexpected"),
        ("\n[[result]]\n", "\n[[result]\n", r"published\.toml: it cannot be read as TOML"),
    ],
)
def test_a_mistake_in_the_published_numbers_is_named(tmp_path, old, new, complaint):
    text = PUBLISHED_TOML.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "published.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SharedDataError, match=complaint):
        load_published(tmp_path / "published.toml")


# tables

README = """# Results\n\nBefore.\n
<!-- table: results paper=ssdgl -->
| old |
<!-- end table -->
Between.
<!-- table: costs paper=ssdgl -->
<!-- end table -->
After.
"""


def test_tables_replace_blocks_and_nothing_else(record):
    text = render(README, [run(record, 0.95), run(record, 0.123, paper="rssgl")])
    assert text.startswith("# Results\n\nBefore.\n\n<!-- table: results paper=ssdgl -->\n| paper |")
    assert "\n<!-- end table -->\nBetween.\n<!-- table: costs paper=ssdgl -->\n" in text
    assert text.endswith("\n<!-- end table -->\nAfter.\n")
    assert "| old |" not in text and "12.30" not in text
    assert "| ssdgl | pavia-v2021 | released | oa | 99.96 (log) | 95.00 | 1 | -4.96 | – | one run | – |" in text
    assert "| pavia-v2021 | released | 1 | 2 s | 0.125 s | 0.25 s | 100 MB | Some processor |" in text
    assert render(text, [run(record, 0.95)]) == text


def test_a_paper_brings_its_own_kinds():
    text = "<!-- table: protocols paper=ssdgl -->\n<!-- end table -->\n"
    expected = text.replace("\n", "\n| of ssdgl |\n", 1)
    assert render(text, [], {"protocols": lambda paper, records: "| of %s |" % paper}) == expected


def test_an_unknown_kind_is_named():
    with pytest.raises(
        RecordError, match="unknown table kind 'colours'; there are for a paper: audit, costs, mine, results"
    ):
        render("<!-- table: colours paper=ssdgl -->\n<!-- end table -->\n", [], {"mine": str})
    with pytest.raises(
        RecordError, match="unknown table kind 'results'; there are for a scene: answers, baselines, comparison, "
    ):
        render("<!-- table: results scene=pavia protocol=disjoint -->\n<!-- end table -->\n", [])


def test_tables_of_a_scene_take_the_records_of_that_scene_and_protocol(record):
    block = "<!-- table: %s protocol=disjoint -->\n<!-- end table -->\n"
    text = block % "comparison scene=pavia" + block % "pairs scene=ksc" + block % "per-class scene=pavia"
    runs = [run(record, oa, protocol=protocol, scene=scene) for oa, protocol, scene in
            ((0.5, "disjoint", "pavia"), (0.6, "disjoint", "ksc"), (0.7, "spatial-cv", "pavia"))]  # fmt: skip
    comparison, pairs, per_class = render(text, runs).split("<!-- end table -->")[:3]
    assert "| ssdgl v2021 | 50.00 |" in comparison and "60.00" not in comparison and "70.00" not in comparison
    assert "No two methods under the protocol `disjoint`" in pairs and "| class |" in per_class


def test_baselines_are_shown_over_all_seeds_that_they_share(record):
    runs = [
        run(dict(record, paper=paper, experiment="pavia"), oa, protocol="spatial-cv", scene="pavia", seed=seed)
        for paper, seed, oa in (("svm", 1, 0.5), ("svm", 2, 0.7), ("rf", 1, 0.4), ("rf", 2, 0.4), ("ssdgl", 1, 0.9))
    ]
    block = "<!-- table: %s scene=pavia protocol=spatial-cv -->\n<!-- end table -->\n"
    text = render(block % "comparison" + block % "baselines", runs)
    together, alone = text.split("<!-- end table -->")[:2]
    assert "| ssdgl | 90.00 |" in together and "| svm | 50.00 |" in together
    assert "| svm | 60.00 ± 14.14 |" in alone and "ssdgl" not in alone


@pytest.mark.parametrize(
    "text",
    [
        README.replace("<!-- end table -->\nBetween", "Between"),  # the first block would swallow the second
        README.replace("<!-- end table -->\nAfter", "After"),
        README.replace("results paper=ssdgl", "results"),
        README.replace("results paper=ssdgl", "results method=ssdgl"),
        README.replace("results paper=ssdgl", "comparison scene=ksc"),  # without a protocol
    ],
)
def test_a_malformed_block_is_an_error(text):
    with pytest.raises(RecordError, match="a table block is malformed"):
        render(text, [])


def test_stale_tables_are_reported_and_brought_up_to_date(tmp_path, record, capsys):
    readme, records = tmp_path / "README.md", tmp_path / "records"
    records.mkdir()
    write_record(records / "seed-1.json", run(record, 0.95))
    readme.write_text(README)
    assert report_tables([readme], records, check=True) == 1
    assert "README.md: tables are stale" in capsys.readouterr().out
    assert readme.read_text(encoding="utf-8") == README
    assert report_tables([readme], records, check=False) == 0
    assert "95.00" in readme.read_text(encoding="utf-8")
    assert report_tables([readme], records, check=True) == 0
    assert update_tables([readme], records, write=True) == []


def test_a_file_with_tables_that_cannot_be_read(tmp_path):
    with pytest.raises(RecordError, match=r"absent\.md: its tables cannot be generated"):
        report_tables([tmp_path / "absent.md"], tmp_path, check=True)


def test_the_audit_table_has_a_line_per_audited_run(record):
    verdicts = {"audit_verdict": "uses gap labels", "audit_context_test_with_training_pixel": 0.5}
    audited, other = dict(record, audit=verdicts), dict(record, audit={"accepted": True}, seed=7)
    text = render("<!-- table: audit paper=ssdgl -->\n<!-- end table -->\n", [audited, other])
    line = next(line for line in text.splitlines() if record["experiment"] in line)
    assert (
        "| uses gap labels | – | – | – | 50.00 % |" in line and "%s %d" % (record["protocol"], record["seed"]) in line
    )
    assert "seed 7" not in text and text.count("\n") == 5
    assert "No kept run was audited" in render("<!-- table: audit paper=ssdgl -->\n<!-- end table -->\n", [other])
