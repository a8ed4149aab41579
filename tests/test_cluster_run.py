"""The services of docker-compose.yml as processes of this machine: PostgreSQL, MLflow, three Ray nodes, a search."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from compose_file import Processes, kill
from conftest import STRIATE, TINY
from mlflow import MlflowClient

from search.history import History

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")), reason="needs Debian's postgresql"),
]
HEAD, WORKERS = "127.0.0.2", ("127.0.0.3", "127.0.0.4")
TRIALS = 5
EPOCHS = 60  # a trial takes longer than the start of a worker: else the first worker does them all
SECRETS = {
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    "POSTGRES_PASSWORD": "for: the/data@base",
    "MLFLOW_ADMIN_PASSWORD": "for the administrator",
    "MLFLOW_SECRET_KEY": "fedcba9876543210" * 4,
    "WORKER_CPUS": "1",
}


@dataclass(frozen=True)
class Running:
    """The services that run: as processes, their addresses, and the ids of Ray's nodes by their hosts."""

    processes: Processes
    mlflow: str
    ray: str
    nodes: dict[str, int]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(happened: Callable[[], bool], processes: Processes) -> None:
    """Wait; what the services printed is told if it never happens."""
    last = time.monotonic() + 240
    while not happened():
        if time.monotonic() > last:
            raise AssertionError("\n".join(log.read_text()[-2000:] for log in processes.folder.glob("*.log")))
        time.sleep(0.2)


def status_of(address: str, password: str | None = None) -> int:
    """The status of an HTTP answer; 0 where there is none."""
    request = urllib.request.Request(address)
    if password is not None:
        request.add_header("Authorization", "Basic " + b64encode(f"admin:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="striate-"))  # pytest's own is too deep for Ray's sockets
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[int]:
    """PostgreSQL as its image sets it up: one user with a password, who owns one data base."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    data, port = folder / "database", free_port()
    user = "postgres" if os.getuid() == 0 else None  # it refuses to be root
    data.mkdir()
    password = folder / "password"
    password.write_text(SECRETS["POSTGRES_PASSWORD"])
    if user:
        shutil.chown(data, user)
    initdb = [programs / "initdb", "-D", data, "--username=mlflow", "--auth=scram-sha-256", f"--pwfile={password}"]
    subprocess.run(initdb, check=True, user=user, capture_output=True, cwd=data)
    server = [programs / "postgres", "-D", data, "-p", str(port), "-c", f"unix_socket_directories={data}"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(server, user=user, cwd=data, stdout=quiet, stderr=quiet) as process:
        environment = {**os.environ, "PGPASSWORD": SECRETS["POSTGRES_PASSWORD"]}
        create = [programs / "createdb", "--host=127.0.0.1", f"--port={port}", "--username=mlflow", "mlflow"]
        while subprocess.run(create, env=environment, capture_output=True, check=False).returncode:
            assert process.poll() is None
            time.sleep(0.2)
        yield port
        process.terminate()


@pytest.fixture(scope="module")
def running(folder: Path, database: int) -> Iterator[Running]:
    """All services but the driver, each of which answers."""
    ray_port, mlflow_port = str(free_port()), str(free_port())
    for name in ("searches", "artifacts"):
        (folder / name).mkdir()
    places = {
        "ray-head:6379": f"{HEAD}:{ray_port}",
        "--port=6379": f"--port={ray_port}",
        "mlflow:5000": f"127.0.0.1:{mlflow_port}",
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--port=5000": f"--port={mlflow_port}",
        "/etc/striate": str(Path(__file__).parents[1] / "docker"),
        "/artifacts": str(folder / "artifacts"),
        "/searches": str(folder / "searches"),
        "/cache": os.environ["STRIATE_CACHE"],
    }
    processes = Processes(folder, SECRETS, places, {"PGHOST": "127.0.0.1", "PGPORT": str(database)})
    mlflow = f"http://127.0.0.1:{mlflow_port}"
    try:
        processes.start("mlflow")
        processes.start("ray-head", f"--node-ip-address={HEAD}", f"--temp-dir={folder / 'ray'}")
        nodes: dict[str, int] = {}
        for host in WORKERS:  # one after the other, for on one machine they would take each other's ports
            wait_until(lambda: count_started(folder) == 1 + len(nodes), processes)
            nodes[host] = processes.start("ray-worker", f"--node-ip-address={host}").pid
        wait_until(lambda: count_started(folder) == 3, processes)
        wait_until(lambda: status_of(f"{mlflow}/health") == 200, processes)
        yield Running(processes, mlflow, f"{HEAD}:{ray_port}", nodes)
    finally:
        processes.close()


def count_started(folder: Path) -> int:
    return sum("Ray runtime started" in log.read_text() for log in folder.glob("ray-*.log"))


def test_mlflow_answers_nobody_without_the_password(running: Running) -> None:
    asked = f"{running.mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
    assert status_of(asked) == 401
    assert status_of(asked, "password1234") == 401
    assert status_of(asked, SECRETS["MLFLOW_ADMIN_PASSWORD"]) == 200


@pytest.mark.parametrize("token", [None, "f" * 64])
def test_ray_takes_nobody_without_the_token(running: Running, token: str | None, tmp_path: Path) -> None:
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token or ""}
    if token is None:
        del environment["RAY_AUTH_MODE"], environment["RAY_AUTH_TOKEN"]
    command = [STRIATE, "launch", TINY, "--address", running.ray]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith(f"Error: the Ray cluster at {running.ray} does not answer: its token is another one; set ")


def test_a_search_survives_the_death_of_a_node(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = running.processes
    searches = processes.folder / "searches"
    space = processes.folder / "tiny.yaml"
    space.write_text(TINY.read_text().replace("epochs: 2", f"epochs: {EPOCHS}"))
    command = [
        "launch",
        str(space),
        "--trials",
        str(TRIALS),
        "--chance-after",
        "0",
        "--address",
        running.ray,
        "--mlflow",
        running.mlflow,
    ]
    driver = processes.start("driver", *command)

    def under_way() -> dict[str, int]:
        """The trials that have many epochs left, by the node that they are on, once both nodes have done something."""
        if not (searches / "tiny-1" / "record.sqlite").exists():
            return {}
        history = History.read(searches / "tiny-1")
        nodes = {report["node"] for trial in history.trials.values() for report in trial.reports.values()}
        begun = {
            trial.reports[1]["node"]: trial.number
            for trial in history.unfinished
            if 1 <= len(trial.reports) < EPOCHS / 2
        }
        return begun if nodes == set(WORKERS) and history.ended else {}

    found: dict[str, int] = {}
    wait_until(lambda: bool(found.update(under_way()) or found), processes)
    (dead, lost), *_ = found.items()
    kill(running.nodes[dead])
    before = History.read(searches / "tiny-1")
    wait_until(lambda: driver.poll() is not None, processes)

    printed = max(processes.folder.glob("driver-*.log")).read_text()
    history = History.read(searches / "tiny-1")
    assert driver.returncode == 0, printed
    assert "MLflow is behind" not in printed
    assert history.status == "finished"
    assert [trial.number for trial in history.trials.values() if trial.end == "complete"] == list(range(1, TRIALS + 1))
    for trial in before.ended:
        assert history.trials[trial.number] == trial
    assert history.trials[lost].attempt == 2
    assert history.trials[lost].reports[EPOCHS]["node"] != dead
    assert list((searches / "tiny-1" / "checkpoints").iterdir()) == []

    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRETS["MLFLOW_ADMIN_PASSWORD"])
    client = MlflowClient(running.mlflow)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert Counter(run.info.status for run in runs) == {"FINISHED": TRIALS + 1}
    assert {run.info.run_name for run in runs} == {"tiny-1", *(f"tiny-1-{n:04d}" for n in range(1, TRIALS + 1))}
