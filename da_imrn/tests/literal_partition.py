"""The partition and its patches, window by window and pixel by pixel, as the release goes about it.

The centres and the labels that train are given, because the release draws the latter from a generator of its own.
"""

import math

import numpy as np


def draw_centres(truth, rule, random):
    """Lists of (row, column): centres of training and of validation windows, in drawing order."""
    margin = int((rule.window - 1) / 2)
    height, width = truth.shape
    training, validation = [], []
    for label in range(1, truth.max() + 1):
        candidates, count = [], 0
        for row in range(height):
            for column in range(width):
                if truth[row, column] == label:
                    count += 1
                    if margin <= row < height - margin and margin <= column < width - margin:
                        candidates.append((row, column))
        for centres, ratio in ((training, rule.train_ratio), (validation, rule.val_ratio)):
            chosen = random.randint(0, len(candidates), math.ceil(count * ratio / rule.per_window))
            centres.extend(candidates[number] for number in chosen)
    return training, validation


def whole_windows(centres, side, shape):
    """(first row, first column) of each window that the border does not cut."""
    half = (side - 1) / 2
    corners = []
    for row, column in centres:
        rows = [y for y in range(int(row - half), int(row + half + 1)) if 0 <= y < shape[0]]
        columns = [x for x in range(int(column - half), int(column + half + 1)) if 0 <= x < shape[1]]
        if len(rows) == side and len(columns) == side:
            corners.append((rows[0], columns[0]))
    return corners


class LiteralPartition:
    """kept: per training window the set of (row, column) inside it whose labels train."""

    def __init__(self, truth, rule, train_centres, val_centres, kept):
        self.side, self.patch = rule.window, rule.patch
        self.corners = whole_windows(train_centres, self.side, truth.shape)
        self.val_corners = whole_windows(val_centres, self.side, truth.shape)
        self.labels, self.op_labels, self.val_labels = [], [], []
        self.train_map, self.op_map, self.val_map = (np.zeros_like(truth) for _ in range(3))
        self._train(truth, kept)
        left = truth.copy()
        self._blank(left, self.corners)
        if rule.blank_cut:
            self._blank_within_the_scene(left, train_centres)
        self._validate(left)
        self._blank(left, self.val_corners)
        self.test_labels = left

    def _train(self, truth, kept):
        for (top, start), chosen in zip(self.corners, kept):
            labels, held_out = self._empty(), self._empty()
            for y in range(self.side):
                for x in range(self.side):
                    (labels if (y, x) in chosen else held_out)[y][x] = truth[top + y, start + x]
            self._write(self.train_map, top, start, labels)
            self._write(self.op_map, top, start, held_out)
            self.labels.append(labels)
            self.op_labels.append(held_out)

    def _validate(self, left):
        for top, start in self.val_corners:
            labels = self._empty()
            for y in range(self.side):
                for x in range(self.side):
                    labels[y][x] = left[top + y, start + x]
            self._write(self.val_map, top, start, labels)
            self.val_labels.append(labels)

    def _empty(self):
        return [[0] * self.side for _ in range(self.side)]

    def _write(self, target, top, start, labels):
        for y in range(self.side):
            for x in range(self.side):
                target[top + y, start + x] = labels[y][x]

    def _blank(self, target, corners):
        for top, start in corners:
            self._write(target, top, start, self._empty())

    def _blank_within_the_scene(self, target, centres):
        half = (self.side - 1) / 2
        for row, column in centres:
            for y in range(int(row - half), int(row + half + 1)):
                for x in range(int(column - half), int(column + half + 1)):
                    if 0 <= y < target.shape[0] and 0 <= x < target.shape[1]:
                        target[y, x] = 0

    def _patches(self, corners, labels):
        """(row, column, labels) of every patch in every window, stride 1."""
        for (top, start), window in zip(corners, labels):
            for y in range(self.side - self.patch + 1):
                for x in range(self.side - self.patch + 1):
                    yield top + y, start + x, [row[x : x + self.patch] for row in window[y : y + self.patch]]

    def training_patches(self, flips):
        """Lists (row, column, flip, labels); flips gives 1 up-down or 2 left-right, one after the other."""
        counter, result, coins = 0, [], iter(flips)
        for row, column, labels in self._patches(self.corners, self.labels):
            if not np.any(labels):
                continue
            if counter % 2 == 0:
                coin = next(coins)
                result.append((row, column, 0, labels))
                turned = labels[::-1] if coin == 1 else [line[::-1] for line in labels]
                result.append((row, column, coin, turned))
            counter += 1
        return result

    def op_patches(self):
        counter, result = 0, []
        pairs = zip(self._patches(self.corners, self.labels), self._patches(self.corners, self.op_labels))
        for (row, column, labels), (_, _, held_out) in pairs:
            if not np.any(labels):
                continue
            if counter % 2 == 0:
                result.append((row, column, 0, held_out))
            counter += 1
        return result

    def validation_patches(self):
        return [
            (row, column, 0, labels)
            for row, column, labels in self._patches(self.val_corners, self.val_labels)
            if np.any(labels)
        ]

    def test_patches(self):
        """(row, column) of the grid's patches that hold a label."""
        height, width = self.test_labels.shape
        return [
            (row, column)
            for row in range(0, height - self.patch + 1, self.patch)
            for column in range(0, width - self.patch + 1, self.patch)
            if self.test_labels[row : row + self.patch, column : column + self.patch].any()
        ]
