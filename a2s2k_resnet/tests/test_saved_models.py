"""What a saved model brings; the first test is shared by all papers."""

import json

import numpy as np
import pytest
import torch
from a2s2k_resnet_helpers import given

from a2s2k_resnet import checkpoint, experiments
from a2s2k_resnet.method import METHOD
from a2s2k_resnet.network import build_network
from a2s2k_resnet.patches import PatchGatherer
from a2s2k_resnet.prediction import pixel_logits, predict_scene
from contracts import set_options
from contracts.bad_input import fails
from contracts.saved_models import SavedModels, predicted, trained_on_plota, words_for
from shared_data.preprocessing import principal_components as whitening
from shared_data.splits.draws import load_split


class TestSavedModels(SavedModels):
    """Predictions of a saved model, on the scene of training and on others."""


def test_another_scene_is_given_the_components_of_training(paper, plots, tmp_path):
    folder, selected = trained_on_plota(paper, plots, tmp_path / "out")
    state, model = checkpoint.read_model(selected)
    train = load_split(folder / "split.npz").train
    fitted = whitening.fit(plots.cubes["plota"], train, 7)
    np.testing.assert_array_equal(model.arrays["mean"], plots.cubes["plota"].reshape(-1, 64)[train].mean(axis=0))
    np.testing.assert_array_equal(model.arrays["axes"], fitted.axes)
    network = experiments.network_of(model.config, "paper", 64, 4)
    network.load_state_dict(state)
    cube = plots.cubes["plotb"]
    own = whitening.fit(cube, train, 7)
    by_hand, wrong = (predict_scene(network, PatchGatherer(one.apply(cube), 7)) for one in (fitted, own))
    found, _ = predicted(paper, plots, tmp_path / "out", "plotb", selected)
    np.testing.assert_array_equal(found, by_hand)
    assert not np.array_equal(by_hand, wrong)


@pytest.mark.parametrize("components, seed", [(7, 1331), (0, None)])
def test_official_weights_are_given_components_of_the_signs_that_they_know(paper, plots, tmp_path, components, seed):
    """Under `released` those of scikit-learn 0.22.1, found by the randomised solver where some are left out."""
    torch.manual_seed(0)
    network = build_network("a2s2k", components or 64, 4, 7, kernels=8)
    cube = plots.cubes["plota"]
    gatherers = [
        PatchGatherer(whitening.fit(cube, components=components or None, seed=seed, signs=signs).apply(cube), 7)
        for signs in ("scores", "axes")
    ]
    with torch.no_grad():  # else the untrained network calls every pixel the same
        network.full_connection[-1].bias -= pixel_logits(network, gatherers[0], torch.arange(1600)).mean(dim=0)
    expected, wrong = (predict_scene(network, each) for each in gatherers)
    path = tmp_path / "official.pth"
    torch.save(network.state_dict(), str(path))
    options = set_options("model.kernels=8", "preprocessing.components=%d" % components)
    found, _ = predicted(paper, plots, tmp_path / "out", "plota", path, "--protocol", "released", *options)
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(found, wrong)


@pytest.mark.parametrize("protocol, signs", [("released", "scores"), ("paper", "axes"), ("spatial-cv", "axes")])
def test_signs_of_components_for_weights_alone(request_for, protocol, signs):
    """Training keeps its own signs under every protocol."""
    run = given(request_for(protocol=protocol)._replace(fold=1 if protocol == "spatial-cv" else None))
    decisions = run.configuration.decisions
    pixels, seed = {"scene": (None, run.seed), "train": (run.split.train, None)}[decisions.preprocessing]
    alone = METHOD.preprocess(run.loaded.image, run.labels, run.configuration, run.seed)
    for model, expected in ((alone, signs), (run.model(), "axes")):
        fitted = whitening.fit(run.loaded.cube, pixels, 7, seed, signs=expected)
        np.testing.assert_array_equal(model.arrays["axes"], fitted.axes)


@pytest.mark.slow
def test_weights_alone_take_what_the_request_says(paper, plots, tmp_path, capsys):
    """As older versions kept them, and as official checkpoints are: from a parallel wrapper, in a dict."""
    folder, selected = trained_on_plota(paper, plots, tmp_path / "out")
    state, _ = checkpoint.read_model(selected)
    prefixed = {"module." + name: tensor for name, tensor in state.items()}
    lean = [word for override in paper.lean for word in ("--set", override)]
    for number, content in enumerate(({"model": state}, prefixed, {"state_dict": prefixed, "epoch": 3})):
        path = tmp_path / ("bare-%d.pth" % number)
        torch.save(content, str(path))
        capsys.readouterr()
        found, files = predicted(paper, plots, tmp_path / "out", "plota", path, *lean)
        assert "%s holds weights alone" % path in capsys.readouterr().out
        np.testing.assert_array_equal(found, np.load(str(folder / "prediction.npy")))
        assert "split.npz" in files and "errors.png" in files
    fails(paper, capsys, ["predict", *words_for("plotn", plots, tmp_path, "--weights", str(path))], "'plotn'")


def test_a_file_that_does_not_fit_says_why(paper, plots, tmp_path, capsys):
    _, selected = trained_on_plota(paper, plots, tmp_path / "out")
    content = checkpoint.read(selected)
    described = json.loads(content["description"])

    def refused(expected, **changes):
        path = tmp_path / "changed.pth"
        torch.save(dict(content, **changes), str(path))
        return fails(paper, capsys, ["predict", *words_for("plota", plots, tmp_path, "--weights", str(path))],
                     str(path), *expected)  # fmt: skip

    def with_description(**changes):
        return {"description": json.dumps(dict(described, **changes))}

    state = {name: tensor for name, tensor in content["model"].items() if "batch_norm3" not in name}
    message = refused(["10 missing (batch_norm3x3.0.weight, batch_norm3x3.0.bias"], model=dict(state))
    assert "delete" not in message and message.index("missing") < 400
    refused(["its own description: 1 unexpected (further)"], model=dict(content["model"], further=torch.ones(2)))
    refused(["is a model of the paper ssdgl, not of a2s2k"], **with_description(paper="ssdgl"))
    refused(["its description is damaged", "bands"], **with_description(bands=-1))
    refused(
        ["was trained under the protocol 'hope', which is unknown here; there are: released, paper, spatial-cv"],
        **with_description(protocol="hope"),
    )
    config = dict(described["config"], patch={"side": 8})
    refused(
        ["patch.side: expected a whole number that is at least 1 and odd, found 8"], **with_description(config=config)
    )
    arrays = dict(content["arrays"], mean=torch.ones(3, dtype=torch.float64))
    refused(["the array 'mean' has the shape (3,), not (64)"], arrays=arrays)
    refused(["'mean' is no array of finite numbers"], arrays=dict(arrays, mean=torch.full((64,), float("nan"))))
    refused(["its description is damaged"], trained=torch.ones(3))
