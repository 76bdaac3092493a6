"""Experiments: a scene's configuration, and the same with each of the release's baselines in place of A2S2K-ResNet.

`indianpines` is configs/indianpines.toml; `indianpines-ssrn` is the same with SSRN, and so on. Each experiment has its
own results directory and record. `my-plot` and `my-plot-ssrn`, with an own scene `my-plot`, are the same of
configs/generic.toml.
"""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from torch import nn

from a2s2k_resnet.decisions import decide
from a2s2k_resnet.network import MODELS, build_network, check_network
from a2s2k_resnet.patches import check_patch
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
    is_large,
    labelled_pixels,
    largest_odd_side,
    load_settings,
)
from shared_data.runs.request import Request
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.loading import LoadedScene

_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout

PAPER = "a2s2k"  # in commands, folders and records
OWN = "a2s2k"  # the paper's model: the experiment without a suffix

# networks that take a patch of any odd side
ANY_SIDE = ("resnet", "pyresnet")
# of Salinas, the only one of the release's scenes that is large and has more bands than this
MOST_BANDS, FEWER_COMPONENTS = 200, 15

# ContextualNet's last convolution has the side of the patch, 9×9 in the release's weights; all other models use the
# patch side of the scene's configuration
PATCH_SIDES = {"contextualnet": 9}


SCHEMA = load_schema(_HERE / "config.schema.json")


def names() -> List[str]:
    """Every experiment: each scene's configuration, then its baselines; own scenes of this process are the last."""
    suffixes = [""] + ["-" + model for model in MODELS if model != OWN]
    return [name + suffix for name in configuration_names(CONFIGS) for suffix in suffixes]


def base_and_model(experiment: str) -> Tuple[str, str]:
    """The configuration's name and the model of an experiment. Raises: UnknownNameError listing what there is."""
    check_name("configuration", experiment, names())
    if experiment in configuration_names(CONFIGS):
        return experiment, OWN
    base, _, model = experiment.rpartition("-")
    return base, model


def _changes(model: str) -> List[str]:
    """A baseline's changes to the configuration, as overrides."""
    if model == OWN:
        return []
    changes = ["model.name=%s" % model]
    return changes + (["patch.side=%d" % PATCH_SIDES[model]] if model in PATCH_SIDES else [])


def scene_of(name: str) -> str:
    """The slug of an experiment's scene; any other name is taken for a scene's own."""
    return load(name)["scene"] if name in names() else name


def describe(experiment: str) -> str:
    """The text for `list`: the head comment of the configuration, or a baseline's changes to it."""
    base, model = (GENERIC, OWN) if experiment == GENERIC else base_and_model(experiment)
    if model == OWN:
        return head_comment(CONFIGS, base)
    return "%s with %s" % (base, ", ".join(_changes(model)))


def load(experiment: str, overrides: Sequence[str] = ()) -> Dict[str, Any]:
    """The configuration of an experiment, checked.

    Raises: UnknownNameError for an unknown experiment, key or optimizer; SettingsError for a missing key, a value out
    of range, or an override of the model, which would leave the run in another experiment's directory.
    """
    base, model = base_and_model(experiment)
    for override in overrides:
        if override.partition("=")[0].strip() == "model.name":
            raise SettingsError(
                "override '%s': the model is part of the experiment's name, such as %s-ssrn; there are: %s."
                % (override, base, ", ".join(MODELS))
            )
    config = load_settings(CONFIGS, base, _changes(model) + list(overrides))
    check_config(config, SCHEMA, file_of(CONFIGS, base))
    return config


def derived(settings: Dict[str, Any], scene: Scene) -> Iterator[Derived]:
    """What an own scene decides in configs/generic.toml.

    As in the release, all bands are kept as components but in large scenes of many bands. The patch of the networks
    that can do with any is at most as large as the scene.
    """
    many = is_large(scene) and scene.bands > MOST_BANDS
    reason = "%d bands, %s" % (scene.bands, labelled_pixels(scene))
    yield Derived("preprocessing.components", FEWER_COMPONENTS if many else 0, reason)
    if settings["model"]["name"] in ANY_SIDE:
        side = largest_odd_side(scene, settings["patch"]["side"])
        yield Derived("patch.side", side, "%d × %d pixels" % (scene.height, scene.width))


def complete(
    request: Request, settings: Dict[str, Any], packaged: Dict[str, Any], loaded: LoadedScene
) -> Tuple[Derived, ...]:
    """Enter what an own scene decides into a request's settings, see `shared_data.runs.generic`."""
    base, _ = base_and_model(request.experiment)
    return generic.complete(CONFIGS, base, request.overrides, settings, packaged, loaded, derived)


def components_of(config: Dict[str, Any], bands: int) -> int:
    """C, the number of principal components of a scene with `bands` bands."""
    return config["preprocessing"]["components"] or bands


def check_sizes(config: Dict[str, Any], shape: Tuple[int, ...]) -> None:
    """Whether a configuration fits a scene of the shape (H, W, B), before anything is computed.

    Raises: ValueError for components, patch or bands that do not fit the scene or the network.
    """
    height, width, bands = shape
    components, model, side = components_of(config, bands), config["model"], config["patch"]["side"]
    check_components(bands, components)
    check_network(model["name"], components, side, model["kernels"])
    check_patch(side, height, width)


def network_of(config: Dict[str, Any], protocol: str, bands: int, num_classes: int) -> nn.Module:
    """The network of a configuration under a protocol, with fresh weights.

    bands: of the scene. Raises: UnknownNameError for the protocol; ValueError for sizes that do not fit.
    """
    model, components = config["model"], components_of(config, bands)
    form = decide(protocol).kernel
    return build_network(model["name"], components, num_classes, config["patch"]["side"], form, model["kernels"])
