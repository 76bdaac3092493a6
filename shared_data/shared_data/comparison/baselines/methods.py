"""The baselines as `Method`s like the papers: under the protocols that all methods share, and on a paper's own pixels.

Features are standardised with the training pixels, and classifiers fitted to them, alone. A stopped run starts over,
because a run takes seconds.
"""

from collections import OrderedDict
from functools import partial
from typing import Any, Dict, Optional, Tuple

import numpy as np
import sklearn
from threadpoolctl import threadpool_info

from shared_data.comparison.baselines.fitted import inputs, load
from shared_data.comparison.baselines.fitting import fit, preprocess
from shared_data.comparison.baselines.table import BASELINES
from shared_data.configuration.overrides import check_name
from shared_data.errors import SettingsError
from shared_data.runs import environment
from shared_data.runs.method import Draw, Method
from shared_data.runs.request import Configuration, Request
from shared_data.scenes.loading import LoadedScene, load_scene
from shared_data.splits.disjoint import near
from shared_data.splits.shared_protocols import SHARED, is_shared


def _settings(slug: str, scene: str) -> Dict[str, Any]:
    """The configuration of a baseline, JSON values."""
    features, classifier = BASELINES[slug]
    return {
        "scene": scene,
        "features": features.name,
        "standardisation": "train" if features.standardised else "none",
        "candidates": [dict(candidate) for candidate in classifier.candidates],
    }


def _decisions(slug: str, protocol: str) -> Dict[str, Any]:
    """The choices of a baseline in words, as the record holds them."""
    features, classifier = BASELINES[slug]
    decided: Dict[str, Any] = {
        "split": protocol,
        "features": features.name,
        "standardisation": "train" if features.standardised else "none",
        "fitted_on": "train",
    }
    decided.update(classifier.facts)
    names = sorted(classifier.candidates[0])
    grid = {name: sorted({candidate[name] for candidate in classifier.candidates}) for name in names}
    if len(classifier.candidates) > 1:
        decided.update(grid=grid, selected_on="validation, or cross-validation on train where the split has none")
    else:
        decided.update(classifier.candidates[0])
    return decided


def _configuration(request: Request, slug: str, scene: str, theirs: Optional[Configuration] = None) -> Configuration:
    """theirs: the configuration of the paper on whose pixels the baseline runs."""
    settings, decided = _settings(slug, scene), _decisions(slug, request.protocol)
    configuration = Configuration(request.experiment, request.protocol, scene, settings, settings, decided, decided)
    if theirs is None:
        return configuration
    settings["split"] = theirs.settings  # with protocol and seed it determines the paper's pixels
    return configuration._replace(given=theirs, derived=theirs.derived)


def _check_unchanged(slug: str, request: Request) -> None:
    if request.overrides or request.iterations is not None:
        raise SettingsError("%s: a baseline has one configuration; it takes neither --set nor --iters." % slug)


def resolve(slug: str, request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
    """The configuration under a shared protocol, and the scene `request.experiment`.

    Raises: UnknownNameError; SettingsError where the request wants to change something; what `load_scene` raises.
    """
    if not is_shared(request.protocol):
        check_name("protocol", request.protocol, list(SHARED))
    _check_unchanged(slug, request)
    loaded = load_scene(request.experiment, request.data, request.unverified, labelled)
    return _configuration(request, slug, loaded.scene.slug), loaded


def draw(_loaded: LoadedScene, configuration: Configuration, _seed: int) -> Draw:
    """No pixels: no protocol is a baseline's own, and the caller draws those of a shared one. Raises: SettingsError."""
    raise SettingsError("a baseline draws no pixels of its own, under '%s' or otherwise." % configuration.protocol)


def receptive_field(slug: str, _configuration: Configuration, mask: np.ndarray) -> np.ndarray:
    """(H, W) bool, the pixels whose features depend on the spectrum of some pixel of the mask."""
    reach = BASELINES[slug].features.reach
    return np.zeros(mask.shape, bool) if reach is None else near(mask, reach)


def environment_of(_device: str) -> Dict[str, Any]:
    """Software and hardware of a run."""
    threads = max((library["num_threads"] for library in threadpool_info()), default=1)
    return environment.describe("scikit-learn", sklearn.__version__, "cpu", None, threads)


def _method(slug: str) -> Method:
    return Method(
        slug=slug,
        resolve=partial(resolve, slug),
        scene_of=str,
        draw=draw,
        preprocess=partial(preprocess, slug),
        fit=partial(fit, slug),
        load=partial(load, slug),
        inputs=inputs,
        receptive_field=partial(receptive_field, slug),
        environment=environment_of,
    )


METHODS: Dict[str, Method] = OrderedDict((slug, _method(slug)) for slug in BASELINES)


def protocol_on(paper: str, protocol: str) -> str:
    """The name of a baseline's protocol on the pixels of a paper's own protocol, such as `ssdgl-paper`."""
    return "%s-%s" % (paper, protocol)


def on_pixels_of(paper: Method, slug: str) -> Method:
    """The baseline on the training, validation and test pixels of a paper's own protocols.

    Its requests name one of the paper's experiments, and a protocol of `protocol_on`.
    """

    def resolve(request: Request, labelled: bool = True) -> Tuple[Configuration, LoadedScene]:
        """Raises: SettingsError where the request wants to change something; what the paper's `resolve` raises."""
        _check_unchanged(slug, request)
        theirs = request._replace(protocol=request.protocol[len(protocol_on(paper.slug, "")) :])
        configuration, loaded = paper.resolve(theirs, labelled)
        return _configuration(request, slug, loaded.scene.slug, configuration), loaded

    def draw(loaded: LoadedScene, configuration: Configuration, seed: int) -> Draw:
        """The paper's pixels, without the rest of its plan. Raises: what the paper's `draw` raises."""
        return Draw(paper.draw(loaded, configuration.given, seed).split)

    return METHODS[slug]._replace(resolve=resolve, scene_of=paper.scene_of, draw=draw)
