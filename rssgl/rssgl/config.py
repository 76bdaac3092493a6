"""Load and check configurations by `config.schema.json`."""

from pathlib import Path
from typing import Any, Dict, Tuple

from rssgl.decisions import as_dict, decide
from shared_data.configuration.overrides import experiment_names, load_config
from shared_data.configuration.schema import check_config, load_schema
from shared_data.errors import SettingsError
from shared_data.runs.model_file import ModelFile
from shared_data.runs.request import Configuration, Request, configuration_of
from shared_data.scenes.catalogue import get_scene
from shared_data.scenes.loading import LoadedScene, load_scene
from simplecv.core.config import AttrDict

PAPER = "rssgl"  # slug
_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout
SCHEMA = load_schema(Path(__file__).with_name("config.schema.json"))


def check(config: Dict[str, Any], file: str) -> None:
    """Compare a configuration with the schema. file: its name, for messages.

    Raises: UnknownNameError for an unknown scene, key or name; SettingsError for an impossible value.
    """
    check_config(config, SCHEMA, file)
    get_scene(config["scene"])


def resolve(request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
    """The scene, and the configuration with the request's overrides and what the scene adds to it.

    labelled: whether a scene without labels is an error.
    Raises: UnknownNameError for an unknown experiment, protocol, key or name; SettingsError for a value that no
    configuration may have; SceneNotFoundError.
    """
    settings, packaged = (load_config(CONFIGS, request.experiment, changes) for changes in (request.overrides, ()))
    check(settings, request.experiment + ".toml")
    decisions = decide(request.protocol)
    loaded = load_scene(settings["scene"], request.data, request.unverified, labelled)
    for each in (settings, packaged):
        each["model"]["params"].update(in_channels=loaded.scene.bands, num_classes=loaded.scene.num_classes)
    discloses = decisions.selected_on == "test"
    return configuration_of(request, settings, packaged, decisions, as_dict(decisions), discloses), loaded


def scene_of(experiment: str) -> str:
    """The slug of a configuration's scene, or the name itself. Raises: what `load_config` raises."""
    return load_config(CONFIGS, experiment)["scene"] if experiment in experiment_names(CONFIGS) else experiment


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
