"""The options of a run, defined once; the commands of papers, baselines and matrix each take some of them."""

import argparse
from pathlib import Path
from typing import Any, Callable, Dict

from shared_data.cli.arguments import fold_number, positive_number, seed_number
from shared_data.configuration.overrides import split_overrides
from shared_data.errors import SettingsError
from shared_data.runs.request import Request
from shared_data.scenes.own import register
from shared_data.splits.shared_protocols import protocol_of_files

OPTIONS: Dict[str, Dict[str, Any]] = {
    "--seed": {"type": seed_number, "help": "default: %(default)d"},
    "--seeds": {"type": seed_number, "nargs": "+", "help": "several runs, one after the other"},
    "--scene": {
        "dest": "scene_file",
        "metavar": "FILE",
        "help": "description of an own scene (.toml), as 'python -m shared_data describe' writes it; give its name as "
        "that of the scene or configuration",
    },
    "--data": {"help": "data folder(s), separated like PATH (default: HSI_DATA, shared_data/raw)"},
    "--unverified": {"action": "store_true", "help": "accept scene files that are not the catalogue's"},
    "--device": {"default": "auto", "help": "auto, cpu, cuda or cuda:N (default: %(default)s)"},
    "--out": {"type": Path, "default": Path("results"), "help": "results folder (default: results)"},
    "--iters": {"type": positive_number, "help": "stop after this many iterations (marks the run as modified)"},
    "--force": {"action": "store_true", "help": "forget what the run directory holds and start over"},
    "--verbose": {
        "flags": ("-v",),
        "action": "store_true",
        "help": "show the log of the training on the console, too, not only in the run's log.txt",
    },
    "--predata": {"help": "folder with the partitions the authors shipped; protocol released"},
    "--fold": {"type": fold_number, "help": "of a cross-validation, one fold alone (default: every fold)"},
    "--split": {
        "metavar": "FILE[,FILE]",
        "help": "an own split: a .npz, or label maps of training and test (.mat, .npy, .tif); protocol own",
    },
    "--set": {
        "dest": "overrides",
        "action": "append",
        "default": [],
        "metavar": "KEY=VALUE",
        "help": "override a configuration key, for example train.num_iters=50; or several, with blanks between them",
    },
}


def add_options(parser: argparse.ArgumentParser, *names: str, **defaults: Any) -> None:
    """Give a command the options of these names. defaults: replacements for those of `OPTIONS`, by destination."""
    for name in names:
        settings = dict(OPTIONS[name])
        destination = settings.get("dest", name.strip("-"))
        if destination in defaults:
            settings["default"] = defaults[destination]
        parser.add_argument(*settings.pop("flags", ()), name, **settings)


def request_of(arguments: argparse.Namespace, experiment: str, protocol: str, seed: int) -> Request:
    """The request of a command's options; those it does not have keep their defaults.

    Raises: SettingsError where protocol and split file do not go together.
    """
    given = vars(arguments)
    files = tuple(part for part in (given.get("split") or "").split(",") if part)
    return Request(
        experiment=experiment,
        protocol=protocol_of_files(protocol, files),
        seed=seed,
        data=given["data"],
        unverified=given["unverified"],
        device=given.get("device", "auto"),
        iterations=given.get("iters"),
        overrides=tuple(one for text in given.get("overrides", []) for one in split_overrides(text)),
        out=given["out"],
        force=given.get("force", False),
        tile=given.get("tile"),
        predata=given.get("predata"),
        fold=given.get("fold"),
        split=files,
        verbose=given.get("verbose", False),
    )


def register_scene_of(arguments: argparse.Namespace, positional: str, scene_of: Callable[[str], str] = str) -> None:
    """Let this process know the own scene of a command's options, if they name one, before names are checked.

    positional: the argument that names the scene, or an experiment. scene_of: the scene of an experiment; any other
    name is returned as it is.
    Raises: CatalogueError; SettingsError where the argument names another scene than the one described.
    """
    given = vars(arguments)
    path = given.get("scene_file")
    if path is None:
        return
    described, name = register(path).slug, given[positional]
    scene = scene_of(name)
    if scene != described:
        named = "'%s'" % name if scene == name else "'%s', one on the scene %s" % (name, scene)
        raise SettingsError(
            "%s describes the scene '%s', and the command names %s; a run on an own scene has the scene's name."
            % (path, described, named)
        )
