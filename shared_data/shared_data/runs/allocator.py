"""Keep freed memory in the process for reuse."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8


def keep_freed_memory() -> bool:
    """Tell glibc to reuse large freed blocks instead of returning them to the kernel; True where it took effect.

    A training step on a whole scene allocates and frees the same arrays of 10 to 400 MB over and over. glibc maps
    every block above 32 MB anew, and the kernel zeroes its pages at each first touch: at the Indian Pines size that
    was a fifth of a training step. The peak does not grow, because freed blocks are what the next step uses.
    Without glibc this does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # one arena: those of further threads, such as the one of the backward pass, cannot hold large blocks
    settings = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, (1 << 31) - 1), (_M_ARENA_MAX, 1))
    return all(bool(mallopt(name, value)) for name, value in settings)
