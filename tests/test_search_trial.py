"""One trial: what it tells, how it ends, and that an interrupted one goes on as if nothing had been."""

import gc
import math
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_trainers_data import idx

from search.task import Task
from search.trial import TrialRun
from trainers import checkpoint

EPOCHS = 5


CPU = torch.device("cpu")  # where a trial that goes on is the same to the last bit

DOCUMENT = """
striate: 1
name: few
input: {channels: 1, size: 28, classes: 10}
time: {steps: 3}
areas:
  V1:
    drive: [conv: {kernel: 5, channels: 4, stride: 4}, norm: {kind: batch}, elu, dropout: {rate: 0.3}]
    post: [max_pool: {kernel: 2, stride: 2}]
  V2: {drive: [conv: {kernel: 3, channels: 6}], cell: {type: time_decay}}
edges: {feedback: [{from: V2, to: V1, via: [conv: {kernel: 1}, resize: {mode: bilinear}]}]}
train: {data: fashion-mnist, epochs: 5, batch_size: 32, learning_rate: 0.2, seed: 5}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A few images in the files of Fashion-MNIST: of each class another row is bright. 200 train, 40 are scored on."""
    path, rng = tmp_path_factory.mktemp("few"), np.random.default_rng(0)
    for part, count in (("train", 240), ("t10k", 10)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pixels = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        pixels[np.arange(count), 2 * labels + 4] += 180
        (path / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        (path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return path


@pytest.fixture
def task(tmp_path, folder):
    return Task(7, 1, DOCUMENT, str(folder), checkpoint=str(tmp_path / "trials" / "7"))


def plain(report):
    """All but how long it took."""
    return replace(report.result, seconds=0.0), report.end


def run_of(task):
    return TrialRun(task, CPU)


def told(run, reports=EPOCHS):
    """What a run tells, where a checkpoint is written after every epoch."""
    found = []
    for _ in range(reports):
        found.append(run.epoch())
        run.save()
    return found


@pytest.fixture
def whole(task):
    """What the trial tells when nothing interrupts it."""
    return [plain(each) for each in told(run_of(replace(task, checkpoint=task.checkpoint + ".whole")))]


def test_a_trial_tells_every_epoch_and_its_end(whole):
    assert [result.epoch for result, _ in whole] == [1, 2, 3, 4, 5]
    assert [end for _, end in whole] == [None] * 4 + ["complete"]


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
@pytest.mark.parametrize("lost", [0, 1, 3])
def test_an_interrupted_trial_tells_what_the_record_lacks_and_goes_on(task, whole, cut, lost):
    """The record may lack the last epochs that the checkpoint has."""
    told(run_of(task), cut)
    reported = max(0, cut - lost)
    torch.rand(5)
    run = run_of(replace(task, attempt=2, reported=reported))
    trained = run.trainer.epochs_done
    again = told(run, EPOCHS - reported)
    assert trained == cut
    assert [plain(each) for each in again] == whole[reported:]


def test_what_is_told_again_is_not_trained_again(task):
    first = told(run_of(task), 3)
    run = run_of(replace(task, attempt=2, reported=1))
    before = {name: value.clone() for name, value in run.trainer.network.state_dict().items()}
    assert [run.epoch().result for _ in range(2)] == [each.result for each in first[1:]]
    for name, value in run.trainer.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_checkpoint_that_is_behind_the_record_is_gone_on_from(task, whole):
    told(run_of(task), 2)
    run = run_of(replace(task, attempt=2, reported=3))
    assert [plain(each) for each in told(run, 3)] == whole[2:]


@pytest.mark.parametrize("spoil", [
    lambda path: path.unlink(),
    lambda path: path.write_bytes(path.read_bytes()[:-7]),
], ids=["missing", "cut"])  # fmt: skip
def test_without_a_sound_checkpoint_a_trial_begins_anew(task, whole, spoil):
    told(run_of(task), 3)
    spoil(Path(task.checkpoint))
    run = run_of(replace(task, attempt=2, reported=3))
    assert [plain(each) for each in told(run)] == whole


def test_a_checkpoint_of_another_architecture_is_let_alone(task):
    told(run_of(task), 3)
    other = replace(task, architecture=DOCUMENT.replace("rate: 0.3", "rate: 0.2"))
    run = run_of(other)
    assert run.trainer.epochs_done == 0
    assert run.epoch().result.epoch == 1


def test_after_the_end_nothing_is_saved_and_the_end_is_told_again(task, whole):
    told(run_of(task))
    assert [each.epoch for each in checkpoint.load(Path(task.checkpoint)).results] == [1, 2, 3, 4]
    run = run_of(replace(task, attempt=2, reported=4))
    assert plain(run.epoch()) == whole[-1]


# Ends.

STILL = DOCUMENT.replace("learning_rate: 0.2", "learning_rate: 1e-12")
WILD = DOCUMENT.replace("learning_rate: 0.2", "learning_rate: 100, max_gradient_norm: none")


@pytest.mark.parametrize(("after", "epochs", "end"), [
    (None, 5, "complete"), (1, 1, "chance"), (3, 3, "chance"), (5, 5, "complete"), (9, 5, "complete"),
])  # fmt: skip
def test_a_trial_that_learns_nothing_ends_after_the_stated_epochs(task, after, epochs, end):
    run = run_of(replace(task, architecture=STILL, chance_after=after))
    ends = [each.end for each in told(run, epochs)]
    assert ends == [None] * (epochs - 1) + [end]


def test_a_trial_that_learns_is_not_ended(task, whole):
    learns = DOCUMENT.replace("learning_rate: 0.2", "learning_rate: 0.05").replace("batch_size: 32", "batch_size: 5")
    found = told(run_of(replace(task, architecture=learns, chance_after=3)))
    assert [each.end for each in found] == [None] * 4 + ["complete"]
    assert found[-1].result.top1 > 0.3  # chance is 0.1, and at most 0.24 is at chance


def test_a_trial_that_diverges_ends_at_once(task):
    run, found = run_of(replace(task, architecture=WILD)), []
    while not found or found[-1].end is None:
        found += told(run, 1)
    assert found[-1].end == "diverged" and not math.isfinite(found[-1].result.loss)
    kept = checkpoint.load(Path(task.checkpoint))
    assert len(found) == 1 + (len(kept.results) if kept else 0) < EPOCHS


# Proxies.


def test_proxies_come_with_the_first_epoch_and_change_nothing(task, whole):
    found = told(run_of(replace(task)))
    assert [plain(each) for each in found] == whole
    assert [each.proxies is None for each in found] == [False] + [True] * 4
    assert all(value > 0 for value in found[0].proxies.values())
    Path(task.checkpoint).unlink()
    assert run_of(replace(task, attempt=2, reported=2)).epoch().proxies == found[0].proxies


def test_proxies_are_told_again_with_a_first_epoch_that_the_record_lacks(task):
    first = told(run_of(replace(task)), 2)
    again = told(run_of(replace(task, attempt=2)), 3)
    assert [each.proxies for each in again] == [first[0].proxies, None, None]
    assert run_of(replace(task, attempt=3, reported=1)).epoch().proxies is None


# Memory.


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_closed_run_holds_no_network(task, epochs):
    run = run_of(task)
    told(run, epochs)
    network, optimizer = weakref.ref(run.trainer.network), weakref.ref(run.trainer.step.optimizer)
    gc.disable()
    try:
        run.close()
        assert network() is None and optimizer() is None
    finally:
        gc.enable()
    run.close()
