"""Files of weights: those of official Keras in, ours out, and what does not fit."""

import os

import h5py
import numpy as np
import pytest
from network_fixtures import fill_by_rule, values_by_layer

from da_imrn.loss import focal_loss
from da_imrn.network import Structure, build_network
from da_imrn.weights import read_weights, write_weights
from shared_data.errors import CheckpointError


def one_stage(form):
    """A network with every kind of layer, but few."""
    return build_network(4, 16, 5, Structure((4,), (1,), form))


@pytest.fixture(scope="module")
def source():
    """A network with the weights of the rule; not to be changed."""
    return fill_by_rule(one_stage("pointwise"))


@pytest.fixture(scope="module")
def target():
    return one_stage("pointwise")


@pytest.fixture
def emptied(target):
    target.set_weights([np.zeros_like(value) for value in target.get_weights()])
    return target


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights()))


def write_as_the_release(path, model, inside="", chunked=False):
    """The layout of Keras 2.3.1, by hand: `layer_names` at the root, or at `inside` for a whole model."""
    with h5py.File(str(path), "w") as file:
        root = file.create_group(inside) if inside else file
        names = []
        for i, (_, values) in enumerate(values_by_layer(model)):
            names.append(("layer_%d" % i).encode())
            group = root.create_group("layer_%d" % i)
            weight_names = [("layer_%d/w_%d:0" % (i, j)).encode() for j in range(len(values))]
            group.attrs["weight_names"] = np.array(weight_names, dtype="S20")
            for name, value in zip(weight_names, values):
                group[name.decode()] = value
        if chunked:
            root.attrs["layer_names0"], root.attrs["layer_names1"] = names[:30], names[30:]
        else:
            root.attrs["layer_names"] = names


@pytest.mark.parametrize("inside, chunked", [("", False), ("", True), ("model_weights", False)])
def test_reads_the_layout_of_the_release(tmp_path, source, emptied, inside, chunked):
    write_as_the_release(tmp_path / "official.hdf5", source, inside, chunked)
    read_weights(tmp_path / "official.hdf5", emptied)
    assert same_weights(emptied, source)


def test_reads_what_keras_saves(tmp_path, source, emptied):
    source.save_weights(str(tmp_path / "weights.hdf5"))
    read_weights(tmp_path / "weights.hdf5", emptied)
    assert same_weights(emptied, source)


@pytest.mark.filterwarnings("ignore")  # current Keras advises its own format
def test_reads_a_whole_saved_model_with_its_optimizer(tmp_path, emptied):
    whole = fill_by_rule(one_stage("pointwise"))
    whole.compile("sgd", loss=focal_loss)
    whole.save(str(tmp_path / "model.h5"))
    read_weights(tmp_path / "model.h5", emptied)
    assert same_weights(emptied, whole)


def test_writes_what_it_and_keras_read(tmp_path, source, emptied):
    path = tmp_path / "ours.hdf5"
    write_weights(path, source)
    assert os.listdir(str(tmp_path)) == ["ours.hdf5"]
    read_weights(path, emptied)
    assert same_weights(emptied, source)
    emptied.set_weights([np.zeros_like(value) for value in emptied.get_weights()])
    emptied.load_weights(str(path))
    assert same_weights(emptied, source)


class Interrupted:
    """A model of which only half the layers can be written."""

    def __init__(self, model):
        self.layers, self.values = model.layers, model.get_weights()

    def get_weights(self):
        yield from self.values[: len(self.values) // 2]
        raise OSError("no space left")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, source, emptied):
    path = tmp_path / "ours.hdf5"
    write_weights(path, source)
    with pytest.raises(OSError, match="no space left"):
        write_weights(path, Interrupted(source))
    assert os.listdir(str(tmp_path)) == ["ours.hdf5"]
    read_weights(path, emptied)
    assert same_weights(emptied, source)


# every way a file can be wrong, and the words of the sentence that say so


def absent(path, source):
    return "does not exist"


def folder(path, source):
    path.mkdir()
    return "does not exist"


def text(path, source):
    path.write_text("weights", encoding="utf-8")
    return "not a readable file of Keras weights"


def empty(path, source):
    path.write_bytes(b"")
    return "not a readable file of Keras weights"


def cut(path, source):
    write_as_the_release(path, source)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return "not a readable file of Keras weights"


def other_hdf5(path, source):
    with h5py.File(str(path), "w") as file:
        file["cube"] = np.zeros(3)
    return "'layer_names' is missing"


def edited(change):
    """An official file in which `change(file)` has been made."""

    def make(path, source):
        write_as_the_release(path, source)
        with h5py.File(str(path), "r+") as file:
            return change(file)

    return make


def first_weight(file):
    """Path of weight 0 in the file."""
    layer = next("layer_%d" % i for i in range(len(file)) if len(file["layer_%d" % i].attrs["weight_names"]))
    return "%s/%s/w_0:0" % (layer, layer)


def replace_first(file, value):
    name = first_weight(file)
    del file[name]
    if value is not None:
        file[name] = value


def lacks_an_array(file):
    replace_first(file, None)
    return "not a readable file of Keras weights"


def group_for_array(file):
    name = first_weight(file)
    del file[name]
    file.create_group(name)
    return "not a readable file of Keras weights"


def lacks_a_layer(file):
    file.attrs["layer_names"] = file.attrs["layer_names"][:-1]
    return r"expected \d+ weights, found \d+"


def other_shape(file):
    replace_first(file, np.zeros((2, 512), np.float32))
    return r"weight 0 .* shape \(1, 512\), found float32 of shape \(2, 512\)"


def no_numbers(file):
    replace_first(file, np.full((1, 512), b"text"))
    return r"weight 0 .* expected numbers"


def link_to_another_file(file):
    name = first_weight(file)
    with h5py.File(file.filename + ".other", "w") as other:
        other["secret"] = np.asarray(file[name])
    del file[name]
    file[name] = h5py.ExternalLink(file.filename + ".other", "secret")
    return "not a readable file of Keras weights .*lies in another file"


def numbers_of_another_file(file):
    name = first_weight(file)
    shape = file[name].shape
    with open(file.filename + ".raw", "wb") as other:
        other.write(b"\0" * 4 * int(np.prod(shape)))
    del file[name]
    file.create_dataset(name, shape, np.float32, external=[(file.filename + ".raw", 0, h5py.h5f.UNLIMITED)])
    return "not a readable file of Keras weights .*lies in another file"


CHANGES = (
    lacks_an_array, group_for_array, lacks_a_layer, other_shape, no_numbers, link_to_another_file,
    numbers_of_another_file,
)  # fmt: skip
BAD = [absent, folder, text, empty, cut, other_hdf5] + [edited(change) for change in CHANGES]


@pytest.mark.parametrize("make", BAD)
def test_bad_files_are_refused_in_one_sentence_and_change_nothing(tmp_path, source, make):
    sentence = make(tmp_path / "bad.hdf5", source)
    before = source.get_weights()
    with pytest.raises(CheckpointError, match=sentence) as raised:
        read_weights(tmp_path / "bad.hdf5", source)
    message = str(raised.value)
    assert message.startswith(str(tmp_path / "bad.hdf5"))
    assert "\n" not in message
    assert all(np.array_equal(a, b) for a, b in zip(before, source.get_weights()))


def test_weights_of_the_other_block_do_not_fit(tmp_path, emptied):
    write_weights(tmp_path / "three.hdf5", one_stage("three_kernels"))
    with pytest.raises(CheckpointError, match="expected 56 weights, found 60; these are weights of another network"):
        read_weights(tmp_path / "three.hdf5", emptied)
