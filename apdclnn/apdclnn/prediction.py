"""Classes of any pixels, and of the whole scene, in bounded memory."""

import numpy as np

from apdclnn.model import Model
from shared_data.runs.probabilities import of_logits
from shared_data.runs.progress import OpenProgress, silent

BATCH = 128  # patches per batch; at 27×27 pixels and 20 steps the largest tensor of a batch has 0.5 GB


def predict_pixels(model: Model, pixels: np.ndarray, batch: int = BATCH, progress: OpenProgress = silent) -> np.ndarray:
    """Classes 1..K of flat C-order pixel indices, uint8, in their order."""
    classes = np.empty(len(pixels), np.uint8)
    starts = range(0, len(pixels), batch)
    with progress(len(starts), "batch") as shown:
        for start in starts:
            classes[start : start + batch] = model.class_logits(pixels[start : start + batch]).argmax(axis=1) + 1
            shown.update()
    return classes


def scene_probabilities(model: Model, out: np.ndarray, batch: int = BATCH, progress: OpenProgress = silent) -> None:
    """Fill `out`, (H, W, K) float16, with the softmax of every pixel's logits, batch by batch."""
    values = out.reshape(-1, out.shape[-1])
    starts = range(0, len(values), batch)
    with progress(len(starts), "batch") as shown:
        for start in starts:
            part = values[start : start + batch]
            part[...] = of_logits(model.class_logits(np.arange(start, start + len(part))))
            shown.update()


def predict_scene(model: Model, height: int, width: int, progress: OpenProgress = silent) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8, labelled or not."""
    return predict_pixels(model, np.arange(height * width), progress=progress).reshape(height, width)
