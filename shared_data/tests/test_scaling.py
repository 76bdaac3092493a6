"""The plan of the full matrix: its runs, what they cost, and that the tables say what the simulation gives."""

import json
import re

import pytest

from shared_data.errors import RecordError, UnknownNameError
from shared_data.matrix import scaling
from shared_data.matrix.costs import BESIDE_STEPS, START_UP_S, Cost
from shared_data.matrix.jobs import Job
from shared_data.matrix.scaling import (
    Priced,
    at_once,
    configuration,
    factors_table,
    full_matrix,
    limit_text,
    main,
    measured_table,
    price,
    runs_table,
    workers_table,
)
from shared_data.matrix.simulate import efficiency, lower_bound, makespan
from shared_data.records import write_record
from shared_data.tables import render

REPOSITORY = scaling.REPOSITORY


def run(record, **changes):
    """A copy of a record of Indian Pines with other values at "a__b"."""
    copy = json.loads(json.dumps(dict(record, experiment="indianpines", scene="indianpines", protocol="paper")))
    for place, value in changes.items():
        *path, last = place.split("__")
        section = copy
        for part in path:
            section = section[part]
        section[last] = value
    return copy


@pytest.fixture
def records(record):
    """One record of each paper, made without a GPU."""
    return [run(record, paper=paper) for paper in scaling.PAPERS]


def priced(*hours, origin="measured (1 record)"):
    """Runs of as many hours, one seed after the other."""
    return [
        Priced(Job("ssdgl", "pavia", "paper", seed), Cost(60 * length, 0, 2500, 2, 0, origin))
        for seed, length in enumerate(hours)
    ]


def cells(table):
    """The rows of a Markdown table below its head."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


# which runs there are


def test_papers_and_folders_are_the_makefiles():
    text = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^PAPERS := (.*)$", text, re.M).group(1).split() == list(scaling.PAPERS)
    without_release = re.search(r"^NO_RELEASE := (.*)$", text, re.M).group(1).split()
    for paper, (folder, protocols) in scaling.PAPERS.items():
        assert re.search(r"^FOLDER_%s := (.*)$" % paper, text, re.M).group(1) == folder
        assert ("released" in protocols) == (paper not in without_release)


def test_the_full_matrix_has_every_paper_scene_protocol_and_seed_once():
    jobs = full_matrix()
    assert len(set(jobs)) == len(jobs) == 10 * len({job[:3] for job in jobs})
    assert {job.seed for job in jobs} == set(range(1, 11))
    assert {job.experiment for job in jobs if job.paper == "a2s2k"} == {"indianpines", "pavia", "salinas", "ksc"}
    assert {job.protocol for job in jobs if job.paper == "apdclnn"} == {"paper", "disjoint"}
    assert {job.protocol for job in jobs if job.paper == "ssdgl"} == {"paper", "released", "disjoint"}
    assert not [job for job in jobs if job.experiment == "synthetic" or "-" in job.experiment]
    assert all(configuration(job.paper, job.experiment)["scene"] == job.experiment for job in jobs)
    assert len(full_matrix(3)) == len(jobs) * 3 // 10


def test_a_variant_has_the_configuration_of_its_base():
    assert configuration("a2s2k", "indianpines-ssrn") == configuration("a2s2k", "indianpines")
    assert configuration("ssdgl", "pavia-v2021") != configuration("ssdgl", "pavia")
    assert configuration("svm", "indianpines") is None


# what they cost


def test_seeds_cost_the_same_and_faster_divides_all_but_the_start_up(records):
    jobs = [Job("ssdgl", "pavia", "paper", seed) for seed in (1, 2)]
    one, two = price(jobs, records)
    assert one.cost == two.cost and one.job != two.job
    start_up = START_UP_S / 60
    (fast, _) = price(jobs, records, faster=4)
    assert fast.cost.minutes - start_up == pytest.approx((one.cost.minutes - start_up) / 4)


def test_a_gpus_plan_goes_by_a_gpus_records_alone(records):
    jobs = [Job("ssdgl", "indianpines", "paper", 1)]
    with pytest.raises(RecordError, match=r"ssdgl on a GPU is not known: .* DEVICE=cuda"):
        price(jobs, records, gpu=True)
    fast = run(records[0], environment__gpu="NVIDIA H200", times__train_s=0.5)
    (on_gpu,), (without,) = price(jobs, [*records, fast], gpu=True), price(jobs, [*records, fast])
    assert (without,) == tuple(price(jobs, records))
    assert on_gpu.cost.minutes < without.cost.minutes and on_gpu.cost.gpus == 1


# the tables


def test_a_row_of_measured_runs(record):
    times = {"step_s": 0.25, "evaluation_s": 3.0}
    config = configuration("a2s2k", "indianpines")
    short = dict(config, train=dict(config["train"], epochs=25))
    changes = {"paper": "a2s2k", "selection__last_step": 64, "modified": ["train.epochs"], "config": short}
    runs = [run(record, **changes, seed=seed, times=dict(times, train_s=length)) for seed, length in ((1, 20), (2, 30))]
    (row,) = cells(measured_table(runs))
    assert row[:8] == ["a2s2k", "indianpines", "paper", "2", "64", "0.250", "20–30", "3.0"]
    assert row[9:] == ["100", "Some processor, 2 cores", "1", "train.epochs 25 of 200"]
    # the history has one epoch of 64 steps, the configuration 200
    assert float(row[8]) == pytest.approx((START_UP_S + BESIDE_STEPS * 200 * 25 + 3) / 3600, abs=0.01)


def test_runs_on_other_hardware_have_a_row_of_their_own(record):
    gpu = run(record, environment__gpu="NVIDIA H200", memory__peak_gpu_mb=7.0)
    rows = cells(measured_table([run(record), gpu]))
    assert sorted((row[3], row[9], row[10], row[11]) for row in rows) == [
        ("1", "100", "Some processor, 2 cores", "0"),
        ("1", "7", "NVIDIA H200", "0"),
    ]


def test_runs_at_the_same_time_are_counted(record):
    def between(start, end, **changes):
        seconds = {"train_s": 60.0 * (end - start), "step_s": 1.0, "evaluation_s": 0.0}
        return run(record, finished_at="2021-03-04T05:%02d:00Z" % end, times=seconds, **changes)

    runs = [between(0, 10), between(5, 20), between(8, 9), between(10, 12), between(21, 30)]
    other = between(0, 30, environment__cpu="Another")
    assert [at_once(one, [*runs, other]) for one in runs] == [2, 2, 2, 1, 0]


def test_the_runs_of_the_matrix_are_summed_and_scaled_ones_marked(records):
    plan = priced(1, 2, 1) + [
        Priced(Job("ssdgl", "pavia", "disjoint", 1), Cost(240, 0, 9500, 2, 0, "scaled from pavia/paper"))
    ]
    assert cells(runs_table(plan)) == [
        ["ssdgl", "pavia", "1.00", "–", "≈ 4.00", "4", "8", "10"],
        ["all", "", "", "", "", "4", "8", ""],
    ]
    rows = cells(runs_table(price(full_matrix(), records)))
    assert sum(int(row[5]) for row in rows[:-1]) == int(rows[-1][5]) == len(full_matrix())


def test_the_table_of_workers_is_the_simulations():
    plan = priced(5, 4, 3, 3, 3)
    minutes = [one.cost.minutes for one in plan]
    rows = cells(workers_table(plan, (1, 2, 5)))
    assert rows[1] == ["2", "10.0", "0.4", "9.0", "1.8", "90 %"]
    for row, number in zip(rows, (1, 2, 5)):
        assert float(row[1]) == pytest.approx(makespan(minutes, number) / 60, abs=0.05)
        assert float(row[3]) == pytest.approx(lower_bound(minutes, number) / 60, abs=0.05)
        assert row[5] == "%.0f %%" % (100 * efficiency(minutes, number))


def test_the_limit_names_the_longest_run_and_where_scaling_stops():
    plan = priced(5, 4, 3, 3, 3)
    plan[0] = Priced(Job("rssgl", "salinas", "released", 1), plan[0].cost._replace(origin="scaled from x/paper"))
    lines = limit_text(plan).splitlines()
    assert lines[0] == (
        "- 5 runs, 18 worker hours; 4 of the runs are of a kind that was measured in full length, the others scaled."
    )
    assert "rssgl on salinas under `released`, 5.0 h (scaled from x/paper)" in lines[1]
    assert "From 5 workers" in lines[2] and "72 %" in lines[2]


def test_faster_workers_end_sooner_and_at_one_it_is_the_plan(records):
    rows = cells(factors_table(records, workers=(1, 8)))
    plan = cells(workers_table(price(full_matrix(), records), (1, 8)))
    assert rows[0][:3] == ["1", plan[0][1], plan[1][1]]
    assert [float(row[1]) for row in rows] == sorted((float(row[1]) for row in rows), reverse=True)


# where they appear


def test_the_page_has_every_table_and_says_what_was_not_measured():
    text = (REPOSITORY / "docs" / "scaling.md").read_text(encoding="utf-8")
    for kind in scaling.TABLES:
        assert text.count("<!-- table: %s matrix=cpu -->" % kind) == 1
    assert "No run has been measured on a GPU" in text


def test_tables_of_the_matrix_take_the_records_of_all_papers(records):
    block = "<!-- table: %s matrix=cpu -->\n<!-- end table -->\n"
    text = render("".join(block % kind for kind in scaling.TABLES), records)
    assert all("\n| %s |" % paper in text for paper in scaling.PAPERS)
    assert render(text, records) == text
    with pytest.raises(RecordError, match="unknown table kind 'costs'; there are for a matrix: factors, limit"):
        render(block % "costs", records)
    with pytest.raises(RecordError, match="ssdgl on a GPU is not known"):
        render((block % "workers").replace("cpu", "cuda"), records)
    with pytest.raises(UnknownNameError, match="unknown device of a matrix 'tpu'; there are: cpu, cuda"):
        render((block % "measured").replace("cpu", "tpu"), records)


def test_the_command_prints_the_plan_or_says_what_is_missing(tmp_path, records, capsys):
    for record in records:
        write_record(tmp_path / ("seed-1-%s.json" % record["paper"]), record)
    assert main([str(tmp_path), "--workers", "3", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert "\n| 3 | " in out and "\n| 8 | " not in out and "- %d runs, " % len(full_matrix(2)) in out
    assert main([str(tmp_path), "--device", "cuda"]) == 1
    assert "error: the cost of ssdgl on a GPU is not known" in capsys.readouterr().err
