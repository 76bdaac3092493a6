"""Patches around pixels, gathered inside the graph from one zero-padded scene on the device (R1).

A patch tensor of a whole scene would take P² times the scene's memory; a step is fed only pixel indices. For a
memory-mapped scene, which may exceed the memory, a step is fed its patches, gathered from the file.
"""

from typing import Any, Dict

import numpy as np

from apdclnn.tf_stack import tf
from shared_data.scenes.mapped import is_mapped, patches_around


class PatchTable:
    """The features of a scene on the device, in the current graph. `fill` has to run in every new session.

    features: (H, W, T) float32; side: P, odd. Held: (H + P − 1)·(W + P − 1)·T·4 bytes, or nothing where the features
    are memory-mapped.
    Raises: ValueError for an even side.
    """

    def __init__(self, features: np.ndarray, side: int) -> None:
        if side < 1 or side % 2 == 0:
            raise ValueError("the patch side must be odd, so that a pixel stands in the middle, not %d" % side)
        height, self.width, self.steps = features.shape
        self.side, self._features = side, features
        self._padded_width = self.width + side - 1
        self._rows = None if is_mapped(features) else _padded(features, side)
        self._source = tf.placeholder(tf.float32, ((height + side - 1) * self._padded_width, self.steps))
        # in no collection of variables: it is data, not a weight
        self._table = tf.Variable(self._source, trainable=False, collections=[])

    def fill(self, session: Any) -> None:
        """Copy the scene to the device, unless it is memory-mapped."""
        if self._rows is not None:
            session.run(self._table.initializer, {self._source: self._rows})

    def __call__(self, pixels: Any) -> Any:
        """Flat C-order pixel indices (N) int32 to patches (N, P, P, T)."""
        # row and column of a pixel are those of its patch's top-left corner in the padded scene
        corners = pixels // self.width * self._padded_width + pixels % self.width
        steps = np.arange(self.side)
        offsets = (steps[:, None] * self._padded_width + steps).ravel().astype(np.int32)
        patches = tf.gather(self._table, corners[:, None] + offsets)
        if self._rows is not None:
            return tf.reshape(patches, (-1, self.side, self.side, self.steps))
        # initial weights depend on the number of operations before them: the look-up stays in the graph, unused, and
        # these two replace the reshaping and its shape
        tf.no_op()
        self._fed = tf.placeholder(tf.float32, (None, self.side, self.side, self.steps))
        return self._fed

    def fed(self, pixels: np.ndarray) -> Dict[Any, np.ndarray]:
        """A session's inputs beside the indices: for a memory-mapped scene the patches (N, P, P, T)."""
        if self._rows is not None:
            return {}
        return {self._fed: patches_around(self._features, pixels, self.side)}


def _padded(features: np.ndarray, side: int) -> np.ndarray:
    """The spectra of the zero-padded scene, ((H + P − 1)·(W + P − 1), T)."""
    half = side // 2
    padded = np.pad(features, ((half, half), (half, half), (0, 0)), "constant")
    return padded.reshape(-1, features.shape[2])
