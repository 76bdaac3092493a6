"""The classifiers of the baselines, each with the parameters it may have and what of it is fitted."""

from itertools import product
from typing import Any, Callable, Dict, NamedTuple, Tuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

Parameters = Dict[str, float]


class Classifier(NamedTuple):
    """One classifier of scikit-learn.

    fit: features (n, F) float64, classes (n), parameters and seed → the fitted estimator; equal arguments give an equal
    one. candidates: parameters to choose from; of equally good ones the first is taken. weights: copies of the fitted
    arrays, by name, of an estimator and its training features and classes. facts: what is fixed, for the record.
    """

    fit: Callable[[np.ndarray, np.ndarray, Parameters, int], Any]
    candidates: Tuple[Parameters, ...]
    weights: Callable[[Any, np.ndarray, np.ndarray], Dict[str, np.ndarray]]
    facts: Dict[str, Any]
    probabilities: bool = False  # whether the estimator has them: predict_proba


def _support_vectors(features: np.ndarray, classes: np.ndarray, parameters: Parameters, _seed: int) -> SVC:
    """The kernel is exp(−gamma·|x − y|²); gamma is stated times the number of features."""
    gamma = parameters["gamma_features"] / features.shape[1]
    return SVC(C=parameters["C"], kernel="rbf", gamma=gamma).fit(features, classes)


def _support_vector_weights(machine: SVC, _features: np.ndarray, _classes: np.ndarray) -> Dict[str, np.ndarray]:
    names = ("support_", "support_vectors_", "dual_coef_", "intercept_")
    return {name: np.array(getattr(machine, name)) for name in names}


def _logistic(features: np.ndarray, classes: np.ndarray, parameters: Parameters, _seed: int) -> LogisticRegression:
    """Multinomial, L2 penalty 1/C; the limit of iterations is several times what the tolerance ever took."""
    return LogisticRegression(C=parameters["C"], max_iter=_ITERATIONS).fit(features, classes)


def _logistic_weights(model: LogisticRegression, _features: np.ndarray, _classes: np.ndarray) -> Dict[str, np.ndarray]:
    return {"coefficients": model.coef_.copy(), "intercept": model.intercept_.copy()}


def _forest(features: np.ndarray, classes: np.ndarray, parameters: Parameters, seed: int) -> RandomForestClassifier:
    forest = RandomForestClassifier(int(parameters["trees"]), max_features="sqrt", n_jobs=1, random_state=seed)
    return forest.fit(features, classes)


def _forest_weights(
    forest: RandomForestClassifier, _features: np.ndarray, _classes: np.ndarray
) -> Dict[str, np.ndarray]:
    """The nodes of all trees, one tree after the other."""
    names = ("children_left", "children_right", "feature", "threshold", "value")
    trees = [tree.tree_ for tree in forest.estimators_]
    weights = {name: np.concatenate([getattr(tree, name) for tree in trees]) for name in names}
    return dict(weights, nodes=np.array([tree.node_count for tree in trees]))


def _nearest(features: np.ndarray, classes: np.ndarray, _parameters: Parameters, _seed: int) -> KNeighborsClassifier:
    """The class of the nearest training pixel by Euclidean distance.

    In hundreds of dimensions search trees are no faster. Between places equal distances are common, and only a tree
    resolves them alike however many pixels are asked for at once.
    """
    algorithm = "kd_tree" if features.shape[1] == 2 else "brute"
    return KNeighborsClassifier(n_neighbors=1, algorithm=algorithm).fit(features, classes)


_ITERATIONS = 20000
_PENALTIES, _WIDTHS = (1, 10, 100, 1000), (0.01, 0.1, 1, 10)

# the smoother boundary first
SVM = Classifier(
    _support_vectors,
    tuple({"C": penalty, "gamma_features": width} for penalty, width in product(_PENALTIES, _WIDTHS)),
    _support_vector_weights,
    {"classifier": "support vector machine", "kernel": "rbf"},
)
LOGISTIC = Classifier(
    _logistic,
    tuple({"C": penalty} for penalty in (0.01, 0.1, 1, 10, 100)),
    _logistic_weights,
    {"classifier": "multinomial logistic regression", "penalty": "l2"},
    probabilities=True,
)
FOREST = Classifier(
    _forest,
    ({"trees": 500},),
    _forest_weights,
    {"classifier": "random forest", "features_per_split": "square root"},
    probabilities=True,
)
NEAREST = Classifier(
    _nearest,
    ({},),
    lambda _estimator, features, classes: {"features": features.copy(), "classes": classes.copy()},
    {"classifier": "nearest neighbour", "distance": "euclidean"},
)
