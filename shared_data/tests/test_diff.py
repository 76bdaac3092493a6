"""Published numbers, the comparison with runs, and the tables made of it."""

import json
import math
from pathlib import Path

import pytest

from shared_data import published
from shared_data.diff import NO_NUMBER, NOT_RUN, as_json, as_markdown, as_text, compare, falls_below, verdict
from shared_data.errors import RecordError, SharedDataError
from shared_data.published import PublishedNumber, PublishedResult, load_published
from shared_data.records import write_record
from shared_data.statistics import welch
from shared_data.tables import render, report_tables, update_tables

PUBLISHED_TOML = Path(published.__file__).with_name("published.toml")


def run(record, oa, seed=1, **changes):
    """A record with this overall accuracy."""
    return dict(record, seed=seed, metrics=dict(record["metrics"], oa=oa), **changes)


def result(value, std=None, n=1, margin=0.005, **changes):
    """A published overall accuracy for the experiment of `record`."""
    row = PublishedResult(
        "ssdgl", "pavia-v2021", "released", "published", n, "a table", margin, {"oa": PublishedNumber(value, std)}
    )
    return row._replace(**changes)


def only(rows, metric="oa"):
    (row,) = [row for row in rows if row.metric == metric]
    return row


# the verdict


@pytest.mark.parametrize(
    "delta, margin, standard_error, expected",
    [
        (0.0, 0.005, 0.0, "reproduced"),
        (0.0049, 0.005, 0.0, "reproduced"),
        (-0.0049, 0.005, 0.0, "reproduced"),
        (0.0051, 0.005, 0.0, "above"),
        (-0.0051, 0.005, 0.0, "below"),
        (-0.0199, 0.005, 0.01, "reproduced"),
        (-0.0201, 0.005, 0.01, "below"),
        (0.0201, 0.005, 0.01, "above"),
        (-0.0051, 0.01, 0.001, "reproduced"),
    ],
)
def test_verdict(delta, margin, standard_error, expected):
    assert verdict(delta, margin, standard_error) == expected


def test_mean_and_std_are_over_seeds(record):
    row = only(compare([run(record, 0.95, seed=1), run(record, 0.96, seed=2), run(record, 0.97, seed=3)], []))
    assert (row.reproduced, row.std, row.n) == (pytest.approx(0.96), pytest.approx(0.01), 3)
    row = only(compare([run(record, 0.95)], []))
    assert (row.reproduced, row.std, row.n) == (0.95, None, 1)


@pytest.mark.parametrize("value, expected", [(0.965, "reproduced"), (0.966, "below"), (0.9441, "above")])
def test_the_standard_error_has_std_and_n_of_both_sides(record, value, expected):
    # SE² = 0.004²/4 + 0.00005/2 = 29e-6, so the allowed difference is 2·SE = 0.01077, more than the margin
    runs = [run(record, 0.95, seed=1), run(record, 0.96, seed=2)]
    row = only(compare(runs, [result(value, std=0.004, n=4)]))
    assert row.delta == pytest.approx(0.955 - value)
    assert 2 * math.sqrt(29e-6) == pytest.approx(0.01077, abs=1e-5)
    assert row.verdict == expected


def test_the_margin_of_a_row_counts(record):
    assert only(compare([run(record, 0.95)], [result(0.958)])).verdict == "below"
    assert only(compare([run(record, 0.95)], [result(0.958, margin=0.01)])).verdict == "reproduced"


@pytest.mark.parametrize("oa", [0.9, 0.95, 1.0])
@pytest.mark.parametrize(
    "changes, word",
    [
        ({"data_verified": False}, "unverified data"),
        ({"scene": "synthetic", "data_verified": False}, "synthetic scene"),
        ({"modified": ["train.num_iters", "seed"]}, "modified run: train.num_iters, seed"),
    ],
)
def test_doubtful_runs_never_count(record, oa, changes, word):
    # one doubtful run among several is enough
    rows = compare([run(record, oa), run(record, oa, seed=2, **changes)], [result(0.95)])
    assert only(rows).verdict == word
    assert only(rows).delta == pytest.approx(oa - 0.95)
    assert not falls_below(rows)


@pytest.mark.parametrize(
    "changes, remark",
    [({}, ""), ({"data_verified": False}, " (unverified data)"), ({"modified": ["seed"]}, " (modified run: seed)")],
)
def test_without_a_published_number_this_is_said_first_and_any_doubt_after_it(record, changes, remark):
    row = only(compare([run(record, 0.95, **changes)], []))
    assert (row.verdict, row.delta, row.p_welch) == (NO_NUMBER + remark, None, None)


def test_interval_and_p_where_there_are_runs_enough(record):
    runs = [run(record, oa, seed=seed) for seed, oa in enumerate((0.95, 0.96, 0.97))]
    row = only(compare(runs, [result(0.95, std=0.004, n=5)]))
    assert row.interval == (pytest.approx(0.96 - 4.303 * 0.01 / 3**0.5, abs=1e-5), pytest.approx(0.98484, abs=1e-5))
    assert row.p_welch == pytest.approx(welch(0.96, 0.01, 3, 0.95, 0.004, 5))
    # neither a published number without a spread, nor of one run, nor a single run of ours can be tested
    assert only(compare(runs, [result(0.95, n=5)])).p_welch is None
    assert only(compare(runs, [result(0.95, std=0.004)])).p_welch is None
    assert only(compare(runs[:1], [result(0.95, std=0.004, n=5)])).p_welch is None
    assert only(compare(runs[:1], [])).interval is None


def test_what_was_not_run_or_not_published_is_said(record):
    rows = compare([run(record, 0.95)], [result(0.9, experiment="houston-v2021")])
    assert [(row.experiment, row.metric, row.verdict) for row in rows] == [
        ("pavia-v2021", "oa", NO_NUMBER),
        ("pavia-v2021", "aa", NO_NUMBER),
        ("pavia-v2021", "kappa", NO_NUMBER),
        ("houston-v2021", "oa", NOT_RUN),
    ]


def test_protocols_are_compared_apart_and_sources_each(record):
    runs = [run(record, 0.95), run(record, 0.85, protocol="paper")]
    rows = compare(runs, [result(0.95), result(0.85, kind="official log")])
    assert [(row.protocol, row.kind, row.verdict) for row in rows if row.metric == "oa"] == [
        ("released", "published", "reproduced"),
        ("released", "official log", "above"),
        ("paper", "published", "below"),
        ("paper", "official log", "reproduced"),
    ]


def test_only_the_verdict_below_falls_below(record):
    assert falls_below(compare([run(record, 0.9)], [result(0.95)]))
    assert not falls_below(compare([run(record, 1.0)], [result(0.95)]))
    assert not falls_below(compare([], [result(0.95)]))


def test_text_markdown_and_json_say_the_same(record):
    runs = [run(record, 0.95, seed=1), run(record, 0.96, seed=2)]
    rows = compare(runs, [result(0.965, std=0.004, n=4, kind="official log")])
    text = as_text(rows).splitlines()
    assert text[0].split()[:5] == ["paper", "experiment", "protocol", "metric", "published"]
    for part in ("96.50 ± 0.40 (log)", "95.50 ± 0.71", " 2 ", "-1.00", "reproduced"):
        assert part in text[2]
    assert "official repository's log file" in text[-1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in as_markdown(rows).splitlines()]
    assert {len(line) for line in cells} == {11}
    # t(0.975, 1) = 12.706, so ±12.706·0.5; Welch's t is -0.01/√29e-6 = -1.857 with 1.34 degrees of freedom
    assert cells[2] == ["ssdgl", "pavia-v2021", "released", "oa", "96.50 ± 0.40 (log)", "95.50 ± 0.71", "2", "-1.00",
                        "89.15 to 101.85", "0.263", "reproduced"]  # fmt: skip
    assert cells[3][-3:] == ["75.00 to 75.00", "–", NO_NUMBER]
    (stored, *_) = json.loads(as_json(rows))
    assert stored == dict(rows[0]._asdict(), interval=list(rows[0].interval))


# published.toml


def test_every_published_number_is_loaded_as_a_fraction():
    results = load_published()
    assert len(results) == PUBLISHED_TOML.read_text(encoding="utf-8").count("\n[[result]]\n") > 0
    for entry in results:
        assert entry.numbers and entry.source and entry.n >= 1
        for number in entry.numbers.values():
            assert 0.5 < number.value <= 1
            assert number.std is None or 0 <= number.std < 0.01


def test_units_are_brought_together():
    (entry,) = [entry for entry in load_published() if (entry.paper, entry.experiment) == ("rssgl", "indianpines")]
    assert entry.numbers["oa"] == pytest.approx((0.9673, 0.00095))
    assert entry.numbers["kappa"] == pytest.approx((0.9628, 0.001))
    assert entry.margin == 0.005


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("n = 5\n", "n = 5\nyear = 2021\n", "result 3: missing or unknown key: year"),
        ("n = 5\n", "", "result 3: missing or unknown key: n"),
        ("n = 5\n", "n = 0\n", "result 3: expected the number of runs"),
        ("value = 96.73", "mean = 96.73", "result 3: expected value, unit"),
        ('unit = "percent"', 'unit = "permille"', "result 3: expected value, unit"),
        ("oa = { value = 96.73", "oa = 96.73 # {", "result 3: expected value, unit"),
        (
            "\n[[result]]\n",
            "\n[[results]]\n",
            r"toml: expected \[\[result\]\] entries alone, found: results",
        ),
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
    assert "| ssdgl | pavia-v2021 | released | oa | 99.96 (log) | 95.00 | 1 | -4.96 | – | – | below |" in text
    assert "| pavia-v2021 | released | 1 | 2 s | 0.125 s | 0.25 s | 100 MB | Some processor, 2 cores |" in text
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
    with pytest.raises(RecordError, match="unknown table kind 'results'; there are for a scene: disjoint, mcnemar"):
        render("<!-- table: results scene=pavia -->\n<!-- end table -->\n", [])


def test_tables_of_a_scene_take_the_records_of_that_scene(record):
    block = "<!-- table: %s -->\n<!-- end table -->\n"
    text = block % "disjoint scene=pavia" + block % "mcnemar scene=ksc"
    runs = [run(record, 0.5, protocol="disjoint"), run(record, 0.6, protocol="disjoint", scene="ksc")]
    text = render(text, runs)
    assert "| pavia | ssdgl v2021 | 50.00 |" in text and "60.00" not in text


@pytest.mark.parametrize(
    "text",
    [
        README.replace("<!-- end table -->\nBetween", "Between"),  # the first block would swallow the second
        README.replace("<!-- end table -->\nAfter", "After"),
        README.replace("results paper=ssdgl", "results"),
        README.replace("results paper=ssdgl", "results method=ssdgl"),
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
    verdicts = {"audit_labels": "leaks", "audit_selection": "clean", "audit_overlap_share": 0.5}
    audited, other = dict(record, audit=verdicts), dict(record, audit={"accepted": True}, seed=7)
    text = render("<!-- table: audit paper=ssdgl -->\n<!-- end table -->\n", [audited, other])
    line = next(line for line in text.splitlines() if record["experiment"] in line)
    assert "| leaks | clean | – | – | – | 50.00 % |" in line and "%s %d" % (record["protocol"], record["seed"]) in line
    assert "seed 7" not in text and text.count("\n") == 5
    assert "No kept run was audited" in render("<!-- table: audit paper=ssdgl -->\n<!-- end table -->\n", [other])
