"""A search killed again and again at random moments: nothing that was recorded is lost or trained again.

    python -m benchmarks.kills [KILLS [SEED]]

Synthetic trials on real Ray workers, two slots, successive halving on; the epochs of some take 0.2 seconds. Of each
three kills two are of the driver, after which the search is gone on with, and one of a worker in the middle of a trial.
Printed: what was found in the end.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from test_search_engine import SLOW_AND_FAST, created, driving, lines

from search.history import History
from search.record import Record

TRIALS_PER_KILL = 4


def trained(folder: Path) -> int:
    """How many epochs were trained so far."""
    log = folder / "trained.log"
    return len(log.read_text().splitlines()) if log.is_file() else 0


def wait(process: subprocess.Popen[str], folder: Path, epochs: int) -> None:
    """Until so many epochs more are trained, or the search has ended."""
    before = trained(folder)
    while process.poll() is None and trained(folder) < before + epochs:
        time.sleep(0.01)


def main(kills: int = 100, seed: int = 0) -> None:
    """Kill, and print what is left."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as home:
        folder = created(Path(home) / "killed", TRIALS_PER_KILL * kills, SLOW_AND_FAST, scheduler="asha")
        process = driving(folder, 2)
        snapshots: list[History] = []
        for number in range(kills):
            wait(process, folder, rng.randrange(1, 3 * TRIALS_PER_KILL))
            time.sleep(rng.random() / 10)
            if process.poll() is not None:
                print(f"the search had ended after {number} kills")
                break
            if number % 3 == 2:
                pids = {int(pid) for pid, *_ in lines(folder / "processes.log")[-4:]}
                alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
                if alive:
                    os.kill(rng.choice(alive), signal.SIGKILL)
                continue
            process.send_signal(signal.SIGKILL)
            process.communicate()
            snapshots.append(History.read(folder))
            process = driving(folder, 2)
        printed, _ = process.communicate()
        assert process.returncode == 0, printed
        history = History.read(folder)
        assert history.status == "finished" and not history.open
        for snapshot in snapshots:
            assert all(history.trials[trial.number] == trial for trial in snapshot.ended)
        reports = Counter(
            (event.trial, event.attempt, event.payload["epoch"])
            for event in Record(folder).events()
            if event.kind == "reported"
        )
        assert max(reports.values()) == 1
        again = trained(folder) - len({tuple(line) for line in lines(folder / "trained.log")})
        ends = Counter(str(trial.end) for trial in history.ended)
        print(
            f"{len(snapshots)} drivers and {kills - len(snapshots)} workers killed; {history.counted:,} trials: {ends}"
        )
        print(f"{trained(folder):,} epochs trained, {again} of them twice: as the kill came before their checkpoint")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
