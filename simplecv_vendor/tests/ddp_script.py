"""Run by test_ddp in every process: train a linear model on this process's share of each batch."""

import os

import torch
from torch import nn

from simplecv import ddp_train as train
from simplecv.interface import CVModule
from simplecv.registry import DATALOADER, MODEL
from simplecv.util import dist


@MODEL.register("Linear")
class Linear(CVModule):
    def __init__(self, config):
        super().__init__(config)
        self.layer = nn.Linear(3, 2)
        self.never_used = nn.Linear(3, 2)

    def forward(self, x, y=None):
        return {"cls_loss": nn.functional.cross_entropy(self.layer(x), y)}

    def set_default_config(self):
        pass


@DATALOADER.register("Shares")
def make_shares(config):
    """Four batches of eight samples, of which each process gets its part."""
    generator = torch.Generator()
    generator.manual_seed(1)
    batches = [(torch.randn(8, 3, generator=generator), torch.randint(2, (8,), generator=generator)) for _ in range(4)]
    return [tuple(part.chunk(dist.world_size())[dist.rank()] for part in batch) for batch in batches]


CONFIG = {
    "model": {"type": "Linear", "params": {}},
    "data": {"train": {"type": "Shares", "params": {}}},
    "optimizer": {"type": "sgd", "params": {"momentum": 0.9}},
    "learning_rate": {"type": "poly", "params": {"base_lr": 0.5, "power": 0.9, "max_iters": 20}},
    "train": {"num_iters": 6, "eval_after_train": False, "save_ckpt_interval_step": 3},
}


def stop_one(launcher):
    """Only the last process asks to stop; all must."""
    launcher.add_step_callback(lambda self, info: self.request_stop("test") if info["step"] == stop_at else None)


if __name__ == "__main__":
    args = train.parser.parse_args()
    stop_at = int(args.opts.pop()) if args.opts else 0
    torch.set_num_threads(1)
    # different weights in each process: the first one's must win
    rank = int(os.environ["RANK"])
    torch.manual_seed(rank)
    callbacks = [stop_one] if stop_at and rank == int(os.environ["WORLD_SIZE"]) - 1 else []
    launcher = train.run(CONFIG, args.model_dir, True, callbacks, strict_config=True)["launcher"]
    state = {"weights": launcher.model.module.state_dict(), "step": launcher.checkpoint.global_step}
    torch.save(state, f"{args.model_dir}-rank{rank}.pth")
