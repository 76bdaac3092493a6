"""The focal loss of the release: positions with uncertain predictions have more weight, unlabelled ones none."""

from typing import Any

from da_imrn.keras_stack import keras

WEIGHT = 0.5
TINY = 1e-9  # keeps the logarithm finite


def focal_loss(y_true: Any, y_pred: Any) -> Any:
    """Mean over all positions of max over classes of ½·y·(1 − q)²·(−ln q), q = p + 10⁻⁹: one number.

    y_true: (N, b, b, 1, K), one-hot, all zero where unlabelled; such a position adds 0 to the sum and 1 to the count.
    y_pred: p, probabilities of that shape. For `model.compile`.
    """
    backend = keras.backend
    p = y_pred + TINY
    per_class = WEIGHT * y_true * backend.square(1 - p) * -backend.log(p)
    return backend.mean(backend.max(per_class, axis=-1))
