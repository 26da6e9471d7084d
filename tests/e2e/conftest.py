"""A running product for the browser: the real command, a fresh instance, free ports."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from portal.settings import Settings
from tests.conftest import ROOT

START_SECONDS = 200
PART_SECONDS = 60
"""How long a part of a running product may take to come (back)."""
RESULTS = ROOT / "test-results"


def free_port_pair() -> int:
    """A port whose successor is free too.

    It takes the product seconds to listen there: no other worker of the tests looks among these, nor does whoever asks for
    any port.
    """
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    first = 7_000 + worker % 10 * 300
    for _ in range(50):
        port = first + 2 * secrets.randbelow(150)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as successor:
            one.bind(("127.0.0.1", port))
            successor.bind(("127.0.0.1", port + 1))
            return port
    raise RuntimeError("no two neighbouring ports are free")


@dataclass
class Product:
    """The product as `make run` runs it."""

    process: subprocess.Popen[str]
    origin: str
    instance: Path
    run_dir: Path
    driver: str
    lines: list[str] = field(default_factory=list)
    owner_link: str = ""

    def output(self) -> str:
        """What it printed so far."""
        return "".join(self.lines)

    def pid_of(self, words: str) -> int:
        """The process whose command line holds these words, among this product's own."""
        mine: list[int] = []
        deadline = time.monotonic() + PART_SECONDS
        while time.monotonic() < deadline:  # what it is about to start has its command line, too, for a moment
            found = subprocess.run(
                ["pgrep", "-f", words], capture_output=True, text=True, check=False
            ).stdout.split()
            mine = [
                int(pid)
                for pid in found
                if str(self.instance).encode() in _environment(int(pid)) and int(pid) != self.process.pid
            ]
            if len(mine) == 1:
                break
            time.sleep(0.1)
        assert len(mine) == 1, f"{words}: {mine}"
        return mine[0]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def clean_environment() -> dict[str, str]:
    """Our environment without any of the product's settings."""
    settings = Settings().to_environment()
    return {name: value for name, value in os.environ.items() if name not in settings}


def start_product(driver: str, instance: Path, run_dir: Path, *, root: Path = ROOT, **extra: str) -> Product:
    """Start `python -m portal serve` of the product at `root` and wait for its greeting."""
    port = free_port_pair()
    environment = {
        **clean_environment(),
        "PORT": str(port),
        "INSTANCE_DIR": str(instance),
        "RUN_DIR": str(run_dir),
        "SANDBOX_DRIVER": driver,
        "POOL_TOTAL": "0",
        **extra,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "portal", "serve"],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    product = Product(process, f"http://localhost:{port}", instance, run_dir, driver)
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            product.lines.append(line)
            found = re.search(r"(http://localhost:\d+/account/link/\S+)", line)
            if found:
                product.owner_link = found[1]
            if "Ctrl-C stops it" in line:
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    if not ready.wait(START_SECONDS) or process.poll() is not None:
        stop_product(product)
        raise AssertionError(f"the product did not start:\n{product.output()}")
    return product


def stop_product(product: Product) -> int:
    """Stop it as Ctrl-C does; its exit code."""
    if product.process.poll() is None:
        product.process.send_signal(signal.SIGINT)
        try:
            product.process.wait(120)
        except subprocess.TimeoutExpired:
            os.killpg(product.process.pid, signal.SIGKILL)
            product.process.wait(60)
    return product.process.returncode


@pytest.fixture(scope="module", params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product on each driver."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as run_dir:
        running = start_product(request.param, tmp_path_factory.mktemp("instance"), Path(run_dir))
        yield running
        stop_product(running)


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a fresh profile; when the test fails it leaves a screenshot and the console in test-results/."""
    # Without a graphics card a bar that moves while something is graded takes a good part of a processor from the grading.
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(60_000)  # for what is fetched beside the page, too
    page = context.new_page()
    console: list[str] = []
    page.on("console", lambda message: console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: console.append(f"pageerror: {error}"))
    page.console_lines = console  # type: ignore[attr-defined]
    yield page
    report = getattr(request.node, "call_report", None)
    if report is not None and report.failed:
        RESULTS.mkdir(exist_ok=True)
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())
        page.screenshot(path=RESULTS / f"{name}.png", full_page=True)
        (RESULTS / f"{name}.txt").write_text(page.url + "\n" + "\n".join(console))
    context.close()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Let the page fixture know how the test went."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.call_report = report  # type: ignore[attr-defined]


def wait_for_http(url: str) -> int:
    """The status of a page, without following redirects."""
    return httpx.get(url, timeout=60, follow_redirects=False).status_code
