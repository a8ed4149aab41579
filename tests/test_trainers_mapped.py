"""Images that are prepared once on a machine and mapped into the memory of every process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from space.errors import DataError
from trainers.data.dataset import DataSet, Images, search_split
from trainers.data.mapped import CHECKSUMS, cache_folder, mapped
from trainers.device import DeviceSplit


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"one")
    return path


class Reader:
    """Reads images out of a file, and counts how often."""

    def __init__(self, path):
        self.path = path
        self.times = 0

    def __call__(self):
        self.times += 1
        rng = np.random.default_rng(list(self.path.read_bytes()))
        pixels, labels = rng.integers(0, 256, (60, 2, 5, 5), dtype=np.uint8), np.arange(60, dtype=np.int64) % 3
        return Images(pixels[:50], labels[:50]), Images(pixels[50:], labels[50:])


def assert_same(found, expected):
    for images, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(images.pixels, wanted.pixels)
        np.testing.assert_array_equal(images.labels, wanted.labels)
        assert (images.pixels.dtype, images.labels.dtype) == (np.uint8, np.int64)


def test_what_is_mapped_is_what_is_read_and_is_read_once(source):
    read = Reader(source)
    for _ in range(3):
        found = mapped("some", 1, [source], read)
        assert_same(found, Reader(source)())
        for array in (found[0].stored, found[1].stored, found[0].labels):
            assert isinstance(array, np.memmap) and not array.flags.writeable
    assert read.times == 1


def test_other_files_and_another_reader_are_prepared_anew(source):
    read = Reader(source)
    first = mapped("some", 1, [source], read)
    source.write_bytes(b"two")
    assert_same(mapped("some", 1, [source], read), Reader(source)())
    assert read.times == 2
    mapped("some", 2, [source], read)
    assert read.times == 3
    source.write_bytes(b"one")
    assert_same(mapped("some", 1, [source], read), first)
    assert read.times == 3


def truncate(folder):
    path = folder / "train-pixels.npy"
    path.write_bytes(path.read_bytes()[:-1])


def flip(folder):
    path = folder / "train-pixels.npy"
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    path.write_bytes(content)


def empty(folder):
    for path in folder.iterdir():
        path.unlink()


def leave_a_part(folder):
    """As a process does that is killed while it writes."""
    folder.rename(folder.with_name(f"{folder.name}.part"))
    truncate(folder.with_name(f"{folder.name}.part"))


DAMAGE = {
    "truncated": truncate,
    "one bit": flip,
    "no checksums": lambda folder: (folder / CHECKSUMS).unlink(),
    "no text": lambda folder: (folder / CHECKSUMS).write_bytes(b"\xff\xfe"),
    "a missing array": lambda folder: (folder / "test-labels.npy").unlink(),
    "emptied": empty,
    "half written": leave_a_part,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_prepared_again(source, cache, damage):
    read = Reader(source)
    in_use = mapped("some", 1, [source], read)
    (folder,) = (path for path in cache.iterdir() if path.is_dir())
    DAMAGE[damage](folder)
    for _ in range(2):
        assert_same(mapped("some", 1, [source], read), Reader(source)())
    assert read.times == 2
    assert {path.name for path in cache.iterdir()} == {folder.name, f"{folder.name}.lock"}
    np.testing.assert_array_equal(in_use[1].labels, Reader(source)()[1].labels)


def test_the_cache_is_in_the_users_folder_unless_one_says_otherwise(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("STRIATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "striate"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "striate"


def test_a_cache_that_cannot_be_written_is_told_with_the_way_out(source, cache):
    cache.write_text("a file")
    with pytest.raises(DataError, match=rf"{cache} cannot be written: .*; name another folder with STRIATE_CACHE$"):
        mapped("some", 1, [source], Reader(source))


def test_a_source_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path} cannot be read: .*; get it again$"):
        mapped("some", 1, [tmp_path], Reader(tmp_path))


def test_what_the_reader_refuses_is_not_kept(source, cache):
    def refuse():
        raise DataError("the file is bad")

    with pytest.raises(DataError, match=r"^the file is bad$"):
        mapped("some", 1, [source], refuse)
    assert not [path for path in cache.iterdir() if path.is_dir()]


# Several processes.

LOADING = """
import sys
from pathlib import Path
from test_trainers_mapped import Reader
from trainers.data.mapped import mapped

class Told(Reader):
    def __call__(self):
        print("reads", flush=True)
        sys.stdin.readline()
        return super().__call__()

source = Path(sys.argv[1])
train, test = mapped("some", 1, [source], Told(source))
print("has", train.pixels.sum(), test.pixels.sum())
"""


def test_of_several_processes_at_once_one_prepares_and_the_others_wait_for_it(source):
    folders = (Path(__file__).parent, Path(__file__).parents[1])
    search = f"import sys; sys.path[:0] = {[str(each) for each in folders]!r}\n"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", search + LOADING, source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:  # all of them, as any may be the one that prepares
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0] * 3
    train, test = Reader(source)()
    assert {lines[-1] for lines in told} == {f"has {train.pixels.sum()} {test.pixels.sum()}"}
    assert sum(lines.count("reads") for lines in told) == 1


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="only Linux tells what a process has mapped")
def test_pixels_on_a_cpu_are_those_of_the_map(source):
    train, test = mapped("some", 1, [source], Reader(source))
    split = DeviceSplit.of(search_split(DataSet("some", 3, train, test)), torch.device("cpu"))
    for images in (split.train, split.score):
        list(images.batches(torch.randperm(len(images)), 7))
        assert mapping_of(images.pixels_NCHW.data_ptr()) == ("train-pixels.npy", "r--s", 0)


def mapping_of(address):
    """The file that is mapped at an address of this process, how, and how many kB of it are the process's own."""
    found = None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        key, *fields = line.split()
        if not key.endswith(":"):
            first, last = (int(each, 16) for each in key.split("-"))
            found = (Path(fields[-1]).name, fields[0]) if first <= address < last else None
        elif found and key == "Private_Dirty:":
            return *found, int(fields[0])
    return None
