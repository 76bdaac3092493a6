"""Training RSSGL, top to bottom: scene → labels → mini-batches → network with its loss → optimizer → weights.

The loop with its optimizer step is `simplecv.core.trainer.Launcher`, as in the release. After every epoch the scene is
predicted, and the weights with the best accuracy are kept; training ends early when it stops rising.
"""

from typing import Dict, Optional, Sequence

import numpy as np
import torch

from rssgl.cuda_graph import replay_if_asked
from rssgl.decisions import Decisions
from rssgl.evaluations import Evaluations, SelectedNetwork, accuracy
from rssgl.loss import FEWEST_PIXELS, REGULARISERS, effective_number_weights, weighted_cross_entropy
from rssgl.network import RSSGL
from rssgl.predict import predict_scene
from rssgl.preprocessing import preprocess, standardised
from rssgl.sampling import MinibatchStream
from rssgl.selection import BestWeights
from rssgl.torch_run import Steps, launched, prepare_device, seed_everything, weights_of
from shared_data.configuration.overrides import check_name
from shared_data.errors import SettingsError
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


class Trainable(SingleDevice):
    """The network with its loss, called by the launcher. The network is `.module`, as under DataParallel.

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


def fit(
    image: SceneImage, labels: Labels, configuration: Configuration, seed: int, run: Run, steps: Optional[int] = None
) -> Optional[SelectedNetwork]:
    """Train from the newest checkpoint in the run's folder; the weights with the best accuracy after an epoch are kept.

    None where a signal stopped it. steps: upper limit beside the configuration's. Raises: SealedError where the
    protocol selects on test labels that are not disclosed; SettingsError where a class has too few training pixels for
    the regulariser; SimpleCVError.
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

    # the labels whose accuracy chooses the weights; the loss gets those of training pixels alone
    judges, judging = labels.val, labels.val_pixels
    if decisions.selected_on == "test":
        truth = labels.open_truth(__name__, "early stopping and the choice of weights, as in the release")
        judges, judging = truth.labels, truth.test

    # mini-batches: the scene, the training labels, and which training pixels are sampled
    padded = pad_labels(labels.train, RSSGL.STRIDE)
    y = torch.from_numpy(padded)[None].to(device)
    per_class, images = config.minibatch.per_class or None, config.minibatch.images
    stream = MinibatchStream(x, y, padded > 0, per_class, images, seed)

    # the network with its loss
    seed_everything(seed)
    network = make_model(config["model"], strict=True).to(device)
    counts = np.bincount(labels.train.ravel(), minlength=model.num_classes + 1)[1:]
    _check_counts(counts, config.loss.regulariser, decisions, image.scene.class_names)
    class_weights = effective_number_weights(counts).to(device)
    trainable = Trainable(network, config.loss.regulariser, config.loss.weight, class_weights)

    # which step's weights are kept, and when training ends
    best = BestWeights(network, config.selection.patience)

    # the optimizer, whose rate the launcher sets after every step
    schedule = make_learningrate(config["learning_rate"])
    config["optimizer"]["params"]["lr"] = schedule.base_lr
    optimizer = make_optimizer(config["optimizer"], trainable.parameters())
    config.check_unread(strict=True, ignore=("train", "split"))

    folder, done = run.begin(), Steps(device)
    evaluations, judged = Evaluations(folder / "evaluations", image.shape), "%s_oa" % decisions.selected_on

    def judge() -> Dict[str, float]:
        prediction = predict_scene(network, x, *image.shape)
        evaluations.keep(done.count, prediction)
        value = accuracy(prediction, judges, judging)
        best.offer(done.count, value)
        return {judged: value}

    def after_epoch(launcher: Launcher, _epoch: int) -> None:
        numbers = judge()
        launcher.logger.eval_log(numbers, done.count)
        if best.exhausted:
            launcher.request_stop("no better %s in %d evaluations" % (judged, best.patience))
        done.history.add_entry(done.count, **dict(done.numbers(), **numbers))

    # training, from the newest checkpoint on
    prepare_device(device)
    replay_if_asked(network, "decode", x)
    with launched(run, folder, trainable, optimizer, schedule, done, total_steps, best=best) as launcher:
        launcher.add_epoch_callback(after_epoch)
        if not best.exhausted:
            launcher.train_by_config(stream, config["train"], strict=True)
    if launcher.stop_reason is not None and not best.exhausted:
        return None

    # evaluate the last step, if it was not the end of an epoch; then load the best weights
    last_weights = weights_of(network)
    if not done.history.entries or done.history.entries[-1]["step"] != done.count:
        done.history.add_entry(done.count, **judge())
    best.restore()
    selection = {
        "step": best.step,
        "on": "overall accuracy of %d %s pixels" % (judging.size, decisions.selected_on),
        "last_step": done.count,
    }
    state = {"step": best.step, "value": best.value, "since": best.since}
    report = Report(done.history, selection, state, last_weights)
    return SelectedNetwork(network, model, report, evaluations)


def _check_counts(counts: np.ndarray, regulariser: str, decisions: Decisions, names: Sequence[str]) -> None:
    """Raises: SettingsError for a class with training pixels, but fewer than the regulariser needs."""
    fewest = FEWEST_PIXELS.get(regulariser, 1)
    for name, count in zip(names, counts):
        if 0 < count < fewest:
            advice = "choose another regulariser, because the protocol gives the split"
            if decisions.split == "release":
                advice = "raise split.minimum or choose another regulariser"
            raise SettingsError(
                "loss.regulariser: '%s' expects at least %d training pixels of every class, found %d of class '%s'; %s."
                % (regulariser, fewest, count, name, advice)
            )
