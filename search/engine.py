"""Ray Tune runs the trials of a search. `search.cluster` connects to Ray; no other file knows it.

Our Searcher hands out the driver's tasks, our scheduler takes every report to the driver and stops the trials that it
says have ended, and a Trainable runs an epoch a step, or several short ones, in a worker process that is kept from
trial to trial, with its data and its CUDA context. Every start is a new Tuner: what happened before is in the record,
not in Tune's own files, which live in a folder that is thrown away.

Measured with Tune 2.60: keeping workers makes a short trial 20 times cheaper, and Tune's automatic loggers cost as much
again as all the rest, so they are off.
"""

from __future__ import annotations

import gc
import math
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C comes to us as KeyboardInterrupt, and ends within seconds
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new console output cannot be silenced
os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "1e9"  # Tune's own snapshots are of no use to us

import ray
import torch
from ray import tune
from ray.tune.error import TuneError
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from search.cluster import UNSHARED, refuse_unshared
from search.driver import Driver
from search.failures import Failure
from search.interruption import Interruption
from search.settings import SearchSettings
from search.slots import Slots
from search.task import Task
from search.trial import TrialReport, TrialRun
from search.watchdog import was_ended, watched
from space.errors import StriateError

GATHERED_SECONDS = 0.25  # epochs that begin in it are told together; each message would cost some milliseconds
KEPT_BYTES = 1 << 30  # that a worker may keep of its trials, or a quarter of its slot where that is less
HANDED_SECONDS = 0.1  # in which a kept worker takes a trial; one that waits longer waits for a worker to start
HELD_SECONDS = 30.0  # for so long workers may be starting; one that takes longer may wait for what others have
IDLE_SECONDS = 0.02  # between two looks of a worker that is held
REFUSALS = 3  # of one trial, by workers that did not begin it


class Run(Protocol):
    """A trial in its worker."""

    def epoch(self) -> TrialReport:
        """Train for the next epoch."""

    def save(self) -> None:
        """Write the checkpoint that another attempt goes on from."""

    def close(self) -> None:
        """Give back what it took."""


class TrialWorker(tune.Trainable):  # type: ignore[misc]
    """Runs trials one after another in one process; a step is an epoch, or several short ones."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first trial."""
        torch.set_num_threads(1)  # more would change the order of sums, and with it a trial's last digits
        self.memory_before = _private_bytes()
        self.memory_after_first: int | None = None  # with what stays for all trials: libraries, data, a CUDA context
        self.begun: Run | None = None
        self.failure: Exception | None = None
        self.begin: Callable[[Task], Run] = config["begin"]
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take another trial in the same process, unless that failed, or has kept too much of those before.

        Then it ends, and another one is started: Tune counts on a worker that says no, and would keep its place for it.
        """
        self.task: Task = new_config["task"]
        if self.failure is not None:
            ray.actor.exit_actor()
        if self.begun is not None:
            self.begun.close()  # its memory is free before the next network is built
            self.begun = None
            if self._kept() > min(KEPT_BYTES, (self.task.memory or math.inf) / 4):
                ray.actor.exit_actor()
        self.has_ended = False
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        limit = most
        if self.task.memory is not None:  # a trial that wants more is told so, and its neighbours do not notice
            wanted = int(self.memory_before + self.task.memory)
            limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
        return True

    def _kept(self) -> int:
        """Bytes that are taken beyond what was after the first trial: what libraries never give back."""
        memory = _private_bytes() + (torch.cuda.memory_reserved() if torch.cuda.is_initialized() else 0)
        if self.memory_after_first is None:
            self.memory_after_first = memory
        return memory - self.memory_after_first

    def step(self) -> dict[str, Any]:
        """Train for an epoch, or for all that end within a moment.

        Of an attempt that follows a lost one each epoch is told at once: what comes after it may end the process again.
        A trial that has ended tells nothing more.
        """
        if self.failure is not None:
            raise self.failure
        if self.has_ended:
            time.sleep(IDLE_SECONDS)
            return {"reports": [], "process": os.getpid()}
        trace = trace_of(self.task)
        if not trace.parent.is_dir():  # the node joined the cluster after the search had begun
            raise StriateError(f"{UNSHARED}, but one has no {trace.parent}; mount it there, then `striate retry`")
        until = time.monotonic() + (GATHERED_SECONDS if self.task.attempt == 1 else 0.0)
        with watched(trace, self.task.patience):
            reports = [self._epoch()]
            while reports[-1].end is None and time.monotonic() < until:
                try:
                    reports.append(self._epoch())
                except Exception as error:  # not before those that did end are told
                    self.failure = error
                    break
        self.has_ended = reports[-1].end is not None
        return {"reports": reports, "process": os.getpid()}

    def _epoch(self) -> TrialReport:
        """Train for one epoch; the run is made in the first, so that what it raises is a trial's failure."""
        if self.begun is None:
            self.begun = self.begin(self.task)
        report = self.begun.epoch()
        self.begun.save()
        return report


def trace_of(task: Task) -> Path:
    """Where it is written if the trial hangs."""
    return Path(task.checkpoint).with_suffix(".hung")


def _private_bytes() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmData"].split()[0]) * 1024


class _NotSaved:
    """Tune pickles its parts so that a Tuner can be restored, which we never do: there is nothing to save."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""


class _Tasks(_NotSaved, Searcher):  # type: ignore[misc]
    """Hands out the driver's tasks, one for each free slot."""

    def __init__(self, driver: Driver, slots: int, begin: Callable[[Task], Run]) -> None:
        super().__init__(metric=None, mode=None)
        self.driver = driver
        self.begin = begin
        self.slots = slots
        self.running: dict[str, Task] = {}
        self.handed_at: dict[str, float] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next task, None while all slots are busy or one waits to run alone, FINISHED when there is no more."""
        if len(self.running) >= self.slots or any(map(self._waits_alone, self.running.values())):
            return None
        task = self.driver.next_task()
        if task is None:
            return str(Searcher.FINISHED)
        self.running[trial_id] = task
        self.handed_at[trial_id] = time.monotonic()
        return {"task": task, "begin": self.begin}

    def _waits_alone(self, task: Task) -> bool:
        return task.alone and self._waits(task)

    def _waits(self, task: Task) -> bool:
        return self.driver.history.trials[task.number].attempt < task.attempt

    @property
    def is_starting_workers(self) -> bool:
        """Whether workers are being started for tasks that share the machine with others."""
        if any(map(self._waits_alone, self.running.values())):
            return False
        before = time.monotonic() - HANDED_SECONDS
        return any(self._waits(task) and self.handed_at[trial] < before for trial, task in self.running.items())

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A slot is free again."""
        self.running.pop(trial_id, None)
        self.handed_at.pop(trial_id, None)


class _Decisions(_NotSaved, FIFOScheduler):  # type: ignore[misc]
    """Takes every report to the driver, once and before anything follows from it.

    A worker whose trial is over is held while others start: Tune would give it the trial of one of these, and end that
    one instead, so that where trials are shorter than a start one worker would do them all.
    """

    def __init__(self, driver: Driver, tasks: _Tasks) -> None:
        super().__init__()
        self.driver = driver
        self.tasks = tasks
        self.starting_since: float | None = None

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Record the numbers of epochs, and whether the trial ended with them."""
        task: Task = trial.config["task"]
        is_held = self._holds() and not task.alone  # one that runs alone has what the others wait for
        if self.driver.history.trials[task.number].end is None:
            reports: list[TrialReport] = result["reports"]
            worker = {"node": result["node_ip"], "process": result["process"]}
            if not self.driver.reported(task.number, task.attempt, reports, worker):
                return str(TrialScheduler.CONTINUE)
            is_held = is_held and reports[-1].end is not None  # one that does not know of its end would train on
        return str(TrialScheduler.CONTINUE if is_held else TrialScheduler.STOP)

    def _holds(self) -> bool:
        if not self.tasks.is_starting_workers:
            self.starting_since = None
            return False
        self.starting_since = self.starting_since or time.monotonic()
        return time.monotonic() - self.starting_since < HELD_SECONDS


class _Attempts(_NotSaved, tune.Callback):  # type: ignore[misc]
    """Tells the driver which attempts begin and which are lost."""

    def __init__(self, driver: Driver, interruption: Interruption) -> None:
        self.driver = driver
        self.interruption = interruption
        self.refusals: dict[int, int] = {}

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Stop here if one asked for it: nothing is half done between two steps of Tune's loop, ten a second."""
        self.interruption.check()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record that an attempt has begun."""
        task: Task = trial.config["task"]
        self.driver.begun(task.number, task.attempt)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record how an attempt was lost; a trial that had ended is as it was."""
        task: Task = trial.config["task"]
        known = self.driver.history.trials[task.number]
        if known.end is not None:
            return
        if known.attempt < task.attempt:
            self.refusals[task.number] = self.refusals.get(task.number, 0) + 1
            if self.refusals[task.number] < REFUSALS:
                self.driver.refused(task.number)
                return
        # Tune's own getter reads a copy of this file that is made only later.
        error = ray.cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
        self.driver.crashed(task.number, task.attempt, _failure(task, getattr(error, "cause", None) or error))


def _failure(task: Task, error: BaseException) -> Failure:
    if was_ended(trace_of(task)):
        return Failure("hung", f"no epoch ended within {task.patience / 60:g} minutes; {trace_of(task)} tells where")
    return Failure.of(error)


def _cause(error: BaseException) -> BaseException:
    """What Tune hides in an error of its own, which has the traceback as its text: ours, if it is one of ours."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, StriateError):
        cause = cause.__cause__ or cause.__context__
    return cause or error


class Asha:
    """Asynchronous successive halving in a single bracket (Li et al. 2020), by Ray Tune's own scheduler.

    Told the same reports in the same order, it gives the same answers: a search that goes on tells it those recorded.

    Arguments:
        settings: of the search.
        epochs: the most that a trial is trained for.

    """

    def __init__(self, settings: SearchSettings, epochs: int) -> None:
        self.scheduler = AsyncHyperBandScheduler(
            time_attr="epoch",
            metric="top1",
            mode="max",
            max_t=epochs,
            grace_period=min(settings.grace, epochs),
            reduction_factor=settings.reduction,
        )
        self.trials: dict[int, SimpleNamespace] = {}

    def stops(self, trial: int, epoch: int, value: float) -> bool:
        """Take in a trial's first report of an epoch; whether it is not among the best 1/`reduction` of its rung."""
        if trial not in self.trials:
            self.trials[trial] = SimpleNamespace(trial_id=str(trial))
            self.scheduler.on_trial_add(None, self.trials[trial])
        decision = self.scheduler.on_trial_result(None, self.trials[trial], {"epoch": epoch, "top1": value})
        return bool(decision == TrialScheduler.STOP)


def _trial_name(trial: Any) -> str:
    return f"trial-{trial.config['task'].number}"


def run(driver: Driver, slots: Slots, interruption: Interruption, begin: Callable[[Task], Run] = TrialRun) -> None:
    """Run a started search's trials until there are no more.

    Arguments:
        driver: of the search.
        slots: of its trials.
        interruption: checked between steps.
        begin: makes the run of a trial, in its worker.

    Raises:
        KeyboardInterrupt: the search was asked to stop.
        StriateError: the driver could not go on, as where the record's disk is full.

    """

    def resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        if not config["task"].alone:
            return tune.PlacementGroupFactory([{"CPU": 1, "GPU": slots.gpu}])
        return tune.PlacementGroupFactory([{"CPU": slots.cpus_alone, "GPU": 1 if slots.gpu else 0}])

    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(slots.number)  # by default workers start one after another
    refuse_unshared(driver.checkpoints)
    gc.collect()
    gc.freeze()  # what the libraries have made, which stays, need not be gone through again and again
    # A worker that was stopped may still write where Tune's files lie; what is left of them is of no use to anybody.
    while driver.has_more:  # once more, where a trial was lost after the last was asked
        with tempfile.TemporaryDirectory(prefix="striate-tune-", ignore_cleanup_errors=True) as folder:
            tasks = _Tasks(driver, slots.number, begin)
            tuner = tune.Tuner(
                tune.with_resources(TrialWorker, resources),
                tune_config=tune.TuneConfig(
                    search_alg=tasks,
                    scheduler=_Decisions(driver, tasks),
                    num_samples=-1,
                    reuse_actors=True,
                    trial_name_creator=_trial_name,
                    trial_dirname_creator=_trial_name,
                ),
                run_config=tune.RunConfig(
                    name=driver.settings.name,
                    storage_path=folder,
                    callbacks=[_Attempts(driver, interruption)],
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # a trial has its own
                    verbose=0,
                ),
            )
            try:
                tuner.fit()
            except TuneError as error:
                raise _cause(error) from None
