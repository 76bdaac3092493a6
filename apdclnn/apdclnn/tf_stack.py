"""TensorFlow 1 and tflearn of this environment; no other module knows that there are two stacks.

era: TensorFlow 1.4 with tflearn 0.3.2, the authors' versions. modern: the version 1 interface of current TensorFlow
with tflearn 0.5.0, which still asks for two names that TensorFlow and Pillow have dropped.
"""

import contextlib
import io
import os
import warnings
from typing import Any

# has to be set before TensorFlow is imported; what goes wrong is raised
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# silent: numpy's future, which TensorFlow 1.4 and tflearn do not know; hdf5, which nothing here needs
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
FRAMEWORK_VERSION = "%s on %s" % ("0.3.2" if ERA else "0.5.0", tensorflow.__version__)  # tflearn does not tell its own

__all__ = ["FRAMEWORK", "FRAMEWORK_VERSION", "tf", "tflearn"]
