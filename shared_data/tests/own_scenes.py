"""Own scenes for tests: files with a description, as `python -m shared_data describe` writes them."""

import hashlib
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import scipy.io

CLASSES = ((3, "Corn"), (4, "Wheat"), (9, "Water"))  # labels in the file, and names


def random_scene(height: int = 40, width: int = 30, bands: int = 6, seed: int = 0) -> Any:
    """A cube (H, W, B) int16 and labels (H, W) of `CLASSES`, 0 and 255: stripes of rows whose spectra differ."""
    random = np.random.RandomState(seed)
    classes = np.arange(height) * len(CLASSES) // height
    labels = np.array([label for label, _ in CLASSES])[classes][:, None].repeat(width, axis=1)
    spectra = 1000 + 500 * np.sin(np.arange(bands) + 2 * classes[:, None])
    cube = (spectra[:, None] + random.normal(0, 40, (height, width, bands))).astype(np.int16)
    labels[random.random_sample(labels.shape) < 0.1] = 0
    labels[0, :3] = 255
    return cube, labels


def write_scene(
    folder: Path,
    cube: np.ndarray,
    labels: Optional[np.ndarray] = None,
    name: str = "my-plot",
    suffix: str = ".npy",
    classes: Sequence[Any] = CLASSES,
    colours: Sequence[str] = (),
    head: str = "",
    tail: str = "",
) -> Path:
    """Write the files and their description; its path. head: further keys of the top level. tail: further tables."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ['name = "%s"' % name, 'title = "Plot %s"' % name]
    lines += ["%s = %d" % pair for pair in zip(("height", "width", "bands"), cube.shape)] + [head]
    for table, array in (("cube", cube), ("ground_truth", labels)):
        if array is not None:
            lines += ["[%s]" % table] + _write_array(folder, name + "-" + table + suffix, array)
    if labels is not None:
        lines += ["[labels]", "unlabelled = [0, 255]"]
        for number, (label, title) in enumerate(classes):
            lines += ["[[classes]]", "label = %d" % label, 'name = "%s"' % title]
            lines += ["pixels = %d" % (labels == label).sum()]
            lines += ['colour = "%s"' % colours[number]] if colours else []
    path = folder / (name + ".toml")
    path.write_text("\n".join(lines + [tail]), encoding="utf-8")
    return path


def _write_array(folder: Path, file: str, array: np.ndarray) -> List[str]:
    """The lines of a table."""
    lines = ['file = "%s"' % file]
    if file.endswith(".npy"):
        np.save(str(folder / file), array)
    else:
        scipy.io.savemat(str(folder / file), {"data": array}, do_compression=True)
        lines.append('key = "data"')
    values = array.astype(array.dtype.newbyteorder("<")).tobytes("C")
    return lines + [
        'dtype = "%s"' % array.dtype.name,
        'content_sha256 = "%s"' % hashlib.sha256(values).hexdigest(),
    ]


def numbered(labels: np.ndarray, classes: Sequence[Any] = CLASSES) -> np.ndarray:
    """The class numbers 1..K that a scene with these labels must have, 0 elsewhere."""
    numbers: Dict[int, int] = {label: number for number, (label, _) in enumerate(classes, start=1)}
    return np.vectorize(lambda label: numbers.get(label, 0))(labels).astype(np.uint8)
