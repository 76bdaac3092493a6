"""The audit on small methods: every cheat gets its finding, and honest methods get no other than theirs."""

import functools
import inspect
from pathlib import Path

import numpy as np
import pytest
import zoo

from shared_data.audit import examine
from shared_data.audit.finding import ITEMS
from shared_data.audit.origin import distance
from shared_data.audit.reads import noted_reads
from shared_data.audit.trials import Trials
from shared_data.runs.method import Draw
from shared_data.runs.request import Request
from shared_data.scenes.catalogue import SceneFile
from shared_data.scenes.loading import FileEvidence, load_scene, serving
from shared_data.splits.draws import Split

pytestmark = pytest.mark.stack_independent

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
BEGIN, END = "<!-- table: zoo -->\n", "<!-- end table -->"


@pytest.fixture(autouse=True, scope="module")
def quick_scene():
    """The corner in place of the whole scene, which takes longer to generate than most audits here."""
    with serving(zoo.corner(), lambda: None):
        yield


def request(iterations=None):
    return Request("synthetic", "paper", 1, None, False, "cpu", iterations, (), Path("nowhere"), False)


@functools.lru_cache(maxsize=None)
def audit_of(recipe, iterations=None):
    return examine(zoo.method_of(recipe()), request(iterations))


def words(audit):
    return {word for finding in audit.findings for word in finding.words}


def names(recipes):
    return [recipe.__name__ for recipe, _ in recipes]


@pytest.mark.parametrize("recipe, expected", zoo.HONEST, ids=names(zoo.HONEST))
def test_an_honest_method_gets_no_other_finding(recipe, expected):
    assert words(audit_of(recipe)) == set(expected)


@pytest.mark.parametrize("recipe, expected", zoo.CHEATS, ids=names(zoo.CHEATS))
def test_every_cheat_is_found(recipe, expected):
    assert words(audit_of(recipe)) == set(expected)


def test_a_verdict_speaks_only_for_the_steps_that_were_trained():
    assert audit_of(zoo.LearnsTestLate, zoo.LATE).verdict == "clean for 40 steps"
    assert audit_of(zoo.LearnsTestLate).verdict.endswith("otherwise clean for 60 steps")
    assert "uses test labels (training)" in audit_of(zoo.LearnsTestLate, zoo.LATE + 1).verdict


def finding(recipe, item):
    return next(each for each in audit_of(recipe).findings if each.item == item)


def test_evidence_names_what_was_altered_and_where_the_result_differs():
    counts = finding(zoo.WeightsFromTest, "test_labels").evidence
    assert "labels of 748 test pixels" in counts and "only the number of pixels of every class matters" in counts
    assert "permuted" in finding(zoo.LearnsTest, "test_labels").evidence
    assert "6 trainings on other labels end in" in finding(zoo.GridOnTest, "test_labels").evidence
    shown = finding(zoo.ShowsTestAccuracy, "test_labels")
    assert "read to show numbers" in shown.evidence and shown.numbers["test_labels_shown"] is True
    assert "test_labels_shown" not in finding(zoo.SelectsOnValidation, "test_labels").numbers


def test_every_item_is_told_once_in_the_same_order():
    for recipe in (zoo.Honest, zoo.NeverTheSame, zoo.LearnsTest):
        assert tuple(each.item for each in audit_of(recipe).findings) == ITEMS


def test_openings_are_told_with_their_reason():
    opened = finding(zoo.SelectsOnDisclosedTest, "openings")
    assert opened.evidence == "zoo opens test labels: choice of weights"
    assert "`predict` reads the scene by itself" in finding(zoo.TruthOfTheScene, "openings").evidence


def test_validation_labels_may_select():
    evidence = finding(zoo.SelectsOnValidation, "validation_labels").evidence
    assert "the weights after the last step are the same; they determine which are used" in evidence
    assert "they do not determine" in finding(zoo.Honest, "validation_labels").evidence


def test_distances_are_those_of_the_record():
    numbers = finding(zoo.Patches, "context").numbers
    assert numbers["context_test_to_training"] == 1 and 0 < numbers["context_test_with_training_pixel"] < 1


def test_pixels_that_are_not_there_are_not_audited():
    class TestOfOneClass(zoo.Honest):
        def draw(self, loaded, configuration, seed):
            drawn = zoo.Honest.draw(self, loaded, configuration, seed)
            everything = np.flatnonzero(loaded.ground_truth)
            train = np.setdiff1d(everything, drawn.split.test)
            return drawn._replace(split=drawn.split._replace(train=train, val=train[:0]))

    found = {each.item: each.verdict for each in examine(zoo.method_of(TestOfOneClass()), request(5)).findings}
    assert found["gap_labels"] == found["validation_labels"] == "not audited"


def test_test_pixels_that_train_are_not_hidden():
    class Shared(zoo.Honest):
        def draw(self, loaded, configuration, seed):
            drawn = zoo.Honest.draw(self, loaded, configuration, seed)
            split = drawn.split
            return drawn._replace(split=split._replace(test=np.append(split.test, split.train[:2])))

    audit = examine(zoo.method_of(Shared()), request(5))
    assert words(audit) == {"flawed split"}


# scenes of two classes, and of one


def two_classes(loaded, difference):
    """Two classes one below the other; right of the middle the brighter one is the darker one."""
    truth = np.repeat(np.array([1, 2], np.uint8), 24)[:, None] * np.ones(48, np.uint8)
    brighter = (truth == 1) == (np.arange(48) < 24)
    level = np.where(brighter, 2000 + difference, 2000 - difference)[:, :, None]
    cube = level * np.linspace(0.8, 1.2, 16) + 300 * np.random.RandomState(0).randn(48, 48, 16)
    return loaded._replace(cube=cube.astype(loaded.cube.dtype), ground_truth=truth)


class LeftToRight(zoo.Honest):
    """trained on the left, tested on the right"""

    def draw(self, loaded, configuration, seed):
        pixels, random = np.arange(48 * 48).reshape(48, 48), np.random.RandomState(seed)
        train = random.permutation(pixels[:, :20].ravel())[:80]
        return Draw(Split(train[::2], train[1::2], random.permutation(pixels[:, 28:].ravel())[:400]))


@pytest.mark.parametrize("difference", [50, 150])
def test_a_method_that_mistakes_two_classes_for_each_other_knows_no_test_labels(difference):
    with serving(two_classes(zoo.corner(), difference), lambda: None):
        audit = examine(zoo.method_of(LeftToRight()), request())
    control = next(each for each in audit.findings if each.item == "control")
    assert control.numbers["kappa_true_scene"] < -0.3 and control.numbers["kappa_exchanged"] > 0.3
    assert audit.verdict == "clean for 60 steps"


@pytest.mark.parametrize("share", [1, 2])
def test_test_labels_from_elsewhere_are_found_among_two_classes_too(share):
    loaded = two_classes(zoo.corner(), 150)

    class Knows(LeftToRight):
        def revise(self, fitted, classes, image):
            known = np.indices(classes.shape).sum(axis=0) % share == 0
            return np.where(known, loaded.ground_truth, classes)

    with serving(loaded, lambda: None):
        audit = examine(zoo.method_of(Knows()), request())
    assert zoo.PREDICTION in words(audit)
    assert "a method without them would have" in audit.findings[0].evidence


def test_one_class_cannot_be_exchanged():
    loaded = zoo.corner()
    truth = np.where(loaded.ground_truth == 2, 2, 0).astype(np.uint8)
    with serving(loaded._replace(ground_truth=truth), lambda: None):
        audit = examine(zoo.method_of(zoo.Honest()), request())
    control = next(each for each in audit.findings if each.item == "control")
    assert control.verdict == "not audited" and "labels of one class alone" in control.evidence
    assert audit.verdict == "clean for 60 steps"


# what a method reads by itself


@pytest.mark.parametrize("reader", [np.fromfile, lambda path: open(path).close(), lambda path: Path(path).read_text()])
def test_a_read_of_the_label_file_is_noted(tmp_path, reader):
    path = tmp_path / "Some_gt.txt"
    path.write_text("1 2\n")
    loaded = load_scene("synthetic")
    scene = loaded.scene._replace(ground_truth=SceneFile("Some_gt.txt", "gt", None, ()))
    evidence = FileEvidence("Some_gt.txt", str(path), "0", None, None, None)
    with noted_reads(loaded._replace(scene=scene, files=(evidence,))) as reads:
        assert reads == []
        (tmp_path / "other.txt").write_text("1")
        assert reads == []
        reader(str(path))
    assert reads == ["Some_gt.txt"]
    reader(str(path))  # outside nothing is noted
    assert reads == ["Some_gt.txt"]


def test_a_scene_is_served_inside_alone():
    loaded = load_scene("synthetic")
    other = loaded._replace(ground_truth=loaded.ground_truth * 0)
    with noted_reads(other) as reads:
        assert load_scene("synthetic") is other
    assert reads == ["load_scene"] and load_scene("synthetic") is not other


# the order of training examples


def test_the_distance_of_weights():
    one = {"a": np.array([3.0, 4.0]), "b": np.zeros(2)}
    assert distance(one, one) == 0
    assert distance(one, dict(one, a=np.array([3.0, 9.0]))) == pytest.approx(0.5)
    assert distance(one, dict(one, b=np.array([0.0, 1e-9]))) == 0.5
    assert distance(one, {"a": one["a"]}) == distance(one, dict(one, b=np.zeros(3))) == 0.5


@pytest.mark.parametrize("steps", [2, 10])
@pytest.mark.parametrize("recipe", [zoo.OrderByClass, zoo.OrderByCounts, zoo.LearnsTest, zoo.WeightsFromTest])
def test_an_order_is_told_from_what_is_learnt_after_few_steps_too(recipe, steps):
    found = {word for word in words(audit_of(recipe, steps)) if "label" in word}
    expected = dict(zoo.HONEST + zoo.CHEATS)[recipe]
    assert found == {word for word in expected if "label" in word}


def test_a_plan_holds_altered_labels_in_an_altered_scene(tmp_path):
    trials = Trials(zoo.method_of(zoo.TruthInThePlan()), request(5), tmp_path)
    altered = trials.loaded._replace(ground_truth=trials.loaded.ground_truth[::-1].copy())
    _, given = trials._given(altered, trials.draw)
    known = trials.loaded.ground_truth > 0
    assert np.array_equal(given.plan["map"][known], altered.ground_truth[known])


# the table


def zoo_table():
    """Every method of the zoo, what it does, and what the audit says."""
    lines = ["| method | what it does | the audit says |", "|---|---|---|"]
    for group in (zoo.HONEST, zoo.CHEATS):
        for recipe, expected in group:
            found = "; ".join("`%s`" % word for word in expected) or "clean"
            lines.append("| %s | %s | %s |" % (recipe.__name__, inspect.getdoc(recipe), found))
    return "\n".join(lines) + "\n"


def test_the_document_has_the_zoos_table():
    """`python shared_data/tests/test_audit_zoo.py` writes it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.split(BEGIN)[1].split(END)[0] == zoo_table()


if __name__ == "__main__":
    before, after = DOCUMENT.read_text(encoding="utf-8").split(BEGIN)
    DOCUMENT.write_text(before + BEGIN + zoo_table() + END + after.split(END, 1)[1], encoding="utf-8")
