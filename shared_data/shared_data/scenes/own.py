"""Own scenes: a description (TOML) in place of an entry in the catalogue.

`python -m shared_data describe` writes descriptions; a command with `--scene` registers one, and from then on this
process finds the scene by its name like any other.
"""

import shlex
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from shared_data.configuration.schema import load_schema
from shared_data.errors import CatalogueError
from shared_data.quoting import one_line
from shared_data.scenes import catalogue
from shared_data.scenes.catalogue import Content, Georeference, Scene, SceneFile
from shared_data.scenes.palette import class_colours

DESCRIPTION_SUFFIX = ".toml"
OWN = "own"  # `Scene.access`

_SCHEMA = load_schema(Path(__file__).with_name("own.schema.json"))


class Source(NamedTuple):
    """The file in a foreign format from which a file of the scene was made."""

    path: Path
    sha256: str


class OwnClass(NamedTuple):
    """A class of an own scene. label: in the file of labels; pixels: that have it there."""

    label: int
    name: str
    pixels: int


class Description(NamedTuple):
    """What a description says beside the fields of `Scene`. Paths are complete.

    path: of the description. cube, ground_truth: of the files. ignore_values: a pixel with such a value in any band is
    not valid; may hold NaN. unlabelled: labels that mean "no class". classes: in the order of the class numbers 1..K.
    """

    path: Path
    cube: Path
    ground_truth: Optional[Path]
    sources: Tuple[Source, ...]
    ignore_values: Tuple[float, ...]
    unlabelled: Tuple[int, ...]
    classes: Tuple[OwnClass, ...]


def load_description(path: Any) -> Scene:
    """Read and check the description of an own scene. `Scene.own` of the result is a `Description`.

    No file but the description is read; `load_scene` checks the others.
    Raises: CatalogueError naming the file, the place in it and what is wrong: it is no description, does not follow
    own.schema.json, its classes contradict each other, or the catalogue has a scene of its name.
    """
    path = Path(path)
    if path.suffix.lower() != DESCRIPTION_SUFFIX:
        raise CatalogueError(
            "{}: expected the description of a scene (.toml), found a file of another kind; describe it first: "
            "python -m shared_data describe {} --name <name>.".format(one_line(path), shlex.quote(one_line(path)))
        )
    if not path.is_file():
        raise CatalogueError("{}: expected the description of a scene, found no such file.".format(one_line(path)))
    document = catalogue.read_checked(path, _SCHEMA)
    try:
        return _parse(document, path)
    except CatalogueError as error:
        raise CatalogueError("{}: {}".format(path, error)) from error


def register(path: Any) -> Scene:
    """Read a description and add its scene to the catalogue of this process.

    Raises: as `load_description`; CatalogueError where a scene of this name has been registered from another file.
    """
    scene = load_description(path)
    known = catalogue.scenes().get(scene.slug)
    if known is not None and known.own.path.resolve() != scene.own.path.resolve():
        raise CatalogueError(
            "{}: a scene named '{}' has been read from {} already; choose another name.".format(
                path, scene.slug, known.own.path
            )
        )
    catalogue.add_scene(scene)
    return scene


def _parse(document: Dict[str, Any], path: Path) -> Scene:
    """What a schema cannot say is checked here: numbers and names that depend on each other."""
    name, rows = document["name"], document.get("classes", [])
    known = catalogue.scenes().get(name)
    if known is not None and known.own is None:
        raise CatalogueError("name: '{}' is a scene of the catalogue; choose another name.".format(name))
    classes = tuple(OwnClass(row["label"], row["name"], row["pixels"]) for row in rows)
    unlabelled = tuple(document.get("labels", {}).get("unlabelled", ()))
    _check_classes(classes, unlabelled)
    tables = [document[part] for part in ("cube", "ground_truth") if part in document]
    paths = [path.parent / table["file"] for table in tables]
    own = Description(
        path=path,
        cube=paths[0],
        ground_truth=paths[1] if len(paths) > 1 else None,
        sources=tuple(
            Source(path.parent / table["source"], table["source_sha256"]) for table in tables if "source" in table
        ),
        ignore_values=_numbers(document.get("ignore_values", [])),
        unlabelled=unlabelled,
        classes=classes,
    )
    shape = (document["height"], document["width"], document["bands"])
    files = _files(tables, paths, shape)
    placed = document.get("georeference")
    return Scene(
        slug=name,
        title=document["title"],
        height=shape[0],
        width=shape[1],
        bands=shape[2],
        class_names=tuple(one.name for one in classes),
        palette=class_colours([row.get("colour") for row in rows], catalogue.first_colours()),
        labelled_pixels=None,  # what ignore_values leave is known when the cube is read
        class_counts=None,
        cube=files[0],
        ground_truth=files[1] if len(files) > 1 else None,
        access=OWN,
        how_to_get="It is described in {}.".format(path),
        georeference=Georeference(placed["crs"], tuple(map(float, placed["transform"]))) if placed else None,
        own=own,
    )


def _check_classes(classes: Tuple[OwnClass, ...], unlabelled: Tuple[int, ...]) -> None:
    columns: List[Tuple[str, List[Any]]] = [
        ("label", [one.label for one in classes]),
        ("name", [one.name for one in classes]),
    ]
    for kind, values in columns:
        for value in values:
            if values.count(value) > 1:
                raise CatalogueError("classes: the {} {!r} stands there twice.".format(kind, value))
    for one in classes:
        if one.label in unlabelled:
            raise CatalogueError(
                "classes: the label {} of '{}' is one of labels.unlabelled, too.".format(one.label, one.name)
            )


def _numbers(values: List[Any]) -> Tuple[float, ...]:
    for value in values:
        if not isinstance(value, (int, float)):  # a date of TOML is of no type that a schema knows
            raise CatalogueError("ignore_values: expected numbers, found {}.".format(one_line(value)))
    return tuple(values)


def _files(tables: List[Dict[str, Any]], paths: List[Path], shape: Tuple[int, ...]) -> List[SceneFile]:
    """The files of cube and ground truth, with different names: records tell files apart by them."""
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        names[1] = "labels-" + names[1]
    return [
        SceneFile(name, table.get("key"), None, (), Content(table["content_sha256"], table["dtype"], shape[:axes]))
        for name, table, axes in zip(names, tables, (3, 2))
    ]
