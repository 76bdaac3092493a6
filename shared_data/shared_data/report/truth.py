"""The ground truth a run was evaluated on, without the cube: found by the hash that the record holds."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from shared_data.errors import SceneFormatError
from shared_data.files.npz import read_npy
from shared_data.records.record_scene import OWN_TRUTH, is_own
from shared_data.scenes.catalogue import Scene
from shared_data.scenes.loading import DataFolders, FileEvidence, candidates, data_folders, load_scene, read_array


class Truth(NamedTuple):
    """labels: (H, W) uint8, 0 unlabelled, or None. remark: why they are missing, or a caveat about them."""

    labels: Optional[np.ndarray]
    remark: str = ""


class Truths:
    """The ground truths of a report's runs, each read once."""

    def __init__(self, data: DataFolders = None):
        self._folders = data_folders(data)
        self._known: Dict[Tuple[str, Optional[str], bool], Truth] = {}

    def of(self, record: Dict[str, Any], scene: Scene, path: Path) -> Truth:
        """The ground truth of a record's scene; that of an own scene lies beside the record, if it is not a kept one.

        In order of preference: a file with the hash in the record, a verified file and, for a record on unverified
        data, any file of the right name.
        """
        if is_own(record):
            return _own_truth(path, scene)
        recorded = _recorded_hash(record, scene)
        key = (scene.slug, recorded, record["data_verified"])
        if key not in self._known:
            self._known[key] = self._find(scene, recorded, not record["data_verified"])
        return self._known[key]

    def _find(self, scene: Scene, recorded: Optional[str], unverified: bool) -> Truth:
        if scene.access == "generated":
            return Truth(load_scene(scene.slug).ground_truth)
        if scene.ground_truth is None:
            return Truth(None, "The catalogue has no ground truth for this scene, so it is not drawn.")
        name = scene.ground_truth.name
        found = list(candidates(scene.ground_truth, self._folders))
        wanted = [file for file in found if file.sha256 == recorded] + [file for file in found if file.verified]
        file = next(iter(wanted or (found if unverified else [])), None)
        if file is None:
            state = "is not the file the run used" if found else "is in none of the data folders"
            return Truth(None, "%s %s, so the ground truth is not drawn." % (name, state))
        # all verified files hold the same labels
        same = file.sha256 == recorded or (file.verified and not unverified)
        remark = "" if same else "%s drawn here is not the file the run used." % name
        try:
            return Truth(_read(file, scene), remark)
        except SceneFormatError as error:
            return Truth(None, "%s cannot be used, so the ground truth is not drawn (%s)" % (name, error))


def _own_truth(path: Path, scene: Scene) -> Truth:
    beside = path.with_name(OWN_TRUTH)
    if path.name != "run.json" or not beside.is_file():
        return Truth(None, "The labels of an own scene are not kept with its record, so the ground truth is not drawn.")
    try:
        labels = read_npy(beside, (scene.height, scene.width))
    except ValueError as error:
        return Truth(None, "%s cannot be used, so the ground truth is not drawn (%s)." % (OWN_TRUTH, error))
    if labels.dtype != np.uint8 or labels.max() > scene.num_classes:
        return Truth(None, "%s holds no classes 0..%d, so it is not drawn." % (OWN_TRUTH, scene.num_classes))
    return Truth(labels)


def _recorded_hash(record: Dict[str, Any], scene: Scene) -> Optional[str]:
    name = scene.ground_truth.name if scene.ground_truth else None
    hashes: List[str] = [file["sha256"] for file in record["data"] if file["name"] == name]
    return hashes[0] if hashes else None


def _read(file: FileEvidence, scene: Scene) -> np.ndarray:
    assert scene.ground_truth is not None  # `file` is of it
    labels = read_array(scene.ground_truth, file, (scene.height, scene.width))
    if not np.isin(labels, np.arange(scene.num_classes + 1)).all():
        raise SceneFormatError("%s: expected whole labels 0..%d." % (file.path, scene.num_classes))
    return np.ascontiguousarray(labels, dtype=np.uint8)
