"""The variables by which a notebook on a laptop finds its lab's services."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec

from labs.services import environment_of
from sandboxes.interface import Endpoint, Sandbox


def test_each_service_has_the_variables_that_it_has_in_a_sandbox() -> None:
    endpoints = {
        "postgres": Endpoint("postgres", Path("/run/pg"), {"user": "learner", "dbname": "shop"}),
        "redis": Endpoint("redis", Path("/run/r.sock"), {"db": "0"}),
        "meridian": Endpoint("meridian", Path("/run/m.sock"), {"base_url": "http://meridian"}),
    }
    sandbox = create_autospec(Sandbox)
    sandbox.endpoint.side_effect = endpoints.__getitem__
    assert environment_of(sandbox, [*endpoints, "terraform"]) == {
        "DATABASE_URL": "postgresql://learner@/shop?host=/run/pg",
        "PGHOST": "/run/pg",
        "PGUSER": "learner",
        "PGDATABASE": "shop",
        "REDIS_URL": "unix:///run/r.sock?db=0",
        "REDIS_SOCKET": "/run/r.sock",
        "MERIDIAN_SOCKET": "/run/m.sock",
        "MERIDIAN_URL": "http://meridian",
    }
