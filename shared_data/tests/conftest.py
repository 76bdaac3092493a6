"""Fixtures shared by the tests: a tiny scene with the real layout, and the real data where a machine has them."""

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import numpy as np
import pytest
import scipy.io

from shared_data.scenes import catalogue
from shared_data.scenes.catalogue import Content, Scene, SceneFile

# the scikit-learn of DA-IMRN's own time does without it
collect_ignore = [] if importlib.util.find_spec("threadpoolctl") else ["test_baselines.py"]


class TinyScene(NamedTuple):
    """A catalogue entry named "tiny", the folder that holds its two files, and what lies in them."""

    scene: Scene
    folder: Path
    cube: np.ndarray
    ground_truth: np.ndarray

    def write(self, file: SceneFile, array: np.ndarray, folder: Optional[Path] = None) -> str:
        """Write other content under the name of one of the files; return its sha256."""
        return _write_mat((folder or self.folder) / file.name, file.key, array)


def _write_mat(path: Path, key: str, array: np.ndarray) -> str:
    scipy.io.savemat(str(path), {key: array}, do_compression=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def know(monkeypatch: Any) -> Callable[[Scene], None]:
    """A function that lets the catalogue know another scene for the duration of a test."""

    def add(scene: Scene) -> None:
        known = dict(catalogue.scenes())
        known[scene.slug] = scene
        monkeypatch.setattr(catalogue, "scenes", lambda: dict(known))

    return add


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: Any, know: Callable[[Scene], None]) -> TinyScene:
    """A scene of 6×5 pixels, 4 bands and 3 classes, known to the catalogue for the duration of a test."""
    monkeypatch.delenv("HSI_DATA", raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    random = np.random.RandomState(0)
    cube = random.randint(0, 9000, (6, 5, 4)).astype(np.uint16)
    ground_truth = random.randint(0, 4, (6, 5)).astype(np.uint8)
    files = []
    for name, key, array in (("Tiny.mat", "tiny", cube), ("Tiny_gt.mat", "tiny_gt", ground_truth)):
        files.append(SceneFile(name, key, _write_mat(folder / name, key, array), ("http://127.0.0.1:9/" + name,)))
    scene = Scene(
        slug="tiny",
        title="A tiny scene",
        height=6,
        width=5,
        bands=4,
        class_names=("Water", "Trees", "Roofs"),
        palette=("#0000ff", "#00ff00", "#ff0000"),
        labelled_pixels=int((ground_truth > 0).sum()),
        class_counts=None,
        cube=files[0],
        ground_truth=files[1],
        access="download",
        how_to_get="Run 'make data-tiny', or place the file there by hand.",
    )
    know(scene)
    return TinyScene(scene, folder, cube, ground_truth)


@pytest.fixture
def hashed(tiny: TinyScene, know: Callable[[Scene], None]) -> TinyScene:
    """The tiny scene, of which the catalogue knows the hashes of the values too."""
    files = []
    for file, array in ((tiny.scene.cube, tiny.cube), (tiny.scene.ground_truth, tiny.ground_truth)):
        written = array.astype(array.dtype.newbyteorder("<")).tobytes("C")
        content = Content(hashlib.sha256(written).hexdigest(), array.dtype.name, array.shape)
        files.append(file._replace(content=content))
    scene = tiny.scene._replace(cube=files[0], ground_truth=files[1])
    know(scene)
    return tiny._replace(scene=scene)


@pytest.fixture
def real_data() -> List[Path]:
    """The folders named by HSI_DATA; the test is skipped on a machine without real data."""
    if not os.environ.get("HSI_DATA"):
        pytest.skip("HSI_DATA names no folder with real scene files")
    return [Path(folder) for folder in os.environ["HSI_DATA"].split(os.pathsep)]


@pytest.fixture
def record() -> Dict[str, Any]:
    """A minimal valid run record: SSDGL on PaviaU, seed 1, two classes with two test pixels each."""
    pixels = {"size": 4, "sha256": "0" * 64, "per_class": [2, 2]}
    return {
        "schema_version": 1,
        "paper": "ssdgl",
        "experiment": "pavia-v2021",
        "scene": "pavia",
        "protocol": "released",
        "seed": 1,
        "status": "finished",
        "modified": [],
        "metrics": {"oa": 0.75, "aa": 0.75, "kappa": 0.5, "per_class": [0.5, 1.0], "confusion": [[1, 1], [0, 2]]},
        "selection": {"step": 10, "on": "last"},
        "split": {"train": pixels, "val": dict(pixels, size=0, per_class=[0, 0]), "test": pixels},
        "data": [{"name": "PaviaU.mat", "sha256": "a" * 64, "expected_sha256": "a" * 64, "verified": True}],
        "data_verified": True,
        "config": {"train": {"num_iters": 10}},
        "decisions": {"loss": "all_labelled"},
        "environment": {
            "framework": "PyTorch",
            "framework_version": "1.8.1",
            "python": "3.8.1",
            "system": "Linux",
            "cpu": "Some processor",
            "cores": 2,
            "gpu": None,
        },
        "times": {"train_s": 1.5, "step_s": 0.125, "evaluation_s": 0.25},
        "memory": {"peak_rss_mb": 100.0, "peak_gpu_mb": None},
        "revision": {"git": None, "dirty": None},
        "history": [{"step": 10, "loss": 0.5}],
        "finished_at": "2021-03-04T05:06:07Z",
    }
