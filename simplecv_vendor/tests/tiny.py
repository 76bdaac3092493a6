"""A tiny model, data set and launcher that the tests train."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher
from simplecv.interface import CVModule
from simplecv.opt.learning_rate import make_learningrate
from simplecv.opt.optimizer import make_optimizer


class TinyModel(CVModule):
    """Four features to two classes, with dropout so that the global random state matters."""

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Dropout(self.config.dropout), nn.Linear(8, 2))

    def forward(self, x, y=None):
        logits = self.layers(x)
        if not self.training:
            return torch.softmax(logits, dim=1)
        hits = (logits.argmax(1) == y).float().mean()
        return {"cls_loss": nn.functional.cross_entropy(logits, y), "l2_loss": 0.01 * logits.pow(2).mean(), "OA": hits}

    def set_defalut_config(self):
        self.config.update({"dropout": 0.5})


def make_dataset(n=10):
    rs = np.random.RandomState(0)
    x = torch.from_numpy(rs.randn(n, 4).astype(np.float32))
    return TensorDataset(x, torch.from_numpy(rs.randint(0, 2, n)))


def make_loader(**kwargs):
    return DataLoader(make_dataset(), **{"batch_size": 2, "shuffle": True, **kwargs})


def make_launcher(model_dir, seed=0, base_lr=0.1, max_iters=20, optimizer=None):
    torch.manual_seed(seed)
    model = SingleDevice(TinyModel({}))
    schedule = make_learningrate({"type": "poly", "params": {"base_lr": base_lr, "power": 0.9, "max_iters": max_iters}})
    config = optimizer or {"type": "sgd", "params": {"momentum": 0.9, "weight_decay": 0.001}}
    config["params"]["lr"] = schedule.base_lr
    return Launcher(model_dir, model, make_optimizer(config, model.parameters()), schedule)


def weights(launcher):
    return [parameter.detach().clone() for parameter in launcher.model.parameters()]


def assert_same_weights(first, second):
    assert len(first) == len(second)
    assert all(torch.equal(a, b) for a, b in zip(first, second))
