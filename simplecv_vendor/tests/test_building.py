"""Registries, builders, and what is outside this project."""

import importlib

import pytest
import torch
from tiny import TinyModel

import simplecv.module as scm
from simplecv import registry
from simplecv.core.config import AttrDict
from simplecv.data.data_loader import make_dataloader
from simplecv.errors import CheckpointError, ConfigError, UnknownConfigKeyError
from simplecv.interface import ConfigurableMixin, CVModule, LearningRateBase
from simplecv.module.model_builder import make_model
from simplecv.opt.learning_rate import make_learningrate
from simplecv.opt.optimizer import grad_clip_of, make_optimizer
from simplecv.util import registry as util_registry


@pytest.fixture
def names():
    """Registries that forget what a test enters."""
    tables = (registry.MODEL, registry.DATALOADER)
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before):
        table.clear()
        table.update(content)


def test_both_import_paths_are_the_same_registries():
    for name in ("MODEL", "DATALOADER", "LR", "OPT", "LOSS", "OP"):
        assert getattr(registry, name) is getattr(util_registry, name)


def test_registering_as_decorator_and_as_call():
    table = util_registry.Registry("MODEL")

    @table.register("first")
    class First:
        pass

    table.register("second", First)
    assert table["first"] is First and table["second"] is First and sorted(table) == ["first", "second"]


def test_a_second_registration_warns_and_replaces():
    table = util_registry.Registry("OP")
    table.register("a", int)
    with pytest.warns(UserWarning, match="'a' was registered already"):
        table.register("a", float)
    table.register("a", str, override=True)
    assert table["a"] is str


@pytest.mark.parametrize("make", [make_model, make_dataloader, make_learningrate, lambda c: make_optimizer(c, [])])
def test_an_unknown_type_names_what_is_registered(make):
    with pytest.raises(ValueError, match=r"type 'nonsense' is unknown; registered: "):
        make({"type": "nonsense", "params": {}})


def test_a_model_overrides_its_defaults(names):
    registry.MODEL.register("Tiny", TinyModel)
    model = make_model({"type": "Tiny", "params": {"dropout": 0.25}})
    assert model.config.dropout == model.layers[1].p == 0.25
    assert make_model({"type": "Tiny", "params": {}}).config == {"dropout": 0.5, "GLOBAL": {}}


def test_strict_models_refuse_unknown_parameters(names):
    registry.MODEL.register("Tiny", TinyModel)
    config = AttrDict(type="Tiny", params={"dropot": 0.25, "GLOBAL": {}})
    assert make_model(config).config.dropot == 0.25
    with pytest.raises(UnknownConfigKeyError, match=r"'Tiny' does not know the parameters dropot; it knows: dropout\."):
        make_model(config, strict=True)


def test_reading_the_models_config_counts_for_the_given_one():
    given = AttrDict(dropout=0.1, unused=1)
    TinyModel(given)
    assert given.unread() == ["unused"]


def test_defaults_under_either_spelling():
    class Modern(ConfigurableMixin):
        def set_default_config(self):
            self.config.update({"loss": {}, "size": {"a": 1}})

    thing = Modern({"loss": {"anything": 1}, "size": {"b": 2}})
    assert thing.config == {"loss": {"anything": 1}, "size": {"a": 1, "b": 2}}
    assert thing.unknown_config_keys == ["size.b"]
    with pytest.raises(NotImplementedError, match="CVModule must define set_default_config"):
        CVModule({})


def test_initial_weights_from_a_file(tmp_path):
    source, path = TinyModel({}), tmp_path / "weights.pth"
    torch.save({"module." + name: value for name, value in source.state_dict().items()}, str(path))
    weight = {"path": str(path), "excepts": r"layers\.2"}
    model = TinyModel({"GLOBAL": {"weight": weight}})
    model.init_from_weightfile()
    assert torch.equal(model.layers[0].weight, source.layers[0].weight)
    assert not torch.equal(model.layers[2].weight, source.layers[2].weight)
    missing = TinyModel({"GLOBAL": {"weight": {"path": str(tmp_path / "absent.pth")}}})
    with pytest.raises(CheckpointError, match=r"absent\.pth does not exist"):
        missing.init_from_weightfile()


def test_optimizers_keep_their_configuration_and_clip_by_default():
    parameters = [torch.nn.Parameter(torch.zeros(2))]
    config = {"type": "sgd", "params": {"lr": 0.1, "momentum": 0.9}}
    optimizer = make_optimizer(config, parameters)
    assert isinstance(optimizer, torch.optim.SGD) and optimizer.simplecv_config is config
    assert grad_clip_of(optimizer) == {"max_norm": 35, "norm_type": 2}
    adam = make_optimizer({"type": "adam", "params": {"lr": 0.1}, "grad_clip": {"max_norm": 1}}, parameters)
    assert isinstance(adam, torch.optim.Adam) and grad_clip_of(adam) == {"max_norm": 1, "norm_type": 2}
    assert grad_clip_of(make_optimizer({**config, "grad_clip": None}, parameters)) is None


def rates(config, steps):
    schedule = make_learningrate(config)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=schedule.base_lr)
    found = []
    for step in steps:
        schedule.step(step, optimizer)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_poly():
    found = rates({"type": "poly", "params": {"base_lr": 0.1, "power": 0.5, "max_iters": 100}}, [0, 75, 100, 150])
    assert found == pytest.approx([0.1, 0.05, 0, 0])


def test_cosine():
    found = rates({"type": "cosine", "params": {"base_lr": 1.0, "max_iters": 10, "eta_min": 0.2}}, [0, 5, 10, 20])
    assert found == pytest.approx([1, 0.6, 0.2, 0.2])


def test_multistep_with_warm_up():
    params = {"steps": (10, 20), "base_lr": 1.0, "gamma": 0.1, "warmup_step": 4, "warmup_init_lr": 0.5}
    found = rates({"type": "multistep", "params": params}, [0, 2, 4, 9, 10, 11, 20, 21])
    assert found == pytest.approx([0.5, 0.75, 1, 1, 1, 0.1, 0.1, 0.01])
    # the warm-up goes before the steps, up to its last one
    early = dict(params, steps=(2, 3))
    assert rates({"type": "multistep", "params": early}, [3, 4, 5]) == pytest.approx([0.875, 1, 0.01])
    none = dict(params, warmup_step=0)
    assert rates({"type": "multistep", "params": none}, [0, 10, 11]) == pytest.approx([1, 1, 0.1])
    with pytest.raises(ConfigError, match="must increase"):
        make_learningrate({"type": "multistep", "params": {"steps": (20, 10), "base_lr": 1}})
    with pytest.raises(ConfigError, match="needs both"):
        make_learningrate({"type": "multistep", "params": {"steps": (), "base_lr": 1, "warmup_step": 3}})


def test_a_schedule_must_define_step():
    with pytest.raises(NotImplementedError, match="step"):
        LearningRateBase(0.1).step(0, None)


def test_se_block():
    block, x = scm.SEBlock(8, 4), torch.randn(2, 8, 3, 5)
    gate = block.seq(x.mean(dim=(2, 3))).detach()
    assert gate.shape == (2, 8) and float(gate.min()) > 0 and float(gate.max()) < 1
    assert torch.allclose(block(x), x * gate[:, :, None, None])
    assert torch.allclose(scm.GlobalAvgPool2D()(x)[..., 0, 0], x.mean(dim=(2, 3)))


def test_the_wider_zoo_says_that_it_is_outside():
    with pytest.raises(AttributeError, match=r"'simplecv\.module\.ResNetEncoder' is outside this project"):
        _ = scm.ResNetEncoder
    for name in ("simplecv.module.resnet", "simplecv.module.fpn"):
        with pytest.raises(ImportError, match="outside this project"):
            importlib.import_module(name)
    with pytest.raises(ImportError, match="outside this project"):
        from simplecv.module import FPN  # noqa: F401
    assert importlib.import_module("simplecv.module.model_builder").make_model is make_model
