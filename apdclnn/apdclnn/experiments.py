"""Experiments: a scene's configuration, and the same without one of the paper's components (the ablations).

`indianpines` is configs/indianpines.toml; `indianpines-without-complex` is the same with real numbers, and so on. Each
experiment has its own results directory and record.
"""

from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from apdclnn.network import Structure
from shared_data.configuration.overrides import check_name, experiment_names, load_config
from shared_data.configuration.overrides import describe as head_comment
from shared_data.configuration.schema import check_config, load_schema
from shared_data.errors import SettingsError

_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout

PAPER = "apdclnn"  # in commands, folders and records

# the paper's components, by their keys in [network]
COMPONENTS = ("complex", "deformable", "gabor", "attention_loss")

_WITHOUT = "-without-"

SCHEMA = load_schema(_HERE / "config.schema.json")


def names() -> List[str]:
    """Every experiment: each scene's configuration, then its ablations."""
    suffixes = [""] + [_WITHOUT + component.replace("_", "-") for component in COMPONENTS]
    return [name + suffix for name in experiment_names(CONFIGS) for suffix in suffixes]


def base_and_ablation(experiment: str) -> Tuple[str, str]:
    """The configuration's name and the component left out, '' for none. Raises: UnknownNameError."""
    check_name("configuration", experiment, names())
    if experiment in experiment_names(CONFIGS):
        return experiment, ""
    base, _, component = experiment.rpartition(_WITHOUT)
    return base, component.replace("-", "_")


def scene_of(name: str) -> str:
    """The slug of an experiment's scene; any other name is taken for a scene's own."""
    return load(name)["scene"] if name in names() else name


def describe(experiment: str) -> str:
    """The text for `list`: the head comment of the configuration, or an ablation's change to it."""
    base, component = base_and_ablation(experiment)
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
    config = load_config(CONFIGS, base, overrides)
    check_config(config, SCHEMA, base + ".toml")
    if component:
        config["network"][component] = False
    return config


def structure(config: Dict[str, Any]) -> Structure:
    """The network's part of a configuration."""
    settings = config["network"]
    return Structure(tuple(settings["widths"]), *(settings[name] for name in COMPONENTS))
