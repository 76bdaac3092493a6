"""Small methods for the audit's tests: honest ones, and others that use what they must not.

All are softmax regression on the spectra of a corner of the generated scene. `Honest` is complete; every other class
changes the one function that its docstring is about. A method consists of functions alone, so a cheat must hide what it
stole in something that these functions share: labels, plan, an object of its own, a file, the scene itself.
"""

import json
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from shared_data.runs.history import History
from shared_data.runs.method import Draw, Fitted, Method, Report
from shared_data.runs.model_file import describe_model
from shared_data.runs.probabilities import of_logits, space_for
from shared_data.runs.request import Configuration
from shared_data.scenes.loading import load_scene
from shared_data.splits.disjoint import near
from shared_data.splits.draws import Split, draw_per_class, mask_of
from shared_data.splits.labels import labels_of

ROWS, COLUMNS, BANDS = slice(64, 112), slice(16, 64), slice(None, None, 4)
STEPS, RATE = 60, 0.5
LATE = 40  # steps after which a cheat begins
_FIRST = {}  # what the first call of `corner` gave


def corner():
    """A corner of the generated scene with every fourth band; another one while an audit serves it."""
    loaded = cut(load_scene("synthetic"))
    _FIRST.setdefault("truth", loaded.ground_truth)
    return loaded


def cut(loaded):
    """The corner of the whole scene; a corner as it is."""
    if loaded.ground_truth.shape == (48, 48):
        return loaded
    cube = np.ascontiguousarray(loaded.cube[ROWS, COLUMNS, BANDS])
    truth = np.ascontiguousarray(loaded.ground_truth[ROWS, COLUMNS])
    counts = tuple(np.bincount(truth.ravel(), minlength=10)[1:].tolist())
    scene = loaded.scene._replace(height=48, width=48, bands=cube.shape[2], class_counts=counts)
    return loaded._replace(scene=scene, cube=cube, ground_truth=truth)


class MoreLabels(NamedTuple):
    """Labels with everything that the method's own function could take."""

    train: np.ndarray
    val: np.ndarray
    train_pixels: np.ndarray
    val_pixels: np.ndarray
    truth: Any
    stolen: np.ndarray  # (H, W) of the scene's labels
    split: Split


class Softmax(Fitted):
    """Weights (B + 1, K) behind band means and deviations. stolen: what a cheat keeps for predicting."""

    SUFFIX = ".json"

    def __init__(self, recipe, model, mean, deviation, weights, report=None, stolen=None):
        self.recipe, self.model, self.mean, self.deviation = recipe, model, mean, deviation
        self.W, self.report, self.stolen = weights, report, stolen

    def predict(self, image, tile=0):
        scores = scores_of(self.recipe.features(self, image), self.W)
        classes = self.recipe.decide(self, scores, image)
        return self.recipe.revise(self, classes.reshape(image.shape), image).astype(np.uint8)

    def predict_probabilities(self, image, tile=0, out=None):
        out = space_for(image.shape, self.W.shape[1], out)
        out[...] = of_logits(scores_of(self.recipe.features(self, image), self.W)).reshape(out.shape)
        return out

    def save(self, path):
        path.write_text(json.dumps({name: value.tolist() for name, value in self.weights().items()}))

    def weights(self):
        return {"W": self.W.copy(), "mean": self.mean.copy(), "deviation": self.deviation.copy()}


def scores_of(features, weights):
    """(n, K) logits."""
    return np.hstack([features, np.ones((len(features), 1))]).dot(weights)


def flat(image):
    return image.cube.reshape(-1, image.cube.shape[2]).astype(float)


class Honest:
    """softmax regression on standardised spectra of training pixels"""

    discloses = False
    batch = None  # all training pixels at once

    # what callers ask

    def draw(self, loaded, configuration, seed):
        truth = loaded.ground_truth
        counts = np.bincount(truth.ravel(), minlength=10)[1:]
        drawn = draw_per_class(truth, np.ceil(counts * 0.15).astype(int), seed)
        test = np.random.RandomState(seed).permutation(drawn.test)
        return Draw(Split(drawn.train[::2], drawn.train[1::2], test[: len(test) * 2 // 3]))

    def labels(self, draw, truth):
        return labels_of(truth, draw.split)

    def receptive_field(self, mask):
        return mask.copy()

    def inputs(self, fitted, image, pixels):
        return ((flat(image) - fitted.arrays["mean"]) / fitted.arrays["deviation"])[pixels]

    # what training is made of

    def statistics(self, image, labels):
        known = flat(image)[labels.train_pixels]
        return known.mean(axis=0), known.std(axis=0) + 1e-9

    def features(self, fitted, image):
        return (flat(image) - fitted.mean) / fitted.deviation

    def examples(self, fitted, image, labels, step):
        """Flat pixels and classes of the loss."""
        return labels.train_pixels, labels.train.ravel()[labels.train_pixels]

    def weights_of_classes(self, labels):
        return np.ones(9)

    def order(self, labels, random):
        """The order in which training pixels are taken, one epoch."""
        return random.permutation(len(labels.train_pixels))

    selects, tells = False, True  # the step with the largest `value_of` is used; the report says so

    def value_of(self, fitted, image, labels, step):
        raise NotImplementedError

    def shown(self, fitted, image, labels):
        return {}

    # what predicting is made of

    def keeps(self, labels, image):
        """For predicting."""
        return labels.train

    def decide(self, fitted, scores, image):
        return scores.argmax(axis=1) + 1

    def revise(self, fitted, classes, image):
        return classes

    def fit(self, image, labels, configuration, seed, run, steps=None):
        run.begin()
        model = self.preprocess(image, labels, configuration, seed)
        history, random = History(), np.random.RandomState(seed)
        fitted = Softmax(self, model, model.arrays["mean"], model.arrays["deviation"], np.zeros((17, 9)))
        fitted.stolen = self.keeps(labels, image)
        features, factors, best = self.features(fitted, image), self.weights_of_classes(labels), None
        order = np.zeros(0, int)
        for step in range(1, 1 + min(configuration.settings["train"]["num_iters"], steps or STEPS)):
            pixels, classes = self.examples(fitted, image, labels, step)
            if self.batch:
                order = self.order(labels, random) if len(order) < self.batch else order
                chosen, order = order[: self.batch], order[self.batch :]
                pixels, classes = labels.train_pixels[chosen], labels.train.ravel()[labels.train_pixels[chosen]]
            fitted.W = fitted.W - RATE * gradient(features[pixels], classes, fitted.W, factors)
            if self.selects:
                value = self.value_of(fitted, image, labels, step)
                best = (value, step, fitted.W.copy()) if best is None or value > best[0] else best
            history.add_step(0.001)
            if step % 10 == 0:
                history.add_entry(step, **self.shown(fitted, image, labels))
        last = fitted.weights()
        state = None
        if best is not None:
            fitted.W = best[2]
            state = {"value": float(best[0]), "step": best[1]} if self.tells else None
        fitted.report = Report(history, {"step": step, "on": "nothing"}, state, last)
        return fitted

    def preprocess(self, image, labels, configuration, seed):
        mean, deviation = self.statistics(image, labels)
        return describe_model("ssdgl", configuration, image, labels, {"mean": mean, "deviation": deviation})

    def resolve(self, request, labelled=True):
        settings = {"scene": "synthetic", "train": {"num_iters": request.iterations or STEPS}}
        loaded = corner()
        return Configuration(
            request.experiment, request.protocol, "synthetic", settings, settings, None, {}, self.discloses
        ), loaded


def gradient(x, classes, weights, factors):
    scores = scores_of(x, weights)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    wrong = scores / scores.sum(axis=1, keepdims=True) - np.eye(10)[classes][:, 1:]
    wrong *= factors[classes - 1][:, None]
    return np.hstack([x, np.ones((len(x), 1))]).T.dot(wrong) / len(x)


def method_of(recipe):
    """The `Method` of a recipe."""
    return Method(
        slug="ssdgl", resolve=recipe.resolve, scene_of=str, draw=recipe.draw, preprocess=recipe.preprocess,
        fit=recipe.fit, load=lambda path, device="cpu", bare=None: None, inputs=recipe.inputs,
        receptive_field=lambda _configuration, mask: recipe.receptive_field(mask),
        environment=lambda device: {}, labels=recipe.labels,
    )  # fmt: skip


# honest methods


class InOrder(Honest):
    """mini-batches, in an order drawn for the training pixels"""

    batch = 16


class OrderOfAllPixels(Honest):
    """mini-batches; the order is a shuffle of all labelled pixels, of which those that train are kept"""

    batch = 16

    def labels(self, draw, truth):
        return stealing(draw, truth)

    def order(self, labels, random):
        shuffled = random.permutation(np.flatnonzero(labels.stolen))
        places = {pixel: place for place, pixel in enumerate(labels.train_pixels)}
        return np.array([places[pixel] for pixel in shuffled if pixel in places])


class OrderByClass(OrderOfAllPixels):
    """mini-batches; all labelled pixels are shuffled class by class, and those that train are kept"""

    def order(self, labels, random):
        places = {pixel: place for place, pixel in enumerate(labels.train_pixels)}
        ordered = np.concatenate([random.permutation(np.flatnonzero(labels.stolen == label)) for label in range(1, 10)])
        kept = np.array([places[pixel] for pixel in ordered if pixel in places])
        return random.permutation(kept)


class OrderByCounts(OrderOfAllPixels):
    """mini-batches, in an order that depends on the number of labelled pixels of every class"""

    def order(self, labels, random):
        counts = np.bincount(labels.stolen.ravel(), minlength=10)
        return np.random.RandomState(int(counts.dot(np.arange(10)))).permutation(len(labels.train_pixels))


class SelectsOnValidation(Honest):
    """the step with the best validation accuracy is used"""

    selects = True

    def value_of(self, fitted, image, labels, step):
        return accuracy(self, fitted, image, labels.val, labels.val_pixels)


class StopsEarly(SelectsOnValidation):
    """training ends where the validation accuracy has not risen for three steps"""

    def fit(self, image, labels, configuration, seed, run, steps=None):
        seen = []
        full = configuration.settings["train"]["num_iters"]
        for length in range(1, 1 + min(full, steps or full)):
            settings = dict(configuration.settings, train={"num_iters": length})
            fitted = Honest.fit(self, image, labels, configuration._replace(settings=settings), seed, run)
            seen.append(accuracy(self, fitted, image, labels.val, labels.val_pixels))
            if len(seen) > 3 and max(seen[-3:]) <= max(seen[:-3]):
                break
        return fitted


class ClassWeights(Honest):
    """class weights from the training pixels of every class"""

    def weights_of_classes(self, labels):
        return 1 / np.maximum(np.bincount(labels.train.ravel(), minlength=10)[1:], 1) * 10.0


class ShowsTestAccuracy(Honest):
    """the test accuracy is shown every ten steps, from labels that the protocol discloses; nothing is chosen by it"""

    discloses = True

    def shown(self, fitted, image, labels):
        truth = labels.open_truth("zoo", "accuracy shown while training")
        return {"test_oa": accuracy(self, fitted, image, truth.labels, truth.test)}


class SceneWideStatistics(Honest):
    """bands standardised over the whole scene"""

    def statistics(self, image, labels):
        return flat(image).mean(axis=0), flat(image).std(axis=0)


class Patches(Honest):
    """means of 3×3 pixels as inputs"""

    def features(self, fitted, image):
        padded = np.pad(image.cube.astype(float), ((1, 1), (1, 1), (0, 0)), mode="edge")
        height, width = image.shape
        mean = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3)) / 9
        return (mean.reshape(-1, mean.shape[2]) - fitted.mean) / fitted.deviation

    def receptive_field(self, mask):
        return near(mask, 1)


class WideFilter(Honest):
    """inputs are filtered over 41×41 pixels, then standardised by training pixels"""

    reach = 20

    def filtered(self, image):
        """Sums of whole numbers, which do not depend on their order."""
        width = 2 * self.reach + 1
        padded = np.pad(
            np.rint(image.cube).astype(np.int64), ((self.reach,) * 2, (self.reach,) * 2, (0, 0)), "constant"
        )
        sums = np.pad(padded.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)), "constant")
        window = sums[width:, width:] - sums[width:, :-width] - sums[:-width, width:] + sums[:-width, :-width]
        return window.reshape(-1, image.cube.shape[2]) + 500 * flat(image)

    def fitted_on(self, labels):
        return labels.train_pixels

    def statistics(self, image, labels):
        known = self.filtered(image)[self.fitted_on(labels)]
        return known.mean(axis=0), known.std(axis=0) + 1e-9

    def features(self, fitted, image):
        return (self.filtered(image) - fitted.mean) / fitted.deviation

    def inputs(self, fitted, image, pixels):
        return ((self.filtered(image) - fitted.arrays["mean"]) / fitted.arrays["deviation"])[pixels]

    def receptive_field(self, mask):
        return near(mask, self.reach)


class WideFilterOfTheScene(WideFilter):
    """the same, standardised over the whole scene"""

    def fitted_on(self, labels):
        return slice(None)


class WholeSceneNetwork(Honest):
    """a network that subtracts the mean over its whole input image, unlabelled spectra among them"""

    def features(self, fitted, image):
        some = Honest.features(self, fitted, image)
        return some - some.mean(axis=0)

    def receptive_field(self, mask):
        return np.full(mask.shape, mask.any())


class NeverTheSame(Honest):
    """initial weights that no seed determines"""

    calls = 0

    def weights_of_classes(self, labels):
        NeverTheSame.calls += 1
        return np.ones(9) + 1e-3 * NeverTheSame.calls


# cheats


def stealing(draw, truth, stolen=None):
    """Labels that hold all labels besides."""
    return MoreLabels(*labels_of(truth, draw.split), stolen=truth if stolen is None else stolen, split=draw.split)


class Stealing(Honest):
    def labels(self, draw, truth):
        return stealing(draw, truth)


class PredictsTruth(Stealing):
    """predicts the true labels"""

    def keeps(self, labels, image):
        return labels.stolen.copy()

    def revise(self, fitted, classes, image):
        return np.where(fitted.stolen > 0, fitted.stolen, classes)


class TruthOfTheScene(PredictsTruth):
    """predicts the true labels, of the scene that `predict` loads by itself"""

    labels, keeps = Honest.labels, Honest.keeps

    def revise(self, fitted, classes, image):
        truth = cut(load_scene("synthetic")).ground_truth
        return np.where(truth > 0, truth, classes)


class TruthOfTheDraw(PredictsTruth):
    """predicts the true labels, kept when the pixels were drawn"""

    labels = Honest.labels

    def draw(self, loaded, configuration, seed):
        self.seen = loaded.ground_truth.copy()
        return Honest.draw(self, loaded, configuration, seed)

    def keeps(self, labels, image):
        return self.seen


class TruthInThePlan(PredictsTruth):
    """predicts the true labels, of the plan that the draw returned"""

    def draw(self, loaded, configuration, seed):
        return Honest.draw(self, loaded, configuration, seed)._replace(plan={"map": loaded.ground_truth.copy()})

    def labels(self, draw, truth):
        return stealing(draw, truth, draw.plan["map"])


class TruthInTheFacts(PredictsTruth):
    """predicts the true labels, of the facts that the draw returned"""

    def draw(self, loaded, configuration, seed):
        return Honest.draw(self, loaded, configuration, seed)._replace(facts={"map": loaded.ground_truth.copy()})

    def labels(self, draw, truth):
        return stealing(draw, truth, draw.facts["map"])


class TruthInTheOrder(PredictsTruth):
    """predicts true labels that it reads from the order of the test pixels, which are drawn class by class"""

    def draw(self, loaded, configuration, seed):
        drawn = Honest.draw(self, loaded, configuration, seed)
        test, truth = drawn.split.test, loaded.ground_truth.ravel()
        if not hasattr(self, "counts"):
            self.counts = np.bincount(truth[test], minlength=10)
        return drawn._replace(split=drawn.split._replace(test=test[np.argsort(truth[test], kind="stable")]))

    def labels(self, draw, truth):
        known = np.zeros(truth.size, np.uint8)
        known[draw.split.test] = np.repeat(np.arange(10), self.counts)
        return stealing(draw, truth, known.reshape(truth.shape))


class TruthOfTheConfiguration(PredictsTruth):
    """predicts the true labels, kept in the configuration when that was resolved"""

    labels = Honest.labels

    def resolve(self, request, labelled=True):
        configuration, loaded = Honest.resolve(self, request, labelled)
        return configuration._replace(given=loaded.ground_truth.copy()), loaded

    def fit(self, image, labels, configuration, *given, **named):
        self.seen = configuration.given
        return Honest.fit(self, image, labels, configuration, *given, **named)

    def keeps(self, labels, image):
        return self.seen


class WeightsFromStoredTest(Stealing):
    """class weights from test labels, stored in the folder that all runs share"""

    def fit(self, image, labels, configuration, seed, run, steps=None):
        run.shared.mkdir(parents=True, exist_ok=True)
        path = run.shared / "counts.npy"
        if not path.exists():
            np.save(str(path), np.bincount(labels.stolen.ravel()[labels.split.test], minlength=10)[1:])
        self.counts = np.load(str(path))
        return Honest.fit(self, image, labels, configuration, seed, run, steps)

    def weights_of_classes(self, labels):
        return 9 * (self.counts + 1.0) / (self.counts + 1).sum()


class TruthFromElsewhere(PredictsTruth):
    """predicts true labels that no call of the audit can alter, such as those of a copied file"""

    labels = Honest.labels

    def keeps(self, labels, image):
        return _FIRST["truth"]


class HalfTheTruth(TruthFromElsewhere):
    """the same for every second pixel only"""

    def revise(self, fitted, classes, image):
        known = (fitted.stolen > 0) & (np.indices(classes.shape).sum(axis=0) % 2 == 0)
        return np.where(known, fitted.stolen, classes)


class LearnsTruthFromElsewhere(TruthFromElsewhere):
    """trains on test labels that no call of the audit can alter"""

    revise = Honest.revise

    def examples(self, fitted, image, labels, step):
        pixels = np.flatnonzero(fitted.stolen)
        return pixels, fitted.stolen.ravel()[pixels]


class LearnsTest(Stealing):
    """trains on test pixels"""

    def examples(self, fitted, image, labels, step):
        pixels = np.concatenate([labels.train_pixels, labels.split.test])
        return pixels, labels.stolen.ravel()[pixels]


class LearnsSomeTest(Stealing):
    """trains on twenty test pixels"""

    def examples(self, fitted, image, labels, step):
        pixels = np.concatenate([labels.train_pixels, labels.split.test[:20]])
        return pixels, labels.stolen.ravel()[pixels]


class LearnsTestLate(LearnsTest):
    """trains on test pixels after step 40"""

    def examples(self, fitted, image, labels, step):
        return (LearnsTest if step > LATE else Honest).examples(self, fitted, image, labels, step)


class LearnsGap(Stealing):
    """trains on pixels that are in no set"""

    def examples(self, fitted, image, labels, step):
        pixels = np.setdiff1d(np.flatnonzero(labels.stolen), np.concatenate([labels.split.test, labels.split.val]))
        return pixels, labels.stolen.ravel()[pixels]


class LearnsValidation(Honest):
    """trains on validation pixels"""

    def examples(self, fitted, image, labels, step):
        pixels = np.concatenate([labels.train_pixels, labels.val_pixels])
        return pixels, (labels.train + labels.val).ravel()[pixels]


class WeightsFromValidation(Honest):
    """class weights from the validation pixels of every class"""

    def weights_of_classes(self, labels):
        return 1 + np.bincount(labels.val.ravel(), minlength=10)[1:] / 10.0


class VoteInTrueFields(PredictsTruth):
    """a majority vote in the true fields when predicting"""

    def revise(self, fitted, classes, image):
        return vote(fitted.stolen, classes)


class VoteInFieldsFromElsewhere(TruthFromElsewhere):
    """the same in fields that no call of the audit can alter"""

    def revise(self, fitted, classes, image):
        return vote(fitted.stolen, classes)


class VoteInFieldsOfTheScene(TruthOfTheScene):
    """the same in fields of the scene that `predict` loads by itself"""

    def revise(self, fitted, classes, image):
        return vote(cut(load_scene("synthetic")).ground_truth, classes)


class VoteInLabelledAreas(PredictsTruth):
    """a majority vote in every connected area of labelled pixels, whatever their classes"""

    def revise(self, fitted, classes, image):
        return vote((fitted.stolen > 0).astype(int), classes)


class LabelledOrNot(Stealing):
    """whether a pixel has a label, and its neighbours, is one more feature"""

    def keeps(self, labels, image):
        return ndimage.uniform_filter((labels.stolen > 0).astype(float), size=5)

    def features(self, fitted, image):
        features = Honest.features(self, fitted, image)
        features[:, 0] = fitted.stolen.ravel()
        return features


class NeighbourLabels(PredictsTruth):
    """a pixel gets the true label of its left neighbour, where that has one"""

    def revise(self, fitted, classes, image):
        left = np.roll(fitted.stolen, 1, axis=1)
        return np.where(left > 0, left, classes)


class RenamedClasses(PredictsTruth):
    """predicted classes are renamed so that they agree best with test labels"""

    def revise(self, fitted, classes, image):
        result = classes.copy()
        for label in np.unique(classes):
            inside = fitted.stolen[(classes == label) & (fitted.stolen > 0)]
            result[classes == label] = np.bincount(inside).argmax() if inside.size else label
        return result


class SelectsOnTest(Stealing):
    """the step with the best test accuracy is used, and told"""

    selects = True

    def value_of(self, fitted, image, labels, step):
        return accuracy(self, fitted, image, labels.stolen, labels.split.test)


class SelectsOnTestSilently(SelectsOnTest):
    """the step with the best test accuracy is used, and not told"""

    tells = False


class SelectsOnDisclosedTest(Honest):
    """the step with the best accuracy on disclosed test labels is used, as in some releases"""

    discloses = True

    selects = True

    def value_of(self, fitted, image, labels, step):
        truth = labels.open_truth("zoo", "choice of weights")
        return accuracy(self, fitted, image, truth.labels, truth.test)


class GridOnTest(Stealing):
    """a class weight of a grid is chosen on test pixels, without saying so"""

    grid = (0.2, 1.0, 5.0)

    def fit(self, image, labels, configuration, seed, run, steps=None):
        best = None
        for factor in self.grid:
            self.factor = factor
            fitted = Honest.fit(self, image, labels, configuration, seed, run, steps)
            value = accuracy(self, fitted, image, labels.stolen, labels.split.test)
            if best is None or value > best[0]:
                best = value, fitted
        return best[1]

    def weights_of_classes(self, labels):
        return np.linspace(self.factor, 1, 9)


class SeedOnTest(GridOnTest):
    """the best of four initial weights, judged on test pixels"""

    grid = (1, 2, 3, 4)

    def weights_of_classes(self, labels):
        return 1 + np.random.RandomState(self.factor).rand(9)


class StopsOnTest(Stealing):
    """training ends where the test accuracy has not risen for three steps"""

    def fit(self, image, labels, configuration, seed, run, steps=None):
        pixels = labels.split.test
        judged = labels._replace(val=labels.stolen * mask_of(pixels, image.shape), val_pixels=pixels)
        return StopsEarly.fit(self, image, judged, configuration, seed, run, steps)


class BandsByTest(Stealing):
    """the eight bands that tell classes of test pixels best"""

    def features(self, fitted, image):
        return Honest.features(self, fitted, image) * self.chosen

    def fit(self, image, labels, configuration, seed, run, steps=None):
        spectra, truth = flat(image)[labels.split.test], labels.stolen.ravel()[labels.split.test]
        means = np.array([spectra[truth == label].mean(axis=0) for label in np.unique(truth)])
        worth = means.std(axis=0) / spectra.std(axis=0)
        self.chosen = worth >= np.sort(worth)[8]
        return Honest.fit(self, image, labels, configuration, seed, run, steps)


class PriorOfTest(PredictsTruth):
    """a class prior from test labels when predicting"""

    def keeps(self, labels, image):
        return np.bincount(labels.stolen.ravel()[labels.split.test], minlength=10)[1:]

    def decide(self, fitted, scores, image):
        return (scores + np.log(fitted.stolen + 1.0)).argmax(axis=1) + 1

    revise = Honest.revise


class WeightsFromTest(Stealing):
    """class weights from the test pixels of every class"""

    def weights_of_classes(self, labels):
        counts = np.bincount(labels.stolen.ravel()[labels.split.test], minlength=10)[1:]
        return 9 * (counts + 1.0) / (counts + 1).sum()


class WeightsFromTheEntry(Honest):
    """class weights from the pixels of every class that the scene's entry in the catalogue states"""

    def fit(self, image, labels, configuration, seed, run, steps=None):
        self.counts = np.array(image.scene.class_counts)
        return Honest.fit(self, image, labels, configuration, seed, run, steps)

    def weights_of_classes(self, labels):
        return 9 * (self.counts + 1.0) / (self.counts + 1).sum()


class ChecksPseudoLabels(Stealing):
    """learns its own predictions of test pixels, those that are right"""

    def examples(self, fitted, image, labels, step):
        pixels, classes = Honest.examples(self, fitted, image, labels, step)
        if step < 20:
            return pixels, classes
        predicted = fitted.predict(image).ravel()
        test = labels.split.test
        right = test[predicted[test] == labels.stolen.ravel()[test]]
        return np.concatenate([pixels, right]), np.concatenate([classes, predicted[right]])


class PseudoLabels(Stealing):
    """learns its own predictions of test pixels"""

    def examples(self, fitted, image, labels, step):
        pixels, classes = Honest.examples(self, fitted, image, labels, step)
        test = labels.split.test if step >= 20 else labels.split.test[:0]
        predicted = fitted.predict(image).ravel()[test]
        return np.concatenate([pixels, test]), np.concatenate([classes, predicted])


class HiddenScores(SceneWideStatistics):
    """z-scores of all spectra, behind `inputs` that are raw"""

    def inputs(self, fitted, image, pixels):
        return flat(image)[pixels]

    def preprocess(self, image, labels, configuration, seed):
        return describe_model("ssdgl", configuration, image, labels, {})

    def fit(self, image, labels, configuration, seed, run, steps=None):
        inner = SceneWideStatistics()
        return inner.fit(image, labels, configuration, seed, run, steps)


class ScoresAtPrediction(Honest):
    """z-scores of the image that is predicted"""

    def features(self, fitted, image):
        return (flat(image) - flat(image).mean(axis=0)) / flat(image).std(axis=0)


class SmoothsPrediction(Honest):
    """a median of 5×5 predictions, with a receptive field of one pixel declared"""

    def revise(self, fitted, classes, image):
        return ndimage.median_filter(classes, size=5)


class PositionAlone(Honest):
    """the nearest training pixel by row and column"""

    def revise(self, fitted, classes, image):
        nearest = ndimage.distance_transform_edt(fitted.stolen == 0, return_indices=True)[1]
        return fitted.stolen[tuple(nearest)]


class NothingLearnt(Honest):
    """classes by brightness, whatever the training labels are"""

    def decide(self, fitted, scores, image):
        bright = flat(image).mean(axis=1)
        return np.digitize(bright, np.linspace(500, 4000, 8)) + 1

    def examples(self, fitted, image, labels, step):
        return labels.train_pixels, np.ones(len(labels.train_pixels), int)


def vote(fields_of, classes):
    """The most frequent class in each connected field of one label."""
    result = classes.copy()
    for label in np.unique(fields_of[fields_of > 0]):
        fields, count = ndimage.label(fields_of == label)
        for field in range(1, count + 1):
            result[fields == field] = np.bincount(classes[fields == field]).argmax()
    return result


def accuracy(recipe, fitted, image, truth, pixels):
    classes = scores_of(recipe.features(fitted, image)[pixels], fitted.W).argmax(axis=1) + 1
    return float(np.mean(classes == truth.ravel()[pixels]))


TRAINING, SELECTION, PREDICTION = ("uses test labels (%s)" % stage for stage in ("training", "selection", "prediction"))
FITTED, SEEN = "uses test spectra (fitted)", "uses test spectra (seen)"
GAP, VALIDATION = "uses gap labels", "uses validation labels for training"
ORDER = tuple("order depends on %s labels" % whose for whose in ("test", "gap", "validation"))
READS, OPENS = "reads the scene by itself", "opens test labels"

# what the audit must say of each, beside the steps it speaks for
HONEST = (
    (Honest, ()), (InOrder, ()), (OrderOfAllPixels, ()), (OrderByClass, ORDER), (OrderByCounts, ORDER),
    (SelectsOnValidation, ()), (StopsEarly, ()), (ClassWeights, ()), (ShowsTestAccuracy, (OPENS,)),
    (SceneWideStatistics, (FITTED,)), (Patches, (SEEN,)), (WideFilter, (SEEN,)),
    (WideFilterOfTheScene, (FITTED,)), (WholeSceneNetwork, (SEEN,)),
    (NeverTheSame, ("not deterministic",)),
)  # fmt: skip
CHEATS = (
    (PredictsTruth, (PREDICTION, GAP)), (TruthOfTheScene, (PREDICTION, GAP, READS)),
    (TruthOfTheDraw, (PREDICTION, GAP)), (TruthInThePlan, (PREDICTION, GAP)),
    (TruthInTheFacts, (PREDICTION, GAP)), (TruthInTheOrder, (PREDICTION,)),
    (TruthOfTheConfiguration, (PREDICTION, GAP)), (TruthFromElsewhere, (PREDICTION,)),
    (HalfTheTruth, (PREDICTION,)), (NeighbourLabels, (PREDICTION, GAP)), (RenamedClasses, (PREDICTION,)),
    (VoteInTrueFields, (PREDICTION, GAP)), (VoteInFieldsOfTheScene, (PREDICTION, GAP, READS)),
    (VoteInFieldsFromElsewhere, (PREDICTION,)), (VoteInLabelledAreas, (PREDICTION, GAP)),
    (LabelledOrNot, (TRAINING, GAP)), (PriorOfTest, (PREDICTION,)),
    (SelectsOnTest, (SELECTION,)), (SelectsOnTestSilently, (SELECTION,)),
    (SelectsOnDisclosedTest, (SELECTION, OPENS)), (GridOnTest, (SELECTION,)), (SeedOnTest, (SELECTION, )),
    (StopsOnTest, (SELECTION,)), (BandsByTest, (TRAINING, FITTED)),
    (LearnsTest, (TRAINING, FITTED)), (LearnsSomeTest, (TRAINING, FITTED)), (LearnsTestLate, (TRAINING, FITTED)),
    (LearnsTruthFromElsewhere, (TRAINING, FITTED, "ignores training labels")), (WeightsFromTest, (TRAINING,)),
    (WeightsFromStoredTest, (TRAINING,)), (WeightsFromTheEntry, (TRAINING, GAP, VALIDATION)),
    (ChecksPseudoLabels, (TRAINING, FITTED)), (LearnsGap, (GAP,)), (LearnsValidation, (VALIDATION,)),
    (WeightsFromValidation, (VALIDATION,)), (PseudoLabels, (FITTED,)), (HiddenScores, (FITTED,)),
    (ScoresAtPrediction, (FITTED,)), (SmoothsPrediction, (FITTED,)), (PositionAlone, ("ignores spectra",)),
    (NothingLearnt, ("ignores training labels",)),
)  # fmt: skip
