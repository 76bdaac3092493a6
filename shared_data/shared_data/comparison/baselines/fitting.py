"""Fit a baseline: standardise, fit every candidate to the training pixels, keep the best."""

import time
from typing import Any, Dict, List, Optional

import numpy as np

from shared_data.comparison.baselines.classifiers import Parameters
from shared_data.comparison.baselines.fitted import FittedBaseline, inputs
from shared_data.comparison.baselines.selection import Criterion, Fit, by_cross_validation, on_validation
from shared_data.comparison.baselines.table import BASELINES
from shared_data.errors import SettingsError, SplitError
from shared_data.runs.history import History
from shared_data.runs.method import Report, Run
from shared_data.runs.model_file import ModelFile, describe_model
from shared_data.runs.request import Configuration
from shared_data.runs.signals import stop_on_signals
from shared_data.scenes.loading import SceneImage


def preprocess(slug: str, image: SceneImage, labels: Any, configuration: Configuration, _seed: int) -> ModelFile:
    """Mean and deviation of every feature over the training pixels; deviation 0 where a feature is constant there.

    Mean 0 and deviation 1 for features that are not standardised.
    Raises: SettingsError without labels.
    """
    if labels is None:
        raise SettingsError("%s: a scene without labels has no training pixels to standardise with." % slug)
    features = BASELINES[slug].features
    fitted = features.of(image, labels.train_pixels)
    mean, deviation = np.zeros(fitted.shape[1]), np.ones(fitted.shape[1])
    if features.standardised:
        # the deviation of a constant feature may be rounding noise instead of 0
        varies = fitted.min(axis=0) < fitted.max(axis=0)
        mean, deviation = fitted.mean(axis=0), np.where(varies, fitted.std(axis=0), 0)
    return describe_model(slug, configuration, image, labels, {"mean": mean, "deviation": deviation})


def fit(
    slug: str,
    image: SceneImage,
    labels: Any,
    configuration: Configuration,
    seed: int,
    run: Run,
    steps: Optional[int] = None,
) -> Optional[FittedBaseline]:
    """Fit every candidate to the training pixels; keep the one that does best by `selection`.

    steps: upper limit of candidates.
    Raises: SplitError where the training pixels are of fewer than two classes, or there is nothing to choose a
    candidate on; as `preprocess`.
    """
    classifier, settings = BASELINES[slug].classifier, configuration.settings
    candidates = [dict(candidate) for candidate in settings["candidates"]][:steps]
    classes = labels.train.ravel()[labels.train_pixels]
    if np.unique(classes).size < 2:
        raise SplitError("%s: the split needs training pixels of at least two classes." % image.scene.slug)
    model = preprocess(slug, image, labels, configuration, seed)
    features = inputs(model, image, labels.train_pixels)
    criterion = _criterion(model, image, labels, features, seed) if len(candidates) > 1 else None

    def with_parameters(parameters: Parameters) -> Fit:
        return lambda some, their_classes: classifier.fit(some, their_classes, parameters, seed)

    run.begin()
    reasons: List[str] = []
    history, accuracies = History(), []
    with stop_on_signals(reasons.append):
        for step, parameters in enumerate(candidates, start=1):
            begun = time.perf_counter()
            estimator = with_parameters(parameters)(features, classes)
            accuracies.append(criterion.accuracy(estimator, with_parameters(parameters)) if criterion else 0.0)
            history.add_step(time.perf_counter() - begun)
            history.add_entry(step, **parameters, **({criterion.name: accuracies[-1]} if criterion else {}))
            if accuracies[-1] > max(accuracies[:-1], default=-1.0):
                kept, chosen = step, estimator
            if reasons:
                return None
    fitted = FittedBaseline(model, features, classes, candidates[kept - 1], seed, chosen)
    fitted.report = _report(history, criterion, kept, classifier.weights(estimator, features, classes))
    return fitted


def _criterion(model: ModelFile, image: SceneImage, labels: Any, features: np.ndarray, seed: int) -> Criterion:
    """features: (n, F) of the training pixels. Raises: SplitError where there is nothing to choose on."""
    if labels.val_pixels.size:
        return on_validation(inputs(model, image, labels.val_pixels), labels.val.ravel()[labels.val_pixels])
    return by_cross_validation(features, labels.train.ravel()[labels.train_pixels], seed)


def _report(history: History, criterion: Optional[Criterion], kept: int, last: Dict[str, np.ndarray]) -> Report:
    """kept: number of the candidate in use. last: weights of the last candidate."""
    if criterion is None:
        return Report(history, {"step": kept, "on": "nothing: there is one candidate"}, None, last)
    accuracies = [entry[criterion.name] for entry in history.entries]
    selection = {"step": kept, "last_step": len(accuracies), "on": criterion.described}
    return Report(history, selection, {"kept": kept, criterion.name: accuracies}, last)
