"""Attention, MAMLF, scales and the loss against numpy; the whole network against stored numbers of the other stack."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy_oracle import convolve, sigmoid

from apdclnn.attention_loss import attend, loss
from apdclnn.mutual_attention import mamlf
from apdclnn.network import Structure, at_one_scale, build_network
from apdclnn.sspdcl import spectral_attention
from apdclnn.tf_stack import tf, tflearn
from contracts.golden import values_by_rule

GOLDEN = Path(__file__).parent / "golden" / "network.json"
STRUCTURE = Structure((2, 3), True, True, True, True)
CLASSES, SIDE, STEPS = 4, 7, 5

ABLATIONS = {
    "all": STRUCTURE,
    "without_complex": STRUCTURE._replace(complex=False),
    "without_deformable": STRUCTURE._replace(deformable=False),
    "without_gabor": STRUCTURE._replace(gabor=False),
    "without_attention_loss": STRUCTURE._replace(attention_loss=False),
}


@pytest.fixture
def random():
    return np.random.RandomState(0)


def normal(random, *shape):
    return random.standard_normal(shape).astype(np.float32)


def test_spectral_attention_weighs_the_steps(random, compute):
    states, w, b = normal(random, 3, 2, 4, 4, 6), normal(random, 6, 1), [0.3]
    found = compute(lambda x: spectral_attention(x, "a"), states, variables={"a/W": w, "a/b": b})
    scores = states.mean(axis=(2, 3)).dot(w)[..., 0] + b
    shares = np.exp(scores) / np.exp(scores).sum(axis=0)
    assert found == pytest.approx((states * shares[:, :, None, None, None]).sum(axis=0), abs=1e-5)


def test_mutual_attention(random, compute):
    deep, gabor = normal(random, 2, 4, 4, 3), normal(random, 2, 4, 4, 3)
    variables = {"m/%s/W" % name: normal(random, 1, 1, n, 3) for name, n in
                 (("of_gabor", 3), ("of_deep", 3), ("fused", 6))}  # fmt: skip
    variables["m/of_gabor/b"], variables["m/fused/b"] = normal(random, 3), normal(random, 3)
    found = compute(lambda d, g: mamlf(d, g, "m"), deep, gabor, variables=variables)
    d = deep + deep * sigmoid(convolve(gabor, variables["m/of_gabor/W"]) + variables["m/of_gabor/b"])
    g = gabor + gabor * sigmoid(convolve(deep, variables["m/of_deep/W"]))
    expected = convolve(np.concatenate([d, g], axis=-1), variables["m/fused/W"]) + variables["m/fused/b"]
    assert found == pytest.approx(expected, abs=1e-5)


def test_attention_adds_to_the_maps_what_class_maps_mix(random, compute):
    fused = normal(random, 2, 4, 4, 5)
    variables = {
        "attention_conv/W": 0.2 * normal(random, 3, 3, 5, 64), "attention_norm/gamma": np.ones(64),
        "class_maps/W": 0.2 * normal(random, 1, 1, 64, CLASSES), "class_maps/b": normal(random, CLASSES),
        "attention_map/W": normal(random, 1, 1, CLASSES, 1),
    }  # fmt: skip
    maps, auxiliary = compute(lambda x: tuple(attend(x, CLASSES)), fused, variables=variables)
    hidden = np.maximum(convolve(fused, variables["attention_conv/W"]) / np.sqrt(1 + 1e-5), 0)
    class_maps = convolve(hidden, variables["class_maps/W"]) + variables["class_maps/b"]
    attention = sigmoid(convolve(class_maps, variables["attention_map/W"]))
    assert maps == pytest.approx(fused * (1 + attention), abs=1e-4)
    assert auxiliary == pytest.approx(class_maps.mean(axis=(1, 2)), abs=1e-4)


def test_the_loss_is_the_main_one_and_half_the_auxiliary_one(random, compute):
    main, auxiliary, targets = normal(random, 6, CLASSES), normal(random, 6, CLASSES), np.arange(6) % CLASSES

    def cross_entropy(logits):
        probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return -np.log(probability[np.arange(6), targets]).mean()

    both = compute(lambda a, b: loss(a, b, tf.constant(targets)), main, auxiliary)
    assert both == pytest.approx(cross_entropy(main) + 0.5 * cross_entropy(auxiliary), rel=1e-5)
    alone = compute(lambda a: loss(a, None, tf.constant(targets)), main)
    assert alone == pytest.approx(cross_entropy(main), rel=1e-5)


def test_maps_of_all_scales_are_averaged_down_to_the_last(random, compute):
    first, second = normal(random, 1, 5, 5, 2), normal(random, 1, 2, 2, 3)
    found = compute(lambda a, b: at_one_scale([a, b]), first, second)
    means = first[:, :4, :4].reshape(1, 2, 2, 2, 2, 2).mean(axis=(2, 4))
    assert found == pytest.approx(np.concatenate([means, second], axis=-1), abs=1e-6)


def variables_by_rule():
    """The rule of the golden files on tflearn's names."""
    kinds = {"moving_variance": "running_var", "gamma": "weight", "moving_mean": "running_mean", "beta": "bias"}
    result = {}
    for variable in tf.global_variables():
        name = variable.op.name
        kind = name.rpartition("/")[2]
        if name != "is_training":
            shape = tuple(variable.get_shape().as_list())
            result[name] = values_by_rule(name + "." + kinds.get(kind, kind), shape)
    return result


def outputs(structure):
    """Names and shapes of the variables, logits, loss and norms of its gradients, for numbers by rule."""
    inputs = [np.random.RandomState(seed).standard_normal((3, SIDE, SIDE, STEPS)) for seed in (1, 2)]
    with tf.Graph().as_default(), tf.Session() as session:
        tflearn.config.init_training_mode()
        fed = [tf.placeholder(tf.float32, (None, SIDE, SIDE, STEPS)) for _ in inputs]
        logits = build_network(fed[0], fed[1] if structure.gabor else None, CLASSES, structure)
        total = loss(logits.main, logits.auxiliary, tf.constant([0, 1, 2]))
        gradients = dict(zip((v.op.name for v in tf.trainable_variables()),
                             tf.gradients(total, tf.trainable_variables())))  # fmt: skip
        session.run(tf.global_variables_initializer())
        tflearn.is_training(False, session=session)
        numbers = variables_by_rule()
        for variable in tf.global_variables():
            if variable.op.name in numbers:
                variable.load(numbers[variable.op.name], session)
        feed = dict(zip(fed, inputs))
        found, norms = session.run([[logits.main, total], {n: tf.norm(g) for n, g in gradients.items()}], feed)
        return {
            "shapes": {name: list(values.shape) for name, values in numbers.items()},
            "logits": found[0].tolist(),
            "loss": float(found[1]),
            "gradient_norms": {name: float(value) for name, value in norms.items()},
        }


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_both_stacks_give_the_same_numbers(name):
    """The file holds what the current stack gave; both stacks run this test."""
    stored, found = json.loads(GOLDEN.read_text())[name], outputs(ABLATIONS[name])
    assert found["shapes"] == stored["shapes"]
    assert np.array(found["logits"]) == pytest.approx(np.array(stored["logits"]), abs=1e-4)
    assert found["loss"] == pytest.approx(stored["loss"], rel=1e-4)
    assert found["gradient_norms"] == pytest.approx(stored["gradient_norms"], rel=1e-3, abs=1e-6)


def test_every_ablation_is_another_network():
    shapes = {name: set(numbers["shapes"]) for name, numbers in json.loads(GOLDEN.read_text()).items()}
    assert not any("_im" in name or name.startswith("imaginary") for name in shapes["without_complex"])
    assert not any("offsets" in name for name in shapes["without_deformable"])
    assert not any("gabor" in name or name.startswith("mamlf") for name in shapes["without_gabor"])
    assert not any("attention_" in name and "spectral" not in name for name in shapes["without_attention_loss"])
    for name in set(ABLATIONS) - {"all"}:
        assert shapes[name] < shapes["all"]


def test_a_patch_that_cannot_be_halved_is_refused():
    with tf.Graph().as_default():
        patches = tf.placeholder(tf.float32, (None, 3, 3, STEPS))
        with pytest.raises(ValueError, match="3 × 3 pixels cannot be halved 2 times"):
            build_network(patches, None, CLASSES, STRUCTURE._replace(widths=(2, 2, 2), gabor=False))
