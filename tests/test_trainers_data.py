"""Data sets, their files and their splits."""

import gzip
import struct

import numpy as np
import pytest
import torch

from space.errors import DataError
from space.model import Input
from trainers.data import fashion_mnist, registry
from trainers.data.dataset import DataSet, Images, final_split, search_split
from trainers.device import DeviceImages, DeviceSplit


def idx(array):
    """The bytes of an IDX file, after its description: magic number, big-endian sizes, bytes in C order."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


PIXELS = np.random.default_rng(0).integers(0, 256, (24, 28, 28), dtype=np.uint8)
LABELS = (np.arange(24) % 10).astype(np.uint8)
FILES = {
    "train-images-idx3-ubyte": PIXELS[:20],
    "train-labels-idx1-ubyte": LABELS[:20],
    "t10k-images-idx3-ubyte": PIXELS[20:],
    "t10k-labels-idx1-ubyte": LABELS[20:],
}


def write(folder, zipped):
    for name, array in FILES.items():
        if zipped(name):
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))


def numbered(images):
    """Images that carry their own number in their pixels."""
    numbers = np.arange(images, dtype=np.int32)
    return numbers.view(np.uint8).reshape(images, 4, 1, 1)


def numbers_of(pixels):
    return np.ascontiguousarray(pixels).reshape(-1).view(np.int32)


def test_small_images_are_means_of_four_pixels_of_the_first(tmp_path, monkeypatch):
    write(tmp_path, zipped=lambda name: False)
    monkeypatch.setattr(fashion_mnist, "SMALL_TRAIN", 12)
    found = registry.load("fashion-mnist-small", tmp_path)
    assert (len(found.train), len(found.test), found.shape) == (12, 4, (1, 14, 14))
    np.testing.assert_array_equal(found.train.labels, LABELS[:12])
    for images, whole in ((found.train, PIXELS[:12]), (found.test, PIXELS[20:])):
        for place in np.ndindex(len(whole), 14, 14):
            number, row, column = place
            block = whole[number, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].astype(int)
            assert abs(int(images.pixels[number, 0, row, column]) - block.sum() / 4) <= 0.5


# Splits.


def test_digits_are_scikit_learns_in_its_order():
    from sklearn.datasets import load_digits

    found, raw = registry.load("digits"), load_digits()
    pixels = np.concatenate((found.train.pixels, found.test.pixels))
    assert pixels.dtype == np.uint8 and pixels.shape == (1797, 1, 8, 8)
    assert (len(found.train), len(found.test)) == (1437, 360)
    np.testing.assert_array_equal(np.concatenate((found.train.labels, found.test.labels)), raw.target)
    np.testing.assert_allclose(pixels[:, 0] / 255, raw.images / 16, atol=0.5 / 255)


def test_each_part_of_digits_shows_each_class():
    found = registry.load("digits")
    split = search_split(found)
    for images in (split.train, split.score, found.test):
        assert set(images.labels) == set(range(10))


def test_the_search_split_parts_the_training_images_and_holds_no_test_image():
    labels = registry.load("digits").train.labels
    train = Images(numbered(len(labels)), labels)
    test = Images(numbered(len(labels) + 360)[len(labels) :], np.zeros(360, dtype=np.int64))
    split = search_split(DataSet("numbered", 10, train, test))
    shown, scored = (numbers_of(images.pixels) for images in (split.train, split.score))
    assert not set(shown) & set(scored)
    assert sorted((*shown, *scored)) == list(range(len(labels)))
    np.testing.assert_array_equal(split.train.labels, labels[shown])
    np.testing.assert_array_equal(split.score.labels, labels[scored])
    for label in range(10):
        of_class = np.flatnonzero(labels == label)
        np.testing.assert_array_equal(np.intersect1d(scored, of_class), of_class[5::6])

    real = registry.load("digits")
    real_split = search_split(real)
    np.testing.assert_array_equal(real_split.train.pixels, real.train.pixels[shown])
    np.testing.assert_array_equal(real_split.score.pixels, real.train.pixels[scored])
    assert (len(real_split.train), len(real_split.score)) == (1202, 235)


def test_the_final_split_trains_on_all_training_images_and_scores_on_the_test_images():
    found = registry.load("digits")
    split = final_split(found)
    np.testing.assert_array_equal(split.train.pixels, found.train.pixels)
    np.testing.assert_array_equal(split.score.pixels, found.test.pixels)
    np.testing.assert_array_equal(split.score.labels, found.test.labels)
    assert (split.name, search_split(found).name) == ("final", "search-1")


@pytest.mark.parametrize("given", [(3, 8, 10), (1, 9, 10), (1, 8, 9)])
def test_an_input_that_is_not_the_datas_is_refused(given):
    digits = registry.load("digits")
    digits.check_fits(Input(channels=1, size=8, classes=10))
    channels, size, classes = given
    with pytest.raises(DataError, match=r"digits needs input: \{channels: 1, size: 8, classes: 10\}, but it is"):
        digits.check_fits(Input(channels=channels, size=size, classes=classes))


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(DataError, match=r"^there is no data set 'fashion_mnist'; did you mean 'fashion-mnist'\?$"):
        registry.load("fashion_mnist")
    with pytest.raises(DataError, match="known: digits, fashion-mnist"):
        registry.load("quux")


# IDX files.


@pytest.mark.parametrize("zipped", [lambda name: False, lambda name: True, lambda name: "labels" in name])
def test_idx_files_are_read_plain_and_gzipped(tmp_path, zipped):
    write(tmp_path, zipped)
    found = registry.load("fashion-mnist", tmp_path)
    assert found.shape == (1, 28, 28) and found.classes == 10
    np.testing.assert_array_equal(found.train.pixels[:, 0], PIXELS[:20])
    np.testing.assert_array_equal(found.test.pixels[:, 0], PIXELS[20:])
    np.testing.assert_array_equal(found.train.labels, LABELS[:20])
    np.testing.assert_array_equal(found.test.labels, LABELS[20:])
    assert found.train.labels.dtype == np.int64


def test_a_missing_file_is_refused_with_where_to_get_it(tmp_path):
    write(tmp_path, lambda name: False)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=rf"{tmp_path} has no t10k-labels-idx1-ubyte\[\.gz\]; `apt-get install dataset"):
        registry.load("fashion-mnist", tmp_path)


def test_a_missing_folder_is_refused_with_where_to_get_it(tmp_path):
    with pytest.raises(DataError, match=r"or give the folder of its IDX files with --data-dir$"):
        registry.load("fashion-mnist", tmp_path / "nowhere")


GOOD_PIXELS, GOOD_LABELS = idx(FILES["train-images-idx3-ubyte"]), idx(FILES["train-labels-idx1-ubyte"])
IMAGES, LABEL = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
DAMAGED = {
    "empty": (IMAGES, b""),
    "half a header": (IMAGES, GOOD_PIXELS[:10]),
    "truncated": (IMAGES, GOOD_PIXELS[:-1]),
    "too long": (IMAGES, GOOD_PIXELS + b"\0"),
    "labels for images": (IMAGES, GOOD_LABELS),
    "images for labels": (LABEL, GOOD_PIXELS),
    "signed bytes": (IMAGES, b"\0\0\x09\x03" + GOOD_PIXELS[4:]),
    "text": (IMAGES, b"<html>404</html>" * 100),
    "a size that overflows": (IMAGES, b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**31, 4)),
    "smaller images": (IMAGES, idx(PIXELS[:20, :14])),
    "no image": (IMAGES, idx(PIXELS[:0])),
    "too few labels": (LABEL, idx(LABELS[:19])),
    "too many labels": (LABEL, idx(LABELS[:21])),
    "a label too high": (LABEL, idx(LABELS[:20] + np.uint8(1))),
    "zipped, then truncated": (f"{IMAGES}.gz", gzip.compress(GOOD_PIXELS)[:-20]),
    "zipped, then damaged": (f"{IMAGES}.gz", gzip.compress(GOOD_PIXELS)[:30] + b"\xff" * 100),
    "zipped with a wrong checksum": (f"{IMAGES}.gz", gzip.compress(GOOD_PIXELS)[:-8] + b"\0" * 8),
    "not zipped": (f"{IMAGES}.gz", GOOD_PIXELS),
    "zipped, and nothing in it": (f"{IMAGES}.gz", b""),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused_in_one_sentence_that_names_it(tmp_path, damage):
    name, content = DAMAGED[damage]
    write(tmp_path, lambda name: False)
    (tmp_path / name.removesuffix(".gz")).unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as refused:
        registry.load("fashion-mnist", tmp_path)
    message = str(refused.value)
    assert message.startswith(str(tmp_path / name)) and "\n" not in message
    assert message.endswith(("; get it again", "; get both files again")) and ", but " in message


@pytest.mark.skipif(
    not fashion_mnist.DEBIAN_FOLDER.is_dir(),
    reason="Fashion-MNIST is not installed: `apt-get install dataset-fashion-mnist` brings it",
)
def test_the_real_fashion_mnist():
    found = registry.load("fashion-mnist")
    assert found.train.pixels.shape == (60_000, 1, 28, 28)
    assert found.test.pixels.shape == (10_000, 1, 28, 28)
    assert np.bincount(found.train.labels).tolist() == [6_000] * 10
    assert np.bincount(found.test.labels).tolist() == [1_000] * 10
    split = search_split(found)
    assert (len(split.train), len(split.score)) == (50_000, 10_000)
    assert np.bincount(split.score.labels).tolist() == [1_000] * 10


# On the device.


def test_images_are_normalised_by_the_statistics_of_those_that_train():
    pixels = np.random.default_rng(1).integers(0, 200, (50, 3, 4, 4), dtype=np.uint8)
    pixels[:, 1] //= 3
    pixels[:, 2] = 7  # no variance
    data = DataSet("random", 2, Images(pixels[:40], np.arange(40) % 2), Images(pixels[40:], np.arange(10) % 2))
    split = DeviceSplit.of(final_split(data), torch.device("cpu"))
    mean, deviation = (getattr(pixels[:40].astype(np.float64), of)(axis=(0, 2, 3)) for of in ("mean", "std"))
    deviation[2] = 1
    for images, raw in ((split.train, pixels[:40]), (split.score, pixels[40:])):
        ((found, labels),) = images.batches(torch.arange(len(images)), 100)
        assert found.dtype == torch.float32
        expected = (raw - mean[:, None, None]) / deviation[:, None, None]
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
        assert torch.equal(labels, images.labels_N)


def test_batches_follow_the_order_and_the_last_may_be_smaller():
    pixels = torch.tensor(numbered(11))
    images = DeviceImages(pixels, torch.arange(11) * 2, torch.zeros(4, 1, 1), torch.ones(4, 1, 1))
    order = torch.tensor([3, 1, 4, 0, 5, 9, 2, 6, 8, 7, 10])
    batches = list(images.batches(order, 4))
    assert [len(labels) for _, labels in batches] == [4, 4, 3]
    assert torch.equal(torch.cat([labels for _, labels in batches]), order * 2)
    found = torch.cat([shown for shown, _ in batches]).to(torch.uint8).numpy()
    np.testing.assert_array_equal(numbers_of(found), order.numpy())
