"""What every test may rely on: markers that skip with a reason, and a portal on a database of its own."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import freezegun
import hypothesis
import pytest

from sandboxes.services.base import find_program
from sandboxes.services.envoy import find_envoy

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))
IN_CI = os.environ.get("CI", "").lower() == "true"

# Tests start hundreds of processes, and each would compile our code anew where Python is told to keep nothing.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

LONG_FIRST = ("attacks", "e2e", "drills", "content", "integration", "contract", "fitness")
"""Folders of tests, by how long one of their modules takes."""

EVERY_DRIVER = bool(os.environ.get("EVERY_DRIVER"))
"""Whether tests that ask the same of every driver are run on each."""
_DRIVER = re.compile(r"(?<=[\[-])(docker|local)(?=[\]-])")

LONGEST_ID = 80
"""Characters of a parameter in a test's name. The name goes to every process that a test starts, in an
environment variable, and Linux takes none above 128 KiB."""

# No example fails for taking long: the machine may be busy.
hypothesis.settings.register_profile(
    "patient",
    hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")

# A test whose fixture stops the clock takes its time all the same.
freezegun.configure(extend_ignore_list=["_pytest", "xdist", "pytest_timeout"])

pytest_plugins = [
    "tests.fixtures.browser",
    "tests.fixtures.portal",
    "tests.fixtures.postgres",
    "tests.fixtures.redis",
]


@functools.cache
def missing(need: str) -> str | None:
    """Why tests with this marker can't run here, or None."""
    if need == "docker":
        if shutil.which("docker") is None:
            return "no docker command: ci/provision installs one"
        try:
            answer = subprocess.run(["docker", "info"], capture_output=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            return "the Docker engine does not answer"
        return None if answer.returncode == 0 else "no Docker engine answers: ci/provision starts one"
    if need == "compose":
        return None if compose_command() else "no Docker Compose: apt-get install docker-compose"
    if need == "browser":
        return None if chromium() else "no Chromium: apt-get install chromium-headless-shell"
    if need == "postgres":
        found = shutil.which("postgres") or next(Path("/usr/lib/postgresql").glob("*/bin/postgres"), None)
        return None if found else "no PostgreSQL server: apt-get install postgresql"
    if need == "redis":
        return None if shutil.which("redis-server") else "no Redis server: apt-get install redis-server"
    if need == "prometheus":
        return None if shutil.which("prometheus") else "no Prometheus: apt-get install prometheus"
    if need == "cloud":
        if importlib.util.find_spec("moto") is None or importlib.util.find_spec("boto3") is None:
            return "no moto: run make services"
        return None if find_program("terraform") else "no terraform on PATH"
    if need == "go":
        return None if find_program("go") else "no Go: run make services"
    if need == "mesh":
        return None if find_envoy() else "no Envoy: run make services"
    raise AssertionError(f"unknown need {need}")


@functools.cache
def compose_command() -> tuple[str, ...] | None:
    """Docker Compose 2, else docker-compose; None when there is neither."""
    for command in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(command[0]):
            asked = subprocess.run([*command, "version"], capture_output=True, timeout=60, check=False)
            if asked.returncode == 0:
                return command
    return None


def chromium() -> str | None:
    """The path of Chromium, if there is one. The build without windows takes half as much of the machine."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def pytest_make_parametrize_id(val: object) -> str | None:
    """A short name for a parameter that is a long text, or None: pytest names it."""
    if isinstance(val, str | bytes) and len(val) > LONGEST_ID:
        data = val.encode("utf-8", "surrogatepass") if isinstance(val, str) else val
        start = ascii(val[:40]).strip("b'\"")
        return f"{start}..{len(val)}-{hashlib.sha256(data).hexdigest()[:8]}"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for need in ("docker", "compose", "browser", "postgres", "redis", "prometheus", "cloud", "go", "mesh"):
        if item.get_closest_marker(need) is not None:
            reason = missing(need)
            if reason is not None:
                pytest.skip(reason)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """The tests of a module stay together, so that what they share is made by one of the workers only.

    What takes long comes first, or one worker would be left with it in the end.
    """
    if not EVERY_DRIVER:
        left_out = _on_another_driver(items)
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(ROOT).as_posix()))
    yield
    items.sort(key=_turn)


def _on_another_driver(items: list[pytest.Item]) -> dict[pytest.Item, None]:
    """Of tests marked `one_driver`, those that are run on another driver; which one that is, its name decides."""
    alike: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("one_driver") is not None:
            alike.setdefault(_DRIVER.sub("*", item.nodeid), []).append(item)
    left_out: dict[pytest.Item, None] = {}
    for name, group in alike.items():
        here = [
            item for item in group if not (item.get_closest_marker("docker") and missing("docker"))
        ] or group
        chosen = here[hashlib.sha256(name.encode()).digest()[0] % len(here)]
        left_out.update(dict.fromkeys(item for item in group if item is not chosen))
    return left_out


def _turn(item: pytest.Item) -> int:
    folder = item.path.relative_to(ROOT / "tests").parts[0]
    return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """With CI=true a skip is a failure: there the machine was provisioned, so a skip hides a missing install step."""
    outcome = yield
    report = outcome.get_result()
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be: {report.longrepr}"
