"""The training loop: what a step does, in which order, and what it reports."""

import logging
import warnings

import pytest
import torch
from tiny import TinyModel, assert_same_weights, make_launcher, make_loader, weights
from torch import nn

from simplecv.core.parallel import SingleDevice
from simplecv.core.trainer import Launcher
from simplecv.errors import ConfigError, LoaderError, ModelOutputError, UnknownConfigKeyError
from simplecv.opt.learning_rate import PolyLearningRate
from simplecv.opt.optimizer import make_optimizer

QUIET = {"log_interval_step": 1000, "save_ckpt_interval_epoch": 1000}


def collect(launcher):
    infos = []
    launcher.add_step_callback(lambda self, info: infos.append(info))
    return infos


class Constant(nn.Module):
    """One weight; the losses are what a test sets."""

    def __init__(self, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        self.unused = nn.Parameter(torch.tensor(1.0))
        self.outputs = outputs

    def forward(self, *data):
        return self.outputs(self.weight, *data)


def constant_launcher(tmp_path, outputs, grad_clip=None, **params):
    model = Constant(outputs)
    config = {"type": "sgd", "params": {"lr": 1.0, **params}, "grad_clip": grad_clip}
    schedule = PolyLearningRate(1.0, 1.0, 100)
    return Launcher(tmp_path, model, make_optimizer(config, model.parameters()), schedule)


def test_the_learning_rate_lags_one_step_behind(tmp_path):
    launcher = make_launcher(tmp_path, base_lr=0.1, max_iters=20)
    infos = collect(launcher)
    launcher.train_by_config(make_loader(), {"num_iters": 7, **QUIET})
    poly = PolyLearningRate(0.1, 0.9, 20)
    assert [info["lr"] for info in infos] == [0.1, 0.1] + [poly.lr_at(n - 2) for n in range(3, 8)]
    assert launcher.lr == poly.lr_at(6)
    assert [info["step"] for info in infos] == list(range(1, 8)) and launcher.checkpoint.global_step == 7


def test_losses_are_averaged_and_summed_and_the_rest_is_reported(tmp_path):
    def outputs(weight, x):
        return {"a_loss": weight * torch.tensor([1.0, 3.0]), "b_loss": weight * 10, "OA": torch.tensor([1, 0]), "n": 2}

    launcher = constant_launcher(tmp_path, outputs)
    infos = collect(launcher)
    launcher.train_by_config([torch.zeros(1)], {"num_iters": 1, **QUIET})
    assert launcher.model.weight.item() == 1 - 12
    assert {name: float(value) for name, value in infos[0]["losses"].items()} == {
        "a_loss": 2,
        "b_loss": 10,
        "total_loss": 12,
    }
    assert {name: float(value) for name, value in infos[0]["metrics"].items()} == {"OA": 0.5, "n": 2}
    assert not infos[0]["losses"]["a_loss"].requires_grad and infos[0]["seconds"] > 0


def test_forward_times_averages_over_batches(tmp_path):
    launcher = constant_launcher(tmp_path, lambda weight, x: {"loss": weight * x.sum(), "size": x.sum()})
    infos = collect(launcher)
    batches = [torch.tensor([float(value)]) for value in (1, 2, 6)]
    launcher.train_by_config(batches, {"num_iters": 2, "forward_times": 2, **QUIET})
    means = [(1 + 2) / 2, (6 + 1) / 2]
    assert [float(info["metrics"]["size"]) for info in infos] == means
    assert launcher.model.weight.item() == pytest.approx(1 - sum(means))


def test_gradients_are_clipped(tmp_path):
    launcher = constant_launcher(tmp_path, lambda weight, x: {"loss": weight * 1000}, {"max_norm": 35})
    launcher.train_by_config([0], {"num_iters": 1, **QUIET})
    assert launcher.model.weight.item() == pytest.approx(1 - 35, rel=1e-5)


def test_a_parameter_without_a_gradient_is_not_decayed_but_one_with_a_zero_gradient_is(tmp_path):
    launcher = constant_launcher(tmp_path, lambda weight, x: {"loss": weight * x}, weight_decay=0.5)
    launcher.train_by_config([torch.tensor(0.0)], {"num_iters": 1, **QUIET})
    assert (launcher.model.weight.item(), launcher.model.unused.item()) == (0.5, 1.0)


@pytest.mark.parametrize("batch", [(torch.ones(1), {"a": [torch.ones(2)]}), torch.ones(1), [torch.ones(1), 1, "x"]])
def test_a_batch_becomes_the_models_arguments(tmp_path, batch):
    seen = []
    launcher = constant_launcher(tmp_path, lambda weight, *data: seen.append(data) or {"loss": weight})
    launcher.train_by_config([batch], {"num_iters": 1, **QUIET})
    assert len(seen[0]) == (len(batch) if isinstance(batch, (tuple, list)) else 1)
    assert seen[0][0] is (batch[0] if isinstance(batch, (tuple, list)) else batch)


@pytest.mark.parametrize("output, found", [(1.0, "a float"), ({"OA": 1}, r"the keys \['OA'\]")])
def test_a_model_without_loss_is_told(tmp_path, output, found):
    launcher = constant_launcher(tmp_path, lambda weight, x: output)
    with pytest.raises(ModelOutputError, match="ends in 'loss', but it returned " + found):
        launcher.train_by_config([0], {"num_iters": 1, **QUIET})


def test_an_empty_loader_is_told(tmp_path):
    with pytest.raises(LoaderError, match="list hands out no batch in epoch 1"):
        make_launcher(tmp_path).train_by_config([], {"num_iters": 1, **QUIET})


class Lengthless:
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(torch.arange(self.count, dtype=torch.float32))


class Understated(Lengthless):
    def __len__(self):
        return self.count - 1


@pytest.mark.parametrize("loader", [[torch.tensor(float(i)) for i in range(3)], Lengthless(3), Understated(3)])
@pytest.mark.parametrize("forward_times, steps", [(1, 6), (2, 4), (5, 2)])
def test_epochs(tmp_path, loader, forward_times, steps):
    seen, events = [], []
    launcher = constant_launcher(tmp_path, lambda weight, x: seen.append(int(x)) or {"loss": weight * 0})
    launcher.add_epoch_callback(lambda self, epoch: events.append((epoch, len(seen))))
    launcher.train_by_config(loader, {"num_epochs": 2, "forward_times": forward_times, **QUIET})
    assert seen == [0, 1, 2, 0, 1, 2] and events == [(1, 3), (2, 6)]
    assert launcher.checkpoint.global_step == steps


@pytest.mark.parametrize("lengthless", [False, True])
def test_order_at_the_end_of_an_epoch(tmp_path, lengthless):
    events = []
    launcher = make_launcher(tmp_path)
    launcher.add_step_callback(lambda self, info: events.append(info["step"]))
    launcher.add_epoch_callback(lambda self, epoch: events.append(f"epoch {epoch}"))
    launcher.override_evaluate(lambda self, loader, config: events.append(f"evaluate {loader}"))
    save = launcher.checkpoint.save
    launcher.checkpoint.save = lambda keep: events.append("save") or save(keep)
    batches = list(make_loader(shuffle=False))[:2]
    loader = type("Plain", (), {"__iter__": lambda self: iter(batches)})() if lengthless else batches
    launcher.train_by_config(loader, {"num_iters": 4, "eval_per_epoch": True}, test_data_loader="test")
    first = [1, 2, "epoch 1", "evaluate test", "save", 3, 4]
    # a loader without length does not tell that it is at its end before it is asked for more
    last = ["save", "evaluate test"] if lengthless else ["epoch 2", "evaluate test", "save"]
    assert events == first + last


def test_intervals(tmp_path):
    evaluated = []
    launcher = make_launcher(tmp_path)
    launcher.override_evaluate(lambda self, loader, config: evaluated.append(self.checkpoint.global_step))
    config = {"num_iters": 13, "eval_per_epoch": True, "eval_interval_epoch": 2, "save_ckpt_interval_epoch": 2}
    config.update(save_ckpt_interval_step=4, keep_ckpt=3, eval_after_train=False)
    launcher.train_by_config(list(make_loader())[:3], config, test_data_loader=[0])
    assert evaluated == [6, 12]  # the third epoch ends at step 9
    assert sorted(path.name for path in tmp_path.glob("*.pth")) == ["model-12.pth", "model-13.pth", "model-8.pth"]


def test_evaluation_puts_the_model_back_into_training_mode_and_receives_both_sections(tmp_path):
    launcher = make_launcher(tmp_path)
    configs, modes = [], []

    def evaluate(self, loader, config):
        configs.append(config)
        self._model.eval()

    launcher.override_evaluate(evaluate)
    launcher.add_step_callback(lambda self, info: modes.append(self.model.training))
    config = {"num_iters": 4, "eval_per_epoch": True, **QUIET}
    launcher.train_by_config(list(make_loader())[:2], config, [0], evaluation_config={"draw": 1})
    assert modes == [True] * 4 and configs == [{**config, "draw": 1}] * 2


def test_without_an_evaluation_function_the_log_says_so(tmp_path):
    launcher = make_launcher(tmp_path)
    launcher.train_by_config(make_loader(), {"num_iters": 1, **QUIET}, test_data_loader=[0])
    assert "no evaluation: call launcher.override_evaluate" in next(tmp_path.glob("*.log")).read_text()


def test_backward_can_be_overridden(tmp_path):
    def backward(self, total_loss, optimizer, **kwargs):
        assert optimizer is self.optimizer
        (total_loss * 3).backward()

    launcher = constant_launcher(tmp_path, lambda weight, x: {"loss": weight * 2})
    launcher.override_backward(backward)
    launcher.train_by_config([0], {"num_iters": 1, **QUIET})
    assert launcher.model.weight.item() == 1 - 6


def test_request_stop_finishes_the_step_and_saves(tmp_path):
    launcher = make_launcher(tmp_path)
    evaluated = []
    launcher.override_evaluate(lambda self, loader, config: evaluated.append(1))
    launcher.add_step_callback(lambda self, info: self.request_stop("enough") if info["step"] == 3 else None)
    launcher.train_by_config(make_loader(), {"num_iters": 9, **QUIET}, test_data_loader=[0])
    assert launcher.stop_reason == "enough" and launcher.checkpoint.global_step == 3 and not evaluated
    assert (tmp_path / "model-3.pth").exists()
    assert "stopped at step 3: enough" in next(tmp_path.glob("*.log")).read_text()


def test_a_stop_at_the_end_of_an_epoch_starts_no_further_step(tmp_path):
    launcher = make_launcher(tmp_path)
    launcher.add_epoch_callback(lambda self, epoch: self.request_stop("no improvement"))
    launcher.train_by_config(list(make_loader())[:2], {"num_iters": 9, **QUIET})
    assert launcher.checkpoint.global_step == 2 and (tmp_path / "model-2.pth").exists()


def test_training_can_go_on_in_the_same_process(tmp_path):
    one, two, loader = make_launcher(tmp_path / "1"), make_launcher(tmp_path / "2"), list(make_loader(shuffle=False))
    torch.manual_seed(1)
    one.train_by_config(loader, {"num_iters": 7, **QUIET})
    torch.manual_seed(1)
    two.train_by_config(loader, {"num_iters": 3, **QUIET})
    two.train_by_config(loader, {"num_iters": 7, **QUIET})
    assert_same_weights(weights(one), weights(two))


@pytest.mark.parametrize(
    "config, sentence",
    [
        ({}, "either 'num_iters' or 'num_epochs'"),
        ({"num_iters": 1, "num_epochs": 1}, "exactly one of the two"),
        ({"num_iters": 0}, "train.num_iters must be a whole number from 1 on, found 0"),
        ({"num_iters": True}, "whole number"),
        ({"num_iters": 1, "keep_ckpt": 0}, "train.keep_ckpt"),
        ({"num_iters": 1, "summary_grads": 1}, "train.summary_grads must be True or False"),
    ],
)
def test_unusable_settings_are_errors(tmp_path, config, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_launcher(tmp_path).train_by_config(make_loader(), config)


def test_unknown_keys_are_warned_about_or_errors(tmp_path):
    config = {"num_iters": 1, "log_intervall_step": 3, **QUIET}
    with pytest.warns(UserWarning, match="Unknown keys in the section 'train': log_intervall_step; known: num_iters"):
        make_launcher(tmp_path).train_by_config(make_loader(), config)
    with pytest.raises(UnknownConfigKeyError, match="log_intervall_step"):
        make_launcher(tmp_path).train_by_config(make_loader(), config, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_launcher(tmp_path).train_by_config(make_loader(), {"num_iters": 1, "distributed": True, **QUIET})
    assert "start simplecv.ddp_train" in "".join(path.read_text() for path in tmp_path.glob("*.log"))


def test_log_lines_and_curves(tmp_path):
    launcher = make_launcher(tmp_path)
    config = {"num_iters": 4, "log_interval_step": 2, "tensorboard_interval_step": 2}
    launcher.train_by_config(make_loader(), {**config, "summary_grads": True, "summary_weights": True})
    launcher.logger.eval_log(metric_dict={"OA": 0.5}, step=launcher.checkpoint.global_step)
    launcher.close()
    launcher.logger.info("after closing")
    lines = next(tmp_path.glob("*.log")).read_text().splitlines()
    train = [line for line in lines if "[Train]" in line]
    assert len(train) == 2 and "[Eval] OA = 0.5" in lines[-1]
    for part in ("step 2/4", "cls_loss = ", "total_loss = ", "OA = ", "lr = 0.1,", " s/step", "ETA 0:00:0"):
        assert part in train[0]
    events = b"".join(path.read_bytes() for path in tmp_path.glob("events*"))
    for name in (b"train/total_loss", b"train/lr", b"grads/module.layers.0.weight", b"weights/module", b"eval/OA"):
        assert name in events


def test_a_step_is_logged_behind_its_callbacks_because_a_line_waits_for_the_device(tmp_path, monkeypatch):
    launcher, loader, events = make_launcher(tmp_path), list(make_loader()), []

    def after_step(self, info):
        events.append(info["step"])
        if info["step"] == 2:
            self.request_stop("enough")

    original = torch.Tensor.__float__
    monkeypatch.setattr(torch.Tensor, "__float__", lambda self: events.append("waited") or original(self))
    launcher.add_step_callback(after_step)
    launcher.train_by_config(loader, {"num_iters": 4, "tensorboard_interval_step": 1, "log_interval_step": 1})
    assert [event for event in events if event != "waited"] == [1, 2]
    assert events[0] == 1 and events[1] == events[-1] == "waited"  # the step of a stop is logged, too
    assert "[Train] step 2/4" in next(tmp_path.glob("*.log")).read_text()


def test_the_logged_loss_is_smoothed(tmp_path):
    launcher = constant_launcher(tmp_path, lambda weight, x: {"a_loss": weight * 0 + x})
    launcher.train_by_config([torch.tensor(value) for value in (1.0, 3.0)], {"num_iters": 2, "log_interval_step": 2})
    assert "a_loss = 2," in next(tmp_path.glob("*.log")).read_text()


def test_no_value_is_asked_from_the_device_unless_it_is_logged(tmp_path, monkeypatch):
    launcher, loader = make_launcher(tmp_path), list(make_loader())
    asked = []
    for name in ("item", "__float__"):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda self, f=original: asked.append(1) or f(self))
    launcher.train_by_config(loader, {"num_iters": 2, **QUIET})
    assert not asked


def test_logger_off_and_on(tmp_path):
    launcher = make_launcher(tmp_path)
    launcher.logger.off()
    launcher.logger.info("hidden")
    launcher.logger.on()
    launcher.logger.equation("a", 3)
    launcher.logger.error("bad")
    text = next(tmp_path.glob("*.log")).read_text()
    assert "hidden" not in text and "a = 3" in text and "ERROR, bad" in text
    assert logging.getLogger("simplecv").handlers == [] or not any(
        isinstance(handler, logging.FileHandler) for handler in logging.getLogger("simplecv").handlers
    )


def test_scripts_reach_the_bare_model(tmp_path):
    launcher = make_launcher(tmp_path)
    assert isinstance(launcher.model, SingleDevice) and isinstance(launcher._model.module, TinyModel)
    assert launcher._model.module.config.dropout == 0.5
    assert launcher._logger is launcher.logger and launcher.device == torch.device("cpu")
