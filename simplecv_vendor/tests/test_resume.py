"""A run that was stopped anywhere and resumed ends with the same weights, bit for bit."""

import numpy as np
import pytest
import torch
from tiny import assert_same_weights, make_dataset, make_launcher, make_loader, weights
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler
from torch.utils.data.sampler import Sampler

from simplecv.errors import LoaderError

STEPS = 13


class OwnGeneratorSampler(Sampler):
    """As in the official scripts: a generator of its own, and a data set that draws anew every epoch."""

    def __init__(self, dataset):
        self.dataset = dataset
        self.g = torch.Generator()
        self.g.manual_seed(2333)

    def __iter__(self):
        self.dataset.resample()
        return iter(torch.randperm(len(self.dataset), generator=self.g).tolist())

    def __len__(self):
        return len(self.dataset)


class SeedListDataset(Dataset):
    """Each epoch takes the next seed from the end of a list, and each item is disturbed by the global generators."""

    def __init__(self):
        self.base = make_dataset()
        self.seeds = np.random.RandomState(2333).randint(2**31 - 1, size=99).tolist()
        self.resample()

    def resample(self):
        self.shift = float(np.random.RandomState(self.seeds.pop()).rand())

    def __len__(self):
        return len(self.base)

    def __getitem__(self, index):
        x, y = self.base[index]
        return x + self.shift + np.float32(0.1 * np.random.rand()) + 0.1 * torch.rand(4), y


class StatefulLoader:
    """Knows its own position; the permutation of an epoch is drawn from its own seed."""

    def __init__(self):
        self.base, self.epoch, self.position = make_dataset(), 0, 0

    def __len__(self):
        return 5

    def __iter__(self):
        order = np.random.RandomState(self.epoch).permutation(10).reshape(5, 2)
        while self.position < 5:
            x, y = self.base[order[self.position]]
            self.position += 1
            yield x, y
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self):
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state):
        self.epoch, self.position = state["epoch"], state["position"]


class Stream(IterableDataset):
    """No length; every epoch has its own number of items, drawn from the global generator."""

    def __iter__(self):
        for _ in range(int(torch.randint(2, 5, ()))):
            yield torch.rand(4), int(torch.randint(2, ()))


def official():
    dataset = SeedListDataset()
    return DataLoader(dataset, batch_size=2, sampler=OwnGeneratorSampler(dataset))


def seeded():
    generator = torch.Generator()
    generator.manual_seed(7)
    return make_loader(generator=generator)


def with_replacement():
    generator = torch.Generator()
    generator.manual_seed(7)
    dataset = make_dataset()
    sampler = RandomSampler(dataset, replacement=True, num_samples=10, generator=generator)
    return DataLoader(dataset, batch_size=2, sampler=sampler)


LOADERS = {
    "shuffle": make_loader,
    "shuffle, own generator": seeded,
    "sampler with own generator": with_replacement,
    "official style": official,
    "state_dict": StatefulLoader,
    "stream": lambda: DataLoader(Stream(), batch_size=2),
    "list": lambda: list(make_loader(shuffle=False)),
    "workers": lambda: make_loader(num_workers=1),
}


def run(folder, make, steps, seed, noisy_evaluation=True, **config):
    """Train to `steps`; everything random before the first step depends on `seed`."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    launcher = make_launcher(folder, seed=seed)
    if noisy_evaluation:
        launcher.override_evaluate(lambda self, loader, config: torch.rand(3))
    config = {"num_iters": steps, "eval_per_epoch": True, "eval_after_train": False, "log_interval_step": 100, **config}
    launcher.train_by_config(make(), config, test_data_loader=[0])
    return launcher


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("stop", [3, 5, 7, 10])
def test_resumed_runs_equal_uninterrupted_ones(tmp_path, name, stop):
    if name == "workers" and stop != 7:
        pytest.skip("starting processes is slow; once is enough")
    whole = run(tmp_path / "whole", LOADERS[name], STEPS, seed=1)
    first = run(tmp_path / "parts", LOADERS[name], stop, seed=1)
    second = run(tmp_path / "parts", LOADERS[name], STEPS, seed=2)
    assert (first.checkpoint.global_step, second.checkpoint.global_step) == (stop, STEPS)
    assert_same_weights(weights(whole), weights(second))
    for key, value in whole.optimizer.state_dict()["state"].items():
        assert torch.equal(value["momentum_buffer"], second.optimizer.state_dict()["state"][key]["momentum_buffer"])


@pytest.mark.parametrize("name", ["shuffle", "official style", "state_dict"])
@pytest.mark.parametrize("forward_times", [2, 3])
def test_steps_that_reach_over_the_end_of_an_epoch(tmp_path, name, forward_times):
    config = {"forward_times": forward_times}
    whole = run(tmp_path / "whole", LOADERS[name], 7, seed=1, **config)
    run(tmp_path / "parts", LOADERS[name], 2, seed=1, **config)
    run(tmp_path / "parts", LOADERS[name], 4, seed=2, **config)
    assert_same_weights(weights(whole), weights(run(tmp_path / "parts", LOADERS[name], 7, seed=3, **config)))


def test_epoch_numbers_go_on(tmp_path):
    def epochs(steps, seed):
        launcher, found = make_launcher(tmp_path, seed=seed), []
        launcher.add_epoch_callback(lambda self, epoch: found.append((epoch, self.checkpoint.global_step)))
        launcher.train_by_config(make_loader(), {"num_iters": steps, "log_interval_step": 100})
        return found

    assert epochs(7, 1) == [(1, 5)]
    assert epochs(15, 2) == [(2, 10), (3, 15)]


def test_a_distributed_sampler_is_told_the_epoch(tmp_path):
    announced = []
    loader = make_loader()
    loader.sampler.set_epoch = announced.append
    make_launcher(tmp_path).train_by_config(loader, {"num_iters": 11, "log_interval_step": 100})
    assert announced == [0, 1, 2]


def test_a_finished_run_is_not_trained_or_written_again(tmp_path):
    first = run(tmp_path, make_loader, 6, seed=1)
    written = (tmp_path / "model-6.pth").stat().st_mtime_ns
    second = run(tmp_path, make_loader, 6, seed=2)
    assert_same_weights(weights(first), weights(second))
    assert (tmp_path / "model-6.pth").stat().st_mtime_ns == written


def test_fewer_data_than_before_is_told(tmp_path):
    run(tmp_path, make_loader, 4, seed=1)
    with pytest.raises(LoaderError, match="taken after batch 4 of an epoch, but the data loader has fewer"):
        run(tmp_path, lambda: make_loader(batch_size=5), 6, seed=1)


def test_another_kind_of_loader_is_told(tmp_path):
    run(tmp_path, StatefulLoader, 4, seed=1)
    with pytest.raises(LoaderError, match="another kind of data loader"):
        run(tmp_path, make_loader, 6, seed=1)
