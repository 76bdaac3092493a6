"""The separation of training and test under a partition, in numbers.

python -m da_imrn.partition_audit indianpines --seed 1 --protocol paper
"""

import argparse
import sys
from typing import Any, Dict, List, Optional

import numpy as np

from da_imrn import experiments
from da_imrn.partition import Partition, Rule, window_pixels
from da_imrn.patches import grid_corners, training_patches
from shared_data.cli.arguments import seed_number
from shared_data.cli.console import run_command
from shared_data.errors import settings_of
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import index_hash

# the meaning of each number of an audit, in the order of the report
MEANINGS = {
    "partition": "partition",
    "patches_placed": "kept training patches at the one place that fits",
    "patches_drawn": "kept training patches whose place was drawn among those that fit",
    "draws": "draws made",
    "accepted": "accepted by the rule",
    "train_pixels": "training pixels (of the count map)",
    "op_pixels": "op pixels, held out inside training windows (of the count map)",
    "val_pixels": "validation pixels",
    "test_pixels": "test pixels of the scene",
    "test_patches": "test patches of the grid",
    "test_pixels_that_train": "test pixels that are training labels of a window",
    "test_pixels_that_validate": "test pixels that are validation labels",
    "test_pixels_in_training_windows": "test pixels inside training windows",
    "op_pixels_that_train": "op pixels of any window that are training labels of another",
    "test_patches_with_training_context": "share of the test patches that contain pixels of training windows",
    "test_pixels_with_training_context": "share of the test pixels that lie in such patches",
    "training_share_of_test_patches": "mean share of training-window pixels in a test patch",
    "training_patches": "training patches, copies included",
    "training_pixels_used": "pixels whose labels these patches hold; every second is left out",
    "op_pixels_sha256": "SHA-256 of the op pixels' indices",
}


def audit(partition: Partition, rule: Rule) -> Dict[str, Any]:
    """The values named in `MEANINGS`; those on placed and drawn patches only where the partition was recovered.

    Only the places of labels are read from the partition, not their classes.
    """
    height, width = partition.train_map.shape
    in_window = np.zeros(height * width, bool)
    pixels = window_pixels(partition.corners, partition.labels.shape[1], width)
    in_window[pixels.ravel()] = True
    trains, held_out = np.zeros_like(in_window), np.zeros_like(in_window)
    trains[pixels[partition.labels > 0]] = True
    held_out[pixels[partition.op_labels > 0]] = True
    validates = partition.val_map.ravel() > 0
    tests = partition.test_labels.ravel() > 0
    tiles = window_pixels(grid_corners(height, width, rule.patch), rule.patch, width)
    tiles = tiles[tests[tiles].any(axis=(1, 2))]  # patches without a test label are skipped
    context = in_window[tiles].mean(axis=(1, 2)) if len(tiles) else np.zeros(0)
    tested = tests[tiles].sum(axis=(1, 2))
    train_count, val_count = partition.counts
    patches = training_patches(partition, rule.patch, np.random.RandomState(0))
    # the first of each pair is not flipped
    seen = window_pixels(patches.corners[::2], rule.patch, width)[patches.labels[::2] > 0]
    found = {
        "draws": partition.draws,
        "accepted": partition.accepted,
        "train_pixels": train_count,
        "op_pixels": int(np.count_nonzero(partition.op_map)),
        "val_pixels": val_count,
        "test_pixels": int(tests.sum()),
        "test_patches": len(tiles),
        "test_pixels_that_train": int((tests & trains).sum()),
        "test_pixels_that_validate": int((tests & validates).sum()),
        "test_pixels_in_training_windows": int((tests & in_window).sum()),
        "op_pixels_that_train": int((held_out & trains).sum()),
        "test_patches_with_training_context": _mean(context > 0),
        "test_pixels_with_training_context": float(tested[context > 0].sum() / max(tested.sum(), 1)),
        "training_share_of_test_patches": _mean(context),
        "training_patches": patches.size,
        "training_pixels_used": int(np.unique(seen).size),
        "op_pixels_sha256": index_hash(np.flatnonzero(partition.op_map)),
    }
    return {**partition.facts, **found}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _print(arguments: argparse.Namespace) -> int:
    config = experiments.load(arguments.experiment)
    loaded = load_scene(config["scene"], arguments.data, arguments.unverified)
    rule, _, _ = experiments.partition_rule(config, arguments.protocol)
    bands = loaded.scene.bands
    predata = experiments.find_predata(arguments.predata, config, arguments.protocol, bands, arguments.seed)
    with settings_of(arguments.experiment):
        partition = experiments.partition_for(config, arguments.protocol, loaded, arguments.seed, predata)
    print("%s, protocol %s, seed %d" % (arguments.experiment, arguments.protocol, arguments.seed))
    for name, value in audit(partition, rule).items():
        shown = "%.1f %%" % (100 * value) if type(value) is float else value
        print("  %-70s %s" % (MEANINGS[name], shown))
    return 0


def main(words: Optional[List[str]] = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="da_imrn.partition_audit", description=__doc__.splitlines()[0])
    parser.add_argument("experiment", help="configuration: %s" % ", ".join(experiments.names()))
    parser.add_argument("--protocol", choices=("released", "paper"), default="paper", help="default: paper")
    parser.add_argument("--seed", type=seed_number, default=1, help="default: 1")
    parser.add_argument("--data", help="data folder(s), separated like PATH")
    parser.add_argument("--unverified", action="store_true", help="accept scene files that are not the catalogue's")
    parser.add_argument("--predata", help="folder of the official predata; protocol released")
    arguments = parser.parse_args(words)
    return run_command(lambda: _print(arguments))


if __name__ == "__main__":
    sys.exit(main())
