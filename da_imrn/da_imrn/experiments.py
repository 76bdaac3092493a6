"""Experiments: one checked configuration per scene, and the values that the package's modules take from it."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from da_imrn.decisions import decide
from da_imrn.network import Structure, build_network
from da_imrn.partition import Partition, Rule, find_partition, with_acceptance
from da_imrn.predata import predata_files, read_predata
from da_imrn.shipped import recovered_partition
from shared_data.configuration.overrides import describe as head_comment
from shared_data.configuration.overrides import experiment_names, load_config
from shared_data.configuration.schema import check_config, load_schema
from shared_data.errors import SettingsError
from shared_data.scenes.loading import LoadedScene

_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout

PAPER = "da-imrn"  # in commands, folders and records

SCHEMA = load_schema(_HERE / "config.schema.json")


def names() -> List[str]:
    """Every experiment."""
    return experiment_names(CONFIGS)


def scene_of(name: str) -> str:
    """The slug of an experiment's scene; any other name is taken for a scene's own."""
    return load(name)["scene"] if name in names() else name


def describe(experiment: str) -> str:
    """The head comment of a configuration."""
    return head_comment(CONFIGS, experiment)


def load(experiment: str, overrides: Sequence[str] = ()) -> Dict[str, Any]:
    """The configuration of an experiment, checked.

    Raises: UnknownNameError for an unknown experiment or key; SettingsError for a missing key or a value that no
    configuration may have.
    """
    config = load_config(CONFIGS, experiment, overrides)
    check_config(config, SCHEMA, experiment + ".toml")
    return config


def partition_rule(config: Dict[str, Any], protocol: str) -> Tuple[Rule, int, bool]:
    """The rule of the draw, the maximum number of draws, and whether the nearest one is then taken. Where a protocol
    draws no windows, the shares are 0 and only the sides are used.
    """
    decisions, settings = decide(protocol), config["partition"]
    shares, (lowest, highest) = settings.get(decisions.ratios, {"train": 0.0, "val": 0.0}), settings["accepted"]
    rule = Rule(
        settings["window"], settings["patch"], settings["per_window"], shares["train"], shares["val"], lowest, highest,
        decisions.cut_windows == "blanked",
    )  # fmt: skip
    return rule, decisions.draws, decisions.unaccepted == "nearest"


class Predata(NamedTuple):
    """A user's copy of what the authors shipped: the files of one partition, by kind."""

    files: Dict[str, Path]
    patch: int


def find_predata(
    folder: Optional[str], config: Dict[str, Any], protocol: str, bands: int, seed: int
) -> Optional[Predata]:
    """The partition of a seed in a folder of the official predata; None without a folder.

    Raises: SettingsError under a protocol that draws; SplitError, see `predata_files`.
    """
    if not folder:
        return None
    if decide(protocol).partition != "shipped":
        raise SettingsError(
            "the protocol %s does not use the predata in %s; choose PROTOCOL=released." % (protocol, folder)
        )
    patch = config["partition"]["patch"]
    return Predata(predata_files(folder, patch, seed, bands), patch)


def partition_for(
    config: Dict[str, Any], protocol: str, loaded: LoadedScene, seed: int, predata: Optional[Predata] = None
) -> Partition:
    """The partition of a seed under a protocol.

    Where the protocol uses those that the authors shipped, seed n is partition n: the user's copy, else the recovered
    one, unless the configuration's [partition] was changed: then partitions are drawn.
    Raises: SplitError; ValueError for a rule whose sides do not fit.
    """
    rule, most_draws, nearest = partition_rule(config, protocol)
    decisions = decide(protocol)
    if predata is not None:
        return with_acceptance(read_predata(predata.files, loaded, predata.patch), rule)
    if decisions.partition == "shipped" and _is_unchanged(config):
        recovered = recovered_partition(loaded.ground_truth, seed)
        if recovered is not None:
            return with_acceptance(recovered, rule)
    return find_partition(loaded.ground_truth, rule, seed, most_draws, nearest, loaded.scene.class_names)


def _is_unchanged(config: Dict[str, Any]) -> bool:
    """Whether [partition] is as packaged; configurations are named by their scenes."""
    return config["scene"] in names() and config["partition"] == load(config["scene"])["partition"]


def structure(config: Dict[str, Any], protocol: str) -> Structure:
    """The network's strides and kernels under a protocol."""
    settings, block = config["network"], decide(protocol).spatial_block
    return Structure(
        tuple(settings["strides"]),
        tuple(settings["band_kernels"]),
        settings["spatial_block"] if block == "scene" else block,
    )


def network_of(config: Dict[str, Any], protocol: str, bands: int, num_classes: int) -> Any:
    """The network of a configuration under a protocol, with fresh weights.

    Raises: UnknownNameError for the protocol; ValueError for sizes that do not fit.
    """
    return build_network(config["partition"]["patch"], bands, num_classes, structure(config, protocol))
