"""Select a device by the user's name for it, as TensorFlow names it."""

from typing import List, Optional

from da_imrn.keras_stack import tf
from shared_data.runs.device import gpu_index


def _gpus() -> List[str]:
    """The CUDA devices TensorFlow sees."""
    return tf.config.experimental.list_physical_devices("GPU")


def select_device(name: str = "auto") -> str:
    """`auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N` to '/CPU:0' or '/GPU:N'.

    Raises: DeviceError for another name, or a GPU that TensorFlow does not see.
    """
    index = gpu_index(name, "TensorFlow %s" % tf.__version__, lambda: len(_gpus()))
    return "/CPU:0" if index is None else "/GPU:%d" % index


def device_name(device: str) -> Optional[str]:
    """Marketing name of a GPU where TensorFlow provides it, None for the CPU."""
    if device.startswith("/CPU"):
        return None
    if not hasattr(tf.config.experimental, "get_device_details"):
        return "GPU"
    gpu = _gpus()[int(device.rpartition(":")[2])]
    return tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")


def peak_memory_mb(device: str) -> Optional[float]:
    """Peak memory of a GPU in 10^6 bytes; None for the CPU, and where TensorFlow does not report it."""
    if device.startswith("/CPU") or not hasattr(tf.config.experimental, "get_memory_info"):
        return None
    return tf.config.experimental.get_memory_info(device[1:])["peak"] / 1e6
