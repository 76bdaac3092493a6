"""Classes of any pixels, and of the whole scene, in bounded memory."""

import numpy as np

from apdclnn.model import Model

BATCH = 128  # patches per batch; at 27×27 pixels and 20 steps the largest tensor of a batch has 0.5 GB


def predict_pixels(model: Model, pixels: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """Classes 1..K of flat C-order pixel indices, uint8, in their order."""
    classes = np.empty(len(pixels), np.uint8)
    for start in range(0, len(pixels), batch):
        classes[start : start + batch] = model.class_logits(pixels[start : start + batch]).argmax(axis=1) + 1
    return classes


def predict_scene(model: Model, height: int, width: int) -> np.ndarray:
    """Classes 1..K of every pixel, (H, W) uint8, labelled or not."""
    return predict_pixels(model, np.arange(height * width)).reshape(height, width)
