"""A method that learns the most frequent training class, for tests of what calls methods."""

import json

import numpy as np

from shared_data.runs.history import History
from shared_data.runs.method import Draw, Fitted, Method, Report
from shared_data.runs.model_file import describe_model
from shared_data.runs.probabilities import space_for
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import draw_per_class

SETTINGS = {"scene": "synthetic", "train": {"num_iters": 3}}
ENVIRONMENT = {
    "framework": "none", "framework_version": "0", "python": "3", "system": "Linux", "cpu": "one", "cores": 1,
    "gpu": None,
}  # fmt: skip


class MostFrequent(Fitted):
    SUFFIX = ".json"

    def __init__(self, model, winner, report=None):
        self.model, self.winner, self.report = model, winner, report

    def predict(self, image, tile=0):
        return np.full(image.shape, self.winner, np.uint8)

    def predict_probabilities(self, image, tile=0, out=None):
        out = space_for(image.shape, 9, out)
        out[...] = np.arange(1, 10) == self.winner
        return out

    def save(self, path):
        path.write_text(json.dumps({"winner": self.winner}))

    def weights(self):
        return {"winner": np.array([self.winner])}


def resolve(request, labelled=True, settings=SETTINGS, packaged=SETTINGS, discloses=False):
    settings = json.loads(json.dumps(settings))
    if request.iterations is not None:
        settings["train"]["num_iters"] = request.iterations
    loaded = load_scene(request.experiment, request.data, request.unverified, labelled)
    configuration = Configuration(
        request.experiment, request.protocol, loaded.scene.slug, settings, packaged, None, {}, discloses
    )
    return configuration, loaded


def draw(loaded, _configuration, seed):
    return Draw(draw_per_class(loaded.ground_truth, [10] * loaded.scene.num_classes, seed))


def preprocess(image, labels, configuration, _seed):
    return describe_model("ssdgl", configuration, image, labels, {})


def fit(image, labels, configuration, seed, run, steps=None):
    model = preprocess(image, labels, configuration, seed)
    run.begin()
    history = History()
    history.add_step(0.5)
    history.add_entry(1)
    winner = int(np.bincount(labels.train[labels.train > 0]).argmax())
    report = Report(history, {"step": 1, "on": "last"}, None, {"winner": np.array([winner])})
    return MostFrequent(model, winner, report)


METHOD = Method(
    slug="ssdgl", resolve=resolve, scene_of=str, draw=draw, preprocess=preprocess, fit=fit,
    load=lambda path, device="cpu", bare=None: MostFrequent(None, json.loads(path.read_text())["winner"]),
    inputs=lambda model, image, pixels: image.cube.reshape(-1, image.cube.shape[2])[pixels],
    receptive_field=lambda configuration, mask: mask.copy(), environment=lambda device: dict(ENVIRONMENT),
)  # fmt: skip
