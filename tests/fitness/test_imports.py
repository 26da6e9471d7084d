"""What a process does not load when it starts: packages that take long to import and that few of its requests need."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOTEBOOKS = {"jupytext", "nbformat", "nbclient", "nbconvert", "jsonschema", "jupyter_client"}
CLIENTS = {"httpx", "psycopg", "docker", "boto3", "moto", "redis", "opentelemetry"}
LEFT_OUT = {
    "portal.app": NOTEBOOKS | CLIENTS | {"huey", "icalendar", "alembic", "sandboxes.drivers"},
    "portal.cli": NOTEBOOKS | CLIENTS | {"flask", "huey", "labs", "roadmap", "supervisor"},
    "labs.cli": NOTEBOOKS | CLIENTS | {"flask", "sqlalchemy"},
    "roadmap.cli": NOTEBOOKS | CLIENTS | {"flask", "sqlalchemy", "rich"},
    "question_bank.cli": NOTEBOOKS | CLIENTS | {"flask", "sqlalchemy", "rich"},
    "sandboxes.agent.__main__": NOTEBOOKS | CLIENTS | {"aiohttp", "zmq", "yaml", "pydantic"},
    "sandboxes.drivers.local": NOTEBOOKS | CLIENTS - {"httpx"} | {"aiohttp", "pydantic"},
    "sandboxes.services.relay": NOTEBOOKS | CLIENTS | {"aiohttp", "yaml", "pydantic"},
}
"""Module → what importing it leaves alone."""


@pytest.mark.parametrize("module", LEFT_OUT)
def test_a_process_loads_only_what_its_start_needs(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not LEFT_OUT[module] & loaded, "import these in the function that needs them"
