"""TensorFlow 1 and tflearn of this environment; only this module distinguishes the two stacks.

era: TensorFlow 1.4 with tflearn 0.3.2, the authors' versions. modern: the version 1 interface of current TensorFlow
with tflearn 0.5.0, which still uses two names that TensorFlow and Pillow have removed.
"""

import contextlib
import io
import os
import warnings
from typing import Any

# must be set before TensorFlow is imported; hides its log, as errors are raised
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# hides numpy's deprecation warnings for TensorFlow 1.4 and tflearn, and a remark about hdf5, which is not used here
with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
    warnings.simplefilter("ignore")
    import tensorflow

    ERA = tensorflow.__version__.startswith("1.")
    if ERA:
        import tensorflow as tf
    else:
        import PIL.Image
        import tensorflow.compat.v1 as tf
        from tensorflow.python.util import nest

        tf.logging.set_verbosity(tf.logging.ERROR)
        tf.disable_v2_behavior()
        nest.is_sequence = getattr(nest, "is_sequence", nest.is_nested)
        pillow: Any = PIL.Image
        pillow.ANTIALIAS = getattr(pillow, "ANTIALIAS", pillow.LANCZOS)
    import tflearn

tf.logging.set_verbosity(tf.logging.ERROR)

FRAMEWORK = "tflearn on TensorFlow"
FRAMEWORK_VERSION = "%s on %s" % ("0.3.2" if ERA else "0.5.0", tensorflow.__version__)  # tflearn has none

__all__ = ["FRAMEWORK", "FRAMEWORK_VERSION", "tf", "tflearn"]
