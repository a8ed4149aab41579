"""Ray Tune runs the trials of a search. The only file that knows Ray.

Our Searcher hands out the driver's tasks, our Callback takes every report to the driver, and a Trainable runs one epoch
a step in a worker process that is kept from trial to trial, with its data and its CUDA context. Every start is a new
Tuner: what happened before is in the record, not in Tune's own files, which live in a folder that is thrown away.

Measured with Tune 2.60: keeping workers makes a short trial 20 times cheaper, and Tune's automatic loggers cost as much
again as all the rest, so they are off.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C comes to us as KeyboardInterrupt, and ends within seconds
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new console output cannot be silenced
os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "1e9"  # Tune's own snapshots are of no use to us
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
import torch
from ray import tune
from ray.tune.search import Searcher

from search.driver import Driver
from search.interruption import Interruption
from search.task import Task
from search.trial import TrialRun
from space.errors import UsageError
from trainers.loop import EpochResult

_CHECKPOINT = "state.pt"


class TrialWorker(tune.Trainable):  # type: ignore[misc]
    """Runs trials one after another in one process; a step is an epoch."""

    def setup(self, config: dict[str, Any]) -> None:
        """Take the first trial."""
        torch.set_num_threads(1)  # more would change the order of sums, and with it a trial's last digits
        self.task: Task = config["task"]
        self.begun: TrialRun | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take another trial in the same process."""
        self.begun = None  # its memory is free before the next network is built
        self.task = new_config["task"]
        return True

    @property
    def run(self) -> TrialRun:
        """The trial's run; made in its first step, so that what it raises is a trial's failure and not a worker's."""
        if self.begun is None:
            self.begun = TrialRun(self.task)
        return self.begun

    def step(self) -> dict[str, Any]:
        """Train for one epoch."""
        report = self.run.epoch()
        return {"result": report.result, "process": os.getpid(), tune.result.DONE: report.end is not None}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the trial's state; Tune keeps a worker for the next trial only if it can be saved."""
        torch.save(self.run.state(), Path(checkpoint_dir) / _CHECKPOINT)

    def load_checkpoint(self, checkpoint: str) -> None:
        """Go on from a written state."""
        self.run.load_state(torch.load(Path(checkpoint) / _CHECKPOINT, weights_only=True))


class _NotSaved:
    """Tune pickles its parts so that a Tuner can be restored, which we never do: there is nothing to save."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""


class _Tasks(_NotSaved, Searcher):  # type: ignore[misc]
    """Hands out the driver's tasks, one for each free slot."""

    def __init__(self, driver: Driver, slots: int) -> None:
        super().__init__(metric=None, mode=None)
        self.driver = driver
        self.slots = slots
        self.running: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next task, None while all slots are busy, FINISHED when there is no more."""
        if len(self.running) >= self.slots:
            return None
        task = self.driver.next_task()
        if task is None:
            return str(Searcher.FINISHED)
        self.running.add(trial_id)
        return {"task": task}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A slot is free again."""
        self.running.discard(trial_id)


class _Reports(_NotSaved, tune.Callback):  # type: ignore[misc]
    """Takes what happens to the driver; unlike the Searcher it sees every report, and each one once."""

    def __init__(self, driver: Driver, interruption: Interruption) -> None:
        self.driver = driver
        self.interruption = interruption

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Stop here if one asked for it: nothing is half done between two steps of Tune's loop, ten a second."""
        self.interruption.check()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record that an attempt has begun."""
        task: Task = trial.config["task"]
        self.driver.begun(task.number, task.attempt)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Record an epoch's numbers."""
        task: Task = trial.config["task"]
        numbers: EpochResult = result["result"]
        last = bool(result[tune.result.DONE])
        self.driver.reported(task.number, task.attempt, numbers, last=last, process=result["process"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record a failure, or that the worker died."""
        task: Task = trial.config["task"]
        # Tune's own getter reads a copy of this file that is made only later.
        error = ray.cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
        cause = getattr(error, "cause", None) or error
        reason = f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0]}"
        if isinstance(cause, ray.exceptions.RayActorError):
            self.driver.worker_died(task.number, task.attempt, reason)
        else:
            self.driver.failed(task.number, task.attempt, reason)


def _trial_name(trial: Any) -> str:
    return f"trial-{trial.config['task'].number}"


def cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_slots() -> int:
    """How many trials run at once unless one says otherwise: one for each GPU, or for each CPU where there is none."""
    return min(torch.cuda.device_count() or cpus(), cpus())


def check_slots(slots: int) -> None:
    """Refuse more slots than CPUs.

    Raises:
        UsageError: there are more.

    """
    if slots > cpus():
        raise UsageError(
            f"a slot has a CPU of its own, but {slots} slots were given and {cpus()} CPUs are there; give fewer"
        )


def run(driver: Driver, slots: int, interruption: Interruption) -> None:
    """Run a started search's trials until there are no more.

    Arguments:
        driver: of the search.
        slots: how many trials run at once; each has a CPU, and its share of a GPU where there are GPUs.
        interruption: checked between steps.

    Raises:
        KeyboardInterrupt: the search was asked to stop.

    """
    gpus = torch.cuda.device_count()
    gpu = 1 / math.ceil(slots / gpus) if gpus else 0  # Ray wants a whole number of GPUs, or 1/k of one
    with tempfile.TemporaryDirectory(prefix="striate-tune-") as folder:
        try:
            ray.init(
                address="local",  # without it, Ray joins whatever cluster it finds on the machine
                num_cpus=cpus(),
                include_dashboard=False,
                log_to_driver=False,
                logging_level="CRITICAL",
            )
            interruption.listen()  # Ray takes SIGTERM for itself
            logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a trial's failure is recorded, not printed
            tune.Tuner(
                tune.with_resources(TrialWorker, {"cpu": 1, "gpu": gpu}),
                tune_config=tune.TuneConfig(
                    search_alg=_Tasks(driver, slots),
                    num_samples=-1,
                    reuse_actors=True,
                    trial_name_creator=_trial_name,
                    trial_dirname_creator=_trial_name,
                ),
                run_config=tune.RunConfig(
                    name=driver.settings.name,
                    storage_path=folder,
                    callbacks=[_Reports(driver, interruption)],
                    verbose=0,
                ),
            ).fit()
        finally:
            ray.shutdown()
