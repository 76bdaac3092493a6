"""What the Makefile hands to the programs it starts: words of a user as they are, and the environment asked for."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAPERS = {"ssdgl", "rssgl", "a2s2k", "da-imrn", "apdclnn"}
# stands for every program: a line of JSON with its name and its words
PROGRAM = """#!{python}
import json, os, sys
with open({calls!r}, "a") as file:
    file.write(json.dumps([os.path.relpath(sys.argv[0], {folder!r})] + sys.argv[1:]) + "\\n")
if "bench" in sys.argv:
    print("measured twice\\n| " + sys.argv[2] + " |")
"""
AWKWARD = [
    "my results",
    'a"b',
    "it's",
    "a$b $$c $(shell touch broken) ${HOME}",
    "`touch broken`; touch broken",
    "a\\b #c",
]

pytestmark = [
    pytest.mark.stack_independent,
    pytest.mark.skipif(shutil.which("make") is None, reason="no make"),
]


class Checkout:
    """The Makefile in a folder of its own, with the same stand-in for each environment's interpreter."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copy(str(ROOT / "Makefile"), str(folder))
        self.calls = folder / "calls"
        names = ["%s-%s" % (paper, stack) for paper in PAPERS for stack in ("modern", "era")]
        for name in names + ["shared-modern", "matrix"]:
            self._program(folder / ".venvs" / name / "bin" / "python")
        self._program(folder / ".venvs" / "curves" / "bin" / "tensorboard")
        self._program(folder / "make_env")
        self._program(folder / "docker")
        self._program(folder / ".ci" / "test")

    def _program(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PROGRAM.format(python=sys.executable, calls=str(self.calls), folder=str(self.folder)))
        path.chmod(0o755)

    def make(self, *words):
        """The calls that make does: name and words of each. Environments that it asks for are in `environments`."""
        done = self._run(words)
        assert done.returncode == 0, done.stdout
        calls = [json.loads(line) for line in self.calls.read_text().splitlines()]
        self.calls.unlink()
        assert not (self.folder / "broken").exists()
        self.environments = [call[1] for call in calls if call[0] == "make_env"]
        return [call for call in calls if call[0] != "make_env"]

    def refused(self, *words):
        """What make prints where it fails."""
        done = self._run(words)
        assert done.returncode == 2, done.stdout
        return done.stdout

    def _run(self, words):
        own = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        return subprocess.run(
            ["make", "MAKE_ENV=./make_env"] + list(words), cwd=str(self.folder), env=own, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, universal_newlines=True,
        )  # fmt: skip


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def option(words, name):
    """The one word that follows an option."""
    assert words.count(name) == 1, words
    return words[words.index(name) + 1]


def test_bench_collects_the_rows_that_the_papers_print(checkout):
    packages = [call[2] for call in checkout.make("bench", "OUT=my results")]
    assert packages == ["ssdgl", "rssgl", "a2s2k_resnet", "da_imrn", "apdclnn"]
    lines = (checkout.folder / "my results" / "bench.md").read_text().splitlines()
    assert lines[0].startswith("| network | literal step | our step | ratio |") and lines[1].startswith("|---|")
    assert lines[2:] == ["| %s |" % package for package in packages]


@pytest.mark.parametrize("program", ["echo '| half a table |'; exit 1", "echo nothing measured"])
def test_bench_without_the_rows_of_a_paper_names_it_and_leaves_the_table(checkout, program):
    (checkout.folder / "results").mkdir()
    (checkout.folder / "results" / "bench.md").write_text("| earlier |\n")
    (checkout.folder / ".venvs" / "a2s2k-modern" / "bin" / "python").write_text("#!/bin/sh\n%s\n" % program)
    assert "error: the benchmark of a2s2k failed or printed no row" in checkout.refused("bench")
    assert [path.name for path in (checkout.folder / "results").iterdir()] == ["bench.md"]
    assert (checkout.folder / "results" / "bench.md").read_text() == "| earlier |\n"


def test_gpu_check_has_the_interpreter_and_the_device_asked_for(checkout):
    (call,) = checkout.make("gpu-check")
    assert call[:2] == [".venvs/rssgl-modern/bin/python", "shared_data/tools/gpu_check/check.py"]
    assert checkout.environments == ["rssgl-modern"] and option(call, "--device") == "auto"
    (call,) = checkout.make("gpu-check", "DEVICE=cpu", "PYTHON_GPU=.venvs/ssdgl-modern/bin/python", "QUICK=1")
    assert call[0] == ".venvs/ssdgl-modern/bin/python" and checkout.environments == []
    assert option(call, "--device") == "cpu" and call[-1] == "--quick"


@pytest.mark.parametrize("text", AWKWARD)
def test_text_of_a_user_is_one_word_in_every_target(checkout, text):
    out, given, data = "OUT=" + text, "SET=" + text, "DATA=" + text
    for target in ("reproduce-ssdgl-synthetic", "run-da-imrn", "audit-rssgl", "matrix"):
        (call,) = checkout.make(target, out, given, data)
        assert [option(call, name) for name in ("--out", "--set", "--data")] == [text] * 3
    for target in ("reference-pavia", "baselines-ssdgl-synthetic"):
        (call,) = checkout.make(target, out, data)
        assert [option(call, name) for name in ("--out", "--data")] == [text] * 2
    (call,) = checkout.make("reference-pavia", data, "SPLIT=" + text)
    assert option(call, "--split") == text
    (call,) = checkout.make("compare-pavia", "FIGURES=" + text)
    assert option(call, "--figures") == text
    (call,) = checkout.make("record", "RUN=" + text)
    assert call[-1] == text
    (call,) = checkout.make("curves", "RUN=" + text)
    assert call == [".venvs/curves/bin/tensorboard", "--logdir", text] and checkout.environments == ["curves"]
    (call,) = checkout.make("predict-da-imrn-pavia", out, given, data, "WEIGHTS=" + text, "PROBABILITIES=1")
    assert [option(call, name) for name in ("--out", "--set", "--data", "--weights")] == [text] * 4
    assert call[:5] == [".venvs/da-imrn-modern/bin/python", "-m", "da_imrn", "predict", "pavia"]
    assert "--probabilities" in call and "--protocol" not in call
    (call,) = checkout.make("predict-a2s2k-pavia", "MODEL=runs/" + text)  # a path, so not one of its baselines
    assert option(call, "--weights") == "runs/" + text and call[3:5] == ["predict", "pavia"]
    (call,) = checkout.make("export", "RUN=" + text, "EXPORT=" + text, "FORMAT=geotiff csv")
    assert call[4] == option(call, "--out") == text and call[5:8] == ["--format", "geotiff", "csv"]
    given = {"CUBE": "describe", "GT": "--labels", "NAME": "--name", "OUT": "--out", "CUBE_KEY": "--cube-key"}
    (call,) = checkout.make("scene", "GT_KEY=" + text, *(name + "=" + text for name in given))
    assert [option(call, name) for name in [*given.values(), "--labels-key"]] == [text] * 6
    lists = {"UNLABELLED": "--unlabelled=", "IGNORE": "--ignore=", "DROP_BANDS": "--drop-bands="}
    (call,) = checkout.make("scene", "CUBE=cube.npy", *(name + "=" + text for name in lists))
    assert call[3:] == ["describe", "cube.npy", *(name + text for name in lists.values())]
    (call,) = checkout.make("gpu-check", out)
    assert option(call, "--out") == text
    (call,) = checkout.make("demo", out)
    assert option(call, "--out") == text + "/demo"
    (call,) = checkout.make("matrix", "PROFILE=" + text, "IMAGE=" + text, "RUNNER=docker")
    assert [option(call, name) for name in ("--profile", "--image")] == [text] * 2


@pytest.mark.parametrize("text", AWKWARD)
def test_results_that_there_are_go_before_the_kept_records(checkout, text):
    out = "OUT=" + text
    for target in ("diff", "report", "compare-pavia"):
        (call,) = checkout.make(target, out)
        assert call[4] == "records"
    (checkout.folder / text).mkdir()
    for target in ("diff", "report", "compare-pavia"):
        (call,) = checkout.make(target, out)
        assert call[4:6] == [text, "records"]
        if target == "report":
            assert option(call, "--out") == text + "/report"
    assert option(checkout.make("report", out, "REPORT=" + text)[0], "--out") == text


@pytest.mark.parametrize(
    "words, papers",
    [
        ([], ["ssdgl", "rssgl", "a2s2k"]),
        (["PAPERS=all"], sorted(PAPERS)),
        (["PAPERS=apdclnn ssdgl"], ["apdclnn", "ssdgl"]),
    ],
)
def test_the_demo_shows_some_papers_or_all(checkout, words, papers):
    (call,) = checkout.make("demo", *words)
    shown = [after.split("=")[0] for before, after in zip(call, call[1:]) if before == "--paper"]
    assert (shown if words != ["PAPERS=all"] else sorted(shown)) == papers
    assert set(checkout.environments) == {"shared-modern", *(paper + "-modern" for paper in papers)}
    assert "--verbose" not in call and "--verbose" in checkout.make("demo", "VERBOSE=1", *words)[0]


@pytest.mark.parametrize("text", AWKWARD)
def test_a_container_gets_the_folders_by_their_whole_paths(checkout, text):
    (checkout.folder / (text + " data")).mkdir()
    (call,) = checkout.make(
        "docker-run-a2s2k-my-plot", "TOOL=./docker", "OUT=" + text, "DATA=" + text + " data", "SET=" + text
    )
    place = str(checkout.folder / text)
    assert [word for word in call if word.startswith(place)] == [place + " data:/data:ro", place + ":/results"]
    assert option(call, "reproduce") == "my-plot" and option(call, "--set") == text
    assert (checkout.folder / text).is_dir()


def test_a_container_gets_the_options_of_a_run(checkout):
    (checkout.folder / "data").mkdir()
    words = ["TOOL=./docker", "DATA=data", "MODEL=ssrn", "PROTOCOL=spatial-cv", "FOLD=2", "SEED=3", "VERBOSE=1"]
    (call,) = checkout.make("docker-run-a2s2k-my-plot", *words)
    assert "hsi/a2s2k:modern" in call and option(call, "reproduce") == "my-plot-ssrn"
    assert [option(call, name) for name in ("--protocol", "--fold", "--seed")] == ["spatial-cv", "2", "3"]
    assert call[-1] == "--verbose" and "--out" not in call and "--data" not in call
    (call,) = checkout.make("docker-run-da-imrn-pavia", "TOOL=./docker", "DATA=data", "MODEL=da-imrn")
    assert "hsi/da-imrn:modern" in call and option(call, "reproduce") == "pavia" and "--fold" not in call


@pytest.mark.parametrize("given", ["SPLIT=train.mat,test.mat", "PREDATA=shipped"])
def test_a_container_does_not_run_without_files_that_it_would_not_see(checkout, given):
    told = checkout.refused("docker-run-da-imrn-pavia", "TOOL=./docker", "OUT=there", given)
    assert "error: no container gets the files of SPLIT or PREDATA; use make reproduce-da-imrn-pavia." in told
    assert not checkout.calls.exists() and not (checkout.folder / "there").exists()


@pytest.fixture
def no_folders(monkeypatch):
    monkeypatch.delenv("HSI_DATA", raising=False)


def configure(checkout, *names):
    """Let SSDGL have these configurations."""
    for name in names:
        path = checkout.folder / "ssdgl" / "configs" / (name + ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_a_run_fetches_its_scene_first(checkout, no_folders):
    configure(checkout, "indianpines", "indianpines-v2021", "synthetic")
    fetched = [".venvs/shared-modern/bin/python", "-m", "shared_data", "fetch", "--missing", "indianpines"]
    for name in ("indianpines", "indianpines-v2021"):
        first, second = checkout.make("reproduce-ssdgl-" + name)
        assert first == fetched and second[2:5] == ["ssdgl", "reproduce", name]
        assert "shared-modern" in checkout.environments
    first, second = checkout.make("audit-ssdgl", "SCENE=indianpines")
    assert first == fetched and second[2:5] == ["ssdgl", "audit", "indianpines"]
    first, second = checkout.make("reference-indianpines")
    assert first == fetched and second[3:5] == ["reference", "indianpines"]
    first, second = checkout.make("baselines-ssdgl-indianpines-v2021")
    assert first == fetched and second[2:5] == ["ssdgl", "baselines", "indianpines-v2021"]


def test_nothing_is_fetched_where_folders_are_named_or_nothing_can_be(checkout, no_folders, monkeypatch):
    configure(checkout, "indianpines", "synthetic")
    for words in (
        ["reproduce-ssdgl-synthetic"],
        ["reproduce-ssdgl-pavia"],  # not a configuration, which the paper's own command says
        ["audit-ssdgl"],
        ["reproduce-ssdgl-indianpines", "DATA=my data"],
        ["reference-indianpines", "DATA=my data"],
    ):
        assert len(checkout.make(*words)) == 1
    assert len(checkout.make("reproduce-ssdgl-synthetic")) == 1 and "shared-modern" not in checkout.environments
    monkeypatch.setenv("HSI_DATA", "elsewhere")
    assert len(checkout.make("reproduce-ssdgl-indianpines")) == 1
    assert len(checkout.make("reference-indianpines")) == 1


@pytest.mark.parametrize("folder", ["plots", "my plots", 'a"b $(shell touch broken)', "it's"])
def test_the_description_of_an_own_scene_reaches_the_command_and_nothing_is_fetched(checkout, no_folders, folder):
    configure(checkout, "my")  # nothing of this name is fetched either
    description = folder + "/my-plot.toml"
    for target, words in (
        ("reproduce-ssdgl-my-plot", ["ssdgl", "reproduce", "my-plot"]),
        ("baselines-ssdgl-my-plot", ["ssdgl", "baselines", "my-plot"]),
        ("audit-ssdgl", ["ssdgl", "audit", "my-plot"]),
        ("reference-my-plot", ["shared_data", "reference", "my-plot"]),
    ):
        (call,) = checkout.make(target, "SCENE=" + description)
        assert call[2:5] == words and option(call, "--scene") == description
    (call,) = checkout.make("audit-a2s2k", "SCENE=" + description, "MODEL=ssrn")
    assert call[4] == "my-plot-ssrn"
    (checkout.folder / folder).mkdir()
    (checkout.folder / "data").mkdir()
    (call,) = checkout.make("docker-run-a2s2k-my-plot", "TOOL=./docker", "DATA=data", "SCENE=" + description)
    assert "%s:/scene:ro" % (checkout.folder / folder) in call and option(call, "--scene") == "/scene/my-plot.toml"


def test_other_scenes_are_names_of_configurations(checkout):
    (call,) = checkout.make("audit-ssdgl")
    assert call[4] == "synthetic"
    (call,) = checkout.make("audit-ssdgl", "SCENE=my-plot")
    assert call[4] == "my-plot" and "--scene" not in call
    (call,) = checkout.make("reproduce-ssdgl-my-plot", "SCENE=toml")
    assert "--scene" not in call


def test_a_scene_that_cannot_be_fetched_stops_the_run(checkout, no_folders):
    configure(checkout, "indianpines")
    (checkout.folder / ".venvs" / "shared-modern" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    assert (
        subprocess.call(["make", "MAKE_ENV=./make_env", "reproduce-ssdgl-indianpines"], cwd=str(checkout.folder)) == 2
    )
    assert "reproduce" not in checkout.calls.read_text()


def test_names_of_configurations_keep_their_hyphens(checkout):
    for target, package, name in (
        ("reproduce-ssdgl-my-plot_2", "ssdgl", "my-plot_2"),
        ("reproduce-da-imrn-North-Field", "da_imrn", "North-Field"),
    ):
        (call,) = checkout.make(target)
        assert call[2:5] == [package, "reproduce", name]
    (call,) = checkout.make("reproduce-a2s2k-my-plot", "MODEL=ssrn")
    assert call[4] == "my-plot-ssrn"


def test_methods_are_compared_under_a_protocol_only_where_it_is_given(checkout):
    (call,) = checkout.make("compare-pavia")
    assert option(call, "--scene") == "pavia" and "--protocol" not in call
    (call,) = checkout.make("compare-pavia", "PROTOCOL=spatial-cv-d3")
    assert option(call, "--protocol") == "spatial-cv-d3"


def test_baselines_on_a_papers_pixels_and_on_shared_ones(checkout):
    (call,) = checkout.make("baselines-da-imrn-my-plot", "PROTOCOL=released", "METHOD=svm 1nn-position", "SEEDS=1 2")
    assert call[2:5] == ["da_imrn", "baselines", "my-plot"] and option(call, "--protocol") == "released"
    assert call[call.index("--seeds") :][:6] == ["--seeds", "1", "2", "--method", "svm", "1nn-position"]
    (call,) = checkout.make("baselines-ssdgl-my-plot")
    assert option(call, "--protocol") == "paper" and "--method" not in call
    (call,) = checkout.make("reference-pavia", "DATA=here")
    assert "--protocol" not in call  # the command's own default, not that of the papers
    (call,) = checkout.make("reference-pavia", "DATA=here", "PROTOCOL=disjoint", "FOLD=2")
    assert option(call, "--protocol") == "disjoint" and option(call, "--fold") == "2"


@pytest.mark.parametrize(
    "variant, stack", [("modern", "modern"), ("era", "era"), ("cpu", "modern"), ("cpu-era", "era")]
)
def test_a_variant_chooses_environment_and_interpreter(checkout, variant, stack):
    name = "da-imrn-" + stack
    assert checkout.make("env-da-imrn", "VARIANT=" + variant) == [] and checkout.environments == [name]
    for target in ("reproduce-da-imrn-synthetic", "run-da-imrn", "audit-da-imrn"):
        (call,) = checkout.make(target, "VARIANT=" + variant)
        assert call[0] == ".venvs/%s/bin/python" % name and checkout.environments == [name]
    (call,) = checkout.make("matrix", "PAPERS=da-imrn", "VARIANT=" + variant)
    assert option(call, "--variant") == stack and name in checkout.environments
    (call,) = checkout.make("matrix", "PAPERS=da-imrn", "RUNNER=docker", "VARIANT=" + variant)
    assert option(call, "--variant") == variant and name not in checkout.environments


def test_every_environment_is_made_whatever_the_variant(checkout):
    checkout.make("environments", "VARIANT=era")
    papers = {"%s-%s" % (paper, stack) for paper in PAPERS for stack in ("modern", "era")}
    assert papers | {"shared-modern", "shared-era", "matrix", "docs", "curves"} == set(checkout.environments)


def test_an_interpreter_that_is_missing_fails_where_it_was_asked_for_by_name(checkout):
    (checkout.folder / "make_env").write_text("#!/bin/sh\necho >> calls\ncase $1 in *-era) exit 3; esac\n")
    for target, code in (("environments", 0), ("env-ssdgl-era", 2), ("env-ssdgl", 0)):
        assert subprocess.call(["make", "MAKE_ENV=./make_env", target], cwd=str(checkout.folder)) == code
    assert subprocess.call(["make", "MAKE_ENV=./make_env", "env-ssdgl", "VARIANT=era"], cwd=str(checkout.folder)) == 2


def test_fast_tests_and_all_tests(checkout):
    for target, words in (("test", []), ("test-all", ["all"])):
        assert checkout.make(target) == [[".ci/test", *words]]
        assert {"ssdgl-era", "shared-modern"} <= set(checkout.environments)


class Suites:
    """`.ci/test` in a checkout whose interpreters are all there but one."""

    MISSING = "apdclnn-era"

    def __init__(self, checkout):
        self.folder, self.calls = checkout.folder, checkout.calls
        shutil.copy(str(ROOT / ".ci" / "test"), str(self.folder / ".ci" / "test"))
        for name in (self.folder / ".venvs").iterdir():
            if name.name != self.MISSING:
                (name / ".ready").write_text("")

    def run(self, *words):
        """Exit code, output, and by environment the words of pytest in it."""
        done = subprocess.run(
            [".ci/test", *words], cwd=str(self.folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True,
        )  # fmt: skip
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        calls = [json.loads(line) for line in lines]
        assert all(call[1:6] == ["-m", "pytest", "-q", "-p", "no:cacheprovider"] for call in calls)
        assert all(call[6].startswith("--durations=") for call in calls)
        return done.returncode, done.stdout, [(call[0].split("/")[1], call[8:]) for call in calls]


@pytest.fixture
def suites(checkout):
    checkout._program(checkout.folder / ".venvs" / "shared-era" / "bin" / "python")
    return Suites(checkout)


def test_the_fast_tests_are_of_the_current_stacks_and_a_short_run_in_the_others(suites):
    code, output, calls = suites.run()
    assert code == 0 and "all test suites passed" in output
    assert all(words[-2:] == ["-m", "not slow"] for name, words in calls if name.endswith("-modern"))
    assert {name for name, _ in calls if name.endswith("-modern")} == {
        "%s-modern" % each for each in PAPERS | {"shared"}
    }
    short = {name: words for name, words in calls if name.endswith("-era")}
    assert set(short) == {"%s-era" % paper for paper in PAPERS} - {suites.MISSING}
    assert all(words[0].endswith("/tests/test_smoke.py") for words in short.values())
    assert all(words[1:] == ["-m", "not stack_independent"] for words in short.values())
    assert "== apdclnn/tests/test_smoke.py in apdclnn-era\nskipped" in output


def test_all_tests_are_every_folder_and_once_where_the_stack_does_not_matter(suites):
    code, output, calls = suites.run("all")
    assert code == 0 and "all test suites passed" in output
    folders = {"ssdgl", "rssgl", "a2s2k_resnet", "da_imrn", "apdclnn", "simplecv_vendor", "shared_data", "docker"}
    current = [word for name, words in calls if name.endswith("-modern") for word in words]
    assert sorted(current) == sorted(folders)
    assert all(words[1:] == ["-m", "not stack_independent"] for name, words in calls if name.endswith("-era"))
    assert {words[0] for name, words in calls if name.endswith("-era")} == folders - {"docker", "apdclnn"}


def test_a_suite_that_fails_is_named(suites):
    (suites.folder / ".venvs" / "rssgl-era" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    code, output, _ = suites.run("all")
    assert code == 1 and "FAILED: rssgl-era-rssgl\n" in output
    assert suites.run("everything")[0] == 2


def test_an_own_split_and_one_fold_reach_the_command(checkout):
    for target in ("reference-pavia", "reproduce-ssdgl-my-plot", "audit-ssdgl"):
        call = checkout.make(target, "SPLIT=my train.mat,my test.mat")[-1]
        assert option(call, "--protocol") == "own" and option(call, "--split") == "my train.mat,my test.mat"
        call = checkout.make(target, "PROTOCOL=spatial-cv", "FOLD=3")[-1]
        assert option(call, "--protocol") == "spatial-cv" and option(call, "--fold") == "3"
