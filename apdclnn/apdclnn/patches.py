"""Patches around pixels, gathered inside the graph from one zero-padded scene on the device (R1).

A patch tensor of a whole scene would take P² times the scene's memory; a step is fed nothing but pixel indices.
"""

from typing import Any

import numpy as np

from apdclnn.tf_stack import tf


class PatchTable:
    """The features of a scene on the device, in the current graph. `fill` has to run in every new session.

    features: (H, W, T) float32; side: P, odd. Held: (H + P − 1)·(W + P − 1)·T·4 bytes.
    Raises: ValueError for an even side.
    """

    def __init__(self, features: np.ndarray, side: int) -> None:
        if side < 1 or side % 2 == 0:
            raise ValueError("the patch side must be odd, so that a pixel stands in the middle, not %d" % side)
        half = side // 2
        padded = np.pad(features, ((half, half), (half, half), (0, 0)), "constant")
        self.side, self.width, self.steps = side, features.shape[1], features.shape[2]
        self._padded_width = padded.shape[1]
        self._rows = padded.reshape(-1, self.steps)
        self._source = tf.placeholder(tf.float32, self._rows.shape)
        # in no collection: it is data, not a weight
        self._table = tf.Variable(self._source, trainable=False, collections=[])

    def fill(self, session: Any) -> None:
        """Copy the scene to the device."""
        session.run(self._table.initializer, {self._source: self._rows})

    def __call__(self, pixels: Any) -> Any:
        """Flat C-order pixel indices (N) int32 to patches (N, P, P, T)."""
        # row and column of a pixel are those of its patch's top-left corner in the padded scene
        corners = pixels // self.width * self._padded_width + pixels % self.width
        steps = np.arange(self.side)
        offsets = (steps[:, None] * self._padded_width + steps).ravel().astype(np.int32)
        patches = tf.gather(self._table, corners[:, None] + offsets)
        return tf.reshape(patches, (-1, self.side, self.side, self.steps))
