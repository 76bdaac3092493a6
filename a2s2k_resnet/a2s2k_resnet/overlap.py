"""The share of test pixels whose patch holds training pixels under a random split.

python -m a2s2k_resnet.overlap indianpines --seed 1331
"""

import argparse
import sys
from typing import List, NamedTuple, Optional

import numpy as np
from scipy.ndimage import maximum_filter

from a2s2k_resnet import experiments
from a2s2k_resnet.sampling import draw_split
from shared_data.cli.arguments import seed_number
from shared_data.cli.console import run_command
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import Split


class Overlap(NamedTuple):
    """Shares (0..1) of the test pixels whose patch holds a training pixel of any class, and of the test pixel's
    class."""

    any_class: float
    same_class: float


def overlap(split: Split, ground_truth: np.ndarray, side: int) -> Overlap:
    """Overlap of test patches of side × side pixels with the training pixels of a split.

    ground_truth: (H, W) labels. The patch around a pixel lies on zeros outside the scene.
    """
    truth = ground_truth.ravel()
    near_any = np.zeros(split.test.size, bool)
    near_own = np.zeros(split.test.size, bool)
    for label in np.unique(truth[split.train]):
        trains = np.zeros(truth.size, np.uint8)
        trains[split.train[truth[split.train] == label]] = 1
        reached = maximum_filter(trains.reshape(ground_truth.shape), size=side, mode="constant", cval=0)
        near = reached.ravel()[split.test] > 0
        near_any |= near
        near_own |= near & (truth[split.test] == label)
    return Overlap(float(near_any.mean()), float(near_own.mean()))


def _print(arguments: argparse.Namespace) -> int:
    config = experiments.load(arguments.experiment)
    loaded = load_scene(config["scene"], arguments.data, arguments.unverified)
    held_out, side = config["split"]["held_out"], config["patch"]["side"]
    split = draw_split(loaded.ground_truth, arguments.seed, held_out, loaded.scene.class_names)
    found = overlap(split, loaded.ground_truth, side)
    print(
        "%s, seed %d, patches of %d × %d: of %d test pixels %.2f %% have a training pixel in their patch, %.2f %% one "
        "of their own class" % (arguments.experiment, arguments.seed, side, side, split.test.size,
                                100 * found.any_class, 100 * found.same_class)
    )  # fmt: skip
    return 0


def main(words: Optional[List[str]] = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="a2s2k_resnet.overlap", description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="configuration: %s" % ", ".join(experiments.names()))
    parser.add_argument("--seed", type=seed_number, default=1331, help="default: %(default)d")
    parser.add_argument("--data", help="data folder(s), separated like PATH")
    parser.add_argument("--unverified", action="store_true", help="accept scene files that are not the catalogue's")
    arguments = parser.parse_args(words)
    return run_command(lambda: _print(arguments))


if __name__ == "__main__":
    sys.exit(main())
