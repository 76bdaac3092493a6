"""The memory that is free, and the tiles in which a prediction fits into it."""

import os
from pathlib import Path
from typing import Callable, Dict, Optional

_SIDES = (256, 128, 64)  # of tiles; larger ones are no faster
_SHARE = 0.8  # of the free memory that a prediction may take: what it needs is an estimate, and others need some, too
_SYSTEM, _PROCESS = Path("/proc/meminfo"), Path("/proc/self/status")
# the limit of a container (version 2 and 1 of its interface); "max" and numbers without meaning where there is none
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def free_memory() -> Optional[int]:
    """Bytes that this process can still take, of the system's memory and of its container's; None where unknown."""
    known = []
    if "MemAvailable" in _kilobytes(_SYSTEM):
        known.append(1024 * _kilobytes(_SYSTEM)["MemAvailable"])
    elif "SC_AVPHYS_PAGES" in getattr(os, "sysconf_names", {}):
        known.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    taken = 1024 * _kilobytes(_PROCESS).get("VmRSS", 0)
    limits = [path.read_text().strip() for path in _LIMITS if path.is_file()]
    known += [max(int(limit) - taken, 0) for limit in limits if limit.isdecimal()]
    return min(known) if known else None


def choose_tile(whole: int, in_tiles: Callable[[int], int], free: Optional[int]) -> int:
    """The side of the tiles to predict a scene in, or 0 for the whole scene at once; says which, and why.

    whole: bytes that the whole scene takes. in_tiles(side): bytes that tiles of that side take. free: bytes that are
    free; None where unknown.
    """
    if free is None:
        print(
            "the scene is classified at once, as the free memory is unknown; TILE=256 or --tile 256 takes less",
            flush=True,
        )
        return 0
    takes = "about %.3g GB, and %.3g GB of memory are free" % (whole / 1e9, free / 1e9)
    if whole <= _SHARE * free:
        print("the scene is classified at once: it takes %s" % takes, flush=True)
        return 0
    side = next((side for side in _SIDES if in_tiles(side) <= _SHARE * free), _SIDES[-1])
    print("the scene is classified in tiles of %d pixels: at once it would take %s" % (side, takes), flush=True)
    return side


def _kilobytes(path: Path) -> Dict[str, int]:
    """The entries of a file of /proc with lines such as "VmRSS:  1234 kB"; none where there is no such file."""
    if not path.is_file():
        return {}
    words = (line.split() for line in path.read_text().splitlines())
    return {parts[0].rstrip(":"): int(parts[1]) for parts in words if parts[-1:] == ["kB"]}
