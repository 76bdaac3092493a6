"""The command line every paper offers: reproduce, predict, audit, bench, list, tables.

Papers supply callbacks; options are shared.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type

from shared_data.audit import as_text as audit_as_text
from shared_data.audit.run import audit_run
from shared_data.cli.arguments import number_or_none, tile_side
from shared_data.cli.baselines import add_method_option, run_baselines
from shared_data.cli.console import STOPPED, print_text, run_command
from shared_data.cli.run_options import add_options, register_scene_of, request_of
from shared_data.cli.run_summary import print_published, print_summary
from shared_data.comparison.diff import compare
from shared_data.comparison.published import load_published
from shared_data.comparison.words import in_words
from shared_data.configuration.overrides import GENERIC, check_name
from shared_data.errors import SettingsError, SharedDataError
from shared_data.report.tables import Table, report_tables
from shared_data.runs.cross_validation import reproduce_all
from shared_data.runs.generic import check_configuration
from shared_data.runs.method import Method
from shared_data.runs.predict import predict
from shared_data.runs.reproduce import reproduce
from shared_data.runs.request import Request, run_directory_of, title_of
from shared_data.runs.timed_fit import time_fit
from shared_data.scenes import catalogue
from shared_data.splits.shared_protocols import MAIN, folds_of, is_shared

AUDITED_STEPS = 40  # of a training in an audit
EVERY = "every one"  # protocol
TIMED_SCENE, TIMED_STEPS = "synthetic", 20  # of the training that `bench` times


class Paper(NamedTuple):
    """What distinguishes one paper's command line from another's."""

    title: str
    experiments: Callable[[], Sequence[str]]
    describe: Callable[[str], str]  # first comment lines of an experiment's configuration
    protocols: Sequence[str]
    protocol_table: Callable[[], str]  # Markdown, generated from the paper's decisions
    readme: Path
    method: Method
    bench: Callable[[argparse.Namespace], int]
    add_bench_options: Callable[[argparse.ArgumentParser], None]
    default_seed: int
    errors: Tuple[Type[Exception], ...] = ()  # further exceptions whose message is meant for the user
    own_tables: Dict[str, Table] = {}  # further kinds of tables of the README
    tiles: bool = False  # whether `predict` has the option --tile
    predata: bool = False  # whether the authors shipped partitions that a user may pass

    @property
    def slug(self) -> str:
        """The paper's name in commands, folders and records."""
        return self.method.slug


def _add_scene_options(parser: argparse.ArgumentParser, paper: Paper) -> None:
    parser.add_argument("experiment", help="configuration, usually a scene: %s" % ", ".join(paper.experiments()))
    parser.add_argument("--protocol", default="paper", help="%s (default: %%(default)s)" % ", ".join(paper.protocols))
    predata = ("--predata",) if paper.predata else ()
    names = ("--scene", "--seed", "--fold", "--split", "--data", "--unverified", "--device", "--out", *predata, "--set")
    add_options(parser, *names, seed=paper.default_seed)


def build_parser(paper: Paper) -> argparse.ArgumentParser:
    """The parser of `python -m <paper>`."""
    parser = argparse.ArgumentParser(prog=paper.slug, description=paper.title)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True

    training = commands.add_parser("reproduce", help="train, evaluate, write the record and the maps")
    _add_scene_options(training, paper)
    add_options(training, "--seeds", "--iters", "--force", "--verbose")
    training.set_defaults(handler=_reproduce)

    prediction = commands.add_parser(
        "predict",
        help="classify a scene with stored weights",
        description="Classify a scene with stored weights. A file that a run has written holds its configuration and "
        "statistics of preprocessing, too: --protocol, --seed and --set count for other files alone, such as official "
        "weights. Instead of a configuration, the name of any scene in the catalogue may be given.",
    )
    _add_scene_options(prediction, paper)
    prediction.add_argument("--weights", type=Path, required=True, help="the folder of a run, or a file of weights")
    if paper.tiles:
        prediction.add_argument("--tile", type=tile_side,
                             help="work in tiles of this side, a multiple of 16, in bounded memory and with the same "
                             "result; 0 takes the whole scene at once (default: tiles where the whole scene does not "
                             "fit into the memory that is free)")  # fmt: skip
    prediction.add_argument("--probabilities", action="store_true",
                            help="write the probabilities of all classes, too: probabilities.npy, float16")  # fmt: skip
    prediction.set_defaults(handler=_predict)

    audit = commands.add_parser("audit", help="find out which labels and spectra reach training and prediction")
    _add_scene_options(audit, paper)
    steps = "steps of each training (default: %(default)d); 0 trains as long as a run does"
    audit.add_argument("--iters", type=number_or_none, default=AUDITED_STEPS, help=steps)
    audit.add_argument("--record", type=Path, help="write the verdicts into this kept record, too; needs --protocol")
    # on a GPU two trainings from one seed may differ by the order of additions alone
    audit.set_defaults(handler=_audit, protocol=EVERY, device="cpu")

    baselines = commands.add_parser(
        "baselines", help="run classifiers without a network on the pixels of one of the paper's own protocols"
    )
    baselines.add_argument("experiment", help="configuration, as for reproduce")
    own = ", ".join(_own_protocols(paper))
    baselines.add_argument("--protocol", default="paper", help="whose pixels: %s (default: %%(default)s)" % own)
    add_method_option(baselines)
    predata = ("--predata",) if paper.predata else ()
    names = ("--scene", "--seed", "--seeds", "--data", "--unverified", "--out", "--force", *predata)
    add_options(baselines, *names, seed=paper.default_seed)
    baselines.set_defaults(handler=_baselines)

    bench = commands.add_parser(
        "bench", help="time a training step against the literal network, then a short training with all around it"
    )
    paper.add_bench_options(bench)
    bench.set_defaults(handler=_bench)

    settings = commands.add_parser("settings", help="print as JSON what decides the results of configurations")
    _add_scene_options(settings, paper)
    settings.add_argument("further", nargs="*", help="further configurations")
    add_options(settings, "--iters")
    settings.set_defaults(handler=_settings)

    listing = commands.add_parser("list", help="list the configurations")
    listing.set_defaults(handler=_list)

    tables = commands.add_parser("tables", help="write the tables of the README from decisions and records")
    tables.add_argument("--records", default="records")
    tables.add_argument("--check", action="store_true", help="change nothing; exit with 1 where a table is stale")
    tables.set_defaults(handler=_tables)
    return parser


def _request(arguments: argparse.Namespace, paper: Paper, seed: int, scenes_too: bool = False) -> Request:
    if not (scenes_too and arguments.experiment in catalogue.scenes()):
        check_configuration(arguments.experiment, paper.experiments())
    request = request_of(arguments, arguments.experiment, arguments.protocol, seed)
    if not is_shared(request.protocol):
        check_name("protocol", arguments.protocol, paper.protocols)
    return request


def _reproduce(paper: Paper, arguments: argparse.Namespace) -> int:
    records = []
    for seed in arguments.seeds or [arguments.seed]:
        request = _request(arguments, paper, seed)
        folds = "" if request.fold is not None or not folds_of(request.protocol) else "fold-*"
        log = run_directory_of(paper.slug, request) / folds / "log.txt"
        print_text("%s: log in %s" % (title_of(paper.slug, request), log))
        sys.stdout.flush()  # before the progress, which is written to another stream
        outcome = reproduce_all(paper.method, request)
        if outcome.record is None:
            print("stopped; the same command resumes the run in %s" % outcome.directory, file=sys.stderr)
            return STOPPED
        records.append(outcome.record)
        print_summary(outcome)
    published = [
        result for result in load_published() if (result.paper, result.experiment) == (paper.slug, arguments.experiment)
    ]
    print_published(in_words(compare(records, published)))
    return 0


def _predict(paper: Paper, arguments: argparse.Namespace) -> int:
    request = _request(arguments, paper, arguments.seed, scenes_too=True)
    outcome = predict(paper.method, request, arguments.weights, arguments.probabilities)
    print("written to %s" % outcome.directory)
    return 0


def _audit(paper: Paper, arguments: argparse.Namespace) -> int:
    if arguments.record and arguments.protocol == EVERY:
        raise SettingsError("a kept record is of one protocol; name it with --protocol.")
    every = [*_own_protocols(paper), MAIN]
    for protocol in every if arguments.protocol == EVERY else [arguments.protocol]:
        arguments.protocol = protocol
        request = _request(arguments, paper, arguments.seed)
        request = request._replace(iterations=arguments.iters or None)
        length = "%d steps" % arguments.iters if arguments.iters else "full length"
        print("%s %s, protocol %s, seed %d, %s"
              % (paper.slug, request.experiment, protocol, request.seed, length), flush=True)  # fmt: skip
        found = audit_run(paper.method, request, arguments.record)
        print_text(audit_as_text(found) + "\n")
    return 0


def _baselines(paper: Paper, arguments: argparse.Namespace) -> int:
    check_configuration(arguments.experiment, paper.experiments())
    if is_shared(arguments.protocol):
        raise SettingsError(
            "the pixels of %s are the same for all methods; run the baselines on them with make reference-<scene>."
            % arguments.protocol
        )
    check_name("protocol", arguments.protocol, _own_protocols(paper))
    return run_baselines(arguments, arguments.experiment, arguments.protocol, paper.method)


def _own_protocols(paper: Paper) -> List[str]:
    return [protocol for protocol in paper.protocols if not is_shared(protocol)]


def _bench(paper: Paper, arguments: argparse.Namespace) -> int:
    """The network's comparison is the paper's own; `fit` and `predict` are timed alike for all."""
    status = paper.bench(arguments)
    if status or getattr(arguments, "memory", None):  # a process that only measures memory for another one
        return status
    device = getattr(arguments, "device", "auto")
    request = Request(
        TIMED_SCENE, "paper", paper.default_seed, None, False, device, TIMED_STEPS, (), Path("results"), False
    )
    timed = time_fit(paper.method, request)
    print_text(
        "\ngenerated scene, protocol paper: fit %.1f s, of which %.1f s are %d steps, the rest preparation, validation "
        "and checkpoints; predict %.1f s" % (timed.fit, timed.steps, timed.trained, timed.predict)
    )
    return 0


def _settings(paper: Paper, arguments: argparse.Namespace) -> int:
    """One line of JSON: what there is, and the settings of each configuration asked for, or why there are none."""
    told: Dict[str, Any] = {
        "experiments": list(paper.experiments()),
        "protocols": list(paper.protocols),
        "settings": {},
        "errors": {},
    }
    meant_for_users: Tuple[Type[Exception], ...] = (SharedDataError, *paper.errors)
    for name in [arguments.experiment] + arguments.further:
        if name not in told["experiments"]:
            continue
        arguments.experiment = name
        request = _request(arguments, paper, arguments.seed)._replace(settings_alone=True)
        try:
            told["settings"][name] = reproduce(paper.method, request).settings
        except meant_for_users as error:
            told["errors"][name] = str(error)
    print(json.dumps(told))
    return 0


def _list(paper: Paper, arguments: argparse.Namespace) -> int:
    for name in paper.experiments():
        _print_described(paper, name, name)
    _print_described(paper, GENERIC, "<name>, for a scene of your own (--scene path/to/<name>.toml)")
    return 0


def _print_described(paper: Paper, name: str, title: str) -> None:
    print_text("%s\n    %s" % (title, paper.describe(name).replace("\n", "\n    ")))


def _tables(paper: Paper, arguments: argparse.Namespace) -> int:
    own_kinds: Dict[str, Table] = {"protocols": lambda _slug, _records: paper.protocol_table()}
    own_kinds.update(paper.own_tables)
    return report_tables([paper.readme], arguments.records, arguments.check, own_kinds)


def main(paper: Paper, words: Optional[List[str]] = None) -> int:
    """Run one command; user errors print one line and exit with 1."""
    arguments = build_parser(paper).parse_args(words)

    def command() -> int:
        register_scene_of(arguments, "experiment", paper.method.scene_of)
        return arguments.handler(paper, arguments)

    return run_command(command, paper.errors)
