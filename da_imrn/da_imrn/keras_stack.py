"""The Keras 2 of this environment; only this module distinguishes the two stacks.

era: Keras 2.3.1 on TensorFlow 1.15, the release's own. modern: `tf_keras`, the same interface on current TensorFlow.
"""

import contextlib
import io
import os
import warnings

# must be set before TensorFlow is imported; hides its log. Errors are raised anyway, and the log reports a missing
# GPU and discarded graph optimisations of TensorFlow 1.15 as errors
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):  # numpy's, and 'Using ... backend'
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
