"""Do altered labels pull predictions towards them, or does only the order of the training examples change with them?

A method may shuffle the positions of all labelled pixels and keep those that train. Their order then depends on labels
that it never learns, and with the order the weights. Such a method is told from one that learns these labels by setting
all of them to one class, in turn for several classes: learnt labels raise the share of their own class among the
predictions; an order changes the shares without regard to it.
"""

import itertools
from typing import List, Optional, Tuple

import numpy as np

from shared_data.audit.alterations import redraw_labels, with_labels
from shared_data.audit.trials import SELECTION, TRAINING, Trials

ORDER = "order"
_MOST, _LEAST = 6, 4  # classes; with fewer the permutation test cannot reach the level
_LEVEL = {4: 0.05}  # of the permutation test, whose smallest p is 1/24 there
_USUAL_LEVEL = 0.01
_REDRAWN = 5  # further worlds


def origin(trials: Trials, pixels: np.ndarray, steps: Optional[int] = None) -> Tuple[str, str]:
    """Why the weights depend on the labels of flat `pixels`: TRAINING, SELECTION or ORDER, and a clause of evidence.

    SELECTION: a method that chooses among few candidates ends with one of the same few weights again and again. Where
    all labels are of one class, its choice has the largest share of this class.
    """
    truth, split = trials.world.truth, trials.draw.split
    num_classes = trials.loaded.scene.num_classes
    counts = np.bincount(truth.ravel()[split.train], minlength=num_classes + 1)[1:]
    classes = [int(label) + 1 for label in np.argsort(-counts, kind="stable") if counts[label]][:_MOST]
    truths = [with_labels(truth, pixels, label) for label in classes]
    truths += [redraw_labels(truth, pixels, num_classes, seed) for seed in range(1, 1 + _REDRAWN)]
    found = [trials.train(trials.world._replace(truth=each), steps) for each in truths]
    predicted = [trial.prediction.ravel()[pixels] for trial in found[: len(classes)]]
    shares = np.array([[np.mean(some == label) for label in classes] for some in predicted])
    different = len({trial.last for trial in found})
    if different < len(found) and np.all(np.diag(shares) == shares.max(axis=0)):
        return SELECTION, "%d trainings on other labels end in %d different weights" % (len(found), different)
    if len(classes) < _LEAST:
        return TRAINING, "there are too few classes to tell whether the order of training examples alone changes"
    chance = pull_by_chance(shares)
    pulled = chance <= _LEVEL.get(len(classes), _USUAL_LEVEL)
    evidence = "predictions of a class %s become more frequent where all of these labels are set to it (p = %.3f)"
    return (TRAINING if pulled else ORDER), evidence % ("do" if pulled else "do not", chance)


def pull_by_chance(shares: np.ndarray) -> float:
    """How often a random assignment of worlds to classes gives a class at least the share of the true one.

    shares: (W, W); [w, c] is the share of class c among the predictions where all labels are set to the class of world
    w. An exact permutation test.
    """
    size = len(shares)
    columns = np.arange(size)
    totals: List[float] = [float(shares[list(order), columns].sum()) for order in itertools.permutations(range(size))]
    return float(np.mean(np.array(totals) >= np.trace(shares) - 1e-12))
