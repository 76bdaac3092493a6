"""Experiments: a scene's configuration, and the same without one of the paper's components (the ablations).

`indianpines` is configs/indianpines.toml; `indianpines-without-complex` is the same with real numbers, and so on. Each
experiment has its own results directory and record. `my-plot` and `my-plot-without-complex`, with an own scene
`my-plot`, are the same of configs/generic.toml.
"""

import math
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from apdclnn.gabor import bank
from apdclnn.network import Structure, check_side
from shared_data.configuration.overrides import GENERIC, check_name
from shared_data.configuration.overrides import describe as head_comment
from shared_data.configuration.schema import check_config, load_schema
from shared_data.errors import SettingsError
from shared_data.preprocessing.principal_components import check_components
from shared_data.runs import generic
from shared_data.runs.generic import (
    Derived,
    configuration_names,
    file_of,
    largest_odd_side,
    least_training_pixels,
    load_settings,
    training_share,
)
from shared_data.runs.request import Request
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.loading import LoadedScene

_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout

PAPER = "apdclnn"  # in commands, folders and records

# the paper's components, by their keys in [network]
COMPONENTS = ("complex", "deformable", "gabor", "attention_loss")

_WITHOUT = "-without-"

SCHEMA = load_schema(_HERE / "config.schema.json")


def names() -> List[str]:
    """Every experiment: each scene's configuration, then its ablations; own scenes of this process are the last."""
    suffixes = [""] + [_WITHOUT + component.replace("_", "-") for component in COMPONENTS]
    return [name + suffix for name in configuration_names(CONFIGS) for suffix in suffixes]


def base_and_ablation(experiment: str) -> Tuple[str, str]:
    """The configuration's name and the component left out, '' for none. Raises: UnknownNameError."""
    check_name("configuration", experiment, names())
    if experiment in configuration_names(CONFIGS):
        return experiment, ""
    base, _, component = experiment.rpartition(_WITHOUT)
    return base, component.replace("-", "_")


def scene_of(name: str) -> str:
    """The slug of an experiment's scene; any other name is taken for a scene's own."""
    return load(name)["scene"] if name in names() else name


def describe(experiment: str) -> str:
    """The text for `list`: the head comment of the configuration, or an ablation's change to it."""
    base, component = (GENERIC, "") if experiment == GENERIC else base_and_ablation(experiment)
    return "%s with network.%s=false" % (base, component) if component else head_comment(CONFIGS, base)


def load(experiment: str, overrides: Sequence[str] = ()) -> Dict[str, Any]:
    """The configuration of an experiment, checked.

    Raises: UnknownNameError for an unknown experiment or key; SettingsError for a missing key, a value out of range, or
    an override of a component, which would leave the run in another experiment's directory.
    """
    base, component = base_and_ablation(experiment)
    for override in overrides:
        key = override.partition("=")[0].strip()
        if key.startswith("network.") and key[len("network.") :] in COMPONENTS:
            ablation = base + _WITHOUT + key[len("network.") :].replace("_", "-")
            raise SettingsError("'%s' is an experiment of its own; use the configuration %s." % (override, ablation))
    config = load_settings(CONFIGS, base, overrides)
    check_config(config, SCHEMA, file_of(CONFIGS, base))
    if component:
        config["network"][component] = False
    return config


def derived(settings: Dict[str, Any], scene: Scene) -> Iterator[Derived]:
    """What an own scene decides in configs/generic.toml: R2's shares, and sizes no larger than the scene has them.

    Under the protocols that fit preprocessing on training pixels, components can be at most as many as these. In a
    spatial cross-validation fewer pixels may train than under `paper`: half of them is what Gabor components may be.
    """
    split = settings["split"]
    yield training_share(scene)
    yield least_training_pixels(scene, usual=split["minimum"], fewest=2)
    side = max(largest_odd_side(scene, settings["patch"]["side"]), _least_side(settings))
    yield Derived("patch.side", side, _extent(scene))
    components, bands = settings["preprocessing"]["components"], "%d bands" % scene.bands
    yield Derived("preprocessing.components", min(components, scene.bands), bands)
    gabor, shortest = settings["gabor"], min(scene.height, scene.width, scene.bands)
    held = [frequency for frequency in gabor["frequencies"] if frequency * shortest >= 1]
    yield Derived("gabor.frequencies", held or [max(gabor["frequencies"])], "%s, %s" % (_extent(scene), bands))
    training = sum(max(math.ceil(count * split["ratio"]), split["minimum"]) for count in scene.class_counts or ())
    most = min(training // 2, len(bank(gabor["frequencies"])) * scene.bands)
    yield Derived("gabor.components", max(min(gabor["components"], most), 1), "about %d training pixels" % training)


def complete(
    request: Request, settings: Dict[str, Any], packaged: Dict[str, Any], loaded: LoadedScene
) -> Tuple[Derived, ...]:
    """Enter what an own scene decides into a request's settings, see `shared_data.runs.generic`."""
    base, _ = base_and_ablation(request.experiment)
    return generic.complete(CONFIGS, base, request.overrides, settings, packaged, loaded, derived)


def _least_side(settings: Dict[str, Any]) -> int:
    """The smallest odd side that the layers can halve; a scene with fewer rows is padded, as at its borders."""
    return 2 ** (len(settings["network"]["widths"]) - 1) | 1


def _extent(scene: Scene) -> str:
    return "%d × %d pixels" % (scene.height, scene.width)


def structure(config: Dict[str, Any]) -> Structure:
    """The network's part of a configuration."""
    settings = config["network"]
    return Structure(tuple(settings["widths"]), *(settings[name] for name in COMPONENTS))


def check_sizes(config: Dict[str, Any], bands: int) -> None:
    """Whether a configuration fits a scene's number of bands, before anything is computed.

    Raises: ValueError for more components than bands, or a patch that the layers cannot halve.
    """
    check_components(bands, config["preprocessing"]["components"])
    check_side(config["patch"]["side"], structure(config))
