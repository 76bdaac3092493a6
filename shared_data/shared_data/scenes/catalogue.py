"""The catalogue of scenes: their properties, and the hashes that identify their files.

The data lie in `scenes.toml`; this module reads them once, checks every key and hands out immutable records.
"""

import functools
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

import jsonschema

from shared_data.configuration.schema import Validator, dotted, load_schema
from shared_data.errors import CatalogueError, SharedDataError, UnknownNameError
from shared_data.files.toml import load_toml
from shared_data.quoting import one_line
from shared_data.scenes.palette import class_colours

CATALOGUE_PATH = Path(__file__).with_name("scenes.toml")

MAPPED_SUFFIX = ".npy"
_SCHEMA = load_schema(Path(__file__).with_name("scenes.schema.json"))
_ADDED: Dict[str, "Scene"] = {}  # own scenes of this process


class Content(NamedTuple):
    """The values that a file must hold, however it is written; `content.content_sha256` says how they are hashed."""

    sha256: str
    dtype: str
    shape: Tuple[int, ...]


class Package(NamedTuple):
    """A package of pip's index that holds a file's values: its exact version, and the .npy member of its wheel."""

    requirement: str
    member: str


class SceneFile(NamedTuple):
    """One file of a scene: a MATLAB file, or a numpy file (.npy), which holds one array and has no `key`.

    `sha256` (of the file) and `content` (of its values) are None where they are not known; either verifies a file.
    Sources: `urls` in order, then `package`.
    """

    name: str
    key: Optional[str]
    sha256: Optional[str]
    urls: Tuple[str, ...]
    content: Optional[Content] = None
    package: Optional[Package] = None

    @property
    def is_mapped(self) -> bool:
        """Whether the array stays in the file, memory-mapped."""
        return self.name.endswith(MAPPED_SUFFIX)

    @property
    def names(self) -> Tuple[str, ...]:
        """The names to search for: the file's own, and that of the same array as a numpy file."""
        return (self.name,) if self.is_mapped else (self.name, self.numpy_name)

    @property
    def numpy_name(self) -> str:
        """The name of the same array as a numpy file."""
        return self.name.rsplit(".", 1)[0] + MAPPED_SUFFIX


class Georeference(NamedTuple):
    """Where a scene lies.

    crs: coordinate reference system, EPSG:<number> or WKT. transform: six numbers in GDAL's order: x of the upper left
    corner, pixel width, row rotation, y of this corner, column rotation, pixel height (negative where north is up).
    """

    crs: str
    transform: Tuple[float, ...]


class Scene(NamedTuple):
    """One scene. Label k in 1..K has the name `class_names[k - 1]` and the colour `palette[k - 1]` ("#rrggbb").

    `labelled_pixels` and `class_counts` (pixels of label 1..K) are None where they are not stated. `cube` and
    `ground_truth` are None for a generated scene. `access` is "download", "manual", "generated" or "own". Of a manual
    or own scene `ground_truth` may be None: it can be classified, not trained on. `own` is the
    `shared_data.scenes.own.Description` of an own scene, None for the catalogue's.
    """

    slug: str
    title: str
    height: int
    width: int
    bands: int
    class_names: Tuple[str, ...]
    palette: Tuple[str, ...]
    labelled_pixels: Optional[int]
    class_counts: Optional[Tuple[int, ...]]
    cube: Optional[SceneFile]
    ground_truth: Optional[SceneFile]
    access: str
    how_to_get: str
    georeference: Optional[Georeference] = None
    own: Any = None

    @property
    def num_classes(self) -> int:
        """K, the number of land-cover classes; label 0 means unlabelled and is not counted."""
        return len(self.class_names)


def get_scene(slug: str) -> Scene:
    """Return one scene of the catalogue.

    Raises: UnknownNameError, listing the slugs that exist.
    """
    known = scenes()
    if slug not in known:
        raise UnknownNameError(
            "There is no scene named '{}'; choose one of: {}.".format(one_line(slug), ", ".join(known))
        )
    return known[slug]


def scenes() -> Dict[str, Scene]:
    """Return every scene by its slug, in the order of `scenes.toml`; then those that this process has added.

    Raises: CatalogueError when the installed `scenes.toml` is damaged.
    """
    return dict(_installed_catalogue(), **_ADDED)


def add_scene(scene: Scene) -> None:
    """Let `scenes` and `get_scene` of this process know an own scene; one of the same name is replaced."""
    _ADDED[scene.slug] = scene


@functools.lru_cache(maxsize=1)
def _installed_catalogue() -> Dict[str, Scene]:
    return read_catalogue(CATALOGUE_PATH)


@functools.lru_cache(maxsize=1)
def first_colours() -> Tuple[str, ...]:
    """The palette of the catalogue: the colours of the first classes of every scene.

    Raises: CatalogueError when the installed `scenes.toml` is damaged.
    """
    return tuple(read_checked(CATALOGUE_PATH, _SCHEMA)["palette"])


def read_catalogue(path: Any) -> Dict[str, Scene]:
    """Read and check a catalogue file.

    Raises: CatalogueError naming the file, the place in it and what is wrong: it is not TOML, does not follow
    scenes.schema.json, or its class counts do not add up.
    """
    document = read_checked(path, _SCHEMA)
    try:
        return _parse_catalogue(document)
    except CatalogueError as error:
        raise CatalogueError(f"{path}: {error}") from error


def read_checked(path: Any, schema: Dict[str, Any]) -> Dict[str, Any]:
    """Read a TOML file that follows a schema whose descriptions say what is expected.

    Raises: CatalogueError naming the file, the place in it and what is wrong.
    """
    try:
        document = load_toml(path)
    except SharedDataError as error:
        raise CatalogueError(str(error)) from error
    errors = list(Validator(schema).iter_errors(document))
    if errors:
        # a key that is misspelt is missing, too: the unknown one says more
        unknown = [error for error in errors if error.validator == "additionalProperties"]
        complaint = _complaint(jsonschema.exceptions.best_match(unknown or errors))
        raise CatalogueError(f"{path}: {complaint}")
    return document


def _parse_catalogue(document: Dict[str, Any]) -> Dict[str, Scene]:
    palette = tuple(document["palette"])
    return {slug: _parse_scene(slug, table, palette) for slug, table in document["scenes"].items()}


def _complaint(error: Any) -> str:
    """What does not follow the schema, as a sentence."""
    place, rule, found = dotted(error.absolute_path) or "the top level", error.schema, error.instance
    if error.validator == "additionalProperties":
        unknown = sorted(set(found) - set(rule["properties"]))
        return "{}: unknown key '{}'.".format(place, "', '".join(map(one_line, unknown)))
    if error.validator == "required":
        return "{}: missing key '{}'.".format(place, next(key for key in rule["required"] if key not in found))
    if error.validator == "dependencies":
        key, needed = next(
            (key, other) for key, others in rule["dependencies"].items() if key in found for other in others
            if other not in found
        )  # fmt: skip
        return f"{place}: {key} needs {needed}."
    expected = "one of: " + ", ".join(rule["enum"]) if "enum" in rule else rule["description"]
    shown = "" if isinstance(found, (dict, list)) else f"found {one_line(repr(found))}, "
    return f"{place}: {shown}expected {expected}."


def _parse_scene(slug: str, table: Dict[str, Any], palette: Tuple[str, ...]) -> Scene:
    """What a schema cannot say of a scene is checked here: numbers and names that depend on each other."""
    where = "scenes." + slug
    names = tuple(row["name"] for row in table["classes"])
    counts = tuple(row["pixels"] for row in table["classes"] if "pixels" in row)
    labelled = table.get("labelled_pixels")
    if len(set(names)) != len(names):
        raise CatalogueError(f"{where}: expected classes with different names.")
    if counts and len(counts) != len(names):
        raise CatalogueError(f"{where}: give pixels for every class or for none.")
    if counts and labelled != sum(counts):
        raise CatalogueError(f"{where}: the classes hold {sum(counts)} pixels, labelled_pixels says {labelled}.")
    shape = (table["height"], table["width"], table["bands"])
    return Scene(
        slug=slug,
        title=table["title"],
        height=table["height"],
        width=table["width"],
        bands=table["bands"],
        class_names=names,
        palette=class_colours([row.get("colour") for row in table["classes"]], palette),
        labelled_pixels=labelled,
        class_counts=counts or None,
        cube=_parse_file(table.get("cube"), shape),
        ground_truth=_parse_file(table.get("ground_truth"), shape[:2]),
        access=table["access"],
        how_to_get=table["how_to_get"].strip(),
    )


def _parse_file(row: Optional[Dict[str, Any]], shape: Tuple[int, ...]) -> Optional[SceneFile]:
    if row is None:
        return None
    return SceneFile(
        name=row["name"],
        key=row.get("key"),
        sha256=row.get("sha256"),
        urls=tuple(row.get("urls", ())),
        content=Content(row["content_sha256"], row["dtype"], shape) if "dtype" in row else None,
        package=Package(**row["package"]) if "package" in row else None,
    )
