"""Train in several processes started by torchrun (or `python -m torch.distributed.launch` of PyTorch 1.8).

    torchrun --nproc_per_node=2 train.py --config_path PKG.NAME --model_dir DIR

NCCL on GPUs, one a process; gloo on the CPU. Each process builds its own loader, which must yield its share of the data
(a DistributedSampler does; `set_epoch` is called). Gradients are averaged; only rank 0 writes files.
"""

import os
import warnings
from typing import Any, Dict, Optional, Sequence

import torch
import torch.distributed as dist
from torch import nn

from simplecv.core.run import Callback, execute, load_config, make_parser
from simplecv.errors import ConfigError

parser = make_parser()
parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help="given by torch.distributed.launch")


def run(
    config_path: Any,
    model_dir: Any,
    cpu_mode: bool = False,
    after_construct_launcher_callbacks: Optional[Sequence[Callback]] = None,
    opts: Optional[Sequence[Any]] = None,
    strict_config: bool = False,
) -> Dict[str, Any]:
    """As `dp_train.run`, as one of the processes that torchrun started.

    Raises: ConfigError when torchrun's environment variables are missing, and the errors of dp_train.run.
    """
    missing = [name for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise ConfigError(f"ddp_train is started by torchrun, but the variables {', '.join(missing)} are not set.")
    config = load_config(config_path, opts)
    if not cpu_mode and not torch.cuda.is_available():
        warnings.warn("No GPU is available: training on the CPU (--cpu says that this is meant).", stacklevel=2)
        cpu_mode = True
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cpu") if cpu_mode else torch.device("cuda", local_rank)
    if not cpu_mode:
        torch.cuda.set_device(device)

    def wrap(model: nn.Module) -> nn.Module:
        # parameters that take no part in a step are common in such models
        devices = None if cpu_mode else [local_rank]
        return nn.parallel.DistributedDataParallel(model, device_ids=devices, find_unused_parameters=True)

    dist.init_process_group("gloo" if cpu_mode else "nccl", init_method="env://")
    try:
        result = execute(config, model_dir, device, wrap, after_construct_launcher_callbacks, strict_config)
        result["launcher"].leave_process_group()
        dist.barrier()
        return result
    finally:
        dist.destroy_process_group()


def main() -> None:
    """Train from the command line, for projects whose configuration module registers all it names."""
    args = parser.parse_args()
    run(args.config_path, args.model_dir, args.cpu, opts=args.opts)


if __name__ == "__main__":
    main()
