"""Meridian in containers: built, healthy, closed to the outside, and the same platform; its end is looked at by the fixture."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from reference_impl.seeding import people
from reference_impl.topologies import registry
from tests.fixtures.compose import Stack, running_stack
from tests.fixtures.meridian import eventually

pytestmark = [
    pytest.mark.docker,
    pytest.mark.compose,
    pytest.mark.timeout(1500),  # it builds what is not built yet, and waits for browsers to be closed
    pytest.mark.xdist_group("e2e"),  # not beside browsers
]
PARTS = {"postgres", "redis", "broker"}
ACCOUNT = "10001"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack() as made:
        made.done("run", "--rm", "tools", "seed", "--size", "S", seconds=600)
        yield made


def test_every_container_is_healthy_and_may_do_nothing_that_it_need_not(stack: Stack) -> None:
    stack.until_healthy()  # again: a check that took too long on a busy machine is made anew
    containers = stack.containers()
    assert set(containers) == {entry.name for entry in registry.entries()} | PARTS
    for name, each in containers.items():
        host = each["HostConfig"]
        assert host["ReadonlyRootfs"] is True, name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert host["Privileged"] is False, name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Init"] is True, name
        assert 0 < host["Memory"] <= 1024**3, name
        assert 0 < host["PidsLimit"] <= 512, name
        assert not host["Binds"] or name == "postgres", name
        accounts = subprocess.run(
            ["docker", "top", each["Id"], "-eo", "pid,uid,args"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout.splitlines()[1:]
        assert accounts, name
        assert {line.split()[1] for line in accounts} == {ACCOUNT}, accounts


def test_only_the_gateway_can_be_reached_and_only_from_this_machine(stack: Stack) -> None:
    for name, each in stack.containers().items():
        published = {port: bound for port, bound in each["NetworkSettings"]["Ports"].items() if bound}
        networks = {
            network.removeprefix(f"{stack.project}_") for network in each["NetworkSettings"]["Networks"]
        }
        if name == "gateway":
            assert published == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]}
            assert networks == {"inside", "door"}
        else:
            assert not published, name
            assert networks == {"inside"}, name
    assert httpx.get(f"{stack.url}/api/v1/orders", timeout=60).status_code == 401
    assert httpx.get(f"{stack.url}/api/v1/faults", timeout=60).status_code == 404
    told = subprocess.run(
        ["docker", "network", "inspect", f"{stack.project}_inside"],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    assert json.loads(told)[0]["Internal"] is True


def test_a_customer_buys_through_the_gateway_and_the_books_are_clean(stack: Stack) -> None:
    with httpx.Client(base_url=f"{stack.url}/api/v1", timeout=60) as client:
        email = people.customers(1)[0].email
        words = {"grant_type": "password", "email": email, "password": people.PASSWORD}
        token = client.post("/auth/token", json=words).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        product = client.get("/products", params={"limit": 1}).raise_for_status().json()["products"][0]
        order = client.post(
            "/orders",
            json={"items": [{"sku": product["sku"], "quantity": 1}]},
            headers={"Idempotency-Key": secrets.token_hex(8)},
        )
        order.raise_for_status()
        place = f"/orders/{order.json()['id']}"
        paid = ("confirmed", "shipped", "delivered")
        eventually(lambda: client.get(place).raise_for_status().json()["status"] in paid, "it is confirmed")
    verify = ("run", "--rm", "tools", "verify", "--settle", "90", "--json")
    verified = json.loads(stack.done(*verify, seconds=300))
    assert verified["clean"] is True
    assert verified["databases"] is True
    assert verified["orders"] >= 1
    found: dict[str, str] = {}

    def all_answer() -> bool:
        asked = stack.run("run", "--rm", "tools", "status", "--json")
        if asked.returncode == 0:
            found.update({each["name"]: each["state"] for each in json.loads(asked.stdout)["processes"]})
        return bool(found)

    eventually(all_answer, "all answer in time")
    assert found == {entry.name: "ready" for entry in registry.entries()}


def test_the_command_line_outside_says_where_it_has_to_run(stack: Stack) -> None:
    from reference_impl.client import Unreachable, connect
    from reference_impl.shared.settings import Settings

    with pytest.raises(Unreachable, match="run --rm tools"), connect(Settings(), url=stack.url):
        pass
