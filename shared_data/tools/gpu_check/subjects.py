"""What is checked: the networks of the papers on PyTorch in training, on a scene of a given size."""

import abc
import functools
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import a2s2k_resnet_helpers
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2s2k_resnet.experiments import PATCH_SIDES
from a2s2k_resnet.network import build_network
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import pixel_logits
from a2s2k_resnet.prediction import predict_scene as predict_patches
from rssgl.bench import SUBJECT as RSSGL
from shared_data.errors import SharedDataError
from shared_data.files.toml import load_toml
from shared_data.preprocessing.standardise import band_statistics, pad_labels, standardise_and_pad
from shared_data.scenes.loading import load_scene
from shared_data.timing import load_literal
from ssdgl.bench import SUBJECT as SSDGL
from ssdgl.encoder_decoder import EncoderDecoder
from ssdgl.predict import predict_scene

ROOT = Path(__file__).resolve().parents[3]
WHOLE_SCENE: Dict[str, Any] = {"ssdgl": SSDGL, "rssgl": RSSGL}
PATCHES = ("a2s2k", "ssrn", "resnet", "pyresnet", "contextualnet")
NAMES = (*WHOLE_SCENE, *PATCHES)

BLOCK = 8  # side in pixels of the fields of a generated scene
DISTINCT = 32  # mini-batches, which the steps take in turn
EVALUATED = 256  # patches of a timed evaluation


class Size(NamedTuple):
    """The size of a scene with K classes. training: pixels that train A2S2K-ResNet; quick: narrow networks
    of whole scenes."""

    name: str
    height: int
    width: int
    bands: int
    classes: int
    training: int
    quick: bool = False


INDIAN_PINES = Size("indianpines", 145, 145, 200, 16, 1018)
SIZES = (INDIAN_PINES, Size("pavia", 610, 340, 103, 9, 4273), Size("salinas", 512, 217, 204, 16, 5406))
CROP = Size("indianpines", 64, 64, 200, 16, 256)  # where a CPU takes part
QUICK = Size("indianpines", 32, 32, 12, 4, 64, quick=True)

_NARROW: Dict[str, Dict[str, Any]] = {
    "ssdgl": {"block_channels": [32, 32, 48, 48], "inner_dim": 16, "attention_ratio": 4},
    "rssgl": {"block_channels": [32, 32, 32, 32], "inner_dim": 16, "kernel": [1, 3, 3]},
}


class Scene(NamedTuple):
    """cube (H, W, B) of any numbers; labels (H, W) uint8, 0 unlabelled; origin: in words."""

    cube: np.ndarray
    labels: np.ndarray
    origin: str


@functools.lru_cache(maxsize=1)
def scene_of(size: Size) -> Scene:
    """Indian Pines where its files are found and the size is its own; else fields with a spectrum each, and noise."""
    if size == INDIAN_PINES:
        try:
            loaded = load_scene(size.name)
            return Scene(loaded.cube, loaded.ground_truth, "Indian Pines")
        except SharedDataError:
            pass
    random = np.random.RandomState(0)
    fields = random.randint(1, size.classes + 1, (-(-size.height // BLOCK), -(-size.width // BLOCK)))
    labels = np.kron(fields, np.ones((BLOCK, BLOCK), np.int64))[: size.height, : size.width].astype(np.uint8)
    spectra = random.standard_normal((size.classes + 1, size.bands)).astype(np.float32)
    noise = random.standard_normal((size.height, size.width, size.bands)).astype(np.float32)
    return Scene(spectra[labels] + 2 * noise, labels, "a generated scene")


def _standardised(cube: np.ndarray, multiple: int) -> np.ndarray:
    """(B, H', W') float32, every band standardised over the scene, sides padded to a multiple."""
    return standardise_and_pad(cube, multiple, band_statistics(cube))


class Subject(abc.ABC):
    """A network in training. Every step takes another mini-batch; the same numbers give the same ones."""

    steps_of_epoch: int
    network: nn.Module
    optimizer: torch.optim.Optimizer
    grad_clip = 0.0  # norm; 0: no clipping
    method = "forward"  # of the network, from one tensor to one; what follows it has no fixed shapes

    @abc.abstractmethod
    def loss(self, number: int) -> Tensor:
        """The loss of mini-batch `number`."""

    @abc.abstractmethod
    def evaluate(self) -> None:
        """What follows an epoch: the map of the scene, or the validation pixels."""

    @abc.abstractmethod
    def classes(self) -> np.ndarray:
        """(H, W) uint8 classes 1..K of the scene."""

    @abc.abstractmethod
    def sample(self) -> Tensor:
        """An input of `method`."""

    def clip(self) -> None:
        """Clip the gradients, where the paper does."""
        if self.grad_clip:
            nn.utils.clip_grad_norm_([p for p in self.network.parameters() if p.grad is not None], self.grad_clip)

    def step(self, number: int) -> Tensor:
        """One training step; its loss, which stays on the device."""
        self.optimizer.zero_grad()
        loss = self.loss(number)
        loss.backward()
        self.clip()
        self.optimizer.step()
        return loss.detach()


class WholeScene(Subject):
    """SSDGL or RSSGL: a mini-batch is the scene, with an indicator of the sampled pixels."""

    method = "decode"

    def __init__(self, name: str, which: str, size: Size, device: torch.device) -> None:
        self._paper, self._which, self._size = WHOLE_SCENE[name], which, size
        settings = load_toml(ROOT / name / "configs" / (size.name + ".toml"))
        params = dict(settings["model"]["params"], in_channels=size.bands, num_classes=size.classes)
        params.update(_NARROW[name] if size.quick else {})
        torch.manual_seed(0)
        ours = self._paper.ours(params)
        self.network = ours.to(device)
        if which == "literal":
            self.network = self._paper.literal(params).to(device)
            self.network.load_state_dict(ours.state_dict())
        optimizer = settings["optimizer"]["params"]
        rate = settings["learning_rate"]["params"]["base_lr"]
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=rate, **optimizer)
        self.grad_clip = settings["optimizer"]["grad_clip"]["max_norm"]
        self.steps_of_epoch = settings["minibatch"]["images"]
        scene = scene_of(size)
        labels = pad_labels(scene.labels, EncoderDecoder.STRIDE)
        self._x = torch.from_numpy(_standardised(scene.cube, EncoderDecoder.STRIDE))[None].to(device)
        # the literal losses compute all pixels, also those of no class, and multiply them by zero
        self._y = torch.from_numpy(labels.astype(np.int64)).clamp(min=1)[None].to(device)
        self._w = [_sampled(labels, settings["minibatch"]["per_class"], seed).to(device) for seed in range(DISTINCT)]

    def loss(self, number: int) -> Tensor:
        loss_of = self._paper.loss_of_ours if self._which == "ours" else self._paper.loss_of_literal
        return loss_of(self.network, self._x, self._y, self._w[number % DISTINCT])

    def evaluate(self) -> None:
        if self._which == "ours":
            self.classes()
        else:
            with torch.no_grad():
                self.network.cls_pred_conv(self.network.features(self._x)).argmax(1).cpu()

    def classes(self) -> np.ndarray:
        return predict_scene(self.network, self._x, self._size.height, self._size.width)

    def sample(self) -> Tensor:
        return self._x


def _sampled(labels: np.ndarray, per_class: int, seed: int) -> Tensor:
    """(1, H, W) float32, 1 at some pixels of every class."""
    random, w = np.random.RandomState(seed), np.zeros(labels.size, np.float32)
    for label in np.unique(labels[labels > 0]):
        w[random.permutation(np.flatnonzero(labels.ravel() == label))[:per_class]] = 1
    return torch.from_numpy(w.reshape(1, *labels.shape))


class Patches(Subject):
    """A2S2K-ResNet or a baseline. The literal network takes patches that were cut beforehand, as the release does."""

    def __init__(self, name: str, which: str, size: Size, device: torch.device) -> None:
        settings, scene = load_toml(ROOT / "a2s2k_resnet" / "configs" / (size.name + ".toml")), scene_of(size)
        bands = size.bands if size.quick else settings["preprocessing"]["components"] or size.bands
        side, self._batch = PATCH_SIDES.get(name, settings["patch"]["side"]), settings["train"]["batch"]
        torch.manual_seed(0)
        ours = build_network(name, bands, size.classes, side)
        self.network = ours.to(device)
        cube = np.ascontiguousarray(_standardised(scene.cube[:, :, :bands], 1).transpose(1, 2, 0))
        self._gatherer, self._array = PatchGatherer(cube, side, device), None
        # drawn from few pixels, so that the literal network's patches are soon cut; their number changes no time
        pixels = np.random.RandomState(1).permutation(np.flatnonzero(scene.labels))[
            : max(EVALUATED, size.training // 4)
        ]
        self._pixels = torch.from_numpy(pixels)
        self._targets = torch.from_numpy(scene.labels.ravel()[pixels].astype(np.int64) - 1)
        if which == "literal":
            literal = load_literal(ROOT / "a2s2k_resnet" / "tests" / "a2s2k_resnet_literal.py").literal_network
            self.network = literal(name, bands, size.classes, side).to(device)
            self.network.load_state_dict(ours.state_dict())
            self._array = PatchGatherer(cube, side)(self._pixels).double().numpy()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings["optimizer"]["lr"])
        self.steps_of_epoch, self._validating = -(-size.training // self._batch), size.training

    def _patches(self, chosen: np.ndarray) -> Tensor:
        if self._array is None:
            return self._gatherer(self._pixels[chosen])
        return torch.from_numpy(self._array[chosen]).float().to(self._gatherer.device)

    def loss(self, number: int) -> Tensor:
        chosen = np.random.RandomState(number).permutation(len(self._pixels))[: self._batch]
        return F.cross_entropy(self.network(self._patches(chosen)), self._targets[chosen].to(self._gatherer.device))

    def evaluate(self) -> None:
        for start in range(0, self._validating, EVALUATED):
            count = min(EVALUATED, self._validating - start)
            if self._array is None:
                pixel_logits(self.network, self._gatherer, self._pixels[:count]).cpu()
                continue
            self.network.eval()
            with torch.no_grad():
                for part in np.array_split(np.arange(count), -(-count // self._batch)):
                    self.network(self._patches(part)).cpu()
            self.network.train()

    def classes(self) -> np.ndarray:
        return predict_patches(self.network, self._gatherer)

    def sample(self) -> Tensor:
        return self._patches(np.arange(self._batch))


def subject_of(name: str, size: Size, device: torch.device, which: str = "ours") -> Subject:
    """A network of `NAMES` at a size. which: `ours` or `literal`, which have the same weights."""
    return (WholeScene if name in WHOLE_SCENE else Patches)(name, which, size, device)


def without_dropout(subject: Subject) -> Subject:
    """For comparisons of devices, whose random numbers differ."""
    a2s2k_resnet_helpers.without_dropout(subject.network)
    return subject


def weights_of(subject: Subject) -> List[Tensor]:
    """Copies of all weights and running statistics, on the CPU."""
    return [tensor.detach().cpu().clone() for tensor in subject.network.state_dict().values()]
