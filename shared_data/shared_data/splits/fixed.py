"""The fixed splits that the field compares on: two label maps each, identified by a hash of their values.

The catalogue `fixed.toml` says which files hold them, who publishes them, and their defects. The maps are never part of
this project; they are placed into the folder `splits` of a data folder by hand.
"""

import functools
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from shared_data.configuration.schema import load_schema
from shared_data.errors import SceneNotFoundError, SceneVerificationError, SplitError, UnknownNameError
from shared_data.quoting import one_line
from shared_data.scenes.catalogue import Scene, get_scene, read_checked
from shared_data.scenes.content import content_sha256
from shared_data.scenes.loading import CONTENT, FILE, DataFolders, FileEvidence, LoadedScene, data_folders, file_sha256
from shared_data.splits.given import FixedSplit, split_of_sets
from shared_data.splits.label_maps import as_labels, by, of_shape, read_stored, stored_arrays

SPLITS_FOLDER = "splits"
_CATALOGUE_PATH = Path(__file__).with_name("fixed.toml")
_SCHEMA = load_schema(Path(__file__).with_name("fixed.schema.json"))
_DTYPE = "uint8"  # as which values are hashed


class MapFile(NamedTuple):
    """A label map: its number of pixels, the names of files that may hold it, the first of which is the usual one.

    content_sha256: of the values as uint8, as `scenes.content` says; it identifies the map. sha256: of the usual file.
    """

    pixels: int
    names: Tuple[str, ...]
    sha256: str
    content_sha256: str


class FixedSource(NamedTuple):
    """An entry of the catalogue. scene: slug. source: who publishes the maps. defects: known ones, in words."""

    name: str
    scene: str
    title: str
    source: str
    defects: str
    train: MapFile
    test: MapFile


@functools.lru_cache(maxsize=1)
def _installed() -> Dict[str, FixedSource]:
    return read_fixed_catalogue(_CATALOGUE_PATH)


def fixed_splits() -> Dict[str, FixedSource]:
    """All fixed splits by name, which is also that of their protocol, in the order of `fixed.toml`."""
    return dict(_installed())


def get_fixed(name: str) -> FixedSource:
    """One fixed split. Raises: UnknownNameError, listing the names that exist."""
    known = fixed_splits()
    if name not in known:
        raise UnknownNameError(
            "There is no fixed split named '%s'; choose one of: %s." % (one_line(name), ", ".join(known))
        )
    return known[name]


def read_fixed_catalogue(path: Any) -> Dict[str, FixedSource]:
    """Read a catalogue of fixed splits. Raises: CatalogueError; UnknownNameError for a scene that does not exist."""
    splits = {}
    for name, table in read_checked(path, _SCHEMA)["splits"].items():
        get_scene(table["scene"])
        maps = {part: MapFile(**dict(table[part], names=tuple(table[part]["names"]))) for part in ("train", "test")}
        splits[name] = FixedSource(name=name, **dict(table, **maps))
    return splits


def how_to_get(name: str, data: DataFolders = None) -> str:
    """What to do where the maps of a fixed split are missing: one sentence. data: as in `data_folders`."""
    fixed = get_fixed(name)
    scene = get_scene(fixed.scene)
    return (
        "There is no download: take the two label maps (%s, %d training and %d test pixels) from %s, and save them as "
        "%s and %s (.npy or .mat) in %s."
        % (by((scene.height, scene.width)), fixed.train.pixels, fixed.test.pixels, fixed.source,
           Path(fixed.train.names[0]).stem, Path(fixed.test.names[0]).stem, data_folders(data)[0] / SPLITS_FOLDER)
    )  # fmt: skip


def verify_fixed(name: str, data: DataFolders = None) -> Tuple[FileEvidence, ...]:
    """Find the two maps, training first, and verify them by hash; nothing else of the scene is needed.

    They are searched in the folder `splits` of every data folder. A file in another form (.mat, another compression)
    is right where one of its arrays has the right values.
    Raises: UnknownNameError; SceneNotFoundError, which says how to get the maps; SceneVerificationError where there are
    only files with other values.
    """
    return tuple(evidence for evidence, _ in _maps(get_fixed(name), data))


def read_fixed(loaded: LoadedScene, name: str, seed: int, data: DataFolders = None) -> FixedSplit:
    """A fixed split of a scene.

    Its pixels train and are tested with the labels of the ground truth. Pixels whose label in the map is another are
    kept and counted in the facts `fixed_train_label_differs` and `fixed_test_label_differs`; pixels that are unlabelled
    in the ground truth are left out and counted. The splits have no validation pixels: a seeded tenth of each class's
    training pixels is held out, see `hold_out_validation`; `split_of_sets` describes the other facts.

    seed: of the run. data: folders, as in `data_folders`.
    Raises: what `verify_fixed` raises; SplitError where the split is one of another scene, or its sets overlap.
    """
    fixed = get_fixed(name)
    if fixed.scene != loaded.scene.slug:
        others = [other.name for other in fixed_splits().values() if other.scene == loaded.scene.slug]
        raise SplitError(
            "%s is a split of the scene %s, not of %s, for which there is %s."
            % (name, fixed.scene, loaded.scene.slug, ", ".join(others) or "none; use another protocol")
        )
    (train_file, train), (test_file, test) = _maps(fixed, data)
    sets = {"train": np.flatnonzero(train), "test": np.flatnonzero(test)}
    split, facts = split_of_sets(sets, loaded.ground_truth, seed, "fixed", name)
    facts["fixed_train_label_differs"] = _differing(train, loaded.ground_truth)
    facts["fixed_test_label_differs"] = _differing(test, loaded.ground_truth)
    return FixedSplit(split, facts, (train_file, test_file))


def _differing(labels: np.ndarray, ground_truth: np.ndarray) -> int:
    return int(np.count_nonzero((labels > 0) & (ground_truth > 0) & (labels != ground_truth)))


def _maps(fixed: FixedSource, data: DataFolders) -> List[Tuple[FileEvidence, np.ndarray]]:
    folders = [folder / SPLITS_FOLDER for folder in data_folders(data)]
    return [_find(fixed, file, folders, data) for file in (fixed.train, fixed.test)]


def _find(fixed: FixedSource, file: MapFile, folders: List[Path], data: DataFolders) -> Tuple[FileEvidence, np.ndarray]:
    """The first file that holds the map."""
    scene = get_scene(fixed.scene)
    refusals = []
    for path in (folder / name for folder in folders for name in file.names):
        if os.path.lexists(str(path)):
            try:
                return _examine(path, file, scene)
            except SplitError as error:
                refusals.append(str(error))
    if refusals:
        raise SceneVerificationError(
            "%s: no file holds the map with the content sha256 %s. %s Move these files away, or use them as your own "
            "split." % (fixed.name, file.content_sha256, " ".join(refusals))
        )
    raise SceneNotFoundError(
        "%s: %s not found in %s. %s"
        % (fixed.name, file.names[0], ", ".join(map(str, folders)), how_to_get(fixed.name, data))
    )


def _examine(path: Path, file: MapFile, scene: Scene) -> Tuple[FileEvidence, np.ndarray]:
    """The map in a file, with the evidence. Raises: SplitError where it does not hold the map, or cannot be read."""
    shape, found = (scene.height, scene.width), []
    for name, stored in of_shape(path, stored_arrays(path), shape).items():
        array = read_stored(path, name, stored)
        content = content_sha256(array, _DTYPE)
        if content == file.content_sha256:
            sha256 = file_sha256(path)
            verified_by = FILE if sha256 == file.sha256 else CONTENT
            # under one name whatever the file is called: records with the same map are of the same data
            name = "%s/%s" % (SPLITS_FOLDER, file.names[0])
            evidence = FileEvidence(name, str(path), sha256, file.sha256, verified_by, content)
            return evidence, as_labels(path, array, scene.num_classes)
        found.append(content or "values that are no labels")
    raise SplitError("%s: found the content sha256 %s." % (path, ", ".join(found)))
