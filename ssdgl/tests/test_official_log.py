"""The arithmetic on the official log: which pixels entered the loss that it shows."""

import math

import pytest
from ssdgl_helpers import GOLDEN

from contracts.golden import read_golden
from ssdgl.loss import effective_number_weights

HOUSTON = [1251, 1254, 697, 1244, 1242, 325, 1268, 1244, 1252, 1227, 1235, 1233, 469, 428, 660]
LOG = {"pavia": 0.2379, "houston": 0.0497}  # loss of the first step in the official log
PADDED = {"pavia": 624 * 352, "houston": 352 * 1920}


def class_counts(scene):
    return read_golden(GOLDEN, "splits")["pavia_university"]["class_counts"] if scene == "pavia" else HOUSTON


def first_step_loss(scene, pixels_per_class):
    """Weighted loss of an untrained network, whose cross-entropy is ln K at every pixel, by the v2021 formula."""
    counts = class_counts(scene)
    weights = effective_number_weights(counts)
    taken = sum(min(pixels_per_class, n) * float(w) for n, w in zip(counts, weights))
    return math.log(len(counts)) * taken / PADDED[scene]


@pytest.mark.parametrize("scene, all_labels, sampled", [("pavia", 0.2293, 0.0009), ("houston", 0.0491, 0.0006)])
def test_the_logged_loss_is_that_of_all_labels(scene, all_labels, sampled):
    assert first_step_loss(scene, 10**9) == pytest.approx(all_labels, abs=5e-5)
    assert first_step_loss(scene, 10) == pytest.approx(sampled, abs=5e-5)
    # an untrained network is near ln K, never two orders of magnitude above it
    assert LOG[scene] == pytest.approx(all_labels, rel=0.05)
    assert LOG[scene] > 50 * first_step_loss(scene, 10)


def test_indian_pines_class_10_is_listed_with_927_pixels():
    from shared_data.configuration.overrides import load_config
    from ssdgl.config import CONFIGS

    listed = load_config(CONFIGS, "indianpines-v2021")["class_counts"]
    true = read_golden(GOLDEN, "splits")["indian_pines"]["class_counts"]
    assert [(a, b) for a, b in zip(listed, true) if a != b] == [(927, 972)]
