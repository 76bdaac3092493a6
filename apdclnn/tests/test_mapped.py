"""A memory-mapped scene trains and predicts as the same scene in memory."""

import numpy as np
import pytest
from apdclnn_helpers import given

from apdclnn import gabor_features, preprocessing
from apdclnn.method import METHOD
from apdclnn.patches import PatchTable
from apdclnn.predict import network_of
from apdclnn.preprocessing import preprocessing_of, scaled
from apdclnn.tf_stack import tf
from contracts.scale import mapped_copy
from shared_data.scenes.loading import load_scene
from shared_data.scenes.mapped import is_mapped

PIXELS = np.linspace(0, 128 * 96 - 1, 200).astype(np.int64)  # corners among them


def mapped(array, folder):
    np.save(str(folder / "array.npy"), array)
    return np.load(str(folder / "array.npy"), mmap_mode="r")


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
@pytest.mark.parametrize("fitted", [None, np.arange(30)])
def test_a_mapped_cube_is_scaled_to_the_same_bits(tmp_path, dtype, fitted):
    cube = (np.random.RandomState(0).rand(20, 15, 4) * 9000).astype(dtype)
    found = scaled(mapped(cube, tmp_path), fitted)
    assert is_mapped(found) and found.dtype == np.float32
    assert np.array_equal(found, scaled(cube, fitted))


def test_patches_are_fed_in_the_place_of_the_look_up(tmp_path):
    """Fresh weights depend on the number of operations before them."""
    features = np.random.RandomState(0).rand(6, 5, 3).astype(np.float32)
    operations, patches = [], []
    for one in (features, mapped(features, tmp_path)):
        with tf.Graph().as_default() as graph, tf.Session() as session:
            table, pixels = PatchTable(one, 5), tf.placeholder(tf.int32, (None,))
            looked_up = table(pixels)
            table.fill(session)
            chosen = np.array([0, 29, 14, 4])
            fed = {pixels: chosen}
            fed.update(table.fed(chosen))
            patches.append(session.run(looked_up, fed))
            operations.append(len(graph.get_operations()))
    assert np.array_equal(*patches) and operations[0] == operations[1]


@pytest.mark.stack_independent  # numpy reads the patches
@pytest.mark.slow
@pytest.mark.parametrize("protocol, tolerance", [("disjoint", 0), ("paper", 1e-3)])
def test_training_and_prediction(request_for, tmp_path, monkeypatch, protocol, tolerance):
    """Fitted on training pixels all bits are the same; of the whole scene the decomposition goes by chunks."""
    monkeypatch.setattr(preprocessing, "features_and_fit", gabor_features.features_and_fit)  # into folders of their own
    request, loaded = request_for()._replace(protocol=protocol), load_scene("synthetic")
    held = given(request, loaded._replace(cube=np.ascontiguousarray(loaded.cube)))
    in_file = given(request, mapped_copy(loaded, tmp_path))
    of_file, of_held = in_file.fit(tmp_path / "in_file" / "run", 3), held.fit(tmp_path / "held" / "run", 3)
    both = (of_file, in_file.loaded.image), (of_held, held.loaded.image)
    features = [preprocessing_of(fitted.model).apply(image.cube, fitted.model.config) for fitted, image in both]
    assert [is_mapped(part) for two in features for part in two] == [True, True, False, False]
    seen, expected = (METHOD.inputs(fitted.model, image, PIXELS) for fitted, image in both)
    assert np.allclose(seen, expected, rtol=0, atol=1e-5)
    networks = []
    for (fitted, _), parts in zip(both, features):
        networks.append(network_of(parts, fitted.model.config, fitted.model.num_classes, "/cpu:0"))
        networks[-1].set_numbers(fitted.weights())
    found, expected = (network.class_logits(PIXELS) for network in networks)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    targets = np.zeros(len(PIXELS), np.int32)
    losses = [network.loss_and_logits(PIXELS, targets)[0] for network in networks]
    assert abs(losses[0] - losses[1]) <= tolerance
