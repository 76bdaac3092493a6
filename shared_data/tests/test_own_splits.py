"""A split of the user's own: files as people have them are read, and mistakes in them are named."""

import sys

import numpy as np
import pytest
import scipy.io
from PIL import Image

from shared_data.errors import SplitError
from shared_data.scenes.loading import LoadedScene, data_identities
from shared_data.scenes.own import Description, OwnClass
from shared_data.splits.draws import Split, save_split
from shared_data.splits.own import read_own

TRUTH = np.repeat([[1, 2, 3]], 4, axis=1).repeat(10, axis=0).astype(np.uint8)  # 10 × 12, three fields
TRUTH[-1] = 0
TRAIN, TEST, VAL = (np.zeros_like(TRUTH) for _ in range(3))
TRAIN[:3], VAL[3], TEST[6:9] = TRUTH[:3], TRUTH[3], TRUTH[6:9]


@pytest.fixture
def scene(tiny):
    return LoadedScene(tiny.scene._replace(height=10, width=12), np.zeros((10, 12, 2)), TRUTH, (), True)


def write(path, array, **others):
    """A map as a file of the kind that its extension says."""
    if path.suffix == ".npy":
        np.save(str(path), array)
    elif path.suffix == ".npz":
        np.savez_compressed(str(path), labels=array, **others)
    elif path.suffix == ".mat":
        scipy.io.savemat(str(path), dict(others, labels=array))
    else:
        Image.fromarray(array).save(str(path))
    return path


def write_both(folder, suffix, train=TRAIN, test=TEST):
    return [write(folder / (name + suffix), part) for name, part in (("tr", train), ("te", test))]


def trained(split):
    return np.sort(np.concatenate([split.train, split.val]))


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mat", ".tif", ".tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_two_maps_of_any_kind_give_the_same_split(scene, tmp_path, suffix, dtype):
    found = read_own(scene, write_both(tmp_path, suffix, TRAIN.astype(dtype), TEST.astype(dtype)), 0)
    np.testing.assert_array_equal(trained(found.split), np.flatnonzero(TRAIN))
    np.testing.assert_array_equal(found.split.test, np.flatnonzero(TEST))
    assert np.bincount(TRUTH.ravel()[found.split.val]).tolist() == [0, 1, 1, 1]  # a tenth of 12
    assert found.facts["own_val_held_out"] == 3
    assert found.facts["own_gt_unused"] == 36
    assert found.facts["own_test_within_3"] == 0.0
    assert found.facts["own_test_within_6"] == 1.0


def test_two_files_may_be_named_in_one_text_and_the_first_one_trains(scene, tmp_path):
    paths = write_both(tmp_path, ".npy")
    found = read_own(scene, "%s, %s" % tuple(paths), 0)
    swapped = read_own(scene, "%s,%s" % tuple(reversed(paths)), 0)
    np.testing.assert_array_equal(trained(found.split), np.flatnonzero(TRAIN))
    np.testing.assert_array_equal(trained(swapped.split), np.flatnonzero(TEST))


def test_what_save_split_wrote_is_read_with_its_validation_pixels(scene, tmp_path):
    written = Split(*(np.flatnonzero(part) for part in (TRAIN, VAL, TEST)))
    save_split(tmp_path / "split.npz", written)
    found = read_own(scene, str(tmp_path / "split.npz"), 0)
    for part, expected in zip(found.split, written):
        np.testing.assert_array_equal(part, expected)
    assert found.facts["own_val_held_out"] == 0
    save_split(tmp_path / "none.npz", written._replace(val=np.zeros(0, np.int64)))
    assert read_own(scene, tmp_path / "none.npz", 0).facts["own_val_held_out"] == 3


@pytest.mark.parametrize(
    "names", [("TR", "TE", "VAL"), ("train_gt", "test_gt", "val_gt"), ("TrainLabels", "TestLabels", "Validation")]
)
@pytest.mark.parametrize("suffix", [".mat", ".npz"])
def test_one_file_may_hold_all_maps_under_usual_names_beside_other_arrays(scene, tmp_path, names, suffix):
    maps = dict(zip(names, (TRAIN, TEST, VAL)))
    path = write(tmp_path / ("scene" + suffix), np.ones((10, 12, 3)), **maps)
    found = read_own(scene, [path], 0)
    for part, expected in zip(found.split, (TRAIN, VAL, TEST)):
        np.testing.assert_array_equal(part, np.flatnonzero(expected))


def test_a_file_with_several_maps_gives_the_one_with_the_name_of_its_set(scene, tmp_path):
    first = write(tmp_path / "a.mat", TRUTH, TR=TRAIN)
    second = write(tmp_path / "b.mat", TRUTH, TE=TEST)
    np.testing.assert_array_equal(trained(read_own(scene, [first, second], 0).split), np.flatnonzero(TRAIN))
    ambiguous = write(tmp_path / "c.mat", TRUTH, left=TRAIN)
    with pytest.raises(SplitError, match=r"c\.mat: expected one label map, or one named 'train', found .*'left' 10×12"):
        read_own(scene, [ambiguous, second], 0)


def test_other_matrices_in_a_file_do_not_matter(scene, tmp_path):
    paths = [write(tmp_path / "a.mat", TRAIN, palette=np.ones((16, 3))), write(tmp_path / "b.mat", TEST)]
    np.testing.assert_array_equal(trained(read_own(scene, paths, 0).split), np.flatnonzero(TRAIN))


def test_masks_need_no_class_numbers(scene, tmp_path):
    found = read_own(scene, write_both(tmp_path, ".npy", TRAIN > 0, (TEST > 0).astype(int)), 0)
    np.testing.assert_array_equal(trained(found.split), np.flatnonzero(TRAIN))


@pytest.mark.parametrize(
    "labels, unlabelled", [((3, 10, 150), 255), ((1, 2, 3), -1), ((2, 3, 4), 0), ((-7, 0, 9), 255)]
)
def test_maps_of_an_own_scene_have_the_labels_of_its_file_or_class_numbers(scene, tmp_path, labels, unlabelled):
    classes = tuple(OwnClass(label, str(label), 1) for label in labels)
    own = Description(tmp_path / "a.toml", tmp_path / "a.npy", None, (), (), (unlabelled,), classes)
    scene = scene._replace(scene=scene.scene._replace(own=own))
    as_in_file = np.array((unlabelled, *labels), np.int16)
    for name, change in (("file", as_in_file.__getitem__), ("numbers", np.asarray), ("mask", lambda part: part > 0)):
        folder = tmp_path / name
        folder.mkdir()
        found = read_own(scene, write_both(folder, ".npy", change(TRAIN), change(TEST)), 0).split
        np.testing.assert_array_equal(trained(found), np.flatnonzero(TRAIN))
        np.testing.assert_array_equal(found.test, np.flatnonzero(TEST))
    wrong = as_in_file[np.where(TRAIN, TRAIN % 3 + 1, 0)]
    with pytest.raises(SplitError, match=r"ground truth's labels|expected labels from 0"):
        read_own(scene, write_both(tmp_path, ".npy", wrong, as_in_file[TEST]), 0)


def test_pixels_outside_of_the_ground_truth_are_left_out_and_counted(scene, tmp_path):
    train, test = TRAIN.copy(), TEST.copy()
    train[-1, :5], test[-1, 6] = 3, 2
    found = read_own(scene, write_both(tmp_path, ".npy", train, test), 0)
    np.testing.assert_array_equal(trained(found.split), np.flatnonzero(TRAIN))
    np.testing.assert_array_equal(found.split.test, np.flatnonzero(TEST))
    assert (found.facts["own_train_outside_gt"], found.facts["own_test_outside_gt"]) == (5, 1)


def test_another_split_file_is_other_data_of_the_run(scene, tmp_path):
    def identities(paths):
        files = read_own(scene, paths, 0).files
        return data_identities({"data": [file._asdict() for file in files]})

    paths = []
    for folder, part in (("tr", TRAIN), ("te", TEST)):  # the two files have the same name
        (tmp_path / folder).mkdir()
        paths.append(write(tmp_path / folder / "map.npy", part))
    before = identities(paths)
    assert set(before) == {"split/train/map.npy", "split/test/map.npy"}
    write(paths[1], TEST * (np.arange(12) != 4))
    after = identities(paths)
    assert [name for name in before if before[name] != after[name]] == ["split/test/map.npy"]


def test_a_label_that_contradicts_the_ground_truth_is_named(scene, tmp_path):
    train = TRAIN.copy()
    train[2, 5] = 3
    train[2, 6] = 1
    with pytest.raises(
        SplitError, match=r"tr\.npy: .* 2 pixels with another, first in row 2, column 5 .*: 3 in place of 2"
    ):
        read_own(scene, write_both(tmp_path, ".npy", train), 0)


def test_a_transposed_map_is_recognised_by_its_shape(scene, tmp_path):
    for suffix in (".npy", ".mat", ".tif"):
        with pytest.raises(SplitError, match=r"expected a label map of 10×12 .*12×10; rows and columns are exchanged"):
            read_own(scene, write_both(tmp_path, suffix, TRAIN.T, TEST.T), 0)


def test_a_transposed_map_of_a_square_scene_is_recognised_by_its_labels(tiny, tmp_path):
    truth = np.random.RandomState(0).randint(1, 4, (8, 8)).astype(np.uint8)
    scene = LoadedScene(tiny.scene._replace(height=8, width=8), np.zeros((8, 8, 1)), truth, (), True)
    train = truth * (np.arange(8) < 4)
    test = truth - train
    assert read_own(scene, write_both(tmp_path, ".npy", train, test), 0).split.test.size == 32
    with pytest.raises(SplitError, match="rows and columns are exchanged: transpose the map"):
        read_own(scene, write_both(tmp_path, ".npy", train.T, test.T), 0)


@pytest.mark.parametrize(
    "train, message",
    [
        (TRAIN[:, :-1], "expected a label map of 10×12 .*, found 'tr' 10×11; give the map of this scene"),
        (TRAIN * 2, "expected labels from 0 .* to 3, found 0 to 6"),
        (TRAIN.astype(np.int16) - 1, "found -1 to 2"),
        (TRAIN * 0.5, "expected whole numbers as labels, found float64"),
        (np.where(TRAIN > 0, np.nan, 0), "expected whole numbers"),
        (TRAIN * 0, "the set 'train', found 0 pixels"),
        (np.where(TRUTH == 0, 1, 0), "the set 'train', found 12 pixels, none of them labelled"),
    ],
)
def test_a_map_with_a_mistake_is_refused(scene, tmp_path, train, message):
    with pytest.raises(SplitError, match=r"tr\.npy.*" + message):
        read_own(scene, write_both(tmp_path, ".npy", train), 0)


@pytest.mark.parametrize(
    "sets, message",
    [
        ({"test": [16, 17]}, r"'train' and 'test' overlap in 2 pixels, first in row 1, column 4 \(counted from 0\)"),
        ({"val": [17]}, "'train' and 'val' overlap in 1 pixels, first in row 1, column 5"),
        ({"val": [44]}, "'val' and 'test' overlap in 1 pixels, first in row 3, column 8"),
        ({"train": [16, 17, 16]}, "row 1, column 4 .* is twice in the set 'train'"),
        ({"test": [120]}, "flat pixel indices .* from 0 to 119, found 120 to 120"),
        ({"test": [-1]}, "found -1 to -1"),
        ({"test": [0.5]}, "found float64"),
        ({"test": ["16"]}, "found <U2"),
    ],
)
def test_lists_of_pixels_with_a_mistake_are_refused(scene, tmp_path, sets, message):
    good = {"train": [16, 17], "test": [44, 45]}
    np.savez(str(tmp_path / "own.npz"), **{name: np.array(part) for name, part in dict(good, **sets).items()})
    with pytest.raises(SplitError, match=r"own\.npz.*" + message):
        read_own(scene, tmp_path / "own.npz", 0)


def test_overlapping_maps_are_refused_even_outside_of_the_ground_truth(scene, tmp_path):
    train, test = TRAIN.copy(), TEST.copy()
    train[-1, 3] = test[-1, 3] = 2
    with pytest.raises(
        SplitError, match=r"tr\.npy, .*te\.npy: the sets 'train' and 'test' overlap in 1 pixels.*row 9, col"
    ):
        read_own(scene, write_both(tmp_path, ".npy", train, test), 0)


def test_a_file_without_one_of_the_sets_or_with_two_for_one_lists_what_it_holds(scene, tmp_path):
    with pytest.raises(SplitError, match=r"named 'test', found 'labels' 10×12, 'train' 10×12"):
        read_own(scene, write(tmp_path / "a.npz", TRUTH, train=TRAIN), 0)
    with pytest.raises(SplitError, match=r"named 'train' or alike, found .*'TR' 10×12"):
        read_own(scene, write(tmp_path / "b.mat", TRUTH, TR=TRAIN, train=TRAIN, TE=TEST), 0)


@pytest.mark.parametrize("paths", ["", "a.npy", "a.npy,b.npy,c.npy", []])
def test_a_wrong_number_of_files_is_named(scene, paths):
    with pytest.raises(SplitError, match=r"one file with all sets \(\.npz, \.mat\) or two label maps"):
        read_own(scene, paths, 0)


def test_absent_files_other_kinds_and_damaged_bytes_are_named(scene, tmp_path):
    good = write(tmp_path / "te.npy", TEST)
    with pytest.raises(SplitError, match=r"absent\.npy: there is no such file"):
        read_own(scene, [tmp_path / "absent.npy", good], 0)
    (tmp_path / "map.txt").write_text("1 2 3")
    with pytest.raises(SplitError, match=r"map\.txt: expected a file with the extension \.npz, \.npy, \.mat, \.tif"):
        read_own(scene, [tmp_path / "map.txt", good], 0)
    for suffix in (".npy", ".npz", ".mat", ".tif"):
        damaged = write(tmp_path / ("cut" + suffix), TRAIN)
        damaged.write_bytes(damaged.read_bytes()[:-60])
        with pytest.raises(SplitError, match=r"cut\%s" % suffix):
            read_own(scene, [damaged, good], 0)


def test_pickled_objects_are_not_loaded(scene, tmp_path):
    np.savez(str(tmp_path / "own.npz"), train=np.array([{}], object), test=np.array([1]))
    with pytest.raises(SplitError, match="pickled objects, which are never loaded"):
        read_own(scene, tmp_path / "own.npz", 0)


def test_a_scene_without_labels_is_refused(scene, tmp_path):
    with pytest.raises(SplitError, match="the scene has no labels"):
        read_own(scene._replace(ground_truth=TRUTH * 0), write_both(tmp_path, ".npy"), 0)


def test_tiff_pictures_with_colours_or_several_pages_are_no_maps(scene, tmp_path):
    good = write(tmp_path / "te.npy", TEST)
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(str(tmp_path / "colour.tif"))
    with pytest.raises(SplitError, match=r"found 'colour' 10×12×3"):
        read_own(scene, [tmp_path / "colour.tif", good], 0)
    page = Image.fromarray(TRAIN)
    page.save(str(tmp_path / "pages.tif"), save_all=True, append_images=[page])
    with pytest.raises(SplitError, match=r"found 'pages' 10×12×2"):
        read_own(scene, [tmp_path / "pages.tif", good], 0)


def write_tiff(path, *pages):
    """Write a TIFF of pages with one number a pixel. pages: the bytes of each, its shape, and other tags."""
    content, pointer = bytearray(b"II*\0\0\0\0\0"), 4
    for body, (height, width), others in pages:
        tags = {256: width, 257: height, 259: 1, 262: 1, 273: len(content), 277: 1, 278: height, 279: len(body)}
        tags.update(others)
        content += body + b"\0" * (len(body) % 2)
        content[pointer : pointer + 4] = np.array(len(content), "<u4").tobytes()
        content += np.array(len(tags), "<u2").tobytes()
        for tag, value in sorted(tags.items()):
            content += np.array([tag, 3], "<u2").tobytes() + np.array([1, value], "<u4").tobytes()
        pointer = len(content)
        content += b"\0\0\0\0"
    path.write_bytes(content)
    return path


def double_tiff(path, array):
    """A TIFF of 64-bit floating-point numbers, which Pillow does not know."""
    return write_tiff(path, (array.astype("<f8").tobytes(), array.shape, {258: 64, 339: 3}))


def page(array, tags, bits=8):
    """A page of numbers of 1, 2, 4 or 8 bits."""
    digits = (array[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    rows = np.packbits(digits.astype(np.uint8).reshape(len(array), -1), axis=1)
    return rows.tobytes(), array.shape, {258: bits, **tags}


def test_without_rasterio_a_kind_of_tiff_that_pillow_does_not_know_is_named(scene, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    path = double_tiff(tmp_path / "tr.tif", TRAIN)
    with pytest.raises(
        SplitError, match=r"tr\.tif .*rasterio, which may, is not installed; install it or save the map"
    ):
        read_own(scene, [path, write(tmp_path / "te.npy", TEST)], 0)


def test_rasterio_reads_kinds_of_tiff_that_pillow_does_not_know(scene, tmp_path):
    pytest.importorskip("rasterio")
    paths = [double_tiff(tmp_path / ("%d.tif" % number), part) for number, part in enumerate((TRAIN, TEST))]
    np.testing.assert_array_equal(trained(read_own(scene, paths, 0).split), np.flatnonzero(TRAIN))


UNLIKE_STORED = {  # what Pillow inverts, scales or, in some versions, turns: tags and bits
    "1 bit, 0 is white": ({262: 0}, 1),
    "8 bits, 0 is white": ({262: 0}, 8),
    "2 bits": ({}, 2),
    "4 bits": ({}, 4),
    "last row first": ({274: 4}, 8),
}


@pytest.mark.parametrize("kind", sorted(UNLIKE_STORED))
def test_a_map_is_the_numbers_that_a_tiff_stores(scene, tmp_path, kind):
    pytest.importorskip("rasterio")
    tags, bits = UNLIKE_STORED[kind]
    masks = TRAIN > 0, (TRUTH > 0) & (TRAIN == 0)  # exchanged if they are inverted
    paths = [
        write_tiff(tmp_path / ("%d.tif" % number), page(mask if bits == 1 else mask * TRUTH, tags, bits))
        for number, mask in enumerate(masks)
    ]
    found = read_own(scene, paths, 0).split
    np.testing.assert_array_equal(trained(found), np.flatnonzero(masks[0]))
    np.testing.assert_array_equal(found.test, np.flatnonzero(masks[1]))


@pytest.mark.parametrize("kind", sorted(UNLIKE_STORED))
def test_without_rasterio_a_tiff_that_pillow_changes_is_refused(scene, tmp_path, kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    path = write_tiff(tmp_path / "tr.tif", page(TRAIN & 1, *UNLIKE_STORED[kind]))
    with pytest.raises(SplitError, match=r"tr\.tif cannot be read: .*is not installed; install it or save the map"):
        read_own(scene, [path, write(tmp_path / "te.npy", TEST)], 0)


@pytest.mark.parametrize("kind", [1, 4, 5])  # smaller copy, mask, mask of a smaller copy
def test_overviews_and_masks_of_a_tiff_are_no_maps(scene, tmp_path, kind):
    path = write_tiff(tmp_path / "tr.tif", page(TRAIN, {}), page(TRAIN[::2, ::2], {254: kind}))
    found = read_own(scene, [path, write(tmp_path / "te.npy", TEST)], 0)
    np.testing.assert_array_equal(trained(found.split), np.flatnonzero(TRAIN))
