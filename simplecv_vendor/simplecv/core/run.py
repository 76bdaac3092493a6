"""From a configuration to a finished training run: the code shared by dp_train and ddp_train."""

import argparse
import contextlib
import json
import platform
from typing import Any, Callable, Dict, Optional, Sequence

import torch
from torch import nn

from simplecv.core.config import AttrDict
from simplecv.core.no_cuda import cuda_calls_ignored
from simplecv.core.trainer import Launcher
from simplecv.data.data_loader import make_dataloader
from simplecv.errors import ConfigError
from simplecv.module.model_builder import make_model
from simplecv.opt.learning_rate import make_learningrate
from simplecv.opt.optimizer import make_optimizer
from simplecv.util.config import import_config

Callback = Callable[[Launcher], Any]
SECTIONS = ("model", "data", "optimizer", "learning_rate", "train")


def make_parser() -> argparse.ArgumentParser:
    """The command line of a training script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config_path", type=str, default=None, help="configs.<config_path> is the configuration")
    parser.add_argument("--model_dir", type=str, default=None, help="folder of checkpoints and logs")
    parser.add_argument("--cpu", action="store_true", default=False, help="train on the CPU")
    parser.add_argument("opts", nargs=argparse.REMAINDER, default=None, help="key value pairs: train.num_iters 100 ...")
    return parser


def load_config(config_path: Any, opts: Optional[Sequence[Any]]) -> AttrDict:
    """The configuration of that name (or a dict as it is), with overrides.

    Raises: ConfigError when it cannot be found or a section is missing.
    """
    if not config_path:
        raise ConfigError("No configuration was named: give --config_path PKG.NAME for the module configs.PKG.NAME.")
    config = AttrDict.from_dict(config_path if isinstance(config_path, dict) else import_config(config_path))
    config.update_from_list(opts or [])
    missing = [name for name in SECTIONS if name not in config] or ([] if "train" in config["data"] else ["data.train"])
    if missing:
        raise ConfigError(f"The configuration lacks the sections {', '.join(missing)}.")
    return config


def execute(
    config: AttrDict,
    model_dir: Any,
    device: torch.device,
    wrap: Callable[[nn.Module], nn.Module],
    callbacks: Optional[Sequence[Callback]],
    strict: bool,
) -> Dict[str, Any]:
    """Build everything, call the callbacks with the launcher, train. Returns dict(config, launcher)."""
    if not model_dir:
        raise ConfigError("No folder for the results was named: give --model_dir.")
    foreign_on_cpu = device.type == "cpu" and not strict
    with cuda_calls_ignored() if foreign_on_cpu else contextlib.nullcontext():
        train_loader = make_dataloader(config["data"]["train"])
        test_loader = make_dataloader(config["data"]["test"]) if "test" in config["data"] else None
        model = wrap(make_model(config["model"], strict=strict).to(device))
        schedule = make_learningrate(config["learning_rate"])
        config["optimizer"].setdefault("params", {})["lr"] = schedule.base_lr
        optimizer = make_optimizer(config["optimizer"], model.parameters())
        launcher = Launcher(model_dir, model, optimizer, schedule)
        for callback in callbacks or ():
            callback(launcher)
        _describe(launcher, config)
        if strict:  # train is checked by the launcher, test is read by the evaluation
            config.check_unread(strict=True, ignore=("train", "test"))
        launcher.train_by_config(
            train_loader, config["train"], test_loader, evaluation_config=config.get("test"), strict=strict
        )
    config.check_unread(strict=False)
    return {"config": config, "launcher": launcher}


def _describe(launcher: Launcher, config: AttrDict) -> None:
    launcher.logger.info(
        "Python %s, PyTorch %s, device %s", platform.python_version(), torch.__version__, launcher.device
    )
    launcher.logger.info("config: %s", json.dumps(config.to_dict(), indent=2, default=repr))
    count = sum(parameter.numel() for parameter in launcher.model.parameters())
    launcher.logger.equation("#params", count)
