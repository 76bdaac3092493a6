"""The ground truth a run was evaluated on, without the cube: found by the hash that the record holds."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.catalogue import Scene
from shared_data.errors import SceneFormatError
from shared_data.matfile import read_mat
from shared_data.scene import DataFolders, data_folders, file_sha256, load_scene


class Truth(NamedTuple):
    """labels: (H, W) uint8, 0 unlabelled, or None. remark: why there are none, or what to know of those there are."""

    labels: Optional[np.ndarray]
    remark: str = ""


class Truths:
    """The ground truths of a report's runs, each read once."""

    def __init__(self, data: DataFolders = None):
        self._folders = data_folders(data)
        self._known: Dict[Tuple[str, Optional[str], bool], Truth] = {}

    def of(self, record: Dict[str, Any], scene: Scene) -> Truth:
        """The ground truth of a record's scene.

        First counts a file with the hash the record holds, then the catalogue's; for a record on unverified data, then
        any file of the right name.
        """
        recorded = _recorded_hash(record, scene)
        key = (scene.slug, recorded, record["data_verified"])
        if key not in self._known:
            self._known[key] = self._find(scene, recorded, not record["data_verified"])
        return self._known[key]

    def _find(self, scene: Scene, recorded: Optional[str], unverified: bool) -> Truth:
        if scene.access == "generated":
            return Truth(load_scene(scene.slug).ground_truth)
        name = scene.ground_truth.name
        found = self._candidates(name)
        wanted = [path for sha256 in (recorded, scene.ground_truth.sha256) for path in found if found[path] == sha256]
        path = next(iter(wanted or (list(found) if unverified else [])), None)
        if path is None:
            state = "is not the file the run used" if found else "is in none of the data folders"
            return Truth(None, "%s %s, so the ground truth is not drawn." % (name, state))
        remark = "" if found[path] == recorded else "%s drawn here is not the file the run used." % name
        try:
            return Truth(_read(path, scene), remark)
        except SceneFormatError as error:
            return Truth(None, "%s cannot be used, so the ground truth is not drawn (%s)" % (name, error))

    def _candidates(self, name: str) -> Dict[str, str]:
        """SHA-256 by path of every readable file of that name, in the order of the folders."""
        found = {}
        for folder in self._folders:
            try:
                found[str(folder / name)] = file_sha256(folder / name)
            except OSError:  # not in this folder, or not for us: another one may hold it
                continue
        return found


def _recorded_hash(record: Dict[str, Any], scene: Scene) -> Optional[str]:
    name = scene.ground_truth.name if scene.ground_truth else None
    hashes: List[str] = [file["sha256"] for file in record["data"] if file["name"] == name]
    return hashes[0] if hashes else None


def _read(path: str, scene: Scene) -> np.ndarray:
    labels = read_mat(path, scene.ground_truth.key, (scene.height, scene.width))
    if not np.isin(labels, np.arange(scene.num_classes + 1)).all():
        raise SceneFormatError("%s: expected whole labels 0..%d." % (path, scene.num_classes))
    return np.ascontiguousarray(labels, dtype=np.uint8)
