"""Load and check configurations: `config.schema.json`, and constraints between values."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from shared_data.configuration.schedule import check_length
from shared_data.configuration.schema import check_config, load_schema
from shared_data.errors import SettingsError
from shared_data.runs.generic import (
    Derived,
    complete,
    configuration_names,
    file_of,
    is_large,
    labelled_pixels,
    least_training_pixels,
    load_settings,
    training_share,
)
from shared_data.runs.model_file import ModelFile
from shared_data.runs.request import Configuration, Request, configuration_of
from shared_data.scenes.catalogue import Scene, get_scene
from shared_data.scenes.loading import LoadedScene, load_scene
from simplecv.core.config import AttrDict
from ssdgl.decisions import as_dict, decide
from ssdgl.network import UNUSED_RATIO, VARIANTS

PAPER = "ssdgl"  # slug
_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout
SCHEMA = load_schema(Path(__file__).with_name("config.schema.json"))


def check(config: Dict[str, Any], file: str) -> None:
    """Compare a configuration with the schema, and its values with each other. file: its name, for messages.

    Raises: UnknownNameError for an unknown scene, key or name; SettingsError for an impossible value.
    """
    check_config(config, SCHEMA, file)
    scene = get_scene(config["scene"])
    _check_network(config["model"]["params"], scene, file)
    check_length(config, file)
    listed = config.get("class_counts")
    if listed is not None and len(listed) != scene.num_classes:
        raise SettingsError(
            "%s: class_counts: expected a number for each of the %d classes of %s, found %d numbers."
            % (file, scene.num_classes, scene.slug, len(listed))
        )


def _check_network(params: Dict[str, Any], scene: Scene, file: str) -> None:
    """The groups of GroupNorm divide the channels, and the attentions keep a channel in their bottleneck."""
    variant, place = params["variant"], "%s: model.params." % file
    choice, inner_dim, ratio = VARIANTS[variant], params["inner_dim"], params["attention_ratio"]
    if "gn" in choice.unused and scene.bands % choice.norm_groups:
        raise SettingsError(
            "%svariant: '%s' normalises the bands in %d groups, which do not divide the %d bands of %s; "
            "choose another variant." % (place, variant, choice.norm_groups, scene.bands, scene.slug)
        )
    if choice.fuse_norm and inner_dim % choice.norm_groups:
        raise SettingsError(
            "%sinner_dim: expected a multiple of %d, the groups of the normalisation of '%s', found %d."
            % (place, choice.norm_groups, variant, inner_dim)
        )
    if "BasicBlock_list" in choice.unused and inner_dim < UNUSED_RATIO:
        raise SettingsError(
            "%sinner_dim: expected at least %d for '%s', found %d." % (place, UNUSED_RATIO, variant, inner_dim)
        )
    # with two ConvLSTM cells in a level the attention sees half of the level's channels
    attended = min(params["block_channels"]) // choice.cells
    if ratio > attended:
        raise SettingsError(
            "%sattention_ratio: expected at most %d, the fewest channels that an attention sees, found %d."
            % (place, attended, ratio)
        )


def derived(_settings: Dict[str, Any], scene: Scene) -> Iterator[Derived]:
    """What an own scene decides in configs/generic.toml.

    Small scenes get the network and the learning rate of Indian Pines, large ones those of Salinas: the release's two
    scenes of 16 classes and about 200 bands, which differ in their number of labelled pixels.
    """
    yield training_share(scene)
    yield least_training_pixels(scene, usual=5, fewest=1)
    large, reason = is_large(scene), labelled_pixels(scene)
    yield Derived("model.params.block_channels", [96, 128, 192, 256] if large else [128, 192, 256, 320], reason)
    yield Derived("model.params.inner_dim", 128 if large else 192, reason)
    yield Derived("model.params.attention_ratio", 16 if large else 24, reason)
    yield Derived("learning_rate.params.base_lr", 0.005 if large else 0.003, reason)


def resolve(request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
    """The scene, and the configuration with the request's overrides and what the scene adds to it.

    labelled: whether a scene without labels is an error.
    Raises: UnknownNameError for an unknown experiment, protocol, key or name; SettingsError for a value that no
    configuration may have; SceneNotFoundError.
    """
    given = request.with_iterations  # they are checked, and not derived, like the other overrides
    settings, packaged = (load_settings(CONFIGS, request.experiment, changes) for changes in (given, ()))
    file = file_of(CONFIGS, request.experiment)
    check(settings, file)
    decisions = decide(request.protocol, settings["model"]["params"]["variant"])
    loaded = load_scene(settings["scene"], request.data, request.unverified, labelled)
    from_scene = complete(CONFIGS, request.experiment, given, settings, packaged, loaded, derived)
    check(settings, file)  # what is given and what is derived may not go together
    for each in (settings, packaged):
        each["model"]["params"].update(in_channels=loaded.scene.bands, num_classes=loaded.scene.num_classes)
    discloses = decisions.training_labels == "train and test" or decisions.accuracy_shown == "test"
    configuration = configuration_of(request, settings, packaged, decisions, as_dict(decisions), discloses)
    return configuration._replace(derived=from_scene), loaded


def names() -> List[str]:
    """Every configuration, and the own scenes of this process."""
    return configuration_names(CONFIGS)


def scene_of(experiment: str) -> str:
    """The slug of a configuration's scene, or the name itself. Raises: what `load_settings` raises."""
    return load_settings(CONFIGS, experiment)["scene"] if experiment in names() else experiment


def restored(model: ModelFile, file: str) -> AttrDict:
    """The configuration of a saved model. file: its name, for messages.

    Raises: UnknownNameError, SettingsError for one that the schema does not know.
    """
    plain = AttrDict.from_dict(model.config).to_dict()
    params = plain["model"].get("params") if isinstance(plain.get("model"), dict) else None
    sizes = {"in_channels": model.bands, "num_classes": model.num_classes}
    if not isinstance(params, dict) or any(params.pop(name, None) != size for name, size in sizes.items()):
        raise SettingsError("%s: the sizes of its network are not those of its description." % file)
    check_config(plain, SCHEMA, file)
    return AttrDict.from_dict(model.config)
