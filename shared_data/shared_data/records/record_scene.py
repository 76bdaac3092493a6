"""The scene of a record: the catalogue's, or an own one, of which the record holds what maps and tables need."""

from typing import Any, Dict, Optional

from shared_data.scenes.catalogue import Georeference, Scene, get_scene
from shared_data.scenes.own import OWN

OWN_TRUTH = "own_truth.npy"  # beside the record of a run on an own scene; kept records are without


def described(scene: Scene) -> Dict[str, Any]:
    """What maps of a scene need, JSON values: title, sides, classes with colours, georeference if there is one."""
    result: Dict[str, Any] = {
        "title": scene.title,
        "height": scene.height,
        "width": scene.width,
        "classes": [{"name": name, "colour": colour} for name, colour in zip(scene.class_names, scene.palette)],
    }
    if scene.georeference is not None:
        transform = [float(number) for number in scene.georeference.transform]
        result["georeference"] = {"crs": scene.georeference.crs, "transform": transform}
    return result


def georeference_of(content: Dict[str, Any]) -> Optional[Georeference]:
    """That of what `described` returned."""
    placed = content.get("georeference")
    return Georeference(placed["crs"], tuple(placed["transform"])) if placed else None


def own_scene_of(scene: Scene) -> Dict[str, Any]:
    """The record's `own_scene`, of an own scene: JSON values."""
    return dict(described(scene), bands=scene.bands)


def is_own(record: Dict[str, Any]) -> bool:
    """Whether a record's scene is an own one, described by its user."""
    return "own_scene" in record


def scene_of_record(record: Dict[str, Any]) -> Scene:
    """The scene of a record that follows its schema; of an own one without files and counts, as they are not in it.

    Raises: UnknownNameError where the catalogue knows no scene of its name, and the record does not describe it.
    """
    if not is_own(record):
        return get_scene(record["scene"])
    own = record["own_scene"]
    return Scene(
        slug=record["scene"],
        title=own["title"],
        height=own["height"],
        width=own["width"],
        bands=own["bands"],
        class_names=tuple(one["name"] for one in own["classes"]),
        palette=tuple(one["colour"] for one in own["classes"]),
        labelled_pixels=None,
        class_counts=None,
        cube=None,
        ground_truth=None,
        access=OWN,
        how_to_get="Its description names its files.",
        georeference=georeference_of(own),
    )
