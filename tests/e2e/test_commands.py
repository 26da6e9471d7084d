"""Starting and stopping: a clean end, a quick second start, a taken port."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import PART_SECONDS, Product, clean_environment, start_product, stop_product

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("e2e")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One product for what leaves it running; it stops cleanly whatever was done to it."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as run_dir:
        product = start_product("local", tmp_path_factory.mktemp("instance"), Path(run_dir))
        yield product
        assert stop_product(product) == 0


def processes_of(instance: Path) -> list[str]:
    """Command lines of the processes that carry this instance in their environment."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if str(instance).encode() in (proc / "environ").read_bytes():
                found.append((proc / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def left_of(instance: Path) -> list[str]:
    """What stays of them: a process that was told to end is seen until the kernel is through with it."""
    deadline = time.monotonic() + PART_SECONDS
    while (found := processes_of(instance)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_it_stops_cleanly_and_keeps_the_data(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as run_dir:
        first = start_product("local", tmp_path, Path(run_dir))
        assert httpx.get(first.origin, follow_redirects=True, timeout=60).status_code == 200
        made = subprocess.run(
            [sys.executable, "-m", "portal", "create-user", "ada@learn.example", "--role", "instructor"],
            cwd=ROOT,
            env={**clean_environment(), "INSTANCE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "sign-in link" in made.stdout
        assert stop_product(first) == 0
        assert left_of(tmp_path) == []
        assert "Traceback" not in first.output()

        second = start_product("local", tmp_path, Path(run_dir))
        again = subprocess.run(
            [sys.executable, "-m", "portal", "create-user", "ada@learn.example"],
            cwd=ROOT,
            env={**clean_environment(), "INSTANCE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 1
        assert "account with this e-mail address already" in again.stderr
        assert stop_product(second) == 0


def test_a_taken_port_gets_a_clear_message(running: Product, tmp_path: Path) -> None:
    port = re.search(r":(\d+)$", running.origin)
    assert port
    second = subprocess.run(
        [sys.executable, "-m", "portal", "serve"],
        cwd=ROOT,
        env={
            **clean_environment(),
            "PORT": port[1],
            "INSTANCE_DIR": str(tmp_path),
            "RUN_DIR": str(running.run_dir),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert second.returncode == 1
    assert f"Port {port[1]}" in second.stderr
    assert "make run" in second.stderr
    assert "Traceback" not in second.stderr
    assert httpx.get(running.origin, follow_redirects=True, timeout=60).status_code == 200


def test_local_sandboxes_are_refused_on_the_network(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "portal", "serve"],
        cwd=ROOT,
        env={
            **clean_environment(),
            "HOST": "0.0.0.0",
            "SANDBOX_DRIVER": "local",
            "INSTANCE_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert refused.returncode == 1
    assert "I trust everyone who can reach this port" in refused.stderr


def test_a_part_that_dies_comes_back(running: Product) -> None:
    killed = running.pid_of("sandboxes.gateway")
    os.kill(killed, 9)
    deadline = time.monotonic() + 2 * PART_SECONDS
    port = int(running.origin.rsplit(":", 1)[1]) + 1
    while time.monotonic() < deadline:
        try:
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PART_SECONDS).status_code == 200
            if running.pid_of("sandboxes.gateway") != killed:  # the one that is killed may still have answered
                break
        except httpx.HTTPError:
            time.sleep(0.2)
    else:
        raise AssertionError("the gateway did not come back")
