"""Audit whether labels or spectra of test pixels influence a method: train on altered scenes, compare, report numbers.

    labels         trained again with the test labels permuted, are the weights the same?
    selection      with the same permutation, is the choice of the step whose weights are used the same?
    preprocessing  with the test spectra altered, are the training inputs the same?
    overlap        how many test pixels have a training pixel in their input, and what do both groups score?
    split          are the sets disjoint and labelled, and do they equal the official code's?

It needs no knowledge of the method beyond the functions it is given.
"""

from typing import Any, Callable, Optional

import numpy as np

from shared_data.audit.finding import FINISHED, Finding
from shared_data.audit.golden_splits import GoldenSplit, find_golden, load_golden
from shared_data.audit.inputs import InputsFn, ReceptiveFieldFn, overlap_finding, preprocessing_finding
from shared_data.audit.split import check_indices, split_finding
from shared_data.audit.tables import Audit, as_markdown, as_record, as_text
from shared_data.audit.training import Trained, training_findings
from shared_data.evaluation.weights import weights_sha256
from shared_data.records.audit_file import add_to_record, read_audit, write_audit
from shared_data.splits.draws import Split

__all__ = [
    "Audit",
    "Finding",
    "GoldenSplit",
    "Trained",
    "add_to_record",
    "as_markdown",
    "as_record",
    "as_text",
    "audit",
    "find_golden",
    "load_golden",
    "read_audit",
    "weights_sha256",
    "write_audit",
]

TrainFn = Callable[[np.ndarray, np.ndarray, Split], Trained]


def audit(
    train_fn: TrainFn,
    scene: Any,
    split: Split,
    inputs_fn: Optional[InputsFn] = None,
    receptive_field_fn: Optional[ReceptiveFieldFn] = None,
    prediction: Optional[np.ndarray] = None,
    golden: Optional[GoldenSplit] = None,
    seed: int = 0,
) -> Audit:
    """Audit a method on one split of a scene: two trainings, a third where they differ.

    train_fn(cube, ground_truth, split): trains from the same seed on exactly this split; a few steps are enough. It
        must use its arguments alone, and not draw the split anew.
    scene: a LoadedScene, or anything with cube (H, W, B), ground_truth (H, W) and scene.num_classes.
    inputs_fn(cube, split): (n, ...) what the network is given at the training pixels, surroundings left out.
    receptive_field_fn(mask): (H, W) bool, the pixels whose input, surroundings included, holds a pixel of the mask,
        (H, W) bool.
    prediction: (H, W) classes 1..K of a finished run; without it the accuracies are those of the audit's own short
        training.
    golden: the official split, as `find_golden` returns it. seed: of the permutations.
    The functions receive copies, so changes in place do not outlast the call.
    Raises: SplitError where the split does not fit the scene; ValueError where a function returns an array of the wrong
        shape, or no weights.
    """
    split = Split(*(np.asarray(part) for part in split))
    truth = scene.ground_truth
    check_indices(split, truth.size)
    # the items that need no training come first, so that errors in these functions show at once
    about_split = split_finding(split, truth, scene.scene.num_classes, golden)
    about_inputs = preprocessing_finding(inputs_fn, scene, split, seed)

    def train(ground_truth: np.ndarray) -> Trained:
        return train_fn(scene.cube.copy(order="K"), ground_truth.copy(), Split(*(part.copy() for part in split)))

    first = train(truth)
    labels, selection = training_findings(train, first, truth, split, seed)
    origin = FINISHED if prediction is not None else "audit's short training"
    shown = prediction if prediction is not None else first.prediction
    overlap = overlap_finding(receptive_field_fn, truth, split, shown, origin)
    return Audit((labels, selection, about_inputs, overlap, about_split))
