"""Read and write weights in Keras' HDF5 layout, that of the official files.

A file lists the names of its layers in the order of `model.layers`, and for each layer the names of its arrays. Names
differ from process to process, so arrays are assigned by position, and each must have the right shape. Only numbers are
read; other content (a whole model's configuration) is ignored.

A saved model has one more group, which Keras ignores: everything that predicting needs beside the weights.
"""

import io
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

import h5py
import numpy as np

from da_imrn.keras_stack import keras
from shared_data.errors import CheckpointError
from shared_data.files.atomic import atomic_path
from shared_data.quoting import one_line
from shared_data.runs.model_file import ARRAYS, DESCRIPTION, TRAINED, ModelFile, as_content, from_content

Array = Tuple[str, Any]  # the name in its file, and the h5py dataset
_SAVED = "saved_model"  # the group of a description
_LARGEST = 1 << 24  # bytes of an item of a description


def write_weights(path: Any, model: Any, described: Optional[ModelFile] = None) -> None:
    """The layout of `model.save_weights` to a temporary name, then rename. Raises: OSError where it cannot be written.

    described: what predicting needs beside the weights, for a saved model.

    All values are fetched at once. `save_weights` fetches them layer by layer, for each of which TensorFlow 1.15
    optimises the whole graph again: half a minute for this network.
    """
    values = iter(model.get_weights())
    # in memory first: on a full disk the HDF5 library crashes with a segmentation fault
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["layer_names"] = _as_bytes(layer.name for layer in model.layers)
        # without these two Keras assumes a file of Keras 1 and rearranges the kernels
        file.attrs["keras_version"], file.attrs["backend"] = _as_bytes((keras.__version__, "tensorflow"))
        for layer in model.layers:
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = _as_bytes(weight.name for weight in layer.weights)
            for weight in layer.weights:
                group[weight.name] = next(values)
        if described is not None:
            _write_description(file.create_group(_SAVED), as_content(described))
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(buffer.getbuffer())


def _write_description(group: Any, content: Dict[str, Any]) -> None:
    group[DESCRIPTION] = np.frombuffer(content[DESCRIPTION].encode("utf-8"), np.uint8)
    group[TRAINED] = content[TRAINED]
    arrays = group.create_group(ARRAYS)
    for name, array in content[ARRAYS].items():
        arrays[name] = array


def by_name(model: Any) -> Dict[str, np.ndarray]:
    """Copies of the weights under their numbers, because the names of layers count up within a process."""
    return {"%03d" % index: values for index, values in enumerate(model.get_weights())}


def read_description(path: Any) -> Optional[ModelFile]:
    """The description in a saved model; None with weights alone, such as the release's.

    Raises: CheckpointError where the file does not exist or is damaged.
    """
    _check_exists(path)
    try:
        with h5py.File(str(path), "r") as file:
            if _SAVED not in file:
                return None
            group = file[_SAVED]
            text = _values(file, group[DESCRIPTION]).astype(np.uint8).tobytes().decode("utf-8")
            arrays = {name: _values(file, array) for name, array in group[ARRAYS].items()}
            content = {DESCRIPTION: text, ARRAYS: arrays, TRAINED: _values(file, group[TRAINED])}
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return from_content(content, path)


def _values(file: Any, array: Any) -> np.ndarray:
    """The values of a dataset, if it is stored in this file and is not larger than a description may be."""
    _check_own(file, array)
    if array.size * array.dtype.itemsize > _LARGEST:
        raise ValueError("'%s' claims more than %d bytes" % (one_line(array.name, 60), _LARGEST))
    return array[()]


def _as_bytes(names: Iterable[str]) -> np.ndarray:
    return np.array([name.encode("utf-8") for name in names], dtype="S")


def read_weights(path: Any, model: Any) -> None:
    """Give a model the weights of a file of `model.save_weights` or `model.save`, or leave the model unchanged.

    Raises: CheckpointError where the file does not exist, is damaged, or does not fit the model.
    """
    _check_exists(path)
    try:
        with h5py.File(str(path), "r") as file:
            values = _matching(path, list(_arrays(file)), model)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    model.set_weights(values)


_UNREADABLE = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError)  # of damaged files


def _check_exists(path: Any) -> None:
    if not Path(path).is_file():
        raise CheckpointError("%s does not exist; give a file of Keras weights (.hdf5)." % path)


def _unreadable(path: Any, error: Exception) -> CheckpointError:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return CheckpointError("%s is not a readable file of Keras weights (%s); give another." % (path, reason))


def _arrays(file: Any) -> Iterator[Array]:
    """Every array of a file, in the order of the layers."""
    root = file.get("model_weights", file)  # the group is there in a whole model
    for layer in _names(root, "layer_names"):
        for name in _names(root[layer], "weight_names"):
            array = root[layer][name]
            _check_own(file, array)
            yield name, array


def _check_own(file: Any, array: Any) -> None:
    """Refuse HDF5 links to other files of this machine, whose content must not become weights."""
    if array.file.filename != file.filename or array.external or array.is_virtual:
        raise ValueError("'%s' lies in another file" % one_line(array.name, 60))


def _names(group: Any, attribute: str) -> List[str]:
    """A list of names; Keras splits a list that is too long for an attribute into numbered ones."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    elif attribute + "0" in group.attrs:
        count = sum(1 for key in group.attrs if key.startswith(attribute))
        parts = [group.attrs["%s%d" % (attribute, i)] for i in range(count)]
    else:
        raise KeyError("'%s' is missing in %s" % (attribute, group.name))
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for part in parts for name in part]


def _matching(path: Any, arrays: List[Array], model: Any) -> List[np.ndarray]:
    """The arrays' values, if they are as many as the model's weights and of their shapes."""
    expected = [keras.backend.int_shape(weight) for layer in model.layers for weight in layer.weights]
    if len(arrays) != len(expected):
        raise CheckpointError(
            "%s: expected %d weights, found %d; these are weights of another network."
            % (path, len(expected), len(arrays))
        )
    for i, ((name, array), shape) in enumerate(zip(arrays, expected)):
        if tuple(array.shape) != shape or array.dtype.kind != "f":
            raise CheckpointError(
                "%s: weight %d ('%s'): expected numbers of shape %s, found %s of shape %s; give weights of "
                "this network, with its patch side, bands and classes."
                % (path, i, name, shape, array.dtype, tuple(array.shape))
            )
    return [array[()] for _, array in arrays]
