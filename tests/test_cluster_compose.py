"""docker-compose.yml and the Dockerfile: what they promise, as far as it can be read."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from compose_file import FILE, ROOT, UnsetError, interpolate, services

SECRETS = ("RAY_AUTH_TOKEN", "POSTGRES_PASSWORD", "MLFLOW_ADMIN_PASSWORD", "MLFLOW_SECRET_KEY")
every_service = pytest.mark.parametrize("service", services().values(), ids=services())


@pytest.mark.parametrize("missing", SECRETS)
@pytest.mark.parametrize("value", [None, ""])
def test_nothing_starts_without_a_secret(missing: str, value: str | None) -> None:
    given = dict.fromkeys(SECRETS, "x") | {missing: value or ""}
    with pytest.raises(UnsetError, match=rf"{missing}: .*docs/cluster\.md"):
        interpolate(FILE.read_text(), given)


def test_no_secret_has_a_default_or_stands_in_the_file() -> None:
    for service in services().values():
        for name, value in service["environment"].items():
            if re.search(r"PASSWORD|TOKEN$|SECRET", name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name


@every_service
def test_ports_are_those_of_this_machine_alone(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service.get("network_mode") is None


@every_service
def test_nobody_is_root(service: dict[str, Any]) -> None:
    assert service["user"] not in ("root", "0")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")


@every_service
def test_one_waits_until_the_others_answer(service: dict[str, Any]) -> None:
    for name, waits in service.get("depends_on", {}).items():
        assert waits == {"condition": "service_healthy"}
        assert services()[name]["healthcheck"]["test"][0] == "CMD"


def test_every_node_of_ray_asks_for_the_token() -> None:
    told = {
        name: " ".join([*each.get("entrypoint", []), *each.get("command", [])]) for name, each in services().items()
    }
    with_ray = [services()[name] for name, said in told.items() if "ray start" in said]
    assert len(with_ray) == 3
    for service in with_ray:
        assert service["environment"]["RAY_AUTH_MODE"] == "token"
        assert service["volumes"] == ["searches:/searches", "cache:/cache"], "all nodes share the searches"


def test_what_is_used_is_declared() -> None:
    read = yaml.safe_load(FILE.read_text())
    for service in read["services"].values():
        assert set(service["networks"]) <= set(read["networks"])
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(read["volumes"])
    assert read["networks"]["database"] == {"internal": True}


def test_the_image_is_not_roots_and_names_no_registry() -> None:
    said = (ROOT / "Dockerfile").read_text()
    assert [line for line in said.splitlines() if line.startswith("USER")] == ["USER striate"]
    assert "://" not in said
    for room in ("space", "cells", "trainers", "search", "dashboards"):
        assert f"COPY {room} {room}" in said
        assert f"!{room}" in (ROOT / ".dockerignore").read_text().splitlines()
