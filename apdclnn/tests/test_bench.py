"""What the benchmark counts."""

from types import SimpleNamespace

from apdclnn import bench
from apdclnn.tf_stack import tf


def test_the_work_of_a_step_is_three_times_that_of_its_convolutions():
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, (None, 5, 4, 3))
        x = tf.nn.relu(tf.nn.conv2d(x, tf.ones((3, 3, 3, 7)), [1, 1, 1, 1], "SAME"))
        tf.nn.conv2d(x, tf.ones((2, 2, 7, 1)), [1, 1, 1, 1], "VALID")
    products = 5 * 4 * 7 * (3 * 3 * 3) + 4 * 3 * 1 * (2 * 2 * 7)
    assert bench.step_flops(SimpleNamespace(graph=graph), 32) == 3 * 32 * 2 * products
