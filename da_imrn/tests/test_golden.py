"""Agreement with the official networks and with the literal ones, in whichever of the two stacks runs this."""

from pathlib import Path

import da_imrn_literal as literal
import da_imrn_plain as plain
import numpy as np
import pytest
from network_fixtures import SCENES, SMALL, fill_by_rule, listed_weights, oracle_weights, small_network

from contracts.golden import read_golden
from da_imrn.attention import sam, scam
from da_imrn.blocks import Every, spatial_block, spectral_block
from da_imrn.keras_stack import keras
from da_imrn.loss import focal_loss
from da_imrn.network import Structure, build_network
from da_imrn.norm import BandNorm
from da_imrn.optimizer import build_optimizer

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module", params=sorted(SCENES))
def filled(request):
    """(sizes, golden JSON, official probabilities, our network filled by the rule)."""
    keras.backend.clear_session()
    name = "da_imrn_" + request.param
    with np.load(str(GOLDEN / (name + ".npz"))) as stored:
        probability = stored["probability"]
    sizes = SCENES[request.param]
    return sizes, read_golden(GOLDEN, name), probability, fill_by_rule(sizes.build())


def test_weights_have_the_official_order_kinds_and_shapes(filled):
    _, content, _, network = filled
    assert listed_weights(network) == content["weights"]
    assert network.count_params() == content["n_params"]
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == content["trainable"]


def test_probabilities_and_focal_loss(filled):
    sizes, content, official, network = filled
    side, classes = sizes.patch, sizes.classes
    patches = np.random.RandomState(0).standard_normal((2, side, side, sizes.bands, 1)).astype(np.float32)
    probability = network.predict(patches)
    assert probability.shape == (2, side, side, 1, classes)
    assert np.abs(probability - official).max() < 1e-5

    labels = np.random.RandomState(1).randint(0, classes + 1, (2, side, side, 1))
    targets = np.eye(classes + 1, dtype=np.float32)[labels][..., 1:]
    constant = keras.backend.constant
    loss = keras.backend.eval(focal_loss(constant(targets), constant(probability)))
    assert loss == pytest.approx(content["focal_loss"], rel=1e-4)


@pytest.fixture
def fresh_graph():
    """TensorFlow 1.15 has one graph for all models, and every new question to it takes longer the larger it is."""
    keras.backend.clear_session()
    yield
    keras.backend.clear_session()


def random_patches(*shape):
    return np.random.RandomState(3).standard_normal(shape).astype(np.float32)


def check_against_oracle(ours, patches, oracle):
    """`oracle` takes float64 patches and the weights of our model, and has to use all of these."""
    fill_by_rule(ours)
    weights = oracle_weights(ours)
    expected = oracle(patches.astype(np.float64), weights)
    assert weights.all_used()
    found = ours.predict(patches)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


# what a part makes of its input, and the equation of it; a stage reads every second band of it, and so may the next one
PARTS = {
    "scam": (lambda x: scam(x, Every(2)(x)), lambda x, weights: literal.scam(x, weights)[:, :, :, ::2]),
    "sam": (sam, literal.sam),
    "spectral": (
        lambda x: spectral_block(Every(2)(x), 5, 6, 3),
        lambda x, weights: literal.block(x, weights, literal.SPECTRAL, 2),
    ),
    "spectral, every second band of a deep convolution": (
        lambda x: spectral_block(x, 5, 6, 2, every=2),
        lambda x, weights: literal.block(x, weights, literal.SPECTRAL, 1)[:, :, :, ::2],
    ),
    "spectral, every third band of a flat convolution": (
        lambda x: spectral_block(x, 5, 6, 1, every=3),
        lambda x, weights: literal.block(x, weights, literal.SPECTRAL, 1)[:, :, :, ::3],
    ),
    "spatial": (
        lambda x: spatial_block(Every(2)(x), 5, 6, 3, "three_kernels"),
        lambda x, weights: literal.block(x, weights, literal.SPATIAL["three_kernels"], 2),
    ),
    "pointwise": (
        lambda x: spatial_block(Every(2)(x), 5, 6, 3, "pointwise"),
        lambda x, weights: literal.block(x, weights, literal.SPATIAL["pointwise"], 2),
    ),
}


@pytest.mark.usefixtures("fresh_graph")
@pytest.mark.parametrize("side, bands", [(4, 11), (6, 10), (2, 8)])
@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_equals_its_equation(part, side, bands):
    ours, equation = PARTS[part]
    x = keras.layers.Input((side, side, bands, 7))
    check_against_oracle(keras.models.Model(x, ours(x)), random_patches(3, side, side, bands, 7), equation)


@pytest.mark.usefixtures("fresh_graph")
@pytest.mark.parametrize("form", ["three_kernels", "pointwise"])
def test_the_small_network_equals_the_equations(form):
    check_against_oracle(
        small_network(form),
        random_patches(2, 4, 4, 64, 1),
        lambda x, weights: literal.network(x, weights, SMALL.strides, form),
    )


@pytest.mark.usefixtures("fresh_graph")
def test_head_drops_bands_beyond_the_third():
    """In a network of one stage five bands remain of 20: the pooling takes the first three."""
    strides = (4,)
    structure = Structure(strides, (1,), "pointwise")
    check_against_oracle(
        build_network(2, 20, 3, structure),
        random_patches(2, 2, 2, 20, 1),
        lambda x, weights: literal.network(x, weights, strides, "pointwise"),
    )


@pytest.mark.usefixtures("fresh_graph")
def test_pointwise_pixels_do_not_see_their_neighbours_outside_attention():
    x = keras.layers.Input((4, 4, 9, 2))
    patches = random_patches(1, 4, 4, 9, 2)
    changed = patches.copy()
    changed[0, 0, 0] += 1
    for form, reached in (("pointwise", 1), ("three_kernels", 16)):
        model = fill_by_rule(keras.models.Model(x, spatial_block(x, 4, 4, 1, form)))
        differs = np.abs(model.predict(changed) - model.predict(patches)).max(axis=(0, 3, 4)) > 0
        assert differs.sum() == reached


@pytest.mark.usefixtures("fresh_graph")
@pytest.mark.parametrize("every", [1, 2])
def test_batch_norm_keeps_statistics_of_the_bands_it_computes(every):
    """After one step their moving statistics are a hundredth of those of the batch; the others' are as before."""
    x = keras.layers.Input((4, 4, 5, 2))
    model = fill_by_rule(keras.models.Model(x, BandNorm(5, every)(Every(every)(x))))
    norm = model.layers[-1]
    gamma, beta, mean, variance = norm.get_weights()
    assert gamma.shape == beta.shape == mean.shape == variance.shape == (5,)

    patches = random_patches(16, 4, 4, 5, 2)
    computed = np.arange(5) % every == 0
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.train_on_batch(patches, np.zeros((16, 4, 4, int(computed.sum()), 2), np.float32))
    _, _, mean_after, variance_after = norm.get_weights()
    over_all_but_bands = (0, 1, 2, 4)
    moved_mean = 0.99 * mean + 0.01 * patches.mean(axis=over_all_but_bands)
    moved_variance = 0.99 * variance + 0.01 * patches.var(axis=over_all_but_bands) * 512 / 511
    assert mean_after == pytest.approx(np.where(computed, moved_mean, mean), rel=1e-5)
    assert variance_after == pytest.approx(np.where(computed, moved_variance, variance), rel=1e-5)


@pytest.mark.usefixtures("fresh_graph")
def test_gradients_through_batch_norm_are_differences_of_the_loss():
    """A step of rate 1 subtracts the gradients: of γ and β, and through the maps of the convolution before."""
    x = keras.layers.Input((2, 2, 5, 3))
    maps = keras.layers.Conv3D(4, (1, 1, 1))(x)
    model = fill_by_rule(keras.models.Model(x, BandNorm(5, 2)(Every(2)(maps))))
    patches, targets = random_patches(6, 2, 2, 5, 3), random_patches(6, 2, 2, 3, 4)[::-1]
    before = [weight.astype(np.float64) for weight in model.get_weights()[:4]]

    def loss(weights):
        kernel, bias, gamma, beta = weights
        maps = (patches @ kernel[0, 0, 0] + bias)[:, :, :, ::2]
        mean, variance = (f(maps, axis=(0, 1, 2, 4))[:, None] for f in (np.mean, np.var))
        normed = gamma[::2, None] * (maps - mean) / np.sqrt(variance + 1e-6) + beta[::2, None]
        return np.mean((normed - targets) ** 2)

    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(patches, targets)
    for number, after in enumerate(model.get_weights()[:4]):
        expected = np.zeros_like(before[number])
        for place in np.ndindex(*expected.shape):
            sides = [[weight.copy() for weight in before] for _ in range(2)]
            for weights, change in zip(sides, (1e-5, -1e-5)):
                weights[number][place] += change
            expected[place] = (loss(sides[0]) - loss(sides[1])) / 2e-5
        assert before[number] - after == pytest.approx(expected, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    "patch, bands, changes, sentence",
    [
        (5, 64, {}, "patch side must be even"),
        (0, 64, {}, "patch side must be even"),
        (4, 64, {"spatial_block": "two_kernels"}, "unknown spatial block 'two_kernels'; there are: three_kernels, po"),
        (4, 5, {}, "5 bands are too few: stage 2 has 1 bands for a kernel over 2"),
        (4, 45, {}, "45 bands are too few: 2 remain after the last stage, and the head averages 3"),
        (4, 64, {"strides": (2, 2, 2, 1, 1, 1)}, "64 bands are too many: 7 remain"),
        (4, 64, {"strides": (4, 4)}, "one stride and one band kernel per stage, not 2 and 6"),
        (4, 64, {"strides": (), "band_kernels": ()}, "not 0 and 0, for one to 6 stages"),
    ],
)
def test_sizes_that_do_not_fit(patch, bands, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_network(patch, bands, 5, SMALL._replace(**changes))


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_graph")
def test_training_steps_are_those_of_plain_layers():
    """Losses of five steps from the same weights."""
    structure = Structure((2, 2), (1, 2), "three_kernels")
    patches = random_patches(8, 4, 4, 17, 1)
    targets = np.eye(5, dtype=np.float32)[np.random.RandomState(2).randint(0, 5, (8, 4, 4, 1))]
    losses, weights = [], None
    for build, nadam in ((plain.build_network, plain.build_nadam), (build_network, build_optimizer)):
        model = build(4, 17, 5, structure)
        weights = fill_by_rule(model).get_weights() if weights is None else weights
        model.set_weights(weights)
        model.compile(nadam(0.001), focal_loss)
        losses.append([float(model.train_on_batch(patches, targets)) for _ in range(5)])
    assert losses[0][4] < 0.9 * losses[0][0]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
