"""What the benchmark counts."""

from da_imrn.bench_worker import BATCH, Side
from da_imrn.keras_stack import keras

layers = keras.layers


def test_the_work_of_a_step_is_three_times_that_of_its_convolutions():
    x = patches = layers.Input((4, 4, 10, 1))
    x = layers.BatchNormalization()(layers.Conv3D(6, (3, 3, 1), padding="same")(x))
    x = layers.Conv3D(5, (1, 1, 4), strides=(1, 1, 2))(x)
    side = object.__new__(Side)
    side.model = keras.models.Model(patches, x)
    products = 4 * 4 * 10 * 6 * 9 + 4 * 4 * 4 * 5 * (4 * 6)
    assert side.step_flops() == 3 * BATCH * 2 * products
