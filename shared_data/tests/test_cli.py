"""The command lines: `python -m shared_data`, and the one that every paper fills in."""

import io
import json
import os
import subprocess
import sys

import pytest
from toy_method import METHOD

from shared_data.audit import Audit, Finding
from shared_data.cli import paper as paper_cli
from shared_data.cli.console import STOPPED
from shared_data.cli.paper import Paper
from shared_data.cli.shared import main
from shared_data.records.record import write_record
from shared_data.runs.request import Outcome, run_directory_of


def fails(capsys, code, *expected):
    """The command ended with 1 and one sentence on stderr that holds all the expected parts."""
    message = capsys.readouterr().err
    assert code == 1
    assert message.startswith("error: ") and message.count("\n") == 1 and "Traceback" not in message
    for part in expected:
        assert part in message, message


@pytest.fixture
def kept(tmp_path, record):
    """A records folder with one verified run, far below its published numbers."""
    (tmp_path / "kept").mkdir()
    write_record(tmp_path / "kept" / "seed-1.json", record)
    return tmp_path / "kept"


# python -m shared_data


def test_as_a_module():
    answer = subprocess.run([sys.executable, "-m", "shared_data", "list"], stdout=subprocess.PIPE, check=True)
    lines = answer.stdout.decode().splitlines()
    assert [line.split()[0] for line in lines[1:7]] == [
        "indianpines", "pavia", "salinas", "ksc", "houston", "synthetic"
    ]  # fmt: skip


def test_list_names_the_data_folders(capsys, tmp_path):
    assert main(["list", "--data", os.pathsep.join([str(tmp_path), "elsewhere"])]) == 0
    out = capsys.readouterr().out
    assert "145x145x200" in out
    assert out.endswith("data folders: %s, elsewhere\n" % tmp_path)


@pytest.mark.parametrize("words", [[], ["paint"], ["diff", "--format", "pdf"]])
def test_a_wrong_command_line_shows_the_usage(capsys, words):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert "usage: shared_data" in capsys.readouterr().err


def test_verify(capsys, tiny):
    assert main(["verify", "tiny", "--data", str(tiny.folder)]) == 0
    assert capsys.readouterr().out.count(": verified") == 2
    found = tiny.write(tiny.scene.cube, tiny.cube + 1)
    assert main(["verify", "tiny", "--data", str(tiny.folder)]) == 1
    assert "Tiny.mat: NOT the catalogue's file (sha256 %s)" % found in capsys.readouterr().out
    assert main(["verify", "tiny", "--data", str(tiny.folder / "absent")]) == 1
    assert "Tiny.mat" in capsys.readouterr().out


def test_fetch_leaves_a_complete_scene_alone(capsys, tiny):
    assert main(["fetch", "tiny", "--folder", str(tiny.folder)]) == 0
    assert capsys.readouterr().out.count("is complete and verified") == 2


def test_verify_says_by_what(capsys, hashed):
    hashed.write(hashed.scene.ground_truth, hashed.ground_truth.astype("float64"))
    assert main(["verify", "tiny", "--data", str(hashed.folder)]) == 0
    cube, truth = capsys.readouterr().out.splitlines()
    assert cube == "tiny: %s: verified by its bytes (sha256 of the file)" % (hashed.folder / "Tiny.mat")
    assert truth == "tiny: %s: verified by its values (sha256 of the content)" % (hashed.folder / "Tiny_gt.mat")


def test_fetch_of_what_is_missing_is_silent_where_nothing_is(capsys, tiny):
    words = ["fetch", "--missing", "--folder", str(tiny.folder)]
    tiny.write(tiny.scene.cube, tiny.cube + 1)  # another file is there: the run itself says what to do about it
    assert main(words + ["tiny", "houston", "synthetic"]) == 0
    assert capsys.readouterr() == ("", "")
    fails(capsys, main(words + ["paris"]), "no scene named 'paris'")
    (tiny.folder / "Tiny_gt.mat").unlink()
    (tiny.folder / "Tiny.mat").unlink()
    assert main(words + ["tiny"]) == 1  # its address is that of no server
    assert "Tiny.mat: no source delivered the file" in capsys.readouterr().err


def test_other_commands_load_no_client(tmp_path):
    code = "import sys, shared_data.cli.shared; print([name for name in ('requests', 'pooch') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"[]"


def test_fetch_says_what_cannot_be_downloaded(capsys, tmp_path):
    fails(capsys, main(["fetch", "houston", "--folder", str(tmp_path)]), "houston: there is no download", "GRSS")
    fails(capsys, main(["fetch", "paris", "--folder", str(tmp_path)]), "no scene named 'paris'", "indianpines")


def test_diff_pairs_runs_with_published_numbers(capsys, kept):
    assert main(["diff", str(kept), "--paper", "ssdgl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["ssdgl", "pavia-v2021", "released", "oa", "99.96", "(log)", "75.00", "1", "-24.96",
                                "–", "one", "run", "unknown", "revision"]  # fmt: skip
    assert any("houston-v2021" in line and "not run" in line for line in lines)


def test_diff_speaks_json_and_markdown(capsys, kept):
    words = ["diff", str(kept), "--experiment", "pavia-v2021", "--format"]
    assert main(words + ["json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["metric"], row["reproduced"]) for row in rows] == [("oa", 0.75), ("aa", 0.75), ("kappa", 0.5)]
    assert main(words + ["markdown"]) == 0
    assert capsys.readouterr().out.count("| ssdgl | pavia-v2021 |") == 3


def test_diff_of_one_protocol_says_nothing_of_the_others(capsys, kept):
    assert main(["diff", str(kept), "--protocol", "paper", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_strict_fails_where_a_row_without_doubts_differs_below_and_only_there(capsys, kept, record):
    known = dict(record, revision={"git": "a" * 40, "dirty": False})
    write_record(kept / "seed-1.json", known)
    write_record(kept / "seed-2.json", dict(known, seed=2))
    assert main(["diff", str(kept), "--strict"]) == 0  # two runs
    write_record(kept / "seed-3.json", dict(known, seed=3))
    assert main(["diff", str(kept), "--strict"]) == 1
    assert main(["diff", str(kept)]) == 0
    assert main(["diff", str(kept), "--strict", "--experiment", "houston-v2021"]) == 0
    write_record(kept / "seed-3.json", dict(known, seed=3, data_verified=False))
    capsys.readouterr()
    assert main(["diff", str(kept), "--strict"]) == 0
    out = capsys.readouterr().out
    assert "differs (below)" in out and "unverified data (1 of 3 runs)" in out


@pytest.mark.parametrize("command", [["diff", "--strict"], ["report"], ["compare", "--scene", "pavia"]])
def test_a_folder_that_was_named_must_be_there(capsys, kept, command):
    for missing in (kept / "absent", kept / "seed-1.json"):
        code = main([command[0], str(kept), str(missing), *command[1:]])
        fails(capsys, code, "%s: expected a folder with runs or records" % missing)


def test_the_folders_of_a_checkout_may_be_missing(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["diff", "--paper", "ssdgl"]) == 0
    assert "not run" in capsys.readouterr().out


@pytest.mark.parametrize(
    "option, name, there_are",
    [
        ("--paper", "ssdg", "ssdgl, "),
        ("--experiment", "pavia-v2012", "pavia-v2021"),
        ("--protocol", "spatial", "released, spatial-cv"),
    ],
)
def test_diff_of_a_name_that_does_not_exist_is_an_error_before_any_output(capsys, kept, option, name, there_are):
    assert main(["diff", str(kept), "--strict", option, name]) == 1
    out, message = capsys.readouterr()
    assert out == "" and message.startswith("error: unknown %s '%s'; there are: " % (option[2:], name))
    assert there_are in message and message.count("\n") == 1


@pytest.mark.parametrize("option, name", [("--paper", "svm"), ("--protocol", "spatial-cv"), ("--protocol", "own-mine")])
def test_diff_of_a_name_that_exists_may_be_empty(capsys, kept, record, option, name):
    write_record(kept / "seed-2.json", dict(record, seed=2, protocol="own-mine"))
    assert main(["diff", str(kept), option, name]) == 0
    assert ("own-mine" in capsys.readouterr().out) == (name == "own-mine")


def test_diff_names_a_damaged_record(capsys, kept):
    (kept / "seed-2.json").write_text("{")
    fails(capsys, main(["diff", str(kept)]), str(kept / "seed-2.json"), "cannot be read as a run record")


def test_record_keeps_a_finished_run(capsys, tmp_path, record):
    (tmp_path / "run").mkdir()
    words = ["record", str(tmp_path / "run"), "--records", str(tmp_path / "records")]
    fails(capsys, main(words), str(tmp_path / "run"), "not finished")
    write_record(tmp_path / "run" / "run.json", record)
    assert main(words) == 0
    kept = tmp_path / "records" / "ssdgl" / "pavia-v2021" / "released" / "seed-1.json"
    assert kept.exists() and str(kept) in capsys.readouterr().out


def test_tables_are_written_or_only_checked(capsys, tmp_path, kept):
    readme = tmp_path / "README.md"
    readme.write_text("<!-- table: results paper=ssdgl -->\n<!-- end table -->\n")
    words = ["tables", str(readme), "--records", str(kept)]
    assert main(words + ["--check"]) == 1
    assert main(words) == 0
    assert main(words + ["--check"]) == 0
    assert "75.00" in readme.read_text(encoding="utf-8")
    capsys.readouterr()
    fails(capsys, main(["tables", str(tmp_path / "absent.md")]), "absent.md")


def test_output_in_an_encoding_without_the_characters(monkeypatch, kept):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert main(["diff", str(kept)]) == 0
    assert b"? points" in stdout.buffer.getvalue()


def test_a_reader_that_has_gone_away_is_no_traceback(monkeypatch, capfd):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["list"]) == 1
    assert capfd.readouterr().err == ""


# the command line of a paper


class Mistake(Exception):
    """An exception of a paper's own whose message is for the user."""


@pytest.fixture
def paper(tmp_path, record, monkeypatch):
    """A paper whose runs give `record` with the requested seed, and the list of what it was asked for."""
    requests = []

    def reproduce(method, request):
        assert method is METHOD
        requests.append(request)
        if request.device == "broken":
            raise Mistake("the device is broken")
        directory = run_directory_of("ssdgl", request)
        if request.iterations == 1:
            return Outcome(directory, None)
        directory.mkdir(parents=True, exist_ok=True)
        answer = dict(record, protocol=request.protocol, seed=request.seed)
        write_record(directory / "run.json", answer)
        return Outcome(directory, answer)

    def predict(_method, request, weights, probabilities):
        requests.append((request, (weights, probabilities)))
        return Outcome(request.out, None)

    def audit(_method, request, kept_record):
        requests.append((request, kept_record))
        return Audit((Finding("test_labels", "clean for 3 steps", "nothing reached training"),), 3)

    for name, replacement in (("reproduce_all", reproduce), ("predict", predict), ("audit_run", audit)):
        monkeypatch.setattr(paper_cli, name, replacement)
    (tmp_path / "README.md").write_text("<!-- table: protocols paper=ssdgl -->\n<!-- end table -->\n")
    return Paper(
        title="A paper.",
        experiments=lambda: ["pavia-v2021", "salinas"],
        describe=lambda name: "About %s.\nMore." % name,
        protocols=("paper", "released"),
        protocol_table=lambda: "| protocols |",
        readme=tmp_path / "README.md",
        method=METHOD,
        bench=lambda arguments: arguments.repeat,
        add_bench_options=lambda parser: parser.add_argument("--repeat", type=int),
        default_seed=2333,
        errors=(Mistake,),
    ), requests


def test_reproduce_tells_results_files_and_the_comparison_in_words(capsys, tmp_path, paper):
    assert paper_cli.main(paper[0], ["reproduce", "pavia-v2021", "--protocol", "released", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert ("ssdgl pavia-v2021, protocol released, seed 2333: OA 75.00 %, AA 75.00 %, kappa 0.5000 (4 test pixels)"
            in out)  # fmt: skip
    assert str(tmp_path / "ssdgl" / "pavia-v2021" / "released" / "seed-2333" / "run.json") in out
    folder = tmp_path / "ssdgl" / "pavia-v2021" / "released" / "seed-2333"
    assert "log in %s" % (folder / "log.txt") in out.splitlines()[0]
    assert "OA 99.96 published in a log file, 75.00 reproduced: 24.96 points below" in out
    assert "a verdict needs three runs" in out and "make report" in out
    assert "make curves" not in out  # nothing was written that it could show


def test_curves_that_were_written_come_with_the_command_that_shows_them(capsys, tmp_path, paper):
    out = tmp_path / "my results"
    folder = out / "ssdgl" / "salinas" / "paper" / "seed-2333"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "events.out.tfevents.1").touch()
    assert paper_cli.main(paper[0], ["reproduce", "salinas", "--out", str(out)]) == 0
    assert "make curves RUN='%s'\n" % folder in capsys.readouterr().out


def test_the_request_holds_what_was_asked_for(tmp_path, paper):
    words = ["reproduce", "salinas", "--seed", "7", "--data", "a:b", "--unverified", "--device", "cpu", "--iters", "5",
             "--set", "a=1", "--set", "b.c=x", "--out", str(tmp_path), "--force"]  # fmt: skip
    assert paper_cli.main(paper[0], words) == 0
    (request,) = paper[1]
    assert request[:11] == ("salinas", "paper", 7, "a:b", True, "cpu", 5, ("a=1", "b.c=x"), tmp_path, True, None)


def test_tiles_are_an_option_of_papers_that_know_them(capsys, paper):
    words = ["predict", "salinas", "--weights", "w.pth"]
    able = paper[0]._replace(tiles=True)
    assert paper_cli.main(able, words) == 0 and paper_cli.main(able, words + ["--tile", "256"]) == 0
    assert [request.tile for request, _ in paper[1]] == [None, 256]
    for unable, given in ((able, "-16"), (able, "1.5"), (paper[0], "256")):
        with pytest.raises(SystemExit):
            paper_cli.main(unable, words + ["--tile", given])
    assert "expected a whole number" in capsys.readouterr().err


def test_several_seeds_are_several_runs_in_one_comparison(capsys, tmp_path, paper):
    assert paper_cli.main(paper[0], ["reproduce", "pavia-v2021", "--seeds", "1", "2", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert [request.seed for request in paper[1]] == [1, 2]
    assert "seed 1:" in out and "seed 2:" in out
    assert "75.00 ± 0.00" in out and "a verdict needs three runs" in out


def test_the_log_is_shown_on_the_console_where_asked_for(tmp_path, paper):
    for words in ([], ["-v"], ["--verbose"]):
        assert paper_cli.main(paper[0], ["reproduce", "salinas", "--out", str(tmp_path), *words]) == 0
    assert [request.verbose for request in paper[1]] == [False, True, True]


def test_a_stopped_run_ends_the_command(capsys, tmp_path, paper):
    words = ["reproduce", "pavia-v2021", "--seeds", "1", "2", "--iters", "1", "--out", str(tmp_path)]
    assert paper_cli.main(paper[0], words) == STOPPED == 143
    assert "resumes the run in %s" % (tmp_path / "ssdgl" / "pavia-v2021") in capsys.readouterr().err
    assert len(paper[1]) == 1


def test_unknown_names_list_those_that_exist(capsys, paper):
    fails(capsys, paper_cli.main(paper[0], ["reproduce", "mars"]), "configuration 'mars'", "pavia-v2021, salinas")
    words = ["reproduce", "salinas", "--protocol", "hope"]
    fails(capsys, paper_cli.main(paper[0], words), "unknown protocol 'hope'", "paper, released")
    words = ["predict", "mars", "--weights", "w.pth"]
    fails(capsys, paper_cli.main(paper[0], words), "configuration 'mars'")
    # a scene of the catalogue without a configuration
    fails(capsys, paper_cli.main(paper[0], ["reproduce", "houston"]), "configuration 'houston'")
    assert paper_cli.main(paper[0], ["predict", "houston", "--weights", "w.pth"]) == 0


def test_audit_takes_every_protocol_or_the_one_named(capsys, tmp_path, paper):
    assert paper_cli.main(paper[0], ["audit", "salinas", "--iters", "3", "--out", str(tmp_path)]) == 0
    assert [(request.protocol, request.iterations) for request, _ in paper[1]] == [
        ("paper", 3),
        ("released", 3),
        ("spatial-cv", 3),
    ]
    out = capsys.readouterr().out
    assert "protocol released, seed 2333, 3 steps" in out and "nothing reached training" in out
    assert paper_cli.main(paper[0], ["audit", "salinas", "--protocol", "released", "--record", "kept.json"]) == 0
    ((request, kept),) = paper[1][3:]
    assert (request.protocol, request.iterations, str(kept)) == ("released", 40, "kept.json")
    fails(capsys, paper_cli.main(paper[0], ["audit", "salinas", "--protocol", "hope"]), "unknown protocol 'hope'")
    assert paper_cli.main(paper[0], ["audit", "salinas", "--protocol", "paper", "--iters", "0"]) == 0
    assert paper[1][4][0].iterations is None and "seed 2333, full length" in capsys.readouterr().out


def test_errors_of_the_paper_are_sentences_too(capsys, paper):
    fails(capsys, paper_cli.main(paper[0], ["reproduce", "salinas", "--device", "broken"]), "the device is broken")


@pytest.mark.parametrize(
    "words",
    [["--seed", "-1"], ["--seed", "4294967296"], ["--seeds", "1", "x"], ["--iters", "0"], ["--iters", "1.5"]],
)
def test_numbers_that_no_run_can_have(capsys, paper, words):
    with pytest.raises(SystemExit) as stopped:
        paper_cli.main(paper[0], ["reproduce", "salinas"] + words)
    assert stopped.value.code == 2
    assert "expected a whole number" in capsys.readouterr().err
    assert paper[1] == []


def test_predict_list_bench_and_tables(capsys, tmp_path, paper):
    words = ["predict", "salinas", "--weights", "w.pth", "--out", str(tmp_path)]
    assert paper_cli.main(paper[0], words) == 0
    assert paper_cli.main(paper[0], [*words, "--probabilities"]) == 0
    assert [(str(weights), asked) for _, (weights, asked) in paper[1]] == [("w.pth", False), ("w.pth", True)]
    assert "written to %s" % tmp_path in capsys.readouterr().out
    assert paper_cli.main(paper[0], ["list"]) == 0
    assert capsys.readouterr().out.startswith("pavia-v2021\n    About pavia-v2021.\n    More.\nsalinas\n")
    assert paper_cli.main(paper[0], ["bench", "--repeat", "3"]) == 3
    assert "fit" not in capsys.readouterr().out  # nothing follows a benchmark that failed
    words = ["tables", "--records", str(tmp_path / "records")]
    assert paper_cli.main(paper[0], words + ["--check"]) == 1
    assert paper_cli.main(paper[0], words) == 0
    assert "\n| protocols |\n" in (tmp_path / "README.md").read_text()
