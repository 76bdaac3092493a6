"""The audit against counts by hand and by loops, and its command line."""

import numpy as np
import pytest
from test_partition import RULES, literal_of, rule_of, small_scene

from da_imrn import partition_audit
from da_imrn.partition import Rule, draw_partition, find_partition
from da_imrn.partition_audit import MEANINGS, audit
from shared_data.scenes.loading import load_scene

OF_RECOVERED = ("patches_placed", "patches_drawn")


def counted(literal, rule):
    """The audit's numbers by loops over a literal partition."""
    shape = literal.test_labels.shape
    inside, trains, held_out = (np.zeros(shape, bool) for _ in range(3))
    for (top, start), labels, op_labels in zip(literal.corners, literal.labels, literal.op_labels):
        for y in range(rule.window):
            for x in range(rule.window):
                inside[top + y, start + x] = True
                trains[top + y, start + x] |= labels[y][x] > 0
                held_out[top + y, start + x] |= op_labels[y][x] > 0
    touched, tested, tested_in_touched, shares = 0, 0, 0, []
    for row, column in literal.test_patches():
        tile = slice(row, row + rule.patch), slice(column, column + rule.patch)
        labelled = int((literal.test_labels[tile] > 0).sum())
        shares.append(inside[tile].mean())
        tested += labelled
        touched += bool(inside[tile].any())
        tested_in_touched += labelled * bool(inside[tile].any())
    used = {
        (row + y, column + x)
        for row, column, flip, labels in literal.training_patches([1] * 10000)
        for y, line in enumerate(labels)
        for x, label in enumerate(line)
        if flip == 0 and label > 0
    }
    return {
        "train_pixels": int((literal.train_map > 0).sum()),
        "op_pixels": int((literal.op_map > 0).sum()),
        "val_pixels": int((literal.val_map > 0).sum()),
        "test_pixels": int((literal.test_labels > 0).sum()),
        "test_patches": len(shares),
        "op_pixels_that_train": int((trains & held_out).sum()),
        "test_patches_with_training_context": touched / len(shares),
        "test_pixels_with_training_context": tested_in_touched / tested,
        "training_share_of_test_patches": float(np.mean(shares)),
        "training_patches": len(literal.training_patches([1] * 10000)),
        "training_pixels_used": len(used),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_numbers_are_those_of_loops(seed):
    truth, rule = small_scene(seed, 61, 66), RULES["indianpines"]._replace(train_ratio=0.1, val_ratio=0.1)
    partition = draw_partition(truth, rule, np.random.RandomState(seed))
    found = audit(partition, rule)
    expected = counted(literal_of(partition, truth, rule, seed), rule)
    assert expected["op_pixels_that_train"] > 0 and 0 < expected["test_patches_with_training_context"] < 1
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert list(found) == [name for name in MEANINGS if name not in OF_RECOVERED]


def test_numbers_are_plain():
    truth, rule = small_scene(1), RULES["indianpines"]
    found = audit(draw_partition(truth, rule, np.random.RandomState(1)), rule)
    assert {type(value) for value in found.values()} <= {int, float, bool, str}


@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_no_test_label_is_known_to_the_training(protocol):
    truth = load_scene("synthetic").ground_truth
    rule, most_draws, nearest = rule_of("synthetic", protocol)
    found = audit(find_partition(truth, rule, 3, most_draws, nearest), rule)
    assert found["test_pixels_that_train"] == found["test_pixels_that_validate"] == 0
    assert found["test_pixels_in_training_windows"] == 0
    assert found["test_patches_with_training_context"] > 0.1


def test_a_partition_that_leaks_is_found():
    """Test labels put back: all of them are inside windows, and those that train or validate are counted."""
    truth, rule = small_scene(1), RULES["indianpines"]
    partition = draw_partition(truth, rule, np.random.RandomState(1))
    found = audit(partition._replace(test_labels=truth), rule)
    distinct = set()
    for (row, column), labels in zip(partition.corners, partition.labels):
        distinct |= {(row + y, column + x) for y, x in zip(*np.nonzero(labels))}
    assert found["test_pixels_that_train"] == len(distinct) > 0
    assert found["test_pixels_that_validate"] == np.count_nonzero(partition.val_map) > 0
    assert found["test_pixels_in_training_windows"] > found["test_pixels_that_train"]


def test_nothing_left_to_test_is_no_error():
    truth, rule = np.ones((6, 7), np.uint8), Rule(6, 4, 9, 1.0, 0.0, 0, 0)
    partition = draw_partition(truth, rule, np.random.RandomState(0))
    found = audit(partition._replace(test_labels=np.zeros_like(truth)), rule)
    assert found["test_patches"] == 0 and found["test_patches_with_training_context"] == 0.0


@pytest.mark.parametrize("protocol, accepted", [("paper", "True"), ("released", "False")])
def test_the_command_prints_every_number(capsys, protocol, accepted):
    assert partition_audit.main(["synthetic", "--seed", "2", "--protocol", protocol]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "synthetic, protocol %s, seed 2" % protocol
    meanings = [meaning for name, meaning in MEANINGS.items() if name not in OF_RECOVERED]
    assert len(lines) == 1 + len(meanings)
    assert lines[1].split()[-1] == "drawn" and lines[3].split()[-1] == accepted
    assert all(meaning in line for meaning, line in zip(meanings, lines[1:]))


def test_an_unknown_experiment_is_one_sentence(capsys):
    assert partition_audit.main(["salina"]) != 0
    assert "salina" in capsys.readouterr().err
