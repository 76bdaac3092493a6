"""The report: its facts are the records' own, what is missing is said, and no text of a record becomes markup."""

import base64
import functools
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Tuple
from unittest import mock
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("jinja2")

from shared_data import report as report_module
from shared_data.errors import RecordError
from shared_data.evaluation import maps as colours
from shared_data.evaluation.distances import count_distances
from shared_data.evaluation.field_statistics import bootstrap_intervals
from shared_data.evaluation.metrics import evaluate
from shared_data.evaluation.unit_counts import count_units
from shared_data.records import map_codec as record_maps
from shared_data.records.counts import units_of
from shared_data.records.record import write_record
from shared_data.report import truth as truth_module
from shared_data.report import write_report
from shared_data.report.charts import COLOURS, STYLES, chart, curves
from shared_data.report.content import collect
from shared_data.report.html import FOLDER, shade
from shared_data.report.pictures import png_uri
from shared_data.report.run_maps import NO_SPLIT
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import Split, describe, draw_per_class, save_split
from shared_data.splits.shared_protocols import draw_shared

Facts = Dict[str, Any]


generated_scene = functools.lru_cache(maxsize=1)(load_scene)


@pytest.fixture(autouse=True)
def generate_once(monkeypatch: Any) -> None:
    """The generated scene is made once for all of these tests."""
    monkeypatch.setattr(truth_module, "load_scene", generated_scene)


class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and the text of those that were asked for."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: List[Tuple[str, Dict[str, Any]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> List[Dict[str, Any]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def maps(self) -> List[Dict[str, Any]]:
        return [picture for picture in self.all("img") if picture["src"].startswith("data:image/png")]


def report(folder: Path, out: Path, data: Any = None) -> Tuple[str, Facts]:
    """The page that is written of a folder's records, and the facts that it was laid out from."""
    found: List[Facts] = []
    with mock.patch.object(report_module, "collect", lambda *parts: found.append(collect(*parts)) or found[0]):
        page = write_report([folder], out, data)
    return page.read_text(encoding="utf-8"), found[0]


def pixels_of(source: str) -> np.ndarray:
    """(H, W, 3) of a picture in the page."""
    content = base64.b64decode(source.split(",", 1)[1])
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image.convert("RGB"))


def rgb(colour: str) -> Tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def made_up(record: Facts) -> Tuple[Facts, np.ndarray, Split]:
    """A record of the generated scene with a prediction that is wrong in a few places, and its split."""
    loaded = generated_scene("synthetic")
    truth, scene = loaded.ground_truth, loaded.scene
    split = draw_per_class(truth, [10] * scene.num_classes, seed=1)
    prediction = np.where(truth > 0, truth, 1).astype(np.uint8)
    wrong = split.test[::50]
    prediction.flat[wrong] = truth.flat[wrong] % scene.num_classes + 1
    found = evaluate(truth.flat[split.test], prediction.flat[split.test], scene.num_classes)
    record.update(
        experiment="synthetic",
        scene="synthetic",
        protocol="paper",
        metrics=dict(found._asdict(), oa_last=0.875),
        split=describe(split, truth, scene.num_classes),
        data=[],
        data_verified=False,
        history=[{"step": step, "loss": 100 / step**2, "validation_oa": 0.4 + step / 100} for step in range(1, 31)],
        audit={"draws": 3, "audit_labels": "clean", "accepted": True, "share": 0.25},
    )
    return record, prediction, split


@pytest.fixture
def run(tmp_path: Path, record: Facts) -> Tuple[Path, Facts]:
    """The run directory of such a run, and its record."""
    record, prediction, split = made_up(record)
    folder = tmp_path / "results" / "seed-1"
    folder.mkdir(parents=True)
    np.save(str(folder / "prediction.npy"), prediction)
    save_split(folder / "split.npz", split)
    write_record(folder / "run.json", record)
    return folder, record


def keep(folder: Path, record: Facts) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / ("seed-%d.json" % record["seed"]), record)


# the facts


def test_the_page_holds_the_records_numbers(run: Any, tmp_path: Path) -> None:
    record = run[1]
    page, facts = report(tmp_path / "results", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]
    (found,) = facts["runs"]
    assert found["confusion"] == record["metrics"]["confusion"]
    assert found["config"] == record["config"] and found["split"] == record["split"]
    for name in ("oa", "aa", "kappa"):
        value = record["metrics"][name]
        assert found["metrics"][name] == value
        assert "%.2f" % (100 * value) in Page(page).text
    assert "87.50" in page and "weights of the last step" in Page(page).text
    assert "Doubts: synthetic scene; unknown revision." in Page(page).text
    for part in ("train", "val", "test"):
        assert record["split"][part]["sha256"] in page


def test_what_a_run_computed_with_is_told_and_what_it_had_before_it_was_resumed(tmp_path: Path, record: Facts) -> None:
    before = dict(record["environment"], device="cpu", threads=7)
    record["environment"] = dict(record["environment"], device="cuda:0", threads=3, numpy="1.2.3", scikit_learn="4.5.6")
    record["resumed_from"] = [{"environment": before, "revision": {"git": "c" * 40, "dirty": True}}]
    keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    text = Page(page).text
    assert "numpy 1.2.3, scikit-learn 4.5.6" in text and "cuda:0" in text
    assert "resumed: cccccccccccc with uncommitted changes, PyTorch 1.8.1, Python 3.8.1, cpu, 7 threads" in text
    assert facts["runs"][0]["doubts"] == ["dirty checkout", "unknown revision", "several revisions"]


def test_verdicts_and_doubts_stand_in_their_own_columns(tmp_path: Path, record: Facts) -> None:
    record.update(data_verified=False, modified=["train.num_iters"], truncated=True)
    for seed in (1, 2, 3):
        keep(tmp_path / "records", dict(record, seed=seed))
    page, facts = report(tmp_path / "records", tmp_path / "out")
    table = facts["table"]
    row = next(row for row in table["rows"] if row["run"])
    cells = dict(zip(table["header"], row["cells"]))
    assert cells["verdict"] == "differs (below)"
    assert cells["doubts"] == "unverified data; modified (train.num_iters); truncated; unknown revision"
    assert '<span class="verdict bad">differs (below)</span>' in page
    for note in table["notes"]:
        assert note in Page(page).text
    assert "(reproduced alone)" in cells["90 % interval of Δ"] and len(table["notes"]) == 3


def test_every_count_of_the_confusion_matrix_stands_in_its_row(run: Any, tmp_path: Path) -> None:
    page, _ = report(run[0], tmp_path / "out")
    table = re.search(r'<table class="confusion">.*?</table>', page, re.S).group()
    rows = [re.findall(r"<td[^>]*>(\d+)</td>", row) for row in re.findall(r"<tr>.*?</tr>", table, re.S)][1:]
    matrix = np.array(run[1]["metrics"]["confusion"])
    expected = [[*line, sum(line)] for line in [*matrix.tolist(), matrix.sum(axis=0).tolist()]]
    assert [[int(cell) for cell in row] for row in rows] == expected


def test_audit_entries_of_the_audit_itself_come_first(run: Any, tmp_path: Path) -> None:
    page, facts = report(run[0], tmp_path / "out")
    assert list(facts["runs"][0]["audit"]) == ["audit_labels", "accepted", "draws", "share"]
    assert page.index("audit_labels") < page.index(">accepted<")
    assert re.search(r">accepted</th><td>yes<", page)


@pytest.mark.parametrize("verdict", [None, "clean for 40 steps", "uses gap labels; otherwise clean for 40 steps"])
def test_the_audits_verdict_stands_in_the_first_table_and_above_the_run(
    tmp_path: Path, record: Facts, verdict: Any
) -> None:
    if verdict is not None:
        record["audit"] = {"audit_verdict": verdict}
    keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    told, table = verdict or "not audited", facts["table"]
    cells = {row["cells"][table["header"].index("audit")] for row in table["rows"] if row["run"]}
    assert cells == {told} and "<td>%s</td>" % told in page
    (banner,) = re.findall(r'<p class="banner (\w+)" role="note"><strong>Audit: (.*?)\.</strong>', page)
    assert banner == ({None: "open", "c": "good", "u": "bad"}[verdict and verdict[0]], told)


def test_published_numbers_without_a_run_and_runs_of_several_seeds(tmp_path: Path, record: Facts) -> None:
    for seed, oa in ((1, 0.70), (2, 0.80)):
        record["metrics"]["oa"], record["seed"] = oa, seed
        keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    table = facts["table"]
    metric, column = map(table["header"].index, ("metric", "reproduced"))
    rows = [row for row in table["rows"] if row["cells"][metric] == "oa" and row["run"]]
    assert [row["cells"][column] for row in rows] == ["75.00 ± 7.07"]
    assert rows[0]["run"] == "run-ssdgl-pavia-v2021-released-1"
    assert "75.00 ± 7.07" in page and "not run" in page
    assert [found["seed"] for found in facts["runs"]] == [1, 2]


def test_methods_under_a_shared_protocol_stand_side_by_side(tmp_path: Path, record: Facts) -> None:
    for paper, oa, protocol in (("ssdgl", 0.7, "disjoint"), ("rssgl", 0.9, "disjoint"), ("ssdgl", 0.6, "paper")):
        record.update(paper=paper, protocol=protocol)
        record["metrics"]["oa"] = oa
        keep(tmp_path / "records" / paper / protocol, record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    (found,) = facts["comparisons"]
    assert (found["scene"], found["protocol"], found["problem"]) == ("pavia", "disjoint", "")
    assert [row.method for row in found["compared"].rows] == ["rssgl v2021", "ssdgl v2021"]
    part = page[page.index('id="compared-pavia-disjoint"') :].split("</article>")[0]
    assert ">90.00<" in part and ">70.00<" in part and ">60.00<" not in part


def test_runs_under_a_shared_protocol_that_cannot_be_compared_are_named(tmp_path: Path, record: Facts) -> None:
    record["protocol"] = "disjoint"
    keep(tmp_path / "records" / "a", record)
    record["paper"] = "rssgl"
    record["split"] = dict(record["split"], test=dict(record["split"]["test"], sha256="1" * 64))
    keep(tmp_path / "records" / "b", record)
    assert "cannot be compared" in report(tmp_path / "records", tmp_path / "out")[0]


def counted(record: Facts) -> Tuple[Facts, np.ndarray, Split]:
    """As `made_up`, with counts by unit and distance, under the protocol `disjoint`."""
    record, prediction, split = made_up(record)
    truth = generated_scene("synthetic").ground_truth
    record.update(
        protocol="disjoint",
        units=count_units(truth, prediction, split.test),
        distances=count_distances(truth, prediction, split.train, split.test),
    )
    return record, prediction, split


def test_a_run_with_counts_has_intervals_and_figures(tmp_path: Path, record: Facts) -> None:
    record, prediction, split = counted(record)
    folder = tmp_path / "results"
    folder.mkdir()
    np.save(str(folder / "prediction.npy"), prediction)
    save_split(folder / "split.npz", split)
    write_record(folder / "run.json", record)
    page, facts = report(folder, tmp_path / "out")
    (run,) = facts["runs"]
    assert run["fields"]["oa"] == bootstrap_intervals(units_of(record)).oa
    assert "95 % intervals over " in page and run["disagreement"]["quantity"] <= 1 - record["metrics"]["oa"]
    pictures = [image["alt"] for image in Page(page).all("img") if image["src"].startswith("data:image/svg")]
    for beginning in ("Maps of the pixels that train", "Accuracy of ", "Recall of each class of ", "Histogram of",
                      "Accuracy by distance", "Recall of each class on "):  # fmt: skip
        assert len([alt for alt in pictures if alt.startswith(beginning)]) == 1, beginning


def test_counts_that_are_not_the_records_are_said_to_be(tmp_path: Path, record: Facts) -> None:
    record, _, _ = counted(record)
    record["units"] = record["units"][1:]
    record["protocol"] = "paper"
    keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    assert "are not those of its confusion matrix" in facts["runs"][0]["fields"]["problem"]
    assert facts["runs"][0]["fields"]["problem"] in Page(page).text and "95 % intervals over" not in page


@pytest.mark.parametrize("confusion", [[], [[1, 2], [3]], [[0, 0], [0, 0]], [[1, 2, 3], [4, 5, 6]]])
def test_a_confusion_matrix_that_is_none_is_shown_as_it_is(tmp_path: Path, record: Facts, confusion: Any) -> None:
    record["metrics"]["confusion"] = confusion
    record["protocol"] = "disjoint"
    keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    assert facts["runs"][0]["disagreement"] is None and "by quantity disagreement" not in page
    assert facts["comparisons"][0]["problem"] and "cannot be compared" in page


def test_a_pooled_record_shows_the_splits_of_its_folds(tmp_path: Path, record: Facts) -> None:
    record, prediction, split = counted(record)
    truth = generated_scene("synthetic").ground_truth
    labelled = Split(split.train, split.val, np.flatnonzero(truth))
    found = evaluate(truth.flat[labelled.test], prediction.flat[labelled.test], int(truth.max()))
    record.update(protocol="spatial-cv", metrics=found._asdict(), split=describe(labelled, truth, int(truth.max())))
    record["maps"] = record_maps.maps_of(prediction, labelled, truth)
    names = ("metrics", "split", "selection", "times", "finished_at")
    record["folds"] = [dict({name: record[name] for name in names}, fold=fold, weights={}) for fold in (0, 1)]
    del record["units"], record["distances"]
    folder = tmp_path / "results"
    for fold in (0, 1):
        (folder / ("fold-%d" % fold)).mkdir(parents=True)
        save_split(folder / ("fold-%d" % fold) / "split.npz", split)
    write_record(folder / "run.json", record)
    page, facts = report(folder, tmp_path / "out")
    told = "fold 0, {:,} trained, {:,} tested; fold 1, ".format(len(split.train), len(split.test))
    assert len([image for image in Page(page).all("img") if told in image["alt"]]) == 1
    maps = facts["runs"][0]["maps"]
    assert maps["remarks"] == [] and maps["right"] + maps["wrong"] == len(labelled.test)


def test_folds_whose_repeat_is_not_finished_are_named_and_counted_nowhere(tmp_path: Path, record: Facts) -> None:
    record.update(protocol="spatial-cv")
    for seed, fold in ((1, 0), (2, 3)):
        folder = tmp_path / "results" / ("seed-%d" % seed) / ("fold-%d" % fold)
        folder.mkdir(parents=True)
        write_record(folder / "run.json", dict(record, seed=seed, fold=fold))
    write_record(tmp_path / "results" / "seed-1" / "run.json", record)
    page, facts = report(tmp_path / "results", tmp_path / "out")
    assert facts["single_folds"] == ["ssdgl pavia-v2021, spatial-cv, seed 2, fold 3: OA 75.00"]
    assert facts["single_folds"][0] + " %." in Page(page).text
    assert facts["records"] == 1 and [run["seed"] for run in facts["runs"]] == [1]


def test_the_same_records_give_the_same_page_but_for_the_time(run: Any, tmp_path: Path) -> None:
    pages = [report(tmp_path / "results", tmp_path / name)[0] for name in ("one", "two")]
    one, two = (re.sub(r"20\d\d-\d\d-\d\d[T ][\d:]+", "", page) for page in pages)
    assert one == two


# the first page


def test_the_first_page_answers_what_the_records_answer(tmp_path: Path, record: Facts) -> None:
    for seed, oa in ((1, 0.96), (2, 0.961), (3, 0.962)):
        record["metrics"]["oa"], record["seed"] = oa, seed
        given = {"paper": "rssgl", "experiment": "pavia", "protocol": "released"}
        keep(tmp_path / "records" / "rssgl", dict(record, **given))
    page, facts = report(tmp_path / "records", tmp_path / "out")
    (scene,) = facts["scenes"]
    hold, produced, unseen = scene["summary"]
    assert "RSSGL as released -3.37 points (3 runs, differs (below))" in hold and "A2S2K-ResNet not run" in hold
    assert "for SSDGL and APDCLNN no published number is known here" in hold
    assert "RSSGL (last, not audited)" in produced and "APDCLNN (no code released)" in produced
    assert "Not run under spatial-cv: SSDGL, RSSGL" in unseen and "No baseline was run under spatial-cv." in unseen
    for sentence in scene["summary"]:
        assert sentence in Page(page).text
    assert page.index('id="scene-pavia"') < page.index('id="contents"') < page.index('id="papers"')
    (paper,) = facts["papers"]
    assert paper["title"] == "RSSGL" and len(paper["runs"]) == 3
    assert "4 training, 0 validation and 4 test pixels, weights of step 10, chosen on last" in Page(page).text
    assert "Our code is tested against the official network's outputs, losses and norms of gradients" in Page(page).text
    cells = next(row["cells"] for row in scene["grid"] if row["title"] == "RSSGL")
    assert [cell["text"] for cell in cells] == ["96.10 ± 0.10, 3 runs: differs (below)", "not run", "not run"]
    assert cells[0]["audits"] == ["not audited"] and cells[0]["run"] == "run-rssgl-pavia-released-1"


@pytest.mark.parametrize("audited, told", [
    ({}, "(last, not audited)"),
    ({2: "clean"}, "(last, audit: clean (1 of 3 runs))"),
    ({1: "clean", 2: "clean", 3: "clean"}, "(last, audit: clean)"),
    ({1: "clean", 3: "uses gap labels"}, "(last, audit: clean (1 of 3 runs) / uses gap labels (1 of 3 runs))"),
])  # fmt: skip
def test_the_first_page_says_how_many_runs_were_audited(
    tmp_path: Path, record: Facts, audited: Dict[int, str], told: str
) -> None:
    for seed in (1, 2, 3):
        audit = {"audit_verdict": audited[seed]} if seed in audited else {}
        given = {"paper": "rssgl", "experiment": "pavia", "protocol": "released", "seed": seed, "audit": audit}
        keep(tmp_path / "records" / "rssgl", dict(record, **given))
    _, facts = report(tmp_path / "records", tmp_path / "out")
    (scene,) = facts["scenes"]
    assert told in scene["summary"][1]


def test_the_generated_scene_comes_last_on_the_first_page(tmp_path: Path, record: Facts) -> None:
    for scene, seed in (("synthetic", 1), ("synthetic", 2), ("pavia", 1)):
        given = {"paper": "rssgl", "scene": scene, "experiment": scene, "seed": seed}
        keep(tmp_path / "records" / "rssgl", dict(record, **given))
    _, facts = report(tmp_path / "records", tmp_path / "out")
    assert [scene["scene"] for scene in facts["scenes"]] == ["pavia", "synthetic"]


def test_rows_without_a_published_number_have_a_table_of_their_own(tmp_path: Path, record: Facts) -> None:
    for paper, protocol in (("ssdgl", "released"), ("ssdgl", "disjoint"), ("svm", "disjoint")):
        keep(tmp_path / "records" / paper / protocol, dict(record, paper=paper, protocol=protocol))
    _, facts = report(tmp_path / "records", tmp_path / "out")
    names = {tuple(row["cells"][:3]) for row in facts["table"]["rows"]}
    assert ("ssdgl", "pavia-v2021", "released") in names and not {name for name in names if "disjoint" in name}
    assert [(row["names"][0], row["run"]) for row in facts["others"]] == [
        ("ssdgl", "run-ssdgl-pavia-v2021-disjoint-1"),
        ("svm", None),
    ]
    assert [run["paper"] for run in facts["runs"]] == ["ssdgl", "ssdgl"]  # a baseline's run has a line, no article
    assert [run["names"] for run in facts["baselines"]] == [["svm", "pavia-v2021", "disjoint", 1]]


# the pictures


def test_maps_have_the_palette_at_their_places_and_say_what_they_show(run: Any, tmp_path: Path) -> None:
    folder, record = run
    page, facts = report(folder, tmp_path / "out")
    loaded = generated_scene("synthetic")
    palette = np.array([rgb(colour) for colour in (colours.BACKGROUND, *loaded.scene.palette)])
    truth, prediction, errors = Page(page).maps()
    np.testing.assert_array_equal(pixels_of(truth["src"]), palette[loaded.ground_truth])
    np.testing.assert_array_equal(pixels_of(prediction["src"]), palette[np.load(str(folder / "prediction.npy"))])
    counted = facts["runs"][0]["maps"]
    drawn = pixels_of(errors["src"])
    for colour, name in ((colours.RIGHT, "right"), (colours.WRONG, "wrong"), (colours.NOT_TESTED, "not_tested")):
        assert (drawn == rgb(colour)).all(axis=2).sum() == counted[name]
    assert counted["right"] + counted["wrong"] == record["split"]["test"]["size"]
    assert counted["right"] / (counted["right"] + counted["wrong"]) == pytest.approx(record["metrics"]["oa"])
    assert counted["remarks"] == []
    accuracy = "overall accuracy %.2f %%" % (100 * record["metrics"]["oa"])
    assert accuracy in prediction["alt"] and accuracy in errors["alt"]
    assert "ground truth" in truth["alt"] and str(counted["wrong"]) in errors["alt"]
    for name in loaded.scene.class_names:
        assert name in Page(page).text


def test_a_kept_record_brings_its_map_but_no_errors_of_pixels_that_it_does_not_name(
    tmp_path: Path, record: Facts
) -> None:
    record, prediction, split = made_up(record)
    record["maps"] = record_maps.maps_of(prediction, split, generated_scene("synthetic").ground_truth)
    keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    assert len(Page(page).maps()) == 2
    assert facts["runs"][0]["maps"]["remarks"] == [NO_SPLIT] and NO_SPLIT in page


def test_the_pixels_of_a_kept_record_are_drawn_again_under_a_shared_protocol(tmp_path: Path, record: Facts) -> None:
    loaded = generated_scene("synthetic")
    record, prediction, _ = made_up(record)
    split = draw_shared(loaded, "disjoint", 1, None)
    found = evaluate(loaded.ground_truth.flat[split.test], prediction.flat[split.test], loaded.scene.num_classes)
    record.update(
        protocol="disjoint", metrics=found._asdict(), maps=record_maps.maps_of(prediction, split, loaded.ground_truth)
    )
    record["split"] = describe(split, loaded.ground_truth, loaded.scene.num_classes)
    keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    maps = facts["runs"][0]["maps"]
    assert maps["remarks"] == [] and maps["right"] + maps["wrong"] == len(split.test)
    assert maps["right"] / len(split.test) == pytest.approx(record["metrics"]["oa"])
    assert len(Page(page).maps()) == 3 and "Maps of the pixels that train" in page


def test_wide_fields_of_scenes_with_many_classes_show_their_class(run: Any, tmp_path: Path) -> None:
    numbers = re.findall(r'<span aria-hidden="true" style="left: ([\d.]+)%; top: ([\d.]+)%">(\d+)</span>',
                         report(run[0], tmp_path / "out")[0])  # fmt: skip
    truth = generated_scene("synthetic").ground_truth
    height, width = truth.shape
    shown_classes = {int(number) for _, _, number in numbers}
    assert shown_classes <= set(truth.ravel().tolist()) - {0} and len(shown_classes) > 5
    shown = numbers[: len(numbers) // 2]  # those of the ground truth come first
    for left, top, number in shown:
        assert truth[int(float(top) / 100 * height), int(float(left) / 100 * width)] == int(number)


def test_without_ground_truth_a_kept_record_shows_its_prediction_alone(tmp_path: Path, record: Facts) -> None:
    scene = get_scene("pavia")
    prediction = np.ones((scene.height, scene.width), np.uint8)
    truth = np.zeros_like(prediction)
    truth.flat[:8] = [1, 1, 2, 2, 1, 1, 2, 2]
    split = Split(np.arange(4), np.zeros(0, np.int64), np.arange(4, 8))
    record["split"] = describe(split, truth, 2)
    record["metrics"]["oa"] = 0.5
    record["maps"] = record_maps.maps_of(prediction, split, truth)
    keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out", data=tmp_path / "nothing")
    assert len(Page(page).maps()) == 1
    sentence = "PaviaU_gt.mat is in none of the data folders, so the ground truth is not drawn."
    assert facts["runs"][0]["maps"]["remarks"] == [sentence]
    assert sentence in page
    assert "right" not in facts["runs"][0]["maps"]


def test_ground_truth_is_found_by_the_hash_of_the_record(tmp_path: Path, tiny: Any, record: Facts) -> None:
    record.update(experiment="tiny", scene="tiny", data_verified=False)
    other = tmp_path / "other"
    other.mkdir()
    used = tiny.write(tiny.scene.ground_truth, np.ones_like(tiny.ground_truth), other)
    record["data"] = [{"name": "Tiny_gt.mat", "sha256": used, "expected_sha256": None, "verified": False}]
    folder = tmp_path / "results"
    folder.mkdir()
    np.save(str(folder / "prediction.npy"), np.ones_like(tiny.ground_truth))
    everything = np.arange(tiny.ground_truth.size)
    save_split(folder / "split.npz", Split(everything[:0], everything[:0], everything))
    write_record(folder / "run.json", record)

    def remarks_and_accuracy(data: List[Path]) -> Tuple[str, Any]:
        found = report(folder, tmp_path / "out", data)[1]["runs"][0]["maps"]
        return " ".join(found["remarks"]), found["right"] / (found["right"] + found["wrong"])

    remarks, accuracy = remarks_and_accuracy([tiny.folder, other])
    assert accuracy == 1 and "Tiny_gt.mat" not in remarks
    remarks, accuracy = remarks_and_accuracy([tiny.folder])  # the catalogue's own file, but not the run's
    assert accuracy == pytest.approx((tiny.ground_truth == 1).sum() / (tiny.ground_truth > 0).sum())
    assert "is not the file the run used" in remarks


def test_a_map_that_disagrees_with_its_record_is_said_to(run: Any, tmp_path: Path) -> None:
    folder, record = run
    record["metrics"]["oa"] = 0.5
    write_record(folder / "run.json", record)
    page, _ = report(folder, tmp_path / "out")
    assert "the record says 50.00 %" in page


@pytest.mark.parametrize("damage", ["text", "shape", "classes", "floats"])
def test_a_damaged_prediction_is_left_out_with_a_sentence(run: Any, tmp_path: Path, damage: str) -> None:
    path = run[0] / "prediction.npy"
    prediction = np.load(str(path))
    if damage == "text":
        path.write_text("nothing of the kind")
    else:
        changed = {"shape": prediction[1:], "classes": prediction + 100, "floats": prediction.astype(float)}
        np.save(str(path), changed[damage])
    page, _ = report(run[0], tmp_path / "out")
    assert "The prediction kept with this run cannot be used" in page and not Page(page).maps()


def test_a_record_without_maps_audit_or_history_says_so(tmp_path: Path, record: Facts) -> None:
    record["history"] = []
    keep(tmp_path / "records", record)
    page, _ = report(tmp_path / "records", tmp_path / "out")
    for sentence in ("No map was kept with this record.", "This run was not audited.", "The record holds no history."):
        assert sentence in page
    assert "None of these records is of a protocol that all methods share." in page


# the curves


def test_curves_are_grouped_by_unit_and_keep_their_values() -> None:
    history = [{"step": step, "loss": 9 / step, "lr": 0.1, "test_oa": 0.5, "norm": 7, "note": "x"} for step in (2, 1)]
    found = {chart["kind"]: chart["series"] for chart in curves(history)}
    assert found["losses"] == [{"name": "loss", "steps": [1, 2], "values": [9, 4.5]}]
    assert found["accuracies"] == [{"name": "test_oa", "steps": [1, 2], "values": [50, 50]}]
    assert [line["name"] for kind in ("rates", "others") for line in found[kind]] == ["lr", "norm"]


def drawn(history: List[Facts], selected: int = 0) -> Tuple[Facts, ElementTree.Element]:
    """The first chart of a history, and its SVG."""
    found = chart(curves(history)[0], selected, "a run")
    return found, ElementTree.fromstring(base64.b64decode(found["src"].split(",", 1)[1]))


def lines_of(svg: ElementTree.Element, colour: str) -> List[List[Tuple[float, float]]]:
    """The points of the lines that have a colour."""
    return [
        [(float(x), float(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", path.get("d"))]
        for path in svg.iter("{http://www.w3.org/2000/svg}path")
        if "stroke: %s" % colour in path.get("style", "") and "fill: none" in path.get("style", "")
    ]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [[3], [2, 2, 2], [0, 0], [1e-9, 1e9], [-1e29, 1e29], [0.1, 0.2, 0.3], [0, 1e-300]])
def test_any_numbers_are_drawn_within_the_picture(values: List[float]) -> None:
    found, svg = drawn([{"step": step, "loss": value} for step, value in enumerate(values)])
    _, _, width, height = map(float, svg.get("viewBox").split())
    assert found["width"] / found["height"] == pytest.approx(width / height, rel=0.01)
    (points,) = lines_of(svg, COLOURS[0])
    assert len(points) >= min(len(values), 2)
    assert all(0 < x < width and 0 < y < height for x, y in points)


def test_a_higher_loss_is_drawn_higher_on_both_kinds_of_axis() -> None:
    for values in ([4, 2, 3], [400, 2, 30]):
        _, svg = drawn([{"step": step, "loss": value} for step, value in enumerate(values)])
        heights = [y for _, y in lines_of(svg, COLOURS[0])[0]]
        assert heights[0] < heights[2] < heights[1]
        assert ("loss (logarithmic)" in "".join(svg.itertext())) == (values[0] == 400)


def test_the_legend_names_the_curves_by_what_they_are_drawn_with() -> None:
    history = [{"step": step, "loss": step + 1.0, "other_loss": 2.0} for step in range(3)]
    found, svg = drawn(history, selected=1)
    assert [(line["name"], line["colour"], line["style"]) for line in found["legend"]] == [
        ("loss", COLOURS[0], STYLES[0]),
        ("other_loss", COLOURS[1], STYLES[1]),
    ]
    assert all(len(lines_of(svg, line["colour"])) == 1 for line in found["legend"])
    assert found["alt"] == "Losses of a run, by step: loss from 1 to 3; other_loss from 2 to 2."


def test_the_step_whose_weights_were_kept_is_marked_within_the_curves() -> None:
    history = [{"step": step, "loss": step + 1.0} for step in range(1, 4)]
    for selected, marked in ((2, 2), (0, None), (9, None)):
        assert drawn(history, selected)[0]["selected"] == marked
    assert drawn(history, 2)[0]["src"] != drawn(history, 9)[0]["src"] == drawn(history, 0)[0]["src"]


def test_the_same_curve_gives_the_same_bytes_in_another_process() -> None:
    words = "from shared_data.report.charts import chart, curves;" \
            "print(chart(curves([dict(step=1, loss=2.0), dict(step=2, loss=1.0)])[0], 1, 'a run')['src'])"  # fmt: skip
    found = [subprocess.check_output([sys.executable, "-c", words]) for _ in range(2)]
    assert found[0] == found[1] and found[0].startswith(b"data:image/svg+xml;base64,")


# text is text


def test_texts_of_a_record_never_become_markup(tmp_path: Path, record: Facts) -> None:
    attack = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"' | [a](javascript:b) `"
    record["modified"] = [attack]
    record["selection"]["on"] = attack
    record["environment"].update(cpu=attack, framework=attack, gpu=attack)
    record["config"] = {"train": {attack: attack}}
    record["decisions"] = {attack: attack, "items": attack}
    record["audit"] = {attack: attack}
    record["data"][0]["name"] = attack
    record["revision"] = {"git": attack, "dirty": True}
    record["history"] = [{"step": 1, attack: 0.5}, {"step": 2, attack: 0.6}]
    keep(tmp_path / "records", record)
    page, facts = report(tmp_path / "records", tmp_path / "out")
    parsed = Page(page)
    assert len(parsed.all("script")) == 1
    assert [image["src"][:19] for image in parsed.all("img")] == ["data:image/svg+xml;"] * 2
    assert not any(b"alert" in base64.b64decode(image["src"].split(",", 1)[1]) for image in parsed.all("img"))
    assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]
    assert page.count("</style>") == 1
    assert attack in parsed.text
    assert facts["runs"][0]["environment"]["cpu"] == attack


def test_the_page_asks_for_nothing_from_anywhere(run: Any, tmp_path: Path) -> None:
    page, _ = report(run[0], tmp_path / "out")
    parsed = Page(page)
    for _, attributes in parsed.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert not re.search(r"url\(|@import|https?:", page)
    policy = [meta["content"] for meta in parsed.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy and "default-src 'none'" in policy[0] and "img-src data:" in policy[0]


def test_colours_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError):
        png_uri(np.zeros((2, 2), np.uint8), ["red;}body{display:none"])


# structure


def test_anchors_are_unique_and_every_link_leads_to_one(run: Any, tmp_path: Path) -> None:
    parsed = Page(report(run[0], tmp_path / "out")[0])
    anchors = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(set(anchors)) == len(anchors)
    links = [link["href"] for link in parsed.all("a")]
    assert {link[1:] for link in links} <= set(anchors)
    named = [attributes.get("aria-labelledby", "").split() for _, attributes in parsed.elements]
    assert {name for names in named for name in names} <= set(anchors)
    assert parsed.all("html")[0]["lang"] == "en" and len(parsed.all("main")) == 1
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    assert all(header.get("scope") in ("row", "col") for header in parsed.all("th"))
    assert all(picture["alt"] for picture in parsed.all("img"))


def luminance(colour: str) -> float:
    channels = [part / 255 for part in rgb(colour)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_has_enough_contrast_in_light_and_dark(scheme: int) -> None:
    block = re.findall(r":root \{(.*?)\}", (FOLDER / "style.css").read_text(encoding="utf-8"), re.S)[scheme]
    colour = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
    for text in ("ink", "faint", "link", "good", "bad"):
        for ground in ("paper", "raised"):
            assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    assert contrast(colour["bar"], colour["paper"]) >= 3
    tints = dict(re.findall(r"--(cell|miss): (\d+ \d+ \d+);", block))
    for tint in tints.values():  # the darkest cell of the confusion matrix
        mixed = [0.36 * int(part) + 0.64 * base for part, base in zip(tint.split(), rgb(colour["paper"]))]
        assert contrast(colour["ink"], "#%02x%02x%02x" % tuple(map(round, mixed))) >= 4.5


def test_curves_have_enough_contrast_to_the_white_they_are_drawn_on() -> None:
    assert all(contrast(colour, "#ffffff") >= 3 for colour in COLOURS)


def test_the_style_sheet_knows_every_shade() -> None:
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    shades = {shade(value, 100) for value in range(101)}
    assert shades == {"zero"} | {"q%d" % number for number in range(1, 9)}
    assert all(".confusion .%s " % name in style for name in shades)


# what cannot be done


def test_no_record_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no run record .* in .*nowhere"):
        write_report([tmp_path / "nowhere"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_record_that_cannot_be_read_is_named(run: Any, tmp_path: Path) -> None:
    broken = tmp_path / "results" / "seed-2" / "run.json"
    broken.parent.mkdir()
    broken.write_text("{")
    with pytest.raises(RecordError, match=re.escape(str(broken))):
        write_report([tmp_path / "results"], tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_named(run: Any, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(RecordError, match="cannot be written there"):
        write_report([run[0]], tmp_path / "out")
