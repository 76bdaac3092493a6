"""Training SSDGL, top to bottom: scene → labels → mini-batches → network with its loss → optimizer → weights.

The loop with its optimizer step is `simplecv.core.trainer.Launcher`, as in the release.
"""

from typing import Any, Dict, Optional

import numpy as np
import torch

from shared_data.preprocessing.standardise import pad_labels
from shared_data.runs.allocator import keep_freed_memory
from shared_data.runs.method import Report, Run
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import SceneImage
from shared_data.splits.labels import Labels
from simplecv.core.config import AttrDict
from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher
from simplecv.module.model_builder import make_model
from simplecv.opt.learning_rate import make_learningrate
from simplecv.opt.optimizer import make_optimizer
from simplecv.util.device import select_device
from ssdgl.cuda_graph import replay_if_asked
from ssdgl.decisions import Decisions
from ssdgl.loss import OBJECTIVES, effective_number_weights, evaluate_objective
from ssdgl.network import SSDGL
from ssdgl.predict import TrainedNetwork, predict_scene
from ssdgl.preprocessing import preprocess, standardised
from ssdgl.sampling import MinibatchStream
from ssdgl.torch_run import Steps, launched, prepare_device, seed_everything, weights_of


class Trainable(SingleDevice):
    """The network with its loss, called by the launcher. The network is `.module`, as under DataParallel."""

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


def fit(
    image: SceneImage, labels: Labels, configuration: Configuration, seed: int, run: Run, steps: Optional[int] = None
) -> Optional[TrainedNetwork]:
    """Train from the newest checkpoint in the run's folder; the last step's weights are kept.

    None where a signal stopped it. steps: upper limit beside the configuration's. Raises: SealedError where the
    protocol needs test labels that are not disclosed; SimpleCVError.
    """
    keep_freed_memory()
    config, decisions = AttrDict.from_dict(configuration.settings), configuration.decisions
    if image.scene.slug != config.scene:
        raise ValueError("the configuration is for %s, the scene is %s" % (config.scene, image.scene.slug))
    if steps is not None:
        config.train.num_iters = min(config.train.num_iters, steps)
    total_steps, device = config.train.num_iters, select_device(run.device)

    # the scene as one image, standardised
    model = preprocess(image, labels, configuration, seed)
    x = torch.from_numpy(standardised(model, image))[None].to(device)

    # labels for the loss, and labels for the accuracy that is shown
    seen, shown = labels.train, None
    if decisions.training_labels == "train and test":
        reason = "the loss is taken over all labelled pixels, as in the first release"
        seen = labels.open_truth(__name__, reason).labels
    if decisions.accuracy_shown == "test":
        reason = "accuracy shown after every epoch, as in the release; nothing is chosen by it"
        shown = labels.open_truth(__name__, reason)

    # mini-batches: the scene, these labels, and which training pixels are sampled
    y = torch.from_numpy(pad_labels(seen, SSDGL.STRIDE))[None].to(device)
    training_pixels = pad_labels(labels.train, SSDGL.STRIDE) > 0
    per_class, images = config.minibatch.per_class or None, config.minibatch.images
    stream = MinibatchStream(x, y, training_pixels, per_class, images, seed)

    # the network with its loss
    seed_everything(seed)
    network = make_model(config["model"], strict=True).to(device)
    counts = config.get("class_counts") or np.bincount(seen.ravel(), minlength=model.num_classes + 1)[1:]
    trainable = Trainable(network, decisions.loss, _class_weights(decisions, counts).to(device))

    # the optimizer, whose rate the launcher sets after every step
    schedule = make_learningrate(config["learning_rate"])
    config["optimizer"]["params"]["lr"] = schedule.base_lr
    optimizer = make_optimizer(config["optimizer"], trainable.parameters())
    config.check_unread(strict=True, ignore=("train", "split"))

    done = Steps(device)

    def after_epoch(launcher: Launcher, _epoch: int) -> None:
        numbers = done.numbers()
        if shown is not None:
            correct = predict_scene(network, x, *image.shape).ravel()[shown.test] == shown.labels.ravel()[shown.test]
            numbers["test_oa"] = float(correct.mean())
            launcher.logger.eval_log({"test_oa": numbers["test_oa"]}, done.count)
        done.history.add_entry(done.count, **numbers)

    # training, from the newest checkpoint on
    folder = run.begin()
    prepare_device(device)
    replay_if_asked(network, "decode", x)
    with launched(run, folder, trainable, optimizer, schedule, done, total_steps) as launcher:
        launcher.add_epoch_callback(after_epoch)
        launcher.train_by_config(stream, config["train"], strict=True)
    if launcher.stop_reason is not None:
        return None

    # the last step's weights
    selection: Dict[str, Any] = {"step": total_steps, "on": "nothing: the last step's weights are kept"}
    return TrainedNetwork(network, model, Report(done.history, selection, None, weights_of(network)))


def _class_weights(decisions: Decisions, counts: Any) -> torch.Tensor:
    """(K) effective-number weights of the pixels per class; ones under protocols whose loss has no weights."""
    return torch.ones(len(counts)) if decisions.class_counts == "none" else effective_number_weights(counts)
