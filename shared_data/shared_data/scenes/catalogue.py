"""The catalogue of scenes: their properties, and the hashes that identify their files.

The data lie in `scenes.toml`; this module reads them once, checks every key and hands out immutable records.
"""

import functools
import re
from pathlib import Path
from typing import Any, Dict, Iterable, NamedTuple, Optional, Tuple

from shared_data.configuration.names import RULE, is_name
from shared_data.errors import CatalogueError, SharedDataError, UnknownNameError
from shared_data.files.toml import load_toml
from shared_data.quoting import one_line

CATALOGUE_PATH = Path(__file__).with_name("scenes.toml")

ACCESS = ("download", "manual", "generated")

_SCENE_KEYS = {"title", "height", "width", "bands", "access", "how_to_get", "classes"}
_OPTIONAL_SCENE_KEYS = {"labelled_pixels", "cube", "ground_truth"}


MAPPED_SUFFIX = ".npy"
# dtypes in which a file's values may be hashed; every real number can be compared with them exactly
CONTENT_DTYPES = ("uint8", "int16", "uint16", "int32", "uint32")


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


class Scene(NamedTuple):
    """One scene. Label k in 1..K has the name `class_names[k - 1]` and the colour `palette[k - 1]` ("#rrggbb").

    `labelled_pixels` and `class_counts` (pixels of label 1..K) are None where they are not stated. `cube` and
    `ground_truth` are None for a generated scene. `access` is "download", "manual" or "generated". Of a manual scene
    `ground_truth` may be None: it can be classified, not trained on.
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
    """Return every scene by its slug, in the order of `scenes.toml`.

    Raises: CatalogueError when the installed `scenes.toml` is damaged.
    """
    return dict(_installed_catalogue())


@functools.lru_cache(maxsize=1)
def _installed_catalogue() -> Dict[str, Scene]:
    return read_catalogue(CATALOGUE_PATH)


def read_catalogue(path: Any) -> Dict[str, Scene]:
    """Read and check a catalogue file.

    Raises: CatalogueError naming the file, the place in it and what is wrong: not TOML, an unknown or missing key,
    a value of the wrong type, a malformed hash or colour, class counts that do not add up.
    """
    try:
        document = load_toml(path)
    except SharedDataError as error:
        raise CatalogueError(str(error)) from error
    try:
        return _parse_catalogue(document)
    except CatalogueError as error:
        raise CatalogueError(f"{path}: {error}") from error


def _parse_catalogue(document: Dict[str, Any]) -> Dict[str, Scene]:
    _check_keys(document, "the top level", {"palette", "scenes"})
    palette = _typed(document, "palette", list, "the top level")
    for colour in palette:
        if not (isinstance(colour, str) and re.match(r"#[0-9a-f]{6}\Z", colour)):
            raise CatalogueError(f"palette holds {colour!r}, expected colours written as '#rrggbb'.")
    if len(set(palette)) != len(palette):
        raise CatalogueError("palette holds a colour twice.")
    tables = _typed(document, "scenes", dict, "the top level")
    return {slug: _parse_scene(slug, table, tuple(palette)) for slug, table in tables.items()}


def _parse_scene(slug: str, table: Dict[str, Any], palette: Tuple[str, ...]) -> Scene:
    where = "scenes." + one_line(slug)
    if not is_name(slug):
        raise CatalogueError("%s: the name of a scene must be of %s; rename it." % (where, RULE))
    _check_keys(table, where, _SCENE_KEYS, _OPTIONAL_SCENE_KEYS)
    access = _typed(table, "access", str, where)
    if access not in ACCESS:
        raise CatalogueError("{}: access is '{}', expected one of: {}.".format(where, access, ", ".join(ACCESS)))
    names, counts = _parse_classes(_typed(table, "classes", list, where), where)
    if len(names) > len(palette):
        raise CatalogueError(f"{where}: {len(names)} classes, but the palette has {len(palette)} colours.")
    labelled = _positive(table, "labelled_pixels", where) if "labelled_pixels" in table else None
    if counts is not None and labelled != sum(counts):
        raise CatalogueError(f"{where}: the classes hold {sum(counts)} pixels, labelled_pixels says {labelled}.")
    return Scene(
        slug=slug,
        title=_typed(table, "title", str, where),
        height=_positive(table, "height", where),
        width=_positive(table, "width", where),
        bands=_positive(table, "bands", where),
        class_names=names,
        palette=palette[: len(names)],
        labelled_pixels=labelled,
        class_counts=counts,
        cube=_parse_file(table, "cube", access, where),
        ground_truth=_parse_file(table, "ground_truth", access, where),
        access=access,
        how_to_get=_typed(table, "how_to_get", str, where).strip(),
    )


def _parse_classes(rows: Iterable[Any], where: str) -> Tuple[Tuple[str, ...], Optional[Tuple[int, ...]]]:
    names, counts = [], []
    for label, row in enumerate(rows, start=1):
        place = f"{where}: class {label}"
        if not isinstance(row, dict):
            raise CatalogueError(f"{place} is {row!r}, expected a table with a name.")
        _check_keys(row, place, {"name"}, {"pixels"})
        names.append(_typed(row, "name", str, place))
        if "pixels" in row:
            counts.append(_positive(row, "pixels", place))
    if not names or len(set(names)) != len(names):
        raise CatalogueError(f"{where}: expected one or more classes with different names.")
    if counts and len(counts) != len(names):
        raise CatalogueError(f"{where}: give pixels for every class or for none.")
    return tuple(names), tuple(counts) or None


def _parse_file(table: Dict[str, Any], kind: str, access: str, scene: str) -> Optional[SceneFile]:
    if access == "generated" and kind in table:
        raise CatalogueError(f"{scene}: {kind} must be given, except for a generated scene.")
    if access == "generated" or (access == "manual" and kind == "ground_truth" and kind not in table):
        return None
    if kind not in table:
        raise CatalogueError(f"{scene}: {kind} must be given, except for a generated scene.")
    where = f"{scene}.{kind}"
    row = _typed(table, kind, dict, scene)
    downloaded = {"sha256", "urls"}
    optional = downloaded | {"content_sha256", "dtype", "package"}
    mapped = str(row.get("name", "")).endswith(MAPPED_SUFFIX)
    if mapped and kind != "cube":
        raise CatalogueError(f"{where}: name is '{row['name']}', expected a MATLAB file; only a cube may be .npy.")
    needed = {"name"} if mapped else {"name", "key"}
    _check_keys(row, where, needed | (downloaded if access == "download" else set()), optional)
    name = _typed(row, "name", str, where)
    if not re.match(r"[A-Za-z0-9][\w.-]*\Z", name):
        raise CatalogueError(f"{where}: name is '{name}', expected a plain file name.")
    sha256 = _hash(row, "sha256", where) if "sha256" in row else None
    urls = tuple(_typed(row, "urls", list, where)) if "urls" in row else ()
    if not all(isinstance(url, str) and url.startswith(("http://", "https://")) for url in urls):
        raise CatalogueError(f"{where}: urls holds something other than http(s) addresses.")
    if access == "download" and not urls:
        raise CatalogueError(f"{where}: urls is empty, expected at least one source.")
    shape = tuple(_positive(table, side, scene) for side in ("height", "width", "bands"))
    content = _parse_content(row, shape if kind == "cube" else shape[:2], where)
    return SceneFile(
        name=name,
        key=None if mapped else _typed(row, "key", str, where),
        sha256=sha256,
        urls=urls,
        content=content,
        package=_parse_package(row, content, where),
    )


def _parse_content(row: Dict[str, Any], shape: Tuple[int, ...], where: str) -> Optional[Content]:
    if ("content_sha256" in row) != ("dtype" in row):
        raise CatalogueError(f"{where}: give content_sha256 and dtype, or neither.")
    if "dtype" not in row:
        return None
    dtype = _typed(row, "dtype", str, where)
    if dtype not in CONTENT_DTYPES:
        raise CatalogueError("{}: dtype is '{}', expected one of: {}.".format(where, dtype, ", ".join(CONTENT_DTYPES)))
    return Content(_hash(row, "content_sha256", where), dtype, shape)


def _parse_package(row: Dict[str, Any], content: Optional[Content], where: str) -> Optional[Package]:
    if "package" not in row:
        return None
    if content is None:
        raise CatalogueError(f"{where}: package needs content_sha256, by which its values are verified.")
    table = _typed(row, "package", dict, where)
    where = f"{where}.package"
    _check_keys(table, where, {"requirement", "member"})
    requirement, member = (_typed(table, key, str, where) for key in ("requirement", "member"))
    if not re.match(r"[A-Za-z0-9][\w.-]*==[0-9][\w.]*\Z", requirement):  # the pattern also excludes options of pip
        raise CatalogueError(f"{where}: requirement is '{requirement}', expected '<name>==<version>'.")
    if not member.endswith(MAPPED_SUFFIX):
        raise CatalogueError(f"{where}: member is '{member}', expected the path of a .npy file in the wheel.")
    return Package(requirement, member)


def _hash(row: Dict[str, Any], key: str, where: str) -> str:
    value = _typed(row, key, str, where)
    if not re.match(r"[0-9a-f]{64}\Z", value):
        raise CatalogueError(f"{where}: {key} is '{value}', expected 64 lower-case hexadecimal digits.")
    return value


def _check_keys(table: Dict[str, Any], where: str, required: set, optional: Iterable[str] = ()) -> None:
    unknown = set(table) - required - set(optional)
    if unknown:
        raise CatalogueError("{}: unknown key '{}'.".format(where, "', '".join(sorted(unknown))))
    missing = required - set(table)
    if missing:
        raise CatalogueError("{}: missing key '{}'.".format(where, "', '".join(sorted(missing))))


def _typed(table: Dict[str, Any], key: str, kind: type, where: str) -> Any:
    value = table[key]
    # bool is a subclass of int, and `height = true` is a mistake
    if not isinstance(value, kind) or isinstance(value, bool):
        raise CatalogueError(f"{where}: {key} is {value!r}, expected a value of type {kind.__name__}.")
    return value


def _positive(table: Dict[str, Any], key: str, where: str) -> int:
    value = _typed(table, key, int, where)
    if value < 1:
        raise CatalogueError(f"{where}: {key} is {value}, expected at least 1.")
    return value
