"""Being connected to Ray: to a cluster that is there, or to one of this machine alone; and what its nodes have."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
import torch
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.cluster_address import WAY_OUT
from search.interruption import Interruption
from search.slots import Machine
from space.errors import StriateError

STARTS = 3
UNSHARED = "a search's folder lies on a disk that all nodes of a cluster share, under one path"


@contextmanager
def connected(
    address: str | None, gpus: int | None, interruption: Interruption, cpus: int | None = None
) -> Iterator[Machine]:
    """Be connected to Ray.

    Arguments:
        address: of a Ray cluster; None starts one on this machine for as long as this lasts.
        gpus: how many GPUs of this machine to use; all if None.
        interruption: keeps the signals, which Ray takes for itself.
        cpus: how many CPUs of this machine to use; all that this process may use if None.

    Raises:
        StriateError: the cluster cannot be reached.

    """
    quiet = {"log_to_driver": False, "logging_level": "CRITICAL"}
    try:
        if address is None:
            _start(num_cpus=cpus or _cpus(), num_gpus=gpus, include_dashboard=False, **quiet)
        else:
            _refuse_unreached(address)
            try:
                ray.init(address=address, **quiet)
            except (ConnectionError, RuntimeError, ValueError) as error:
                reason = str(error).strip().partition("\n")[0]
                rule = "a search is driven from a node of its Ray cluster"
                way_out = f"make this machine one with `ray start --address {address}`"
                raise StriateError(f"{rule}, but {address} cannot be joined from here: {reason}; {way_out}") from None
        interruption.listen()
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a trial's failure is recorded, not printed
        yield _machine()
    finally:
        ray.shutdown()


def _refuse_unreached(address: str) -> None:
    """Refuse a cluster that Ray would try to join for minutes, printing each try, and then end this process.

    Raises:
        StriateError: it is no Ray cluster, or one with another token.

    """
    way_out = WAY_OUT
    try:
        with _nothing_on_stderr():
            GcsClient(address=address)
        return
    except ray.exceptions.AuthenticationError:
        reason = "its token is another one"
        way_out = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH as on its nodes"
    except ray.exceptions.RayError:
        reason = "what listens there is none"
    raise StriateError(f"the Ray cluster at {address} does not answer: {reason}; {way_out}")


@contextmanager
def _nothing_on_stderr() -> Iterator[None]:
    """Keep what Ray's C++ parts log from the user, to whom it is told in one sentence."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _start(**options: Any) -> None:
    """Start Ray on this machine; it gives up after 30 seconds, which a busy machine may need more than once."""
    for attempt in range(1, STARTS + 1):
        try:
            # Without an address, Ray joins whatever cluster it finds on the machine.
            ray.init(address="local", **options)
        except Exception as error:  # it raises no narrower one
            ray.shutdown()
            if attempt == STARTS or "timed out during startup" not in str(error):
                raise
        else:
            return


def _cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _machine() -> Machine:
    nodes = [node["Resources"] for node in _nodes_with_cpus()]
    if not nodes:
        rule = "a search runs on the CPUs of a Ray cluster's nodes, but no node of this one has any"
        raise StriateError(f"{rule}; add one with `ray start --address`")
    each = [int(node["CPU"]) for node in nodes]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    return Machine(
        cpus=sum(each),
        most_cpus=max(each),
        memory=min(node.get("memory", 0.0) for node in nodes),
        gpus=gpus,
        gpu_memory=ray.get(ray.remote(num_gpus=1, num_cpus=0, max_calls=1)(_gpu_memory).remote()) if gpus else None,
    )


def _nodes_with_cpus() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]


def refuse_unshared(folder: Path) -> None:
    """Refuse a cluster of which a node cannot write into a folder of this one.

    Raises:
        StriateError: there is such a node.

    """

    def is_writable(path: str) -> bool:  # a function in a function: the node does not import this file for it
        return os.access(path, os.W_OK)

    here = ray.get_runtime_context().get_node_id()
    asked = {}
    for node in _nodes_with_cpus():
        if node["NodeID"] != here:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            task = ray.remote(num_cpus=0, scheduling_strategy=there)(is_writable)
            asked[node["NodeManagerAddress"]] = task.remote(str(folder))
    without = sorted(address for address, answer in asked.items() if not ray.get(answer))
    if without:
        way_out = f"mount it there, then go on with `striate launch --resume {folder.parent.name}`"
        raise StriateError(f"{UNSHARED}, but {', '.join(without)} cannot write {folder}; {way_out}")


def _gpu_memory() -> int | None:
    return torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else None
