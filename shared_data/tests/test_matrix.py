"""The plan of a matrix: which runs there are, in which state they are, what they need, and how each one is started."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_method import METHOD

from shared_data.cli import paper as paper_cli
from shared_data.errors import SettingsError
from shared_data.records.record import write_record
from shared_data.runs.directory import is_held, take_lock
from tools.matrix import ask as asking
from tools.matrix import revision, run_one
from tools.matrix.costs import UNKNOWN_RUNTIME, cost, usable_records
from tools.matrix.jobs import Job, Options, PaperSource, Told, paper_source, select
from tools.matrix.plan import Planned, as_json, as_table, totals
from tools.matrix.runners import Runner
from tools.matrix.states import REDO, State, state_of

pytestmark = pytest.mark.stack_independent

JOB = Job("ssdgl", "pavia", "paper", 1)
SETTINGS = {"config": {"train": {"num_iters": 10}}, "data": {"PaviaU.mat": "a" * 64}}


# which runs


def test_what_does_not_exist_is_left_out_and_said():
    told = {
        "ssdgl": Told(["pavia", "houston"], ["paper", "released"], {}, {}),
        "apdclnn": Told(["pavia", "pavia-without-gabor"], ["paper"], {}, {}),
    }
    jobs, left_out = select(told, ["pavia", "houston"], ["pavia-without-gabor"], ["paper", "released"], [1, 2])
    assert [job.name for job in jobs if job.seed == 1] == [
        "ssdgl/pavia/paper/seed-1", "ssdgl/pavia/released/seed-1", "ssdgl/houston/paper/seed-1",
        "ssdgl/houston/released/seed-1", "apdclnn/pavia/paper/seed-1", "apdclnn/pavia-without-gabor/paper/seed-1",
    ]  # fmt: skip
    assert len(jobs) == 12
    assert left_out == [
        "ssdgl has no configuration pavia-without-gabor",
        "apdclnn has no configuration houston",
        "apdclnn has no protocol released",
    ]


def test_papers_come_from_the_makefile_in_one_word():
    assert paper_source("a2s2k=a2s2k_resnet:shared_data,a2s2k_resnet") == PaperSource(
        "a2s2k", "a2s2k_resnet", ("shared_data", "a2s2k_resnet")
    )
    with pytest.raises(SettingsError, match="is there such a paper"):
        paper_source("nonsense=:")


def test_a_paper_says_what_decides_its_results_on_the_way_a_run_takes(tmp_path, capsys):
    method = METHOD._replace(fit=lambda *_: pytest.fail("it ran"))
    paper = paper_cli.Paper(
        title="A paper", experiments=lambda: ["synthetic", "pavia"], describe=str, protocols=("paper",),
        protocol_table=str, readme=tmp_path, method=method, bench=print, add_bench_options=lambda parser: None,
        default_seed=7,
    )  # fmt: skip
    words = ["settings", "synthetic", "unheard-of", "pavia", "--iters", "3", "--data", str(tmp_path), "--out"]
    assert paper_cli.main(paper, words + [str(tmp_path / "results")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["experiments"] == ["synthetic", "pavia"] and told["protocols"] == ["paper"]
    assert told["settings"]["synthetic"]["config"] == {"scene": "synthetic", "train": {"num_iters": 3}}
    assert set(told["settings"]) == {"synthetic"}
    assert "not found" in told["errors"]["pavia"]
    assert not (tmp_path / "results").exists()


def test_a_paper_that_cannot_be_asked_is_one_sentence(tmp_path):
    papers = [PaperSource("ssdgl", "no_such_package", ("no_such_package",))]
    with pytest.raises(SettingsError, match=r"ssdgl cannot be asked .*make environments"):
        asking.ask(papers, Runner(interpreter=str(tmp_path / "python")), ["pavia"], Options(tmp_path))
    with pytest.raises(SettingsError, match=r"ssdgl cannot say its settings: .*no_such_package"):
        asking.ask(papers, Runner(interpreter=sys.executable), ["pavia"], Options(tmp_path))


# states


def state(tmp_path, settings=SETTINGS, error=None, code=None):
    return state_of(JOB, tmp_path, settings, error, lambda revision: code)


@pytest.fixture
def finished(tmp_path, record):
    """The directory of a finished run with SETTINGS."""
    folder = JOB.folder(tmp_path)
    folder.mkdir(parents=True)
    record["revision"] = {"git": "0" * 40, "dirty": False}
    write_record(folder / "run.json", record)
    return folder


def test_missing_and_unfinished(tmp_path):
    assert state(tmp_path) == ("missing", [])
    assert state(tmp_path, None, "pavia: no file")[1] == ["pavia: no file"]
    JOB.folder(tmp_path).mkdir(parents=True)
    (JOB.folder(tmp_path) / "settings.json").write_text(json.dumps(dict(SETTINGS, seed=1, protocol="paper")))
    assert state(tmp_path) == ("unfinished", ["resumes from its checkpoints"])
    (JOB.folder(tmp_path) / REDO).write_text("to be started over")
    assert state(tmp_path).name == "missing"


def test_unfinished_with_other_settings_is_stale(tmp_path):
    JOB.folder(tmp_path).mkdir(parents=True)
    (JOB.folder(tmp_path) / "settings.json").write_text(json.dumps({"config": {"train": {}}, "data": SETTINGS["data"]}))
    found = state(tmp_path)
    assert found == ("stale", ["unfinished", "configuration changed: train.num_iters 10, was null"])
    (JOB.folder(tmp_path) / "settings.json").write_text("{")
    assert state(tmp_path) == ("stale", ["unfinished", "its settings.json cannot be read"])


def test_done(tmp_path, finished):
    assert state(tmp_path) == ("done", [])
    # data that are not here now do not make a result stale
    assert state(tmp_path, None, "pavia: not found") == ("done", ["pavia: not found"])


def test_running_is_seen_without_disturbing_it(tmp_path, finished):
    assert not is_held(tmp_path / "nothing")
    lock = take_lock(finished)
    holder = (finished / ".lock").read_text()
    assert state(tmp_path).name == "running"
    assert (finished / ".lock").read_text() == holder
    lock.close()
    assert state(tmp_path).name == "done"
    take_lock(finished).close()  # nor is the lock kept by the question


@pytest.mark.parametrize(
    "settings, code, reason",
    [
        (dict(SETTINGS, data={"PaviaU.mat": "b" * 64}), None, "data changed: PaviaU.mat"),
        (dict(SETTINGS, data={}), None, "data changed: PaviaU.mat"),
        (dict(SETTINGS, config={"train": {"num_iters": 11}}), None,
         "configuration changed: train.num_iters 11, was 10"),
        (dict(SETTINGS, config={"a": 1, "b": 2, "c": 3, "train": {"num_iters": 10}}), None,
         "configuration changed: a 1, was null, b 2, was null and 1 more"),
        (SETTINGS, "code changed since 0000000: a.py", "code changed since 0000000: a.py"),
    ],
)  # fmt: skip
def test_every_reason_to_be_stale(tmp_path, finished, settings, code, reason):
    assert state(tmp_path, settings, code=code) == ("stale", [reason])


def test_a_changed_checkout_and_a_broken_record_are_stale(tmp_path, finished, record):
    record["revision"]["dirty"] = True
    write_record(finished / "run.json", record)
    assert state(tmp_path) == ("stale", ["made from a changed checkout"])
    (finished / "run.json").write_text("{")
    assert state(tmp_path) == ("stale", ["its record cannot be read"])


def test_a_repeat_is_stale_where_one_of_its_folds_is(tmp_path, finished, record):
    parts = ("metrics", "split", "selection", "times", "finished_at", "revision")
    fold = dict({name: record[name] for name in parts}, weights={})
    changed = dict(fold, fold=1, revision={"git": "1" * 40, "dirty": True})
    record["folds"] = [dict(fold, fold=0), changed]
    write_record(finished / "run.json", record)
    reasons = {"0" * 40: None, "1" * 40: "code changed since 1111111: a.py"}
    found = state_of(JOB, tmp_path, SETTINGS, None, reasons.get)
    assert found == ("stale", ["made from a changed checkout", "code changed since 1111111: a.py"])
    for part in record["folds"]:
        del part["revision"]  # as in old records
    write_record(finished / "run.json", record)
    assert state_of(JOB, tmp_path, SETTINGS, None, reasons.get) == ("done", [])


# the code


PAPER = PaperSource("a2s2k", "a2s2k_resnet", ("shared_data", "a2s2k_resnet"))


@pytest.mark.parametrize(
    "path, decides",
    [
        ("a2s2k_resnet/a2s2k_resnet/network.py", True),
        ("shared_data/shared_data/scenes/loading.py", True),
        ("shared_data/shared_data/scenes/scenes.toml", True),
        ("a2s2k_resnet/requirements/modern.txt", True),
        ("a2s2k_resnet/requirements/era.txt", False),
        ("shared_data/requirements/modern.txt", False),
        ("a2s2k_resnet/configs/pavia.toml", False),
        ("a2s2k_resnet/README.md", False),
        ("a2s2k_resnet/tests/test_network.py", False),
        ("shared_data/contracts/audit.py", False),
        ("shared_data/shared_data/report/html.py", False),
        ("shared_data/tools/matrix/plan.py", False),
        ("ssdgl/ssdgl/network.py", False),
        ("a2s2k_resnet_other/network.py", False),
    ],
)
def test_which_files_decide_a_result(path, decides):
    assert revision.decides(path, PAPER, "modern") is decides


@pytest.fixture
def checkout(tmp_path):
    """A repository with one commit; a function that runs git in it."""
    folder = tmp_path / "checkout"
    (folder / "shared_data").mkdir(parents=True)
    (folder / "shared_data" / "a.py").write_text("1\n")

    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        return subprocess.check_output(["git", "-C", str(folder)] + identity + list(words)).decode().strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    revision._changed_files.cache_clear()
    yield folder, git
    revision._changed_files.cache_clear()


def test_code_that_changed_since_a_revision(checkout, tmp_path):
    folder, git = checkout
    commit = git("rev-parse", "HEAD")

    def changed(revision_of_record, root=folder):
        revision._changed_files.cache_clear()
        return revision.code_changed(str(root), revision_of_record, PAPER, "modern")

    assert changed(commit) is None
    (folder / "shared_data" / "README.md").write_text("words")
    assert changed(commit) is None
    (folder / "shared_data" / "a.py").write_text("2\n")
    assert changed(commit) == "code changed since %s: shared_data/a.py" % commit[:7]
    git("commit", "--quiet", "--all", "-m", "second")
    assert changed(commit) == "code changed since %s: shared_data/a.py" % commit[:7]
    assert changed(git("rev-parse", "HEAD")) is None
    assert changed("1" * 40) == "its revision 1111111 is not in this checkout"
    assert changed(None) == "its revision is unknown"
    assert changed(commit, tmp_path) is None  # no checkout: nothing to compare with


# costs


def measured(record, **changes):
    """A record of 600 s of training in 600 steps, 60 s of prediction, 1500 MB."""
    own = json.loads(json.dumps(record))
    own.update(
        experiment="pavia", protocol="paper", config={"scene": "pavia", "train": {"num_iters": 600}},
        selection={"step": 600, "on": "last"}, history=[{"step": 600}],
        times={"train_s": 600.0, "step_s": 1.0, "evaluation_s": 60.0},
        memory={"peak_rss_mb": 1500.0, "peak_gpu_mb": None},
    )  # fmt: skip
    own.update(changes)
    return own


CONFIG = {"scene": "pavia", "train": {"num_iters": 600}}


def test_a_cost_is_the_mean_of_the_records_of_the_same_kind(record):
    longer = measured(record, seed=2, times={"train_s": 1200.0, "step_s": 2.0, "evaluation_s": 60.0})
    other = measured(record, protocol="released", times={"train_s": 9e9, "step_s": 2.0, "evaluation_s": 60.0})
    found = cost(JOB, CONFIG, False, [measured(record), longer, other])
    assert found.records == 2 and found.minutes == pytest.approx((60 + 900) / 60)
    assert found.runtime > found.minutes and found.memory_mb > 1500
    assert (found.cores, found.gpus) == (2, 0)
    assert cost(JOB, None, False, [measured(record), longer, other]) == found


@pytest.mark.parametrize(
    "job, config, gpu",
    [
        (JOB, {"scene": "pavia", "train": {"num_iters": 12}}, False),
        (JOB._replace(experiment="indianpines"), dict(CONFIG, scene="indianpines"), False),
        (JOB._replace(protocol="disjoint"), CONFIG, False),
        (JOB._replace(paper="rssgl"), CONFIG, False),
        (JOB, CONFIG, True),
    ],
)
def test_nothing_is_inferred_from_runs_of_another_kind(record, job, config, gpu):
    found = cost(job, config, gpu, [measured(record)])
    assert (found.minutes, found.records, found.runtime, found.gpus) == (None, 0, UNKNOWN_RUNTIME, int(gpu))


def test_runs_on_a_gpu_are_measured_by_runs_on_a_gpu(record):
    on_gpu = measured(record, environment=dict(record["environment"], gpu="A GPU"))
    assert cost(JOB, CONFIG, True, [on_gpu]).gpus == 1 == cost(JOB, CONFIG, True, [on_gpu]).records
    assert cost(JOB, CONFIG, False, [on_gpu]).minutes is None


def test_records_that_cannot_be_read_tell_nothing(tmp_path, record):
    write_record(tmp_path / "seed-1.json", record)
    (tmp_path / "seed-2.json").write_text("{")
    assert [one["seed"] for one in usable_records(tmp_path, tmp_path)] == [1]


# the table


def planned(job, name, minutes, *reasons):
    needs = cost(job, None, False, [])._replace(minutes=minutes, records=int(minutes is not None))
    return Planned(job, State(name, list(reasons)), needs, ["command"])


def test_the_table_and_its_totals():
    plan = [
        planned(JOB, "missing", 60.0), planned(JOB._replace(seed=2), "done", 60.0),
        planned(JOB._replace(seed=3), "stale", 60.0, "data changed: PaviaU.mat"),
        planned(JOB._replace(seed=4), "unfinished", 120.0), planned(JOB._replace(seed=5), "missing", None),
    ]  # fmt: skip
    table = as_table(plan, redo_stale=False).splitlines()
    assert table[1].split()[:4] == ["ssdgl/pavia/paper/seed-1", "missing", "60.0", "1"]
    assert table[2].split()[:3] == ["ssdgl/pavia/paper/seed-2", "done", "-"]
    assert table[6].split()[:4] == ["ssdgl/pavia/paper/seed-5", "missing", "?", "0"]
    assert table[4] == "    data changed: PaviaU.mat"
    told = totals(plan, False)
    assert "5 runs: 1 done, 2 missing, 1 unfinished, 0 running, 1 stale" in told
    assert "1 stale runs are kept" in told and "are started over" in totals(plan, True)

    def handed_over(redo):
        return sorted(name[-1] for name in as_json(plan, redo, Path("/out"), "python", {})["jobs"])

    assert handed_over(False) == ["1", "4", "5"]
    assert handed_over(True) == ["1", "3", "4", "5"]


# how a run is started


OPTIONS = Options(Path("/out"), "/scenes:/more", True, "cuda", 12, ("train.lr=1",))
PASSED_ON = ["--unverified", "--iters", "12", "--set", "train.lr=1"]


def test_the_command_in_an_environment():
    words = Runner().run_command(PAPER, JOB._replace(paper="a2s2k"), OPTIONS)
    assert words == [
        os.path.abspath(".venvs/a2s2k-modern/bin/python"), "-m", "a2s2k_resnet", "reproduce", "pavia", "--protocol",
        "paper", "--seed", "1", "--device", "cuda", "--out", "/out", *PASSED_ON, "--data", "/scenes:/more",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["docker", "podman", "apptainer"])
def test_the_command_in_a_container(kind):
    words = Runner(kind, "era").run_command(PAPER, JOB, OPTIONS)
    user = "%d:%d" % (os.getuid(), os.getgid())
    closed = ["--rm", "--init", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", user, "--env"]
    head = [kind, "run", *(["--contain", "--nv", "--bind"] if kind == "apptainer" else closed)]
    assert words[: len(head)] == head
    image = words.index("hsi/a2s2k:era")
    assert words[image + 1 : image + 6] == ["python", "-m", "a2s2k_resnet", "reproduce", "pavia"]
    assert words[words.index("--out") + 1] == "/results" and words[-1] == "/data:/data1"
    assert {"/scenes:/data:ro", "/more:/data1:ro", "/out:/results"} <= set(words[:image])
    assert {"docker": "--gpus", "podman": "nvidia.com/gpu=all", "apptainer": "--nv"}[kind] in words[:image]
    cpu = Runner(kind).run_command(PAPER, JOB, OPTIONS._replace(device="cpu"))
    assert not {"--gpus", "nvidia.com/gpu=all", "--nv"} & set(cpu)


@pytest.fixture
def one(tmp_path):
    """Run a Python script as the job's command; give the exit code and the text for Snakemake."""

    def run(script, left=0, expected=None):
        folder = tmp_path / JOB.name
        folder.mkdir(parents=True, exist_ok=True)
        job = {"command": [sys.executable, "-c", script, str(folder)], "cores": 3}
        tail = tmp_path / "tail.log"
        expected = expected or folder / "run.json"
        code = run_one.run({"out": str(tmp_path), "jobs": {JOB.name: job}}, JOB.name, expected, tail, left)
        return code, tail.read_text() if tail.exists() else ""

    return run


def test_a_failed_attempt_leaves_its_last_lines_where_it_was_the_last(one):
    script = "print(*range(100), sep='\\n'); raise SystemExit(4)"
    code, tail = one(script)
    assert code == 4 and tail.splitlines()[-20:] == [str(number) for number in range(80, 100)]
    code, tail = one(script, left=1)
    assert code == 4 and "1 attempts are left" in tail and "99" not in tail


def test_the_lines_are_those_of_the_last_attempt(one):
    one("print('first'); raise SystemExit(1)")
    assert "first" not in one("print('second'); raise SystemExit(1)")[1]


def test_a_killed_run_has_the_exit_code_of_a_shell(one):
    assert one("import os; os.kill(os.getpid(), 9)")[0] == 137
    assert "resumes" in one("raise SystemExit(143)")[1]


def test_a_run_is_started_over_while_its_directory_asks_for_it(one, tmp_path):
    script = "import sys; open(sys.argv[1] + '/words', 'w').write(' '.join(sys.argv[2:]))"
    one(script)
    assert (tmp_path / JOB.name / "words").read_text() == ""
    (tmp_path / JOB.name / REDO).write_text("")
    one(script)
    assert (tmp_path / JOB.name / "words").read_text() == "--force"


def test_threads_are_as_many_as_cores_unless_the_user_says_otherwise(one, tmp_path, monkeypatch):
    script = "import os, sys; open(sys.argv[1] + '/threads', 'w').write(os.environ['OMP_NUM_THREADS'])"
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    one(script)
    assert (tmp_path / JOB.name / "threads").read_text() == "3"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one(script)
    assert (tmp_path / JOB.name / "threads").read_text() == "1"


def test_behind_a_storage_plugin_the_record_is_copied_to_where_snakemake_looks(one, tmp_path):
    script = "import sys; open(sys.argv[1] + '/run.json', 'w').write('a record')"
    assert one(script, expected=tmp_path / "copy.json") == (0, "")
    assert (tmp_path / "copy.json").read_text() == "a record"


# what stops one

SUPERVISE = """
import sys
import time
from tools.matrix.engine import supervise
lock, patience_s, *words = sys.argv[1:]
sys.exit(supervise(words, open(lock, "w"), int(patience_s)))
"""
STUBBORN = """
import signal, sys, time
for name in sys.argv[1:]:
    signal.signal(signal.Signals[name], signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def supervised(tmp_path):
    """A function that supervises a process which ignores the named signals, and returns the supervisor."""
    started = []

    def start(patience_s, *ignored):
        words = [sys.executable, "-c", SUPERVISE, str(tmp_path / "lock"), str(patience_s)]
        words += [sys.executable, "-c", STUBBORN] + list(ignored)
        process = subprocess.Popen(words, stdout=subprocess.PIPE, universal_newlines=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("ignored, code", [(["SIGINT"], 128 + 15), (["SIGINT", "SIGTERM"], 128 + 9)])
def test_what_ignores_a_signal_gets_a_stronger_one_after_a_while(supervised, ignored, code):
    process = supervised(1, *ignored)
    process.terminate()
    assert process.wait(timeout=30) == code


def test_a_second_signal_is_stronger_unless_it_comes_with_the_first(supervised):
    process = supervised(300, "SIGINT")
    process.terminate()
    process.send_signal(signal.SIGINT)
    time.sleep(2.5)
    assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=30) == 128 + 15


def test_nothing_outlives_a_killed_supervisor(supervised):
    process = supervised(300)
    process.kill()
    assert process.stdout.read() == ""  # the other end is closed when the supervised process has ended
