"""What a run of SSDGL adds to `full_scene.run`: its network with its loss, and which labels reach them."""

from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import torch

from full_scene import run
from full_scene.loss import effective_number_weights
from full_scene.run import FullSceneRun
from shared_data.audit import Audit
from shared_data.disjoint import common_split
from shared_data.paper_cli import Outcome, Request
from shared_data.scene import LoadedScene
from shared_data.splits import Split, draw_per_class, training_counts
from simplecv.core.config import AttrDict
from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher
from ssdgl import config as values
from ssdgl.decisions import Decisions, as_dict, decide
from ssdgl.loss import OBJECTIVES, evaluate_objective
from ssdgl.network import SSDGL

_HERE = Path(__file__).resolve().parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"  # installed, or a checkout


class Trainable(SingleDevice):
    """The network with its loss: what the trainer calls. The network is `.module`, as under DataParallel."""

    def __init__(self, network: SSDGL, loss: str, class_weights: torch.Tensor) -> None:
        super().__init__(network)
        self.objective = OBJECTIVES[loss]
        # not a buffer: official checkpoints do not hold it
        self.class_weights = class_weights

    def forward(self, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> Dict[str, torch.Tensor]:
        """Loss and accuracy on the sampled pixels of one mini-batch."""
        loss, logits = evaluate_objective(self.module, self.objective, x, y, w, self.class_weights)
        sampled = w > 0
        correct = logits.detach().argmax(dim=1)[sampled] + 1 == y[sampled]
        return {"cls_loss": loss, "sampled_accuracy": correct.float().mean()}


class SSDGLRun(FullSceneRun):
    """600 iterations, the last step's weights."""

    PAPER = "ssdgl"
    CONFIGS = CONFIGS
    check_config = staticmethod(values.check)

    @classmethod
    def draw_split(cls, config: AttrDict, loaded: LoadedScene, request: Request) -> Split:
        """The release's class-wise draw from the run's seed, or the split all papers share."""
        if cls.decisions_for(config, request).split == "disjoint":
            return common_split(loaded, request.seed)
        counts = training_counts(
            loaded.ground_truth, config.split.ratio, config.split.minimum, loaded.scene.class_names
        )
        return draw_per_class(loaded.ground_truth, counts, request.seed)

    @staticmethod
    def decisions_for(config: AttrDict, request: Request) -> Decisions:
        return decide(request.protocol, config.model.params.get("variant", "v2022"))

    def decide(self) -> Decisions:
        return self.decisions_for(self.config, self.request)

    def decisions_record(self) -> Dict[str, Any]:
        return as_dict(self.decisions)

    def visible_labels(self) -> np.ndarray:
        if self.decisions.training_labels == "train and test":
            return self.loaded.ground_truth
        return super().visible_labels()

    def _class_weights(self, labels: np.ndarray) -> torch.Tensor:
        """Effective-number weights of the label map that training sees, or of the counts the configuration lists."""
        num_classes = self.loaded.scene.num_classes
        counts = self.config.get("class_counts") or np.bincount(labels.ravel(), minlength=num_classes + 1)[1:]
        if self.decisions.class_counts == "none":
            return torch.ones(num_classes)
        return effective_number_weights(counts)

    def trainable(self, network: SSDGL, labels: np.ndarray) -> Trainable:
        return Trainable(network, self.decisions.loss, self._class_weights(labels).to(self.device))

    def after_epoch(self, step: int, launcher: Launcher) -> Dict[str, float]:
        """OA on the test pixels, which the release computes after every epoch; nothing is selected by it."""
        if self.decisions.accuracy_shown != "test":
            return {}
        test_oa = self.accuracy(self.predict(), self.split.test)
        launcher.logger.eval_log({"test_oa": test_oa}, step)
        return {"test_oa": test_oa}

    def selection(self) -> Dict[str, Any]:
        return {"step": self.total_steps, "on": "nothing: the last step's weights are kept"}


def reproduce(request: Request) -> Outcome:
    """Train, evaluate and record; see `full_scene.run.reproduce`."""
    return run.reproduce(SSDGLRun, request)


def audit(request: Request, kept_record: Optional[Path] = None) -> Audit:
    """Find out what reaches training; see `shared_data.audit.run`."""
    return run.audit(SSDGLRun, request, kept_record)


def predict(request: Request, weights: Path) -> Outcome:
    """Classify with stored weights; see `full_scene.run.predict`."""
    return run.predict(SSDGLRun, request, weights)
