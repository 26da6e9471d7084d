"""The variables by which a notebook on a laptop finds its lab's services."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec

from labs.services import environment_of
from sandboxes.interface import CommandResult, Endpoint, Sandbox


def test_each_service_has_the_variables_that_it_has_in_a_sandbox() -> None:
    endpoints = {
        "postgres": Endpoint("postgres", Path("/run/pg"), {"user": "learner", "dbname": "shop"}),
        "redis": Endpoint("redis", Path("/run/r.sock"), {"db": "0"}),
        "kafka": Endpoint("kafka", Path("/run/k.sock"), {"base_url": "http://kafka"}),
        "meridian": Endpoint("meridian", Path("/run/m.sock"), {"base_url": "http://meridian"}),
    }
    inside = {
        "REDIS_URL": "redis://127.0.0.1:7000/0",
        "REDIS_SOCKET": "/run/r.sock",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:7001",
        "GOPROXY": "off",
        "GOFLAGS": "-mod=mod -buildvcs=false",
    }
    other = {"HOME": "/home/learner", "LAB_SANDBOX": "1", "AWS_REGION": "not asked for"}
    sandbox = create_autospec(Sandbox)
    sandbox.endpoint.side_effect = endpoints.__getitem__
    said = "\0".join(f"{name}={value}" for name, value in {**inside, **other}.items())
    sandbox.run.return_value = CommandResult(0, said + "\0")
    assert environment_of(sandbox, [*endpoints, "go"]) == {
        "DATABASE_URL": "postgresql://learner@/shop?host=/run/pg",
        "PGHOST": "/run/pg",
        "PGUSER": "learner",
        "PGDATABASE": "shop",
        **inside,
        "MERIDIAN_SOCKET": "/run/m.sock",
        "MERIDIAN_URL": "http://meridian",
    }


def test_where_endpoints_tell_everything_the_sandbox_is_not_asked() -> None:
    sandbox = create_autospec(Sandbox)
    sandbox.endpoint.return_value = Endpoint("meridian", Path("/run/m.sock"), {"base_url": "http://meridian"})
    assert environment_of(sandbox, ["meridian"])["MERIDIAN_SOCKET"] == "/run/m.sock"
    sandbox.run.assert_not_called()
