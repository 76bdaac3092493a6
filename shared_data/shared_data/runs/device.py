"""Select a device by the user's name for it, whatever the framework."""

from typing import Callable, Optional

from shared_data.errors import DeviceError


def gpu_index(name: str, framework: str, count_gpus: Callable[[], int]) -> Optional[int]:
    """`auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:N` to None for the CPU, or the number of a GPU.

    framework: name and version, for the message. count_gpus: how many it sees; not called for `cpu`, since
    querying initialises CUDA.
    Raises: DeviceError for another name, or a GPU that the framework does not see.
    """
    if name == "cpu":
        return None
    kind, _, index = name.partition(":")
    if name != "auto" and (kind != "cuda" or (index and not index.isdigit())):
        raise DeviceError("unknown device '%s'; choose auto, cpu, cuda or cuda:N." % name)
    count = count_gpus()
    if name == "auto":
        return 0 if count else None
    if int(index or 0) >= count:
        raise DeviceError(
            "device '%s' was asked for, but %s sees %d CUDA devices; choose DEVICE=cpu, or install a build of it and a "
            "driver that match." % (name, framework, count)
        )
    return int(index or 0)
