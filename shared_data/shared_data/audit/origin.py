"""Why weights depend on labels: because they are learnt, because they choose, or because an order is drawn from them.

A method may shuffle the positions of all labelled pixels and keep those that train. Their order then depends on labels
that it never learns, and with the order the weights. Such a method is told from one that learns these labels by how
much changes: of learnt labels, a single one moves the weights a little and all of them move them far; an order is
another one altogether after any change.
"""

from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

from shared_data.audit.alterations import move_labels, redraw_labels
from shared_data.audit.trials import SELECTION, TRAINING, Trials

ORDER = "order"
_ALL, _SINGLE = 5, 6  # trainings with all labels, or one, altered
_SHORT = 40  # steps: in long trainings small differences grow
_ALIKE = 0.25
Alteration = Callable[[Trials, np.ndarray, int], np.ndarray]  # of flat pixels' labels, with a seed: other (H, W) labels
_FEWEST = 30  # pixels; of fewer, a single label that is learnt counts for much


def redraw(trials: Trials, pixels: np.ndarray, seed: int) -> np.ndarray:
    """The world's labels with those of flat `pixels` drawn anew."""
    return redraw_labels(trials.world.truth, pixels, trials.loaded.scene.num_classes, seed)


def move(trials: Trials, pixels: np.ndarray, seed: int) -> np.ndarray:
    """The same with those labels at valid pixels that have none."""
    free = trials.world.truth == 0
    if trials.loaded.valid is not None:
        free = free & trials.loaded.valid
    return move_labels(trials.world.truth, pixels, np.flatnonzero(free), seed)


def origin(
    trials: Trials, pixels: np.ndarray, steps: Optional[int] = None, alter: Alteration = redraw
) -> Tuple[str, str]:
    """TRAINING, SELECTION or ORDER for the labels of flat `pixels`, which are known to change the weights, and a clause
    of evidence. steps: upper limit.

    SELECTION: a method that chooses among few candidates ends with one of the same few weights again and again.
    """
    steps = min(steps or trials.base.steps, _SHORT)

    def weights(altered: np.ndarray, seed: int) -> Dict[str, np.ndarray]:
        world = trials.world._replace(truth=alter(trials, altered, seed))
        return trials.train(world, steps, predict=False).weights

    start = weights(pixels[:0], 0)
    every = [weights(pixels, seed) for seed in range(1, 1 + _ALL)]
    if all(distance(start, each) == 0 for each in every):
        return TRAINING, "they are used after step %d" % steps
    different = 1 + sum(
        all(distance(each, other) > 0 for other in [start] + every[:index]) for index, each in enumerate(every)
    )
    if different < 1 + len(every):
        return SELECTION, "%d trainings on other labels end in %d different weights" % (1 + len(every), different)
    chosen = np.random.RandomState(0).permutation(pixels)[:_SINGLE]
    single = [distance(start, weights(chosen[i : i + 1], 1 + i)) for i in range(len(chosen))]
    ratio = float(np.median(single) / np.median([distance(start, each) for each in every]))
    evidence = "a single other label moves the weights by %.2g of what all other labels do" % ratio
    is_order = len(pixels) >= _FEWEST and min(single) > 0 and ratio > _ALIKE
    return (ORDER if is_order else TRAINING), evidence


def distance(one: Dict[str, np.ndarray], other: Dict[str, np.ndarray]) -> float:
    """Mean over the arrays of the difference's norm, as a share of the norm; 1 for one of another name or shape."""
    shares: List[float] = []
    for name in set(one) | set(other):
        if name not in one or name not in other or np.shape(one[name]) != np.shape(other[name]):
            shares.append(1.0)
            continue
        before, after = (np.asarray(weights[name], np.float64) for weights in (one, other))
        gap, size = np.linalg.norm(before - after), np.linalg.norm(before)
        shares.append(float(gap / size) if size else float(gap > 0))
    return float(np.mean(shares))
