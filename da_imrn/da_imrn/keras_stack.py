"""The Keras 2 of this environment; no other module knows that there are two stacks.

era: Keras 2.3.1 on TensorFlow 1.15, the release's own. modern: `tf_keras`, the same interface on current TensorFlow.
"""

import contextlib
import io
import os
import warnings

# has to be set before TensorFlow is imported. What goes wrong is raised; its log also calls a machine without a GPU an
# error, and graph optimisations that TensorFlow 1.15 tries and drops
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):  # numpy's future, and 'Using ... backend'
    warnings.simplefilter("ignore")
    import tensorflow as tf

    try:
        import tf_keras as keras
    except ImportError:
        import keras

tf.get_logger().setLevel("ERROR")  # deprecations in TensorFlow 1.15 that Keras 2.3.1 runs into

FRAMEWORK = "Keras on TensorFlow"
FRAMEWORK_VERSION = "%s on %s" % (keras.__version__, tf.__version__)

__all__ = ["FRAMEWORK", "FRAMEWORK_VERSION", "keras", "tf"]
