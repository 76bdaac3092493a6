"""Load and check configurations: `config.schema.json`, and constraints between values."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from rssgl.decisions import as_dict, decide
from rssgl.loss import FEWEST_PIXELS
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

PAPER = "rssgl"  # slug
_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout
SCHEMA = load_schema(Path(__file__).with_name("config.schema.json"))


def check(config: Dict[str, Any], file: str) -> None:
    """Compare a configuration with the schema, and its values with each other. file: its name, for messages.

    Raises: UnknownNameError for an unknown scene, key or name; SettingsError for an impossible value.
    """
    check_config(config, SCHEMA, file)
    get_scene(config["scene"])
    check_length(config, file)
    per_class, regulariser = config["minibatch"]["per_class"], config["loss"]["regulariser"]
    if 0 < per_class < FEWEST_PIXELS.get(regulariser, 1):
        raise SettingsError(
            "%s: minibatch.per_class: expected 0, which takes all, or at least %d, because loss.regulariser is '%s', "
            "found %d." % (file, FEWEST_PIXELS[regulariser], regulariser, per_class)
        )


def derived(_settings: Dict[str, Any], scene: Scene) -> Iterator[Derived]:
    """What an own scene decides in configs/generic.toml.

    Small scenes get what the release has for Indian Pines, large ones what it has for both PaviaU and Salinas. Of the
    training pixels of a class one validates under `paper`, so it needs two.
    """
    yield training_share(scene)
    yield least_training_pixels(scene, usual=5, fewest=2)
    large, reason = is_large(scene), labelled_pixels(scene)
    yield Derived("model.params.kernel", [3, 5, 5] if large else [3, 3, 3], reason)
    yield Derived("selection.patience", 10 if large else 15, reason)
    yield Derived("train.num_iters", 600 if large else 1000, reason)


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
    decisions = decide(request.protocol)
    loaded = load_scene(settings["scene"], request.data, request.unverified, labelled)
    from_scene = complete(CONFIGS, request.experiment, given, settings, packaged, loaded, derived)
    check(settings, file)  # what is given and what is derived may not go together
    for each in (settings, packaged):
        each["model"]["params"].update(in_channels=loaded.scene.bands, num_classes=loaded.scene.num_classes)
    discloses = decisions.selected_on == "test"
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
