"""Select a device by the user's name for it, as TensorFlow names it."""

from typing import List, Optional

from apdclnn.tf_stack import ERA, tf
from shared_data.runs.device import gpu_index


def _gpus() -> List[str]:
    """Descriptions of the CUDA devices TensorFlow sees."""
    if ERA:
        from tensorflow.python.client import device_lib  # initialises every device, so only where there is no other way

        if not tf.test.is_built_with_cuda():
            return []
        return [one.physical_device_desc for one in device_lib.list_local_devices() if one.device_type == "GPU"]
    return [one.name for one in tf.config.experimental.list_physical_devices("GPU")]


def select_device(name: str = "auto") -> str:
    """`auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N` to '/cpu:0' or '/gpu:N'.

    Raises: DeviceError for another name, or a GPU that TensorFlow does not see.
    """
    index = gpu_index(name, "TensorFlow %s" % tf.__version__, lambda: len(_gpus()))
    return "/cpu:0" if index is None else "/gpu:%d" % index


def device_name(device: str) -> Optional[str]:
    """TensorFlow's description of a GPU, None for the CPU."""
    return None if device == "/cpu:0" else _gpus()[int(device.rpartition(":")[2])]
