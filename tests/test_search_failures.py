"""From an exception to a kind of failure and a line that says why."""

import functools

import pytest
import ray
import torch
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, WorkerCrashedError

from search.failures import MAX_REASON, Failure, is_out_of_memory
from search.task import Task
from search.trial import TrialRun
from space.errors import DataError
from space.parse import find, parse_architecture


def raised(function):
    """What a function raises, with its traceback."""
    with pytest.raises(BaseException) as found:
        function()
    return found.value


def too_much_for_the_cpu():
    torch.empty(2**55)


def too_much_for_python():
    bytes(2**62)


def raises(error):
    raise error


MEMORY = {
    "a tensor": too_much_for_the_cpu,
    "bytes": too_much_for_python,
    "torch": functools.partial(raises, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")),
    "CUDA": functools.partial(raises, RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA")),
    "cuDNN": functools.partial(raises, RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")),
    "a task of Ray's": functools.partial(
        raises, ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory.")
    ),
    "an actor of Ray's": functools.partial(
        raises, ActorUnavailableError("1 worker(s) were killed due to the node running low on memory.", b"0" * 16)
    ),
}


@pytest.mark.parametrize("of", MEMORY)
def test_memory_that_ran_out_is_known(of):
    error = raised(MEMORY[of])
    assert is_out_of_memory(error)
    failure = Failure.of(error)
    assert failure.kind == "out_of_memory"
    assert failure.reason and "\n" not in failure.reason


@pytest.mark.parametrize("error", [
    ValueError("not enough memory cards"),
    RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
    DataError("the list of known words ran out of memory aids; buy more"),
], ids=repr)  # fmt: skip
def test_other_errors_are_not_of_memory(error):
    assert not is_out_of_memory(error)
    assert Failure.of(error).kind == "error"


GUESSES = "(1) The process is killed by SIGKILL by OOM killer due to high memory usage. (2) ray stop --force is called."


@pytest.mark.parametrize("error", [
    ActorDiedError(), ActorUnavailableError(f"it has died. {GUESSES}", b"0" * 16), WorkerCrashedError(),
    NodeDiedError("the node is gone"),
], ids=repr)  # fmt: skip
def test_a_worker_that_died_is_known_whatever_ray_guesses(error):
    failure = Failure.of(error)
    assert failure.kind == "worker_died"
    assert failure.reason.startswith(type(error).__name__) and "\n" not in failure.reason


def test_parts_that_do_not_fit_are_told_with_how_many_more():
    text, file = find("digits-feedforward")
    document = text.replace("channels", "chanels")
    error = raised(lambda: parse_architecture(document, file))
    more = len(error.problems) - 1
    failure = Failure.of(raised(lambda: TrialRun(Task(3, 1, document, None, "nowhere.pt"))))
    assert failure.kind == "unfit" and more > 1
    assert failure.reason.startswith("trial 3:") and failure.reason.endswith(f" (and {more} more)")
    assert "\n" not in failure.reason and "SpecificationError" not in failure.reason


def test_a_sentence_for_the_user_is_told_as_it_is():
    assert Failure.of(DataError("the file is bad; get it again")) == Failure("error", "the file is bad; get it again")


def test_an_error_is_told_by_its_first_line_and_the_innermost_place_in_our_code():
    _, graph = parse_architecture(*find("digits-feedforward"))
    from cells.network import Network

    error = raised(lambda: Network(graph, 0)(torch.zeros(2, 5, 8, 8)))
    reason = Failure.of(error).reason
    assert reason.startswith("RuntimeError: Given groups=1, weight of size")
    assert " (at cells/operations.py:" in reason and reason.endswith(", forward)")


@pytest.mark.parametrize(("error", "reason"), [
    (ValueError("\n\n  first  \nsecond"), "ValueError: first"),
    (ZeroDivisionError(), "ZeroDivisionError"),
    (KeyError("name"), "KeyError: 'name'"),
    (RuntimeError("x" * 10_000), f"RuntimeError: {'x' * 10_000}"[:MAX_REASON] + "…"),
])  # fmt: skip
def test_a_reason_is_one_line_of_a_bounded_length(error, reason):
    assert Failure.of(error) == Failure("error", reason)
