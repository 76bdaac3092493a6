"""Agreement with the official networks: names, sizes, probabilities, losses, gradients."""

import copy

import pytest
import torch
from ssdgl_helpers import GOLDEN, VARIANTS, all_labelled_cross_entropy, golden_loss
from ssdgl_literal import LiteralSSDGL

from contracts.full_scene_golden import GoldenNetwork, check_gradient_norms, fill_by_rule, golden_inputs
from contracts.golden import read_golden
from ssdgl.decisions import decide
from ssdgl.loss import OBJECTIVES, effective_number_weights, evaluate_objective


class TestNetwork(GoldenNetwork):
    """Names, shapes and probabilities."""


def test_loss_and_gradient_norms_of_the_released_network(golden):
    name, content, _, network = golden
    loss = golden_loss(name, content, network)
    assert float(loss.detach()) == pytest.approx(content["loss"]["cls_loss"], rel=1e-4)

    loss.backward()
    check_gradient_norms(network, content["grad_norm"])


@pytest.mark.parametrize("protocol", ["released", "paper", "spatial-cv"])
def test_which_losses_change_with_labels_of_pixels_that_are_not_sampled(golden, protocol):
    """Only the release's first commit looks at them; v2022 as released and every other protocol does not."""
    name, content, _, network = golden
    x, y, w = golden_inputs(content["config"]["in_channels"], content["config"]["num_classes"])
    sampled_alone = y * w.to(torch.uint8)  # what the trainer that the release bundles leaves of the label map
    weights = effective_number_weights(read_golden(GOLDEN, "splits")["pavia_university"]["class_counts"])
    objective = OBJECTIVES[decide(protocol, VARIANTS[name][0]).loss]
    with torch.no_grad():
        given_all = float(evaluate_objective(network, objective, x, y, w, weights)[0])
        given_sampled = float(evaluate_objective(network, objective, x, sampled_alone, w, weights)[0])
    if name == "ssdgl2021" and protocol == "released":
        assert abs(given_all - given_sampled) > 0.1 * given_sampled
    else:
        assert given_all == pytest.approx(given_sampled, rel=1e-6)


def test_the_released_loss_of_a_masked_label_map_is_the_sampled_loss(golden):
    _, content, _, network = golden
    x, y, w = golden_inputs(content["config"]["in_channels"], content["config"]["num_classes"])
    sampled_alone = y * w.to(torch.uint8)
    with torch.no_grad():
        logits = network(x)
        released = float(all_labelled_cross_entropy(logits, sampled_alone, w))
        assert float(OBJECTIVES["sampled"].function(logits, y, w)) == pytest.approx(released, rel=1e-6)


def test_gradients_equal_the_literal_network_in_float64(golden):
    """Without float32 rounding no unit stands on a kink: the two implementations agree to ten digits."""
    name, content, _, network = golden
    config = content["config"]
    literal = LiteralSSDGL(
        config["in_channels"],
        config["num_classes"],
        config["block_channels"],
        config["inner_dim"],
        VARIANTS[name][0].replace("-", "_"),
        VARIANTS[name][1],
    )
    fill_by_rule(literal)
    x, y, _ = golden_inputs(config["in_channels"], config["num_classes"])
    x, target = x[..., :16, :16].double(), y[..., :16, :16].long().clamp(min=1) - 1
    torch.nn.functional.cross_entropy(network.double()(x), target).backward()
    literal.double()
    torch.nn.functional.cross_entropy(literal.cls_pred_conv(literal.features(x)), target).backward()
    reference = dict(literal.named_parameters())
    for key, parameter in network.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(parameter.grad, reference[key].grad, rtol=1e-9, atol=1e-11), key


@pytest.mark.parametrize("name", ["ssdgl_ip", "ssdgl_hos"])
def test_three_training_steps_equal_the_literal_network(name):
    from ssdgl.network import SSDGL

    variant = VARIANTS[name][0]
    sizes = {"in_channels": 24, "num_classes": 5, "block_channels": [32, 48, 64, 80], "inner_dim": 24}
    ours = SSDGL(dict(sizes, attention_ratio=2, variant=variant))
    literal = LiteralSSDGL(variant=variant.replace("-", "_"), attention_ratio=2, **sizes)
    fill_by_rule(ours)
    literal.load_state_dict(copy.deepcopy(ours.state_dict()))
    x, y, _ = golden_inputs(24, 5)
    target = y.long().clamp(min=1) - 1
    for network in (ours, literal):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
        for _ in range(3):
            optimizer.zero_grad()
            logits = network(x) if network is ours else network.cls_pred_conv(network.features(x))
            torch.nn.functional.cross_entropy(logits, target).backward()
            optimizer.step()
    for (key, mine), reference in zip(ours.state_dict().items(), literal.state_dict().values()):
        assert (mine - reference).abs().max() < 1e-5, key


def test_batches_of_several_scenes_equal_one_at_a_time():
    from ssdgl.network import SSDGL

    network = SSDGL({"in_channels": 20, "num_classes": 5, "block_channels": [32, 48, 64, 80], "inner_dim": 24,
                     "attention_ratio": 2})  # fmt: skip
    x = torch.randn(2, 20, 16, 32)
    with torch.no_grad():
        together = network(x)
        assert torch.allclose(together[1:], network(x[1:]), atol=1e-5)
        assert torch.allclose(together[:1], network(x[:1]), atol=1e-5)


def test_recurrence_gradients_by_finite_differences():
    from ssdgl.conv_lstm import ConvLSTMRecurrence

    torch.manual_seed(0)
    x = torch.randn(3, 2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    weight_x = (0.3 * torch.randn(12, 2, 3, 3, dtype=torch.float64)).requires_grad_()
    weight_h = (0.3 * torch.randn(12, 3, 3, 3, dtype=torch.float64)).requires_grad_()
    bias = torch.randn(12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ConvLSTMRecurrence.apply, (x, weight_x, weight_h, bias))


def test_sides_that_are_no_multiple_of_16_are_refused():
    from ssdgl.network import SSDGL

    with pytest.raises(ValueError, match="multiples of 16, not 145 × 145"):
        SSDGL({"in_channels": 4})(torch.zeros(1, 4, 145, 145))


def test_unknown_variant_is_refused():
    from ssdgl.network import SSDGL

    with pytest.raises(ValueError, match="unknown network variant 'v2030'; there are: v2022"):
        SSDGL({"variant": "v2030"})


def test_a_class_without_pixels_has_weight_0_and_leaves_the_others_as_they_are_alone():
    weights = effective_number_weights([20, 0, 72, 0, 5])
    assert weights.tolist()[1::2] == [0, 0]
    assert torch.equal(weights[[0, 2, 4]], effective_number_weights([20, 72, 5]))
    assert float(weights.sum()) == pytest.approx(3)
