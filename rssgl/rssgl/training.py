"""What a run of RSSGL adds to `full_scene.run`: its loss, the evaluation after every epoch, early stopping.

The prediction of every evaluation is kept as a file. So the accuracy on the test pixels can be told for every epoch,
and with it what selecting on the test pixels would have given, even where test labels are first read at the end.
"""

from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import torch

from full_scene import run
from full_scene.loss import effective_number_weights
from full_scene.run import FullSceneRun
from rssgl import config as values
from rssgl.decisions import Decisions, as_dict, decide
from rssgl.loss import REGULARISERS, weighted_cross_entropy
from rssgl.network import RSSGL
from rssgl.sampling import draw_split
from rssgl.selection import BestWeights
from shared_data.atomic import atomic_path
from shared_data.audit import Audit
from shared_data.configs import check_name
from shared_data.disjoint import common_split
from shared_data.errors import CheckpointError
from shared_data.metrics import evaluate
from shared_data.npz_file import read_npy
from shared_data.paper_cli import Outcome, Request
from shared_data.scene import LoadedScene
from shared_data.splits import Split
from simplecv.core.config import AttrDict
from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher

_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout


class Trainable(SingleDevice):
    """The network with its loss: what the trainer calls. The network is `.module`, as under DataParallel.

    regulariser: a key of `REGULARISERS`; weight: the paper's λ.
    """

    def __init__(self, network: RSSGL, regulariser: str, weight: float, class_weights: torch.Tensor) -> None:
        super().__init__(network)
        check_name("regulariser", regulariser, REGULARISERS)
        self.regulariser, self.weight = REGULARISERS[regulariser], weight
        # not a buffer: official checkpoints do not hold it
        self.class_weights = class_weights

    def forward(self, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> Dict[str, torch.Tensor]:
        """Losses and accuracy on the sampled pixels of one mini-batch."""
        sampled = w > 0
        logits, features = self.module.at_pixels(x, sampled)
        labels = y[sampled]
        correct = logits.detach().argmax(dim=1) + 1 == labels
        return {
            "cls_loss": weighted_cross_entropy(logits, labels, self.class_weights),
            "regularisation_loss": self.weight * self.regulariser(features, labels),
            "sampled_accuracy": correct.float().mean(),
        }


class RSSGLRun(FullSceneRun):
    """At most `train.num_iters` iterations; the weights with the best accuracy after an epoch are kept."""

    PAPER = "rssgl"
    CONFIGS = CONFIGS
    check_config = staticmethod(values.check)

    @classmethod
    def draw_split(cls, config: AttrDict, loaded: LoadedScene, request: Request) -> Split:
        """The release's draw, which is the same in every run: its seed is the configuration's, not the run's.

        Under the disjoint split that of the run's seed, which all papers share.
        """
        decisions = decide(request.protocol)
        if decisions.split == "disjoint":
            return common_split(loaded, request.seed)
        settings = config.split
        return draw_split(loaded, settings.ratio, settings.minimum, settings.seed, decisions.validation_share)

    def decide(self) -> Decisions:
        return decide(self.request.protocol)

    def decisions_record(self) -> Dict[str, Any]:
        return as_dict(self.decisions)

    def trainable(self, network: RSSGL, labels: np.ndarray) -> Trainable:
        counts = np.bincount(labels.ravel(), minlength=self.loaded.scene.num_classes + 1)[1:]
        weights = effective_number_weights(counts).to(self.device)
        self.best = BestWeights(network, self.config.selection.patience)
        return Trainable(network, self.config.loss.regulariser, self.config.loss.weight, weights)

    @property
    def judges(self) -> np.ndarray:
        """Flat indices of the pixels whose accuracy selects."""
        return {"test": self.split.test, "validation": self.split.val}[self.decisions.selected_on]

    def stored(self) -> Dict[str, Any]:
        return {"best": self.best}

    def selection_state(self) -> Dict[str, Any]:
        return {"step": self.best.step, "value": self.best.value, "since": self.best.since}

    def is_over(self) -> bool:
        return self.best.exhausted

    def train(self, folder: Path) -> bool:
        self.evaluations_folder = folder / "evaluations"
        ended = super().train(folder)
        if ended:
            self._judge_last_step()
        return ended

    def _judge_last_step(self) -> None:
        """Where the last step ends no epoch, it is evaluated now."""
        step = len(self.history.seconds)
        if not self.history.entries or self.history.entries[-1]["step"] != step:
            prediction = self.predict()
            self._keep_prediction(step, prediction)
            self.history.add_entry(step, **self._judge(step, prediction))

    def after_epoch(self, step: int, launcher: Launcher) -> Dict[str, float]:
        """Predict the scene, keep the prediction, and select on the pixels of the protocol."""
        prediction = self.predict()
        self._keep_prediction(step, prediction)
        numbers = self._judge(step, prediction)
        launcher.logger.eval_log(numbers, step)
        if self.best.exhausted:
            launcher.request_stop("no better %s in %d evaluations" % (next(iter(numbers)), self.best.patience))
        return numbers

    def _judge(self, step: int, prediction: np.ndarray) -> Dict[str, float]:
        accuracy = self.accuracy(prediction, self.judges)
        self.best.offer(step, accuracy)
        return {"%s_oa" % self.decisions.selected_on: accuracy}

    def _evaluation_path(self, step: int) -> Path:
        return self.evaluations_folder / ("step-%d.npy" % step)

    def _keep_prediction(self, step: int, prediction: np.ndarray) -> None:
        self.evaluations_folder.mkdir(exist_ok=True)
        with atomic_path(self._evaluation_path(step)) as temporary:
            np.save(temporary, prediction)

    def _kept_prediction(self, step: int) -> np.ndarray:
        path = self._evaluation_path(step)
        try:
            return read_npy(path, self.loaded.ground_truth.shape)
        except ValueError as error:
            raise CheckpointError(
                "%s cannot be read (%s); start over with FORCE=1 or --force." % (path, error)
            ) from error

    def extra_metrics(self) -> Dict[str, float]:
        """OA, AA and kappa of the last iterate; then the network takes the weights that were kept.

        The history gets the test accuracy of every evaluation.
        """
        for entry in self.history.entries:
            kept = self._kept_prediction(entry["step"])
            entry["test_oa"] = self.accuracy(kept, self.split.test)
        truth, test = self.loaded.ground_truth.ravel(), self.split.test
        last = evaluate(truth[test], kept.ravel()[test], self.loaded.scene.num_classes)
        self.best.restore()
        return {"oa_last": last.oa, "aa_last": last.aa, "kappa_last": last.kappa}

    def selection(self) -> Dict[str, Any]:
        return {
            "step": self.best.step,
            "on": "overall accuracy of %d %s pixels" % (self.judges.size, self.decisions.selected_on),
            "last_step": len(self.history.seconds),
        }


def reproduce(request: Request) -> Outcome:
    """Train, evaluate and record; see `full_scene.run.reproduce`."""
    return run.reproduce(RSSGLRun, request)


def audit(request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Find out what reaches training; see `shared_data.audit.run`."""
    return run.audit(RSSGLRun, request, kept_record)


def predict(request: Request, weights: Path) -> Outcome:
    """Classify with stored weights; see `full_scene.run.predict`."""
    return run.predict(RSSGLRun, request, weights)
