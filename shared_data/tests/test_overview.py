"""The overview of a scene: a cell is the records' own or says why it is missing; table and picture are generated."""

from xml.etree import ElementTree

import pytest

from shared_data.comparison.methods import Pair, compare_methods
from shared_data.comparison.overview import (
    NO_CODE,
    NOT_RUN,
    OTHER_FIELDS,
    POSITION,
    PUBLISHED,
    RELEASED,
    TEXT,
    in_words,
    overview,
    overview_table,
)
from shared_data.comparison.published import load_papers
from shared_data.errors import RecordError
from shared_data.evaluation.field_statistics import Difference
from shared_data.records.record import write_record
from shared_data.report.answers import answers, answers_text, summary
from shared_data.report.charts import svg_of
from shared_data.report.overview_figure import draw_overview
from shared_data.report.tables import render, report_tables

FIGURE = "<!-- figure: overview scene=pavia protocol=spatial-cv file=figures/pavia.svg -->\n<!-- end figure -->\n"


def run(record, oa, paper="rssgl", protocol="released", experiment="pavia", seed=1):
    metrics = dict(record["metrics"], oa=oa)
    return dict(record, paper=paper, protocol=protocol, experiment=experiment, seed=seed, metrics=metrics)


def seen_of(records, variants=False):
    return overview(records, compare_methods(records, "pavia", "spatial-cv"), variants)


@pytest.fixture
def runs(record):
    """RSSGL three times as released, once on other fields; baselines there and on the text's pixels."""
    return [run(record, oa, seed=seed) for seed, oa in ((1, 0.99), (2, 0.994), (3, 0.998))] + [
        run(record, 0.5, protocol="spatial-cv"),
        run(record, 0.4, POSITION, "spatial-cv"),
        run(record, 0.6, "svm", "spatial-cv"),
        run(record, 0.9, POSITION, "rssgl-paper"),
        run(record, 0.7, "ssdgl", experiment="pavia-v2021"),
    ]


def test_cells_are_the_records_or_say_what_is_missing(runs):
    seen = seen_of(runs)
    assert [row.title for row in seen.rows] == ["SSDGL", "RSSGL", "A2S2K-ResNet", "DA-IMRN", "APDCLNN"]
    cells = seen.rows[1].cells
    assert cells[PUBLISHED].text == "99.47 ± 0.08, 5 runs"
    assert cells[RELEASED].text == "99.40 ± 0.40, 3 runs: " + cells[RELEASED].verdict and cells[RELEASED].verdict
    assert cells[TEXT].text == NOT_RUN and cells[TEXT].baselines == {POSITION: 0.9}
    assert cells[OTHER_FIELDS].text == "50.00, 1 run"
    assert [row.method for row in seen.baselines] == ["svm", POSITION]
    assert seen.rows[4].cells[RELEASED].text == NO_CODE and seen.rows[0].cells[RELEASED].text == NOT_RUN


def test_other_configurations_have_rows_where_they_are_asked_for(runs):
    rows = {row.title: row for row in seen_of(runs, variants=True).rows}
    assert rows["SSDGL v2021"].cells[PUBLISHED].text == "99.96 (log), 1 run"
    assert rows["SSDGL v2021"].cells[RELEASED].text == "70.00, 1 run" and len(rows) == 6


def test_the_table_has_a_line_per_paper_and_says_what_baselines_reach(runs):
    table = overview_table(seen_of(runs))
    assert (
        "| RSSGL | 99.47 ± 0.08, 5 runs | 99.40 ± 0.40, 3 runs: " in table
        and " | not run | 90.00 | 50.00, 1 run |" in table
    )
    assert "the 2 baselines without a network reach 40.00 (`1nn-position`) to 60.00 (`svm`); 1 run." in table
    assert "Doubts: RSSGL as released: unknown revision" in table
    assert "No baseline was run under `spatial-cv`." in overview_table(seen_of([]))


def test_place_alone_is_of_the_pixels_of_the_runs_beside_it(runs):
    placed = [*runs, run(runs[0], 0.8, POSITION, "rssgl-released")]
    assert seen_of(placed).rows[1].place_alone == 0.8  # nothing was run from the text
    assert seen_of([*placed, run(runs[0], 0.95, protocol="paper")]).rows[1].place_alone == 0.9


def test_further_repeats_of_the_baselines_are_told(runs):
    more = [run(runs[0], oa, name, "spatial-cv", seed=2) for name, oa in ((POSITION, 0.42), ("svm", 0.3))]
    assert "to 60.00 (`svm`); 1 run; over 2 runs 41.00 ± 1.41 (`1nn-position`) to 45.00 ± 21.21 (`svm`)." in (
        overview_table(seen_of([*runs, *more]))
    )


def test_steps_and_pixels_of_several_runs_are_told_by_their_ends(runs):
    other = dict(runs[1], selection=dict(runs[1]["selection"], step=7, last_step=1200))
    told = answers_text(
        answers(seen_of([runs[0], other]), compare_methods([], "pavia", "spatial-cv"), [runs[0], other])
    )
    step = runs[0]["selection"]["step"]
    assert "weights of step %s" % "–".join(map(str, sorted((7, step)))) in told and "1,200" in told


def test_a_paper_is_told_in_three_paragraphs_with_its_difference_from_the_best_baseline(runs):
    compared = compare_methods(runs, "pavia", "spatial-cv")._replace(
        pairs=[
            Pair("svm", "rssgl", Difference(0.1, (-0.02, 0.2), 0.2, 9), 0.4),
            Pair("rssgl", POSITION, Difference(0.1, (0.05, 0.15), 0.01, 9), 0.02),
        ]
    )
    told = answers_text(answers(overview(runs, compared), compared, runs)).split("\n\n")
    rssgl = [paragraph.startswith("**RSSGL.**") for paragraph in told].index(True)
    assert len(told) == 15 and told[rssgl].startswith(
        "**RSSGL.** *Does the published number hold?* The authors give 99.47"
    )
    assert told[rssgl + 1].startswith("*What exactly produced it?* As released: ")
    assert "50.00 over 1 run under spatial-cv; better than 1 and worse than 0 of the 2 baselines on" in told[rssgl + 2]
    beside = told[rssgl + 2].split("; beside the best of them, ")[1]
    assert beside.startswith("svm: -10.00 points (95 % interval -20.00 to +2.00, p after Holm's correction 0.400);")
    briefly = summary(overview(runs, compared), compared, runs)[2]
    assert "over spatial units: RSSGL 50.00 (better than 1 and worse than 0 of the 2 baselines)" in briefly
    same = [pair._replace(p_holm=1.0) for pair in compared.pairs]
    told = answers_text(answers(overview(runs, compared), compared._replace(pairs=same), runs))
    assert "; not shown to be better or worse than any of the 2 baselines on the same fields; beside" in told


def test_a_scene_without_published_numbers(runs):
    compared = compare_methods([], "synthetic", "spatial-cv")
    assert summary(overview([], compared), compared, [])[0] == "No published number for this scene is known here."


def test_the_picture_shows_every_number_and_every_gap(runs):
    for records in (runs, []):
        seen = seen_of(records)
        texts = [node.text for node in ElementTree.fromstring(svg_of(draw_overview(seen))).iter() if node.text]
        for row in seen.rows:
            assert row.title in texts
        shown = [text.strip() for text in texts]
        assert shown.count(NOT_RUN) == in_words(seen).count(NOT_RUN)
        assert shown.count("on other fields") == len(load_papers())
        assert ("99.40 ± 0.40, 3 runs" in shown) == bool(records)


def test_the_picture_is_written_beside_the_document_and_checked(tmp_path, record, capsys):
    (tmp_path / "records").mkdir()
    write_record(tmp_path / "records" / "seed-1.json", run(record, 0.99))
    page, picture = tmp_path / "README.md", tmp_path / "figures" / "pavia.svg"
    page.write_text(FIGURE)
    assert report_tables([page], tmp_path / "records", check=True) == 1 and not picture.exists()
    assert "pavia.svg: the picture is stale" in capsys.readouterr().out
    assert report_tables([page], tmp_path / "records", check=False) == 0
    assert "](figures/pavia.svg)\n" in page.read_text(encoding="utf-8") and "99.00, 1 run" in page.read_text("utf-8")
    assert report_tables([page], tmp_path / "records", check=True) == 0
    picture.write_text("<svg/>")
    assert report_tables([page], tmp_path / "records", check=True) == 1


def test_a_figure_block_without_an_end_is_an_error():
    with pytest.raises(RecordError, match="malformed"):
        render(FIGURE.replace("<!-- end figure -->\n", ""), [])
