"""A script as the official projects write them, run unchanged on the CPU.

It uses nothing but the import paths and names such scripts use, including the calls that only make sense on a GPU.
"""

# ruff: noqa: C408
import argparse
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.sampler import Sampler

import simplecv.module as scm
from simplecv import dp_train as train
from simplecv import registry
from simplecv.data import preprocess
from simplecv.errors import ConfigError, UnknownConfigKeyError, UnreadConfigError
from simplecv.interface import CVModule
from simplecv.util import metric
from simplecv.util.logger import eval_progress, speed

SEED = 2333


@registry.MODEL.register("ToyFullScene", override=True)
class ToyFullScene(CVModule):
    def __init__(self, config):
        super(ToyFullScene, self).__init__(config)
        self.stem = nn.Conv2d(self.config.in_channels, self.config.width, 3, padding=1)
        self.attention = scm.SEBlock(self.config.width, self.config.ratio)
        self.classifier = nn.Conv2d(self.config.width, self.config.num_classes, 1)

    def forward(self, x, y=None, w=None, **kwargs):
        logit = self.classifier(self.attention(F.relu(self.stem(x))))
        if self.training:
            label = y.long() - 1
            loss = F.cross_entropy(logit, label.clamp(min=0), reduction="none")
            weight = w.cuda()  # scripts for a GPU do such things
            with torch.no_grad():
                hits = ((logit.argmax(dim=1) == label).float() * weight).sum() / weight.sum()
            return dict(cls_loss=(loss * weight).sum() / weight.sum(), OA=hits)
        return torch.softmax(logit, dim=1)

    def set_defalut_config(self):
        self.config.update(dict(in_channels=3, width=8, ratio=2, num_classes=2, unused_default=None))


class ToyScene(Dataset):
    """One scene; the pixels of the next mini-batches are drawn at the start of every epoch."""

    def __init__(self, training, size):
        rs = np.random.RandomState(0)
        label = np.zeros(size, np.uint8)
        label[1:5], label[6:9] = 1, 2
        image = rs.rand(*size, 3) + label[..., None]
        image = preprocess.mean_std_normalize(image, image.reshape(-1, 3).mean(0), image.reshape(-1, 3).std(0))
        image = preprocess.channel_last_to_first(image)
        self.training = training
        self.blob = preprocess.divisible_pad([np.concatenate([image, label[None]])], 16, False)[0]
        self.seeds = rs.randint(2**31 - 1, size=99).tolist()
        self.resample_minibatch()

    def resample_minibatch(self):
        rs = np.random.RandomState(self.seeds.pop())
        self.masks = [(self.blob[-1] > 0) & (rs.rand(*self.blob[-1].shape) < 0.3) for _ in range(4)]

    def __getitem__(self, idx):
        mask = self.masks[idx] if self.training else self.blob[-1] > 0
        return self.blob[:-1], self.blob[-1].astype(np.int64), mask.astype(np.float32)

    def __len__(self):
        return 4 if self.training else 1


class MinibatchSampler(Sampler):
    def __init__(self, dataset):
        self.dataset = dataset
        self.g = torch.Generator()
        self.g.manual_seed(SEED)

    def __iter__(self):
        self.dataset.resample_minibatch()
        return iter(torch.randperm(len(self.dataset), generator=self.g).tolist())

    def __len__(self):
        return len(self.dataset)


@registry.DATALOADER.register("ToyLoader", override=True)
class ToyLoader(DataLoader):
    def __init__(self, config):
        self.config = dict()
        self.set_default()
        self.config.update(config)
        for key, value in self.config.items():
            self.__dict__[key] = value
        dataset = ToyScene(self.training, self.size)
        sampler = MinibatchSampler(dataset) if self.training else None
        super(ToyLoader, self).__init__(dataset, batch_size=1, sampler=sampler, num_workers=self.num_workers)

    def set_default(self):
        self.config.update(dict(training=True, num_workers=0, size=(10, 12)))


def fcn_evaluate_fn(self, test_dataloader, config):
    if self.checkpoint.global_step < 0:
        return
    self._model.eval()
    total_time = 0.0
    with torch.no_grad():
        for idx, (im, mask, w) in enumerate(test_dataloader):
            start = time.time()
            y_pred = self._model(im).squeeze()
            torch.cuda.synchronize()
            time_cost = round(time.time() - start, 3)
            y_pred = y_pred.argmax(dim=0).cpu() + 1
            w.unsqueeze_(dim=0)
            w = w.bool()
            mask = torch.masked_select(mask.view(-1), w.view(-1))
            y_pred = torch.masked_select(y_pred.view(-1), w.view(-1))
            num_classes = self._model.module.config.num_classes
            oa = metric.th_overall_accuracy_score(mask.view(-1), y_pred.view(-1))
            aa, acc_per_class = metric.th_average_accuracy_score(
                mask.view(-1), y_pred.view(-1), num_classes, return_accuracys=True
            )
            kappa = metric.th_cohen_kappa_score(mask.view(-1), y_pred.view(-1), num_classes)
            total_time += time_cost
            speed(self._logger, time_cost, "im")
            eval_progress(self._logger, idx + 1, len(test_dataloader))
    speed(self._logger, round(total_time / len(test_dataloader), 3), "batched im (avg)")
    metric_dict = {"OA": oa.item(), "AA": aa.item(), "Kappa": kappa.item()}
    for i, acc in enumerate(acc_per_class):
        metric_dict["acc_{}".format(i + 1)] = acc.item()
    self.logger.eval_log(metric_dict=metric_dict, step=self.checkpoint.global_step)


def register_evaluate_fn(launcher):
    launcher.override_evaluate(fcn_evaluate_fn)


CONFIG = textwrap.dedent(
    """
    config = dict(
        model=dict(type="ToyFullScene", params=dict(in_channels=3, num_classes=2)),
        data=dict(
            train=dict(type="ToyLoader", params=dict(training=True, num_workers=0)),
            test=dict(type="ToyLoader", params=dict(training=False)),
        ),
        optimizer=dict(type="sgd", params=dict(momentum=0.9, weight_decay=0.001)),
        learning_rate=dict(type="poly", params=dict(base_lr=0.1, power=0.9, max_iters=30)),
        train=dict(
            forward_times=1, num_iters=30, eval_per_epoch=True, summary_grads=False, summary_weights=False,
            eval_after_train=True, resume_from_last=False,
        ),
        test=dict(draw=dict(image_size=(10, 12))),
    )
    """
)


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """The folder with a package `configs`, as a script's own folder holds it."""
    package = tmp_path / "script" / "configs" / "toy"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("")
    (package / "scene.py").write_text(CONFIG)
    monkeypatch.syspath_prepend(str(tmp_path / "script"))
    for name in [name for name in sys.modules if name.split(".")[0] == "configs"]:
        monkeypatch.delitem(sys.modules, name)
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "configs"]:
        del sys.modules[name]


def run_script(model_dir, *opts, **kwargs):
    torch.manual_seed(SEED)
    args = train.parser.parse_args(["--config_path=toy.scene", f"--model_dir={model_dir}", "--cpu", *opts])
    return train.run(
        config_path=args.config_path,
        model_dir=args.model_dir,
        cpu_mode=args.cpu,
        after_construct_launcher_callbacks=[register_evaluate_fn],
        opts=args.opts,
        **kwargs,
    )


def test_the_script_learns_and_logs(configs, tmp_path):
    with pytest.warns(UserWarning, match=r"Nothing read these configuration keys, .*: test\.draw\.image_size\."):
        result = run_script(tmp_path / "log")
    launcher = result["launcher"]
    assert launcher.checkpoint.global_step == 30 and result["config"].optimizer.params.lr == 0.1
    log = next((tmp_path / "log").glob("*.log")).read_text()
    scores = [float(line.rsplit(" ", 1)[1]) for line in log.splitlines() if "[Eval] OA = " in line]
    assert len(scores) == 30 // 4 + 1 and scores[-1] > 0.9
    for part in (
        "[Speed] ",
        "s/batched im (avg)",
        "[Eval] 1/1",
        "acc_2 = ",
        "Kappa = ",
        '"num_iters": 30',
        "#params = ",
    ):
        assert part in log


@pytest.mark.filterwarnings("ignore:Nothing read")
def test_command_line_overrides(configs, tmp_path):
    result = run_script(tmp_path / "log", "train.num_iters", "3", "model.params.width", "4")
    assert result["launcher"].checkpoint.global_step == 3
    assert result["launcher"].model.module.stem.out_channels == 4
    assert (tmp_path / "log" / "model-3.pth").exists()


@pytest.mark.filterwarnings("ignore:Nothing read")
def test_the_script_resumes_bit_for_bit(configs, tmp_path):
    whole = run_script(tmp_path / "whole", "train.num_iters", "11")
    run_script(tmp_path / "parts", "train.num_iters", "6")
    parts = run_script(tmp_path / "parts", "train.num_iters", "11", "train.resume_from_last", "True")
    first, second = (result["launcher"].model.state_dict() for result in (whole, parts))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.filterwarnings("ignore:Nothing read")
def test_the_calls_to_cuda_are_put_back(configs, tmp_path):
    before = torch.Tensor.cuda, nn.Module.cuda, torch.cuda.synchronize
    run_script(tmp_path / "log", "train.num_iters", "1")
    assert (torch.Tensor.cuda, nn.Module.cuda, torch.cuda.synchronize) == before
    assert "cuda" not in vars(torch.Tensor)


@pytest.mark.filterwarnings("ignore:Nothing read")
def test_a_misspelt_override_is_warned_about(configs, tmp_path):
    with pytest.warns(UserWarning, match="Unknown keys in the section 'train': num_itres"):
        run_script(tmp_path / "log", "train.num_itres", "3", "train.num_iters", "1")


@pytest.mark.parametrize(
    "opts, error, sentence",
    [
        (["train.num_itres", "3"], UnknownConfigKeyError, "num_itres"),
        (["model.params.widht", "3"], UnknownConfigKeyError, r"'ToyFullScene' does not know the parameters widht"),
        (["optimizer.grad_clipp", "3"], UnreadConfigError, r"misspelt: optimizer\.grad_clipp\."),
    ],
)
def test_strict_runs_end_before_the_first_step(configs, tmp_path, monkeypatch, opts, error, sentence):
    monkeypatch.setattr("simplecv.core.trainer.Launcher._train_step", lambda *args: pytest.fail("a step was made"))
    with pytest.raises(error, match=sentence):
        run_script(tmp_path / "log", *opts, strict_config=True)


def test_strict_runs_leave_cuda_alone(configs, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("here .cuda() works")
    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"):
        run_script(tmp_path / "log", "train.num_iters", "1", strict_config=True)


@pytest.mark.filterwarnings("ignore:Nothing read")
def test_without_a_gpu_the_cpu_is_used(configs, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.warns(UserWarning, match="No GPU is available: training on the CPU"):
        result = train.run(
            "toy.scene", tmp_path / "log", opts=["train.num_iters", "1", "train.eval_after_train", "False"]
        )
    assert result["launcher"].device.type == "cpu"


def test_what_is_missing_is_told(configs, tmp_path):
    with pytest.raises(ConfigError, match=r"give --config_path PKG\.NAME"):
        train.run(None, tmp_path)
    with pytest.raises(ConfigError, match="give --model_dir"):
        train.run("toy.scene", None, cpu_mode=True)
    with pytest.raises(ConfigError, match="lacks the sections data, optimizer, learning_rate, train"):
        train.run({"model": {}}, tmp_path)


def test_the_command_line(configs, tmp_path, monkeypatch):
    assert isinstance(train.parser, argparse.ArgumentParser)
    # what a script without code of its own does: the configuration module imports what it names
    monkeypatch.setattr(
        sys, "argv", ["dp_train", "--cpu", "--config_path=toy.scene", f"--model_dir={tmp_path / 'log'}"]
    )
    sys.argv += ["train.num_iters", "2", "train.eval_after_train", "False"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train.main()
    assert (tmp_path / "log" / "checkpoint_info.json").exists()
