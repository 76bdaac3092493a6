"""Agreement with the official networks and with the literal ones: names, sizes, logits, losses, gradients."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from a2s2k_resnet_helpers import fill_by_rule, golden_patches, read_golden, read_outputs, without_dropout
from a2s2k_resnet_literal import literal_network

from a2s2k_resnet.network import HAVE_KERNELS, MODELS, build_network

NOISE = 1e-5  # golden gradient norms below this are rounding around an exact zero

# tolerances in training mode: logits (absolute), loss and gradient norms (relative). The two ResNets normalise 1×1
# maps over four patches, which magnifies rounding.
TRAINING = dict.fromkeys(MODELS, (1e-5, 1e-4, 1e-3))
TRAINING["resnet"] = (1e-2, 1e-3, 5e-2)
TRAINING["pyresnet"] = (1e-2, 1e-3, 1e-1)  # one gradient is 5.8e-2 away on an Intel processor with AVX-512

# modules of the selective kernel that cannot influence the output of the shared form
WITHOUT_GRADIENT = {"conv_se.0.weight", "conv_se.0.bias", "conv_ex.weight", "conv_ex.bias"}


@pytest.fixture(scope="module", params=sorted(MODELS))
def filled(request):
    """(model, golden JSON, golden outputs, our network filled by the rule); made once, not to be changed."""
    content = read_golden(request.param)
    network = build_network(request.param, content["bands"], content["classes"], content["patch"])
    return request.param, content, read_outputs(request.param), fill_by_rule(network)


@pytest.fixture
def golden(filled):
    """`filled` with a copy of the network that a test may train."""
    name, content, outputs, network = filled
    return name, content, outputs, copy.deepcopy(network)


def train_once(network, patches, labels):
    """Logits of one forward and backward pass in training mode without dropout, and the loss."""
    without_dropout(network).train()
    logits = network(patches)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    return logits.detach(), float(loss.detach())


def test_state_dict_has_the_official_names_shapes_and_order(golden):
    _, content, _, network = golden
    ours = [[name, list(tensor.shape)] for name, tensor in network.state_dict().items()]
    assert ours == content["state_dict"]
    assert sum(parameter.numel() for parameter in network.parameters()) == content["n_params"]


def test_logits(golden):
    _, content, outputs, network = golden
    with torch.no_grad():
        logits = network.eval()(golden_patches(content)[0]).numpy()
    assert np.abs(logits - outputs["logits"]).max() < 1e-5


def test_training_logits_loss_and_gradient_norms(golden):
    name, content, outputs, network = golden
    logits, loss = train_once(network, *golden_patches(content))
    on_logits, on_loss, on_gradients = TRAINING[name]
    assert np.abs(logits.numpy() - outputs["train_logits_dropout0"]).max() < on_logits
    assert loss == pytest.approx(content["train_loss_dropout0"], rel=on_loss)

    ours = {key: p.grad.norm().item() for key, p in network.named_parameters() if p.grad is not None}
    assert set(content["grad_norm"]) - set(ours) == (WITHOUT_GRADIENT if name == "a2s2k" else set())
    for key, norm in content["grad_norm"].items():
        if norm < NOISE:
            assert ours.get(key, 0) < NOISE, key
        else:
            assert ours[key] == pytest.approx(norm, rel=on_gradients), key


# odd and even bands, every patch side of the folded networks, maps of 1×1, 2×2 and more in the ResNets
CASES = [
    ("a2s2k", "shared", 7, 30), ("a2s2k", "shared", 9, 31), ("a2s2k", "per_branch", 11, 30), ("ssrn", "shared", 7, 31),
    ("ssrn", "shared", 9, 30), ("resnet", "shared", 9, 30), ("resnet", "shared", 17, 30),
    ("pyresnet", "shared", 13, 30), ("contextualnet", "shared", 9, 30), ("contextualnet", "shared", 5, 31),
]  # fmt: skip


@pytest.mark.parametrize("name, form, side, bands", CASES)
def test_outputs_gradients_and_running_statistics_equal_the_literal_network_in_float64(name, form, side, bands):
    """Without float32 rounding the folded networks and the literal ones agree to nine digits."""
    torch.manual_seed(0)
    ours = build_network(name, bands, 5, side, form).double()
    with torch.no_grad():
        for tensor in ours.state_dict().values():
            if tensor.dim() == 1:  # biases and everything of a BatchNorm: away from 0 and 1
                tensor.add_(0.1 * torch.rand_like(tensor))
    literal = literal_network(name, bands, 5, side, form).double()
    literal.load_state_dict(ours.state_dict())
    patches = torch.from_numpy(np.random.RandomState(3).standard_normal((4, side, side, bands)))
    labels = torch.arange(4)
    with torch.no_grad():
        assert torch.allclose(ours.eval()(patches), literal.eval()(patches), rtol=1e-9, atol=1e-11)
    logits, _ = train_once(ours, patches, labels)
    assert torch.allclose(logits, train_once(literal, patches, labels)[0], rtol=1e-9, atol=1e-11)
    mine = dict(ours.named_parameters())
    for key, parameter in literal.named_parameters():
        if parameter.grad is None:
            assert mine[key].grad is None, key
        elif mine[key].grad is None:
            assert key in WITHOUT_GRADIENT and parameter.grad.abs().max() < 1e-12, key
        else:
            scale = 1e-9 * float(parameter.grad.abs().max())
            assert torch.allclose(mine[key].grad, parameter.grad, rtol=1e-8, atol=max(scale, 1e-11)), key
    for (key, tensor), reference in zip(ours.state_dict().items(), literal.state_dict().values()):
        assert torch.allclose(tensor, reference, rtol=1e-9, atol=1e-12), key  # running statistics and counters too


@pytest.mark.parametrize("name", ["a2s2k", "ssrn", "contextualnet"])
def test_three_adam_steps_equal_the_literal_network(name):
    ours = without_dropout(fill_by_rule(build_network(name, 20, 5, 7))).double()
    literal = without_dropout(fill_by_rule(literal_network(name, 20, 5, 7))).double()
    patches = torch.from_numpy(np.random.RandomState(4).standard_normal((8, 7, 7, 20)))
    losses = []
    for network in (ours, literal):
        optimizer = torch.optim.Adam(network.train().parameters(), lr=1e-3)
        for step in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(network(patches + step), torch.arange(8) % 5)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    assert losses[:3] == pytest.approx(losses[3:], rel=1e-4)


def attention_of(form):
    network = build_network("a2s2k", 30, 5, 7, form).eval()
    with torch.no_grad():
        return network.attention(*network.branches(torch.randn(3, 7, 7, 30)))


def test_shared_attention_is_one_half_for_any_input_and_weights():
    for _ in range(3):
        assert torch.equal(attention_of("shared"), torch.full((3, 2, 24), 0.5))


def test_attention_per_branch_prefers_a_branch():
    weights = attention_of("per_branch")
    assert torch.allclose(weights.sum(dim=1), torch.ones(3, 24))
    assert (weights[:, 0] - weights[:, 1]).abs().max() > 0.01


def test_shared_blend_is_what_the_attention_gives():
    network = build_network("a2s2k", 30, 5, 7).eval()
    patches = torch.randn(3, 7, 7, 30)
    with torch.no_grad():
        x1, x3 = network.branches(patches)
        weights = network.attention(x1, x3)[..., None, None]
        assert torch.equal(network.select(patches), x1 * weights[:, 0] + x3 * weights[:, 1])


@pytest.mark.parametrize("relu", [False, True])
def test_batch_norm_is_accurate_where_the_mean_is_large(relu):
    """Channels-last float32 against PyTorch's own in float64."""
    from a2s2k_resnet.batch_norm import BatchNorm

    random = np.random.RandomState(5)
    values = torch.from_numpy(random.standard_normal((16, 24, 49, 40)) + 3)
    grad = torch.from_numpy(random.standard_normal(values.shape))
    reference = BatchNorm(24, relu=relu).double()
    ours = BatchNorm(24, relu=relu)
    x, y = values.clone().requires_grad_(), values.float().contiguous(memory_format=torch.channels_last)
    y.requires_grad_()
    reference(x).backward(grad)
    ours(y).backward(grad.float().contiguous(memory_format=torch.channels_last))
    assert (y.grad.double() - x.grad).norm() < 1e-6 * x.grad.norm()
    assert torch.allclose(ours.running_var.double(), reference.running_var, rtol=1e-6)
    assert torch.allclose(ours.running_mean.double(), reference.running_mean, rtol=1e-6)
    assert torch.allclose(ours.weight.grad.double(), reference.weight.grad, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("arguments, message", [
    (("a2s2k", 6, 5, 7), "A2S2K-ResNet needs at least 7 bands for its spectral kernels, not 6"),
    (("ssrn", 6, 5, 7), "SSRN needs at least 7 bands"),
    (("a2s2k", 30, 5, 5), "needs a patch side of 7, 9, 11, not 5"),
    (("ssrn", 30, 5, 13), "needs a patch side of 7, 9, 11, not 13"),
    (("resnet", 30, 5, 8), "the patch side must be odd, so that a pixel stands in the middle, not 8"),
    (("vgg", 30, 5, 9), "unknown model 'vgg'; there are: a2s2k, ssrn"),
    (("resnet", 30, 5, 9, "shared", 12), "only a2s2k and ssrn have a number of kernels to choose, not resnet"),
    (("a2s2k", 30, 5, 7, "both"), "unknown form 'both' of the selective kernel; there are: shared, per_branch"),
])  # fmt: skip
def test_sizes_and_names_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_network(*arguments)


def test_contextualnet_refuses_patches_of_another_side():
    with pytest.raises(ValueError, match="is for patches of side 9, not 7"):
        build_network("contextualnet", 10, 5, 9)(torch.zeros(2, 7, 7, 10))


@pytest.mark.parametrize("name", HAVE_KERNELS)
def test_another_number_of_kernels(name):
    network = build_network(name, 7, 3, 7, kernels=5)
    assert network.conv2.weight.shape[:2] == (128, 5)
    assert network(torch.randn(2, 7, 7, 7)).shape == (2, 3)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_smallest_scene_each_network_takes(name):
    network = build_network(name, 7, 3, 7).eval()
    assert network(torch.randn(2, 7, 7, 7)).shape == (2, 3)
