# a support vector machine on spectra that are scaled over the whole scene
from sklearn import preprocessing, svm

from shared_data.audit import Trained, as_text, audit
from shared_data.scenes.loading import load_scene
from shared_data.splits.draws import draw_per_class, training_counts


def scaled(cube):
    return preprocessing.StandardScaler().fit_transform(cube.reshape(-1, 64))


def train(cube, ground_truth, split):
    machine = svm.SVC(kernel="linear").fit(scaled(cube)[split.train], ground_truth.ravel()[split.train])
    return Trained({"coef": machine.coef_}, prediction=machine.predict(scaled(cube)).reshape(ground_truth.shape))


scene = load_scene("synthetic")
split = draw_per_class(scene.ground_truth, training_counts(scene.ground_truth, 0.05, 5), seed=1)
print(as_text(audit(train, scene, split, lambda cube, split: scaled(cube)[split.train], lambda mask: mask)))
