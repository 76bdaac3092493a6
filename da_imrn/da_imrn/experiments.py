"""Experiments: one checked configuration per scene, and the values that the package's modules take from it."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from da_imrn.band_structure import band_kernels_for, strides_for
from da_imrn.decisions import decide
from da_imrn.network import POOLED, Structure, build_network
from da_imrn.partition import Partition, Rule, find_partition, with_acceptance
from da_imrn.predata import predata_files, read_predata
from da_imrn.shipped import recovered_partition
from shared_data.configuration.overrides import describe as head_comment
from shared_data.configuration.schema import check_config, load_schema
from shared_data.errors import SettingsError
from shared_data.runs import generic
from shared_data.runs.generic import Derived, configuration_names, file_of, is_large, labelled_pixels, load_settings
from shared_data.runs.request import Request
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.loading import LoadedScene

_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout

PAPER = "da-imrn"  # in commands, folders and records

SCHEMA = load_schema(_HERE / "config.schema.json")


def names() -> List[str]:
    """Every experiment; own scenes of this process are the last."""
    return configuration_names(CONFIGS)


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
    config = load_settings(CONFIGS, experiment, overrides)
    check_config(config, SCHEMA, file_of(CONFIGS, experiment))
    return config


class _Windows(NamedTuple):
    """[partition] of one of the paper's scenes, and the network's spatial block there."""

    window: int
    patch: int
    per_window: int
    train: float
    val: float
    spatial_block: str


_INDIAN_PINES = _Windows(6, 4, 9, 0.135, 0.056, "pointwise")
_SALINAS = _Windows(10, 8, 16, 0.0405, 0.0066, "three_kernels")


def derived(settings: Dict[str, Any], scene: Scene) -> Iterator[Derived]:
    """What an own scene decides in configs/generic.toml.

    Small scenes are partitioned as Indian Pines, large ones as Salinas. The paper's interval of accepted counts fits
    one scene: here every draw is accepted in which something trains and something validates.
    Raises: SettingsError for a scene of one row or column, or of less than three bands.
    """
    if min(scene.height, scene.width) < 2:
        raise SettingsError(
            "%s: DA-IMRN classifies patches of at least 2 × 2 pixels, and the scene has %d × %d; choose another paper."
            % (scene.slug, scene.height, scene.width)
        )
    if scene.bands < POOLED:
        raise SettingsError(
            "%s: DA-IMRN averages at least %d bands, and the scene has %d; choose another paper."
            % (scene.slug, POOLED, scene.bands)
        )
    of_size, reason = _SALINAS if is_large(scene) else _INDIAN_PINES, labelled_pixels(scene)
    sides = "%s, %d × %d pixels" % (reason, scene.height, scene.width)
    window = min(of_size.window, scene.height, scene.width)
    yield Derived("partition.window", window, sides)
    yield Derived("partition.patch", min(of_size.patch, window - window % 2), sides)
    yield Derived("partition.per_window", of_size.per_window, reason)
    yield Derived("partition.accepted", [1, max(scene.labelled_pixels or 0, 1)], reason)
    for section in ("released", "fitted"):
        yield Derived("partition.%s.train" % section, of_size.train, reason)
        yield Derived("partition.%s.val" % section, of_size.val, reason)
    bands = "%d bands" % scene.bands
    yield Derived("network.strides", strides_for(scene.bands), bands)
    yield Derived("network.band_kernels", band_kernels_for(scene.bands, settings["network"]["strides"]), bands)
    yield Derived("network.spatial_block", of_size.spatial_block, reason)


def complete(
    request: Request, settings: Dict[str, Any], packaged: Dict[str, Any], loaded: LoadedScene
) -> Tuple[Derived, ...]:
    """Enter what an own scene decides into a request's settings, see `shared_data.runs.generic`."""
    return generic.complete(CONFIGS, request.experiment, request.overrides, settings, packaged, loaded, derived)


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
