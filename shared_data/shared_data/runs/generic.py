"""The configuration `generic` of each paper: for scenes of a user's own, completed with values derived from the scene.

An experiment with the name of an own scene is configs/generic.toml for that scene. What depends on the scene, such as
strides along the bands, a paper derives in a function `derived`, one `Derived` after the other.
"""

from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from shared_data.configuration.overrides import GENERIC, check_name, experiment_names, key_of, load_config
from shared_data.errors import SettingsError
from shared_data.runs.request import Configuration
from shared_data.scenes import catalogue
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.loading import LoadedScene
from shared_data.splits.spatial import LARGE_SCENE

SMALL_SHARE, LARGE_SHARE = 0.05, 0.01  # of a class, trains on scenes of up to LARGE_SCENE labelled pixels, and above


class Derived(NamedTuple):
    """A value that the scene decides. key: dotted; reason: what decides it, such as "64 bands"."""

    key: str
    value: Any
    reason: str


Derive = Callable[[Dict[str, Any], Scene], Iterator[Derived]]


def configuration_names(folder: Path) -> List[str]:
    """The configurations in a folder, then the own scenes of this process, each of which has one, too."""
    packaged = experiment_names(folder)
    return packaged + [slug for slug in own_scenes() if slug not in packaged]


def is_generic(folder: Path, name: str) -> bool:
    """Whether the configuration of this name is that for own scenes."""
    return name in own_scenes() and name not in experiment_names(folder)


def file_of(folder: Path, name: str) -> str:
    """The file name of a configuration, for messages."""
    return (GENERIC if is_generic(folder, name) else name) + ".toml"


def load_settings(folder: Path, name: str, overrides: Sequence[str] = ()) -> Dict[str, Any]:
    """The configuration of a name, with overrides "dotted.key=value"; of an own scene the generic one with this scene.

    Raises: what `load_config` raises; SettingsError for an own scene with the name of another scene's configuration,
    and for an override of an own scene's name.
    """
    if is_generic(folder, name):
        if any(key_of(override) == "scene" for override in overrides):
            raise SettingsError("scene: expected no value, because --scene describes the scene, %s." % name)
        return dict(load_config(folder, GENERIC, overrides), scene=name)
    config = load_config(folder, name, overrides)
    if name in own_scenes() and load_config(folder, name)["scene"] != name:
        raise SettingsError(
            "%s: '%s' is the name of a configuration of another scene, %s; give yours another name."
            % (catalogue.get_scene(name).own.path, name, config["scene"])
        )
    return config


def check_configuration(name: str, known: Iterable[str]) -> None:
    """Raises: SettingsError for `generic` itself, which needs a scene; UnknownNameError, which lists what is known."""
    known = list(known)
    if name == GENERIC and name not in known:
        raise SettingsError(
            "'generic' is the configuration for a scene of your own: write the scene's name in its place, and give the "
            "scene's description with SCENE=path/to/<name>.toml or --scene path/to/<name>.toml."
        )
    check_name("configuration", name, known)


def complete(
    folder: Path,
    name: str,
    overrides: Sequence[str],
    settings: Dict[str, Any],
    packaged: Dict[str, Any],
    loaded: LoadedScene,
    derive: Derive,
) -> Tuple[Derived, ...]:
    """Enter what an own scene decides into a request's settings, but for the values that its overrides set.

    Returns what was entered; nothing where the configuration is not `generic`. folder: of the configurations; name: of
    this one, without the suffix of a variant. packaged: the settings without overrides; all values are entered there.
    derive(settings, scene): the paper's values in order; a later one may depend on an earlier one in the settings. The
        scene's `class_counts` and `labelled_pixels` are set.
    Raises: SettingsError where the scene has no classes.
    """
    if not is_generic(folder, name):
        return ()
    scene, given = counted(loaded), {key_of(override) for override in overrides}
    if not scene.num_classes:
        raise SettingsError(
            "%s: the scene has no classes, so nothing can be trained on it, and weights alone do not say which classes "
            "they know; give the weights that a run has saved (checkpoints/selected.*)." % scene.slug
        )
    _enter(packaged, derive(packaged, scene), set())
    return _enter(settings, derive(settings, scene), given)


def _enter(settings: Dict[str, Any], derived: Iterator[Derived], given: Iterable[str]) -> Tuple[Derived, ...]:
    entered = []
    for each in derived:
        if each.key in given:
            continue
        section, (*path, last) = settings, each.key.split(".")
        for part in path:
            section = section[part]
        assert last in section, each.key  # generic.toml has every key
        section[last] = each.value
        entered.append(each)
    return tuple(entered)


def announce(configuration: Configuration) -> None:
    """Print the derived values of a configuration with their reasons, where it has any."""
    if configuration.derived:
        told = ", ".join("%s = %s (%s)" % each for each in configuration.derived)
        print("generic configuration for %s: %s" % (configuration.scene, told), flush=True)


def own_scenes() -> List[str]:
    """The names of the own scenes that this process has registered."""
    return [slug for slug, scene in catalogue.scenes().items() if scene.own is not None]


def counted(loaded: LoadedScene) -> Scene:
    """The scene with the numbers of its labelled pixels, as they are loaded."""
    counts: Tuple[int, ...] = ()
    if loaded.is_labelled:
        found = np.bincount(loaded.ground_truth.ravel(), minlength=loaded.scene.num_classes + 1)
        counts = tuple(int(count) for count in found[1:])
    return loaded.scene._replace(class_counts=counts, labelled_pixels=sum(counts))


def is_large(scene: Scene) -> bool:
    """Whether the papers' choices for their large scenes fit, those with 1 % training pixels, such as Salinas; else
    those for Indian Pines. The scene's labelled pixels are counted."""
    return (scene.labelled_pixels or 0) > LARGE_SCENE


def training_share(scene: Scene) -> Derived:
    """`split.ratio`, as in three of the papers."""
    return Derived("split.ratio", LARGE_SHARE if is_large(scene) else SMALL_SHARE, labelled_pixels(scene))


def labelled_pixels(scene: Scene) -> str:
    """The reason for a value that the number of labelled pixels decides."""
    return "%d labelled pixels" % (scene.labelled_pixels or 0)


def least_training_pixels(scene: Scene, usual: int, fewest: int) -> Derived:
    """`split.minimum`: training pixels of a class, at least: the paper's number, or half of the smallest class.

    usual: the paper's number. fewest: with which a class can train at all.
    """
    smallest = min((count for count in scene.class_counts or () if count), default=2 * usual)
    minimum = max(fewest, min(usual, smallest // 2))
    return Derived("split.minimum", minimum, "the smallest class has %d pixels" % smallest)


def largest_odd_side(scene: Scene, usual: int) -> int:
    """The side of a patch: the paper's, or the largest odd one that the scene holds."""
    side = min(usual, scene.height, scene.width)
    return side if side % 2 else max(side - 1, 1)
