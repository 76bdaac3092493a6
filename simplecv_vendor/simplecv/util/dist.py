"""The group of processes; without one, every function treats this process as the only one."""

from typing import Any, List

import torch
import torch.distributed as dist


def _active() -> bool:
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    return dist.get_rank() if _active() else 0


def world_size() -> int:
    return dist.get_world_size() if _active() else 1


def is_master() -> bool:
    """True in the one process that writes files and logs."""
    return rank() == 0


def gather_objects(obj: Any) -> List[Any]:
    """Gather one object from each process, in the order of ranks, in every process."""
    if world_size() == 1:
        return [obj]
    gathered = [None] * world_size()
    dist.all_gather_object(gathered, obj)
    return gathered


def any_process(flag: bool, device: torch.device) -> bool:
    """True in all processes when `flag` is True in one."""
    if world_size() == 1:
        return flag
    value = torch.tensor([int(flag)], device=device)
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return bool(value.item())
