"""The engine's own cost: trials that train nothing, through the whole stack, beside bare Ray Tune in the same run.

    python -m benchmarks.engine [TRIALS [TRIALS_OF_THE_CALLBACK]]

Each trial reports five times. Ours: the random sampler on the digits space, every event on disk before it is acted on,
the mirror on (a process of its own, into an SQLite store). Bare: Ray Tune with reused workers and without its automatic
loggers; once more with its own MLflow callback to a server. Each in a process of its own, two slots. Printed: wall time
of a trial among the first and the last tenth, peak memory of the driving process, and ratios to bare Ray Tune; for
ours also how long MLflow took to be complete after the last trial.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from search.task import Task
from search.trial import TrialReport
from trainers.loop import EpochResult

REPORTS = 5
SLOTS = 2


class NoOp:
    """A trial that trains nothing."""

    def __init__(self, task: Task) -> None:
        self.epochs = task.reported

    def epoch(self) -> TrialReport:
        """Report at once."""
        self.epochs += 1
        result = EpochResult(self.epochs, 1.0, 1.0, 0.5, 0.5, 0.0)
        return TrialReport(result, "complete" if self.epochs == REPORTS else None, None)

    def save(self) -> None:
        """There is nothing to save."""

    def close(self) -> None:
        """Nor to give back."""


def ours(trials: int, folder: Path) -> dict[str, Any]:
    """The whole stack."""
    from search import cluster, engine
    from search.budget import Budget
    from search.driver import Driver
    from search.history import History
    from search.home import Home
    from search.interruption import Interruption
    from search.launch import create
    from search.mirror_process import MirrorProcess
    from search.record import driving
    from search.settings import SearchSettings
    from search.slots import choose
    from space.parse import find, parse_space

    home = Home(folder)
    settings = SearchSettings(name="noop", sampler="random", seed=0)
    search = create(home, parse_space(*find("digits")), settings, Budget(max_trials=trials))
    with Interruption() as interruption, driving(search):
        driver = Driver(search, lambda history: None)
        mirroring = MirrorProcess(search, home.tracking_uri, home.artifacts)
        with cluster.connected(None, 0, interruption) as machine:
            driver.start(slots := choose(machine, [], SLOTS))
            engine.run(driver, slots, interruption, NoOp)
        driver.stop("finished")
        last = time.monotonic()
        mirroring.process.stdin.close()  # type: ignore[union-attr]
        mirroring.process.wait()
    ends = [trial.ended_at for trial in History.read(search).ended]
    return told(ends) | {"mirror_seconds": time.monotonic() - last}


def bare(trials: int, folder: Path, tracking_uri: str | None = None) -> dict[str, Any]:
    """Ray Tune alone, or with its MLflow callback."""
    import ray
    from ray import tune

    class Worker(tune.Trainable):  # type: ignore[misc]
        """Reports at once."""

        def setup(self, config: dict[str, Any]) -> None:
            """Nothing."""

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            """Nothing."""
            return True

        def step(self) -> dict[str, Any]:
            """A report as ours has it."""
            numbers = {"train_loss": 1.0, "loss": 1.0, "top1": 0.5, "top5": 0.5}
            return {**numbers, tune.result.DONE: self.training_iteration + 1 == REPORTS}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Nothing."""

    class Ends(tune.Callback):  # type: ignore[misc]
        """When each trial ended."""

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            ends.append(time.time())

    ends: list[float] = []
    callbacks: list[Any] = [Ends()]
    if tracking_uri is not None:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        callbacks.append(MLflowLoggerCallback(tracking_uri=tracking_uri, experiment_name="noop"))
    ray.init(address="local", num_cpus=SLOTS, include_dashboard=False, log_to_driver=False, logging_level="CRITICAL")
    tune.Tuner(
        tune.with_resources(Worker, {"cpu": 1}),
        param_space={f"decision {number}": tune.uniform(0, 1) for number in range(10)},
        tune_config=tune.TuneConfig(num_samples=trials, reuse_actors=True),
        run_config=tune.RunConfig(name="noop", storage_path=str(folder), callbacks=callbacks, verbose=0),
    ).fit()
    ray.shutdown()
    return told(ends)


def told(ends: list[float]) -> dict[str, Any]:
    """Milliseconds of a trial at the start and at the end, and the peak memory of this process."""
    tenth = max(2, len(ends) // 10)
    first, last = ends[:tenth], ends[-tenth:]
    spans = [1000 * (part[-1] - part[0]) / (len(part) - 1) for part in (first, last, ends)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first": spans[0], "last": spans[1], "all": spans[2], "megabytes": memory}


def in_a_process(what: str, *arguments: object) -> dict[str, Any]:
    """Run one of the above apart from the others."""
    environment = {**os.environ, "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "told.json"
        command = [sys.executable, "-m", "benchmarks.engine", "--one", what, str(out), folder, *map(str, arguments)]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return dict(json.loads(out.read_text()))


def mlflow_server(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server with an SQLite store, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True, cwd=folder)
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"http://127.0.0.1:{port}"
        time.sleep(0.5)


def shown(name: str, found: dict[str, Any], peer: float) -> None:
    """Print a line."""
    spans = "".join(f"{found[part]:9.0f}" for part in ("first", "last", "all"))
    print(f"{name:34}{spans} ms  {found['all'] / peer:6.2f} × bare  {found['megabytes']:6.0f} MB", flush=True)


def main(trials: int = 1_000, called_back: int = 30) -> None:
    """Print the table."""
    print(f"{trials:,} trials of {REPORTS} reports, {SLOTS} slots; a trial: first tenth, last tenth, all")
    peer = in_a_process("bare", trials)
    shown("bare Ray Tune", peer, peer["all"])
    found = in_a_process("ours", trials)
    shown("ours, with record and mirror", found, peer["all"])
    print(f"{'':34} MLflow was complete {found['mirror_seconds']:.0f} s after the last trial")
    with tempfile.TemporaryDirectory() as folder:
        server, address = mlflow_server(Path(folder))
        try:
            callback = in_a_process("bare", called_back, address)
        finally:
            os.killpg(server.pid, 15)
            server.wait()
    shown(f"Ray's MLflow callback, {called_back} trials", callback, peer["all"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _, _, which, target, place, count, *rest = sys.argv
        from benchmarks import engine as this  # workers find `NoOp` under the name of this module

        result = getattr(this, which)(int(count), Path(place), *rest)
        Path(target).write_text(json.dumps(result))
    else:
        main(*map(int, sys.argv[1:3]))
