"""The evaluations of a run: each prediction is stored in a file and scored on the test pixels after training.

This gives the test accuracy of every epoch, and the result that selection on the test pixels would have had, although
test labels are read only after training.
"""

from pathlib import Path
from typing import Tuple

import numpy as np
from torch import nn

from rssgl.predict import TrainedNetwork
from shared_data.errors import CheckpointError
from shared_data.evaluation.metrics import evaluate
from shared_data.files.atomic import atomic_path
from shared_data.files.npz import read_npy
from shared_data.runs.method import Further, Report
from shared_data.runs.model_file import ModelFile
from shared_data.scenes.loading import SceneImage
from shared_data.splits.labels import Truth


def accuracy(prediction: np.ndarray, labels: np.ndarray, pixels: np.ndarray) -> float:
    """Overall accuracy of a (H, W) prediction on flat pixel indices of a (H, W) label map."""
    return float((prediction.ravel()[pixels] == labels.ravel()[pixels]).mean())


class Evaluations:
    """(H, W) uint8 predictions by step, in files `step-<n>.npy` of a folder that may not exist yet."""

    def __init__(self, folder: Path, shape: Tuple[int, int]) -> None:
        self._folder, self._shape = folder, shape

    def keep(self, step: int, prediction: np.ndarray) -> None:
        """Write the prediction of a step. Raises: OSError."""
        self._folder.mkdir(exist_ok=True)
        with atomic_path(self._path(step)) as temporary:
            np.save(temporary, prediction)

    def kept(self, step: int) -> np.ndarray:
        """The prediction of a step. Raises: CheckpointError where its file cannot be read."""
        path = self._path(step)
        try:
            return read_npy(path, self._shape)
        except ValueError as error:
            raise CheckpointError(
                "%s cannot be read (%s); start over with FORCE=1 or --force." % (path, error)
            ) from error

    def _path(self, step: int) -> Path:
        return self._folder / ("step-%d.npy" % step)


class SelectedNetwork(TrainedNetwork):
    """A network with the weights of its best evaluation. evaluations: of its training."""

    report: Report

    def __init__(self, network: nn.Module, model: ModelFile, report: Report, evaluations: Evaluations) -> None:
        super().__init__(network, model, report)
        self._evaluations = evaluations

    def report_further(self, _image: SceneImage, truth: Truth, _prediction: np.ndarray) -> Further:
        """OA, AA and kappa of the last step's weights; the history gets the test accuracy of every evaluation.

        Raises: CheckpointError where a kept prediction cannot be read.
        """
        for entry in self.report.history.entries:
            last = self._evaluations.kept(entry["step"])
            entry["test_oa"] = accuracy(last, truth.labels, truth.test)
        labels = truth.labels.ravel()[truth.test]
        metrics = evaluate(labels, last.ravel()[truth.test], self.model.num_classes)
        return Further({"oa_last": metrics.oa, "aa_last": metrics.aa, "kappa_last": metrics.kappa})
