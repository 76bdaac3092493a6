"""The regularisers against golden numbers, against plain loops, and at their edges."""

import numpy as np
import pytest
import torch
from rssgl_helpers import GOLDEN, NETWORKS

from contracts.full_scene_golden import golden_inputs
from contracts.golden import read_golden
from rssgl.loss import REGULARISERS, effective_number_weights, improved_triplet_loss, sphere_loss, statistical_loss

NAMES = {
    "statistical_loss": "statistical",
    "improved_triplet_loss": "improved triplet",
    "sphere_loss": "sphere",
}


@pytest.mark.parametrize("network", sorted(NETWORKS))
@pytest.mark.parametrize("key", sorted(NAMES))
def test_golden_values(network, key):
    content = read_golden(GOLDEN, network)
    channels = content["config"]["in_channels"]
    _, y, w = golden_inputs(channels, content["config"]["num_classes"])
    features = np.random.RandomState(3).standard_normal((1, channels, 32, 48)).astype(np.float32)
    z = torch.from_numpy(features).permute(0, 2, 3, 1)[w > 0]
    assert float(REGULARISERS[NAMES[key]](z, y[w > 0])) == pytest.approx(content[key], rel=1e-4)


@pytest.mark.parametrize("key", sorted(NAMES))
def test_golden_values_and_gradients_of_a_small_separated_case(key):
    """Class c samples its first 4 + c pixels."""
    content = read_golden(GOLDEN, "rssgl_losses")
    channels, num_classes, height, width = (content["shape"][name] for name in "CKHW")
    y = np.random.RandomState(1).randint(0, num_classes + 1, (1, height, width))
    mean = np.random.RandomState(4).standard_normal((num_classes + 1, channels))
    noise = np.random.RandomState(3).standard_normal((1, channels, height, width))
    features = torch.from_numpy((0.6 * noise + np.moveaxis(mean[y], -1, 1)).astype(np.float32)).requires_grad_()
    sampled = np.zeros(y.size, bool)
    for label in range(1, num_classes + 1):
        sampled[np.flatnonzero(y.ravel() == label)[: 4 + label]] = True
    sampled = torch.from_numpy(sampled.reshape(y.shape))
    loss = REGULARISERS[NAMES[key]](features.permute(0, 2, 3, 1)[sampled], torch.from_numpy(y)[sampled])
    loss.backward()
    assert float(loss.detach()) == pytest.approx(content[key]["value"], rel=1e-4)
    assert float(features.grad.norm()) == pytest.approx(content[key]["grad_norm"], rel=1e-3)
    assert float(features.grad.sum()) == pytest.approx(content[key]["grad_sum"], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("name", sorted(NAMES.values()))
def test_gradients_by_finite_differences(name):
    torch.manual_seed(0)
    labels = torch.tensor([3, 1, 1, 2, 2, 3, 3, 2, 1, 1, 3, 2, 1])
    z = (torch.randn(13, 4, dtype=torch.float64) + labels[:, None]).requires_grad_()
    assert torch.autograd.gradcheck(REGULARISERS[name], (z, labels))


def test_statistical_loss_equals_the_formula_class_by_class():
    torch.manual_seed(0)
    z, labels = torch.randn(20, 6), torch.tensor([1, 2, 5, 9] * 5)
    groups = [z[labels == c] for c in (1, 2, 5, 9)]
    means = [group.mean(dim=0) for group in groups]
    variance = sum(((g - m) ** 2).sum() / (len(g) - 1) for g, m in zip(groups, means)) / 4
    diversity = sum((means[c] - means[d]).norm() for c in range(4) for d in range(c + 1, 4))
    assert float(statistical_loss(z, labels)) == pytest.approx(float(variance - 1e-3 * diversity), rel=1e-6)


def test_statistical_loss_is_stable_in_float32_for_five_pixels_far_from_the_origin():
    torch.manual_seed(0)
    labels = torch.arange(1, 4).repeat_interleave(5)
    z = 1e4 + torch.randn(15, 50)
    assert float(statistical_loss(z, labels)) == pytest.approx(float(statistical_loss(z.double(), labels)), rel=1e-4)


def test_one_pixel_of_a_class_has_no_variance_and_equal_means_no_distance():
    z = torch.tensor([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]], requires_grad=True)
    loss = statistical_loss(z, torch.tensor([1, 1, 2]))
    loss.backward()
    distance = torch.tensor([1.0, 1.0]).norm().item()
    assert float(loss.detach()) == pytest.approx(4.0 / 2 - 1e-3 * distance)
    assert bool(torch.isfinite(z.grad).all())
    same = torch.ones(3, 2, requires_grad=True)
    statistical_loss(same, torch.tensor([1, 2, 3])).backward()
    assert bool((same.grad == 0).all())


def test_triplet_needs_four_pixels_of_a_class_and_of_the_others():
    with pytest.raises(ValueError, match="needs 4 sampled pixels of every class and of all others, not 3"):
        improved_triplet_loss(torch.randn(8, 3), torch.tensor([1, 1, 1, 1, 1, 2, 2, 2]))
    with pytest.raises(ValueError, match="not 0"):
        improved_triplet_loss(torch.randn(5, 3), torch.ones(5, dtype=torch.long))


def test_sphere_needs_two_classes():
    with pytest.raises(ValueError, match="two classes"):
        sphere_loss(torch.randn(5, 3), torch.ones(5, dtype=torch.long))


def test_a_class_without_training_pixels_has_weight_0_and_leaves_the_others_as_they_are_alone():
    weights = effective_number_weights([20, 0, 72, 0, 5])
    assert weights.tolist()[1::2] == [0, 0]
    assert torch.equal(weights[[0, 2, 4]], effective_number_weights([20, 72, 5]))
    assert float(weights.sum()) == pytest.approx(3)
