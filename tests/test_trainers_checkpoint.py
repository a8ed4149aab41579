"""Checkpoints: a training that is cut anywhere goes on as if it had not been."""

import hashlib
import os
import pickle
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cells.network import Network
from space.parse import parse_architecture
from trainers import checkpoint
from trainers.data import registry
from trainers.data.dataset import Images, Split, search_split
from trainers.device import DeviceSplit
from trainers.durable import sync
from trainers.loop import EpochResult, Trainer

PLAIN = """
striate: 1
name: plain
input: {channels: 1, size: 8, classes: 10}
time: {steps: 3}
areas:
  V1: {drive: [conv: {kernel: 3, channels: 4}, elu], post: [max_pool: {kernel: 2, stride: 2}]}
  V2: {drive: [conv: {kernel: 3, channels: 6}], cell: {type: reciprocal_gated, keep: {kernel: 2}, admit: {kernel: 3}}}
edges: {feedback: [{from: V2, to: V1, via: [conv: {kernel: 1}, resize: {mode: bilinear}]}]}
train: {data: digits, epochs: 5, batch_size: 32, learning_rate: 0.2, weight_decay: 1e-3, seed: 5}
"""
RANDOM = PLAIN.replace("elu]", "norm: {kind: batch}, elu, dropout: {rate: 0.3}]")
assert RANDOM != PLAIN
DOCUMENTS = {"plain": PLAIN, "with dropout and batch norm": RANDOM}
CPU = torch.device("cpu")


def trainer_of(document, **other):
    architecture, graph = parse_architecture(document, "file.yaml")
    split = search_split(registry.load("digits"))
    parts = (Images(part.stored, part.labels[:count], part.rows[:count])
             for part, count in ((split.train, 203), (split.score, 100)))  # fmt: skip
    settings = replace(architecture.train, **other)
    return Trainer(Network(graph, settings.seed), settings, DeviceSplit.of(Split(split.name, *parts), CPU))


def numbers(results):
    """All but how long it took."""
    return [replace(each, seconds=0.0) for each in results]


def assert_same_training(one, other):
    """Weights, buffers and momenta, to the last bit."""
    states = one.state(), other.state()
    for name, value in states[0]["network"].items():
        assert torch.equal(value, states[1]["network"][name]), name
    momenta = [{at: each["momentum_buffer"] for at, each in state["optimizer"]["state"].items()} for state in states]
    assert momenta[0].keys() == momenta[1].keys() and momenta[0]
    assert all(torch.equal(momenta[0][at], momenta[1][at]) for at in momenta[0])


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_training_that_is_cut_after_every_epoch_is_the_same_to_the_last_bit(document, tmp_path):
    whole, path = trainer_of(document), tmp_path / "new" / "file"
    expected = [whole.run_epoch() for _ in range(5)]
    results = []
    for epoch in range(5):
        torch.manual_seed(epoch)
        part = trainer_of(document)
        if epoch:
            found = checkpoint.load(path)
            assert found.of == document and found.results == tuple(results)
            part.load_state(found.state)
        results.append(part.run_epoch())
        checkpoint.save(path, document, part, results)
    assert numbers(results) == numbers(expected)
    assert_same_training(part, whole)
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_another_process_goes_on_to_the_last_bit(tmp_path):
    first = trainer_of(RANDOM)
    results = [first.run_epoch() for _ in range(2)]
    checkpoint.save(tmp_path / "file", RANDOM, first, results)
    elsewhere(tmp_path / "file")
    while len(results) < 5:
        results.append(first.run_epoch())
    found, last = checkpoint.load(tmp_path / "file"), trainer_of(RANDOM)
    last.load_state(found.state)
    assert numbers(found.results) == numbers(results)
    assert_same_training(last, first)


def elsewhere(path):
    """Go on in another process."""
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    script = f"import sys; sys.path[:0] = {folders!r}; import test_trainers_checkpoint as t; t.go_on(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, path], check=True, timeout=300)


def go_on(path):
    """What the other process does."""
    torch.set_num_threads(1)
    found, trainer = checkpoint.load(Path(path)), trainer_of(RANDOM)
    trainer.load_state(found.state)
    results = list(found.results)
    while len(results) < 5:
        results.append(trainer.run_epoch())
    checkpoint.save(Path(path), RANDOM, trainer, results)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path, trainer = tmp_path_factory.mktemp("written") / "file", trainer_of(PLAIN)
    checkpoint.save(path, PLAIN, trainer, [trainer.run_epoch()])
    return path.read_bytes()


def test_a_file_that_is_cut_anywhere_is_as_good_as_none(written, tmp_path):
    path = tmp_path / "file"
    chance = random.Random(0)
    for length in {0, 1, 20, 52, 53, 54, len(written) - 1, *(chance.randrange(len(written)) for _ in range(60))}:
        path.write_bytes(written[:length])
        assert checkpoint.load(path) is None
    path.write_bytes(written)
    assert checkpoint.load(path) is not None


def test_a_file_with_a_wrong_bit_anywhere_is_as_good_as_none(written, tmp_path):
    path = tmp_path / "file"
    chance = random.Random(1)
    for at in (0, 25, 60, *(chance.randrange(len(written)) for _ in range(60))):
        damaged = bytearray(written)
        damaged[at] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        assert checkpoint.load(path) is None


def test_what_is_not_there_and_what_is_another_format_is_none(written, tmp_path):
    assert checkpoint.load(tmp_path / "nothing") is None
    assert checkpoint.load(tmp_path) is None
    (tmp_path / "other").write_bytes(written.replace(b"checkpoint 1\n", b"checkpoint 2\n", 1))
    assert checkpoint.load(tmp_path / "other") is None


class Harmful:
    def __reduce__(self):
        return Path.touch, (Path("harm"),)


def test_a_file_that_would_run_code_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"of": Harmful(), "results": [], "state": {}}, tmp_path / "payload")
    for payload in ((tmp_path / "payload").read_bytes(), pickle.dumps(Harmful(), protocol=2)):
        header = b"striate checkpoint 1\n" + hashlib.sha256(payload).digest()
        (tmp_path / "file").write_bytes(header + payload)
        assert checkpoint.load(tmp_path / "file") is None
    assert not (tmp_path / "harm").exists()


def test_a_process_that_was_killed_while_it_wrote_leaves_the_file_before(written, tmp_path):
    path, trainer = tmp_path / "file", trainer_of(PLAIN)
    path.write_bytes(written)
    for process in (os.getpid(), 1):
        (tmp_path / f"file.{process}.part").write_bytes(written[:1000])
    assert [each.epoch for each in checkpoint.load(path).results] == [1]
    checkpoint.save(path, PLAIN, trainer, [trainer.run_epoch(), trainer.run_epoch()])
    assert [each.epoch for each in checkpoint.load(path).results] == [1, 2]
    left = {each.name: each.stat().st_size for each in tmp_path.iterdir()}
    assert left == {"file": path.stat().st_size, "file.1.part": 1000}, "what another one may be writing is its own"


def test_two_processes_that_write_the_same_file_are_not_in_each_others_way(tmp_path, monkeypatch):
    path, trainer = tmp_path / "file", trainer_of(RANDOM)
    results = [trainer.run_epoch()]
    checkpoint.save(path, RANDOM, trainer, results)
    results.append(trainer.run_epoch())

    def let_the_other_one_go_on(part):
        monkeypatch.setattr(checkpoint, "sync", sync)
        elsewhere(path)
        assert len(checkpoint.load(path).results) == 5
        sync(part)

    monkeypatch.setattr(checkpoint, "sync", let_the_other_one_go_on)
    checkpoint.save(path, RANDOM, trainer, results)
    assert [each.epoch for each in checkpoint.load(path).results] == [1, 2]
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_written_leaves_no_part_behind(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file"):
        checkpoint.save(tmp_path / "file", PLAIN, trainer_of(PLAIN), [])
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_numbers_come_back_as_they_were(tmp_path):
    results = [EpochResult(1, 0.1 + 0.2, 1e-300, 1 / 3, 1.0, 12.5), EpochResult(2, 1e300, 2.0, 0.0, 0.7, 0.0)]
    checkpoint.save(tmp_path / "file", "ü\n", trainer_of(PLAIN), results)
    found = checkpoint.load(tmp_path / "file")
    assert (found.of, found.results) == ("ü\n", tuple(results))
