"""Train in one process: on the CPU, or on all GPUs of the machine by DataParallel.

A training script registers its model and loaders, and then:

    from simplecv import dp_train as train
    args = train.parser.parse_args()
    train.run(args.config_path, args.model_dir, args.cpu, after_construct_launcher_callbacks=[...], opts=args.opts)
"""

import warnings
from typing import Any, Dict, Optional, Sequence

import torch
from torch import nn

from simplecv.core.parallel import SingleDevice
from simplecv.core.run import Callback, execute, load_config, make_parser

parser = make_parser()


def run(
    config_path: Any,
    model_dir: Any,
    cpu_mode: bool = False,
    after_construct_launcher_callbacks: Optional[Sequence[Callback]] = None,
    opts: Optional[Sequence[Any]] = None,
    strict_config: bool = False,
) -> Dict[str, Any]:
    """Build and train what a configuration describes.

    config_path: 'PKG.NAME' for the dict `config` in the module configs.PKG.NAME (or such a dict itself).
    cpu_mode: use the CPU; without a GPU it is used anyway, with a warning.
    after_construct_launcher_callbacks: functions called with the launcher before training;
    `launcher._model.module` is the bare model.
    opts: overrides as ['train.num_iters', '3', ...].
    strict_config: unknown and unread configuration keys are errors before the first step, otherwise warnings.
    Returns: dict(config=AttrDict, launcher=Launcher). Raises: the errors of simplecv.errors.
    """
    config = load_config(config_path, opts)
    if not cpu_mode and not torch.cuda.is_available():
        warnings.warn("No GPU is available: training on the CPU (--cpu says that this is meant).", stacklevel=2)
        cpu_mode = True
    device = torch.device("cpu" if cpu_mode else "cuda")
    wrap = SingleDevice if cpu_mode else nn.DataParallel
    return execute(config, model_dir, device, wrap, after_construct_launcher_callbacks, strict_config)


def main() -> None:
    """Train from the command line, for projects whose configuration module registers all it names."""
    args = parser.parse_args()
    run(args.config_path, args.model_dir, args.cpu, opts=args.opts)


if __name__ == "__main__":
    main()
