"""CIFAR-10 and CIFAR-100 from files in their formats: written byte by byte, after the archives' own description."""

import io
import tarfile

import numpy as np
import pytest
from conftest import run_striate

from space.errors import DataError
from trainers.data import registry

NETWORK = """
striate: 1
name: small
input: {channels: 3, size: 32, classes: 10}
time: {steps: 3}
areas:
  V1: {drive: [conv: {kernel: 3, stride: 4, channels: 4}, elu]}
  V2: {drive: [conv: {kernel: 3, stride: 2, channels: 8}, elu]}
train: {data: cifar10, epochs: 1, batch_size: 16, learning_rate: 0.01}
"""


def images_of(count, classes, seed):
    """Pixels `(N, rows, columns, colours)`, as one looks at them, and classes."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), np.arange(count) % classes


def records(pixels, labels, superclass):
    """Label bytes, then 1,024 bytes of red, of green and of blue, the first 32 of each being the first row."""
    written = bytearray()
    for image, label in zip(pixels, labels, strict=True):
        written += bytes([7, label]) if superclass else bytes([label])
        for colour in range(3):
            for row in range(32):
                written += bytes(image[row, column, colour] for column in range(32))
    return bytes(written)


PARTS = {
    "cifar10": [*((f"data_batch_{number}.bin", 12) for number in range(1, 6)), ("test_batch.bin", 20)],
    "cifar100": [("train.bin", 200), ("test.bin", 100)],
}
FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}
ARCHIVES = {"cifar10": "cifar-10-binary.tar.gz", "cifar100": "cifar-100-binary.tar.gz"}
CLASSES = {"cifar10": 10, "cifar100": 100}
WRITTEN = {
    name: {
        file: (found := images_of(count, CLASSES[name], seed), records(*found, superclass=name == "cifar100"))
        for seed, (file, count) in enumerate(parts)
    }
    for name, parts in PARTS.items()
}


def in_folder(name, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for file, (_, content) in WRITTEN[name].items():
        (folder / file).write_bytes(content)
    (folder / "batches.meta.txt").write_text("airplane\n")


def in_archive(name, path):
    with tarfile.open(path, "w:gz") as archive:
        for file, (_, content) in WRITTEN[name].items():
            member = tarfile.TarInfo(f"{FOLDERS[name]}/{file}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def lay(name, folder, way):
    match way:
        case "the files":
            in_folder(name, folder)
        case "their folder":
            in_folder(name, folder / FOLDERS[name])
        case "the archive":
            in_archive(name, folder / ARCHIVES[name])


@pytest.mark.parametrize("way", ["the files", "their folder", "the archive"])
@pytest.mark.parametrize("name", PARTS)
def test_images_and_classes_are_those_that_were_written(name, way, tmp_path):
    lay(name, tmp_path, way)
    found = registry.load(name, tmp_path)
    *train, test = (images for images, _ in WRITTEN[name].values())
    assert (found.name, found.classes, found.shape) == (name, CLASSES[name], (3, 32, 32))
    for images, parts in ((found.train, train), (found.test, [test])):
        pixels, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
        np.testing.assert_array_equal(images.pixels.transpose(0, 2, 3, 1), pixels)
        np.testing.assert_array_equal(images.labels, labels)
        assert images.labels.dtype == np.int64


def test_a_network_is_trained_on_them(tmp_path):
    lay("cifar10", tmp_path, "the archive")
    (tmp_path / "small.yaml").write_text(NETWORK)
    done = run_striate("train", "small.yaml", "--data-dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "split search-1 of cifar10" in done.stdout and "epoch 1  train loss" in done.stdout


@pytest.mark.parametrize("name", PARTS)
def test_without_files_it_says_where_to_get_them(name, tmp_path):
    way_out = r"get it from https://\S+ and give its folder with --data-dir$"
    with pytest.raises(DataError, match=rf"lies in no usual place; {way_out}"):
        registry.load(name)
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(DataError, match=rf"but {tmp_path} has neither; {way_out}"):
        registry.load(name, tmp_path)


def test_a_file_that_is_missing_is_named(tmp_path):
    lay("cifar10", tmp_path, "their folder")
    (tmp_path / FOLDERS["cifar10"] / "data_batch_4.bin").unlink()
    with pytest.raises(DataError, match=r"cifar-10-batches-bin has no data_batch_4\.bin; get it from"):
        registry.load("cifar10", tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_a_folder_that_cannot_be_is_told_in_a_sentence(name, tmp_path):
    with pytest.raises(DataError, match=r"which cannot be: File name too long; give another folder$"):
        registry.load(name, tmp_path / ("x" * 300))


def damaged(folder, damage):
    content = WRITTEN["cifar10"]["data_batch_3.bin"][1]
    archive = folder / ARCHIVES["cifar10"]
    match damage:
        case "a file is empty":
            (folder / "data_batch_3.bin").write_bytes(b"")
        case "a file is cut":
            (folder / "data_batch_3.bin").write_bytes(content[:-1])
        case "records of CIFAR-100":
            (folder / "data_batch_3.bin").write_bytes(WRITTEN["cifar100"]["test.bin"][1])
        case "a class too high":
            (folder / "data_batch_3.bin").write_bytes(bytes([10]) + content[1:])
        case "the archive is cut":
            archive.write_bytes(archive.read_bytes()[:-2000])
        case "the archive is a page":
            archive.write_bytes(b"<html>404</html>")
        case "the archive is empty":
            archive.write_bytes(b"")
        case "a file is not in the archive":
            with tarfile.open(archive, "w:gz") as opened:
                opened.addfile(tarfile.TarInfo("cifar-10-batches-bin/readme.html"))
        case "a file of the archive is a folder" | "a file of the archive is a link to itself":
            with tarfile.open(archive, "w:gz") as opened:
                member = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
                member.type = tarfile.DIRTYPE if damage.endswith("folder") else tarfile.SYMTYPE
                member.linkname = "data_batch_1.bin"
                opened.addfile(member)


@pytest.mark.parametrize(
    "damage", ["a file is empty", "a file is cut", "records of CIFAR-100", "a class too high", "the archive is cut",
               "the archive is a page", "the archive is empty", "a file is not in the archive",
               "a file of the archive is a folder", "a file of the archive is a link to itself"],
)  # fmt: skip
def test_damage_is_told_in_one_sentence_that_names_the_file(damage, tmp_path):
    lay("cifar10", tmp_path, "the archive" if "archive" in damage else "the files")
    damaged(tmp_path, damage)
    with pytest.raises(DataError) as refused:
        registry.load("cifar10", tmp_path)
    message = str(refused.value)
    assert "\n" not in message and ", but " in message and "; get it " in message
    assert ("data_batch_3.bin" if "archive" not in damage else str(tmp_path / ARCHIVES["cifar10"])) in message
