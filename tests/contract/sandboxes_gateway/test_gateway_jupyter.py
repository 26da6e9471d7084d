"""What Jupyter is, behind the gateway and with our configuration."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandboxes.gateway.websocket_proxy import HEARTBEAT_SECONDS

from .conftest import NOTEBOOK, START, Gateway, Sandbox, connect, environment, message

pytestmark = pytest.mark.timeout(900)

DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


def page_config(page: bytes) -> dict[str, Any]:
    """What a page tells Jupyter's front end."""
    found = re.search(
        rb'<script id="jupyter-config-data" type="application/json">(.*?)</script>', page, re.DOTALL
    )
    assert found is not None
    config: dict[str, Any] = json.loads(found[1])
    return config


@pytest.mark.parametrize(
    ("path", "application"), [("notebooks/lab.ipynb", "notebook"), ("lab/tree/lab.ipynb", "lab")]
)
def test_pages_have_the_bridge_and_assets_that_any_sandbox_shares(
    gateway: Gateway, shared_sandbox: Sandbox, path: str, application: str
) -> None:
    status, headers, page = gateway.ask("GET", shared_sandbox.path + path)
    assert status == 200
    assert 'src="/bridge.js?v=' in page.decode()
    assert "Set-Cookie" not in headers
    config = page_config(page)
    assert config["fullStaticUrl"] == f"/jupyter/{application}"
    assert config["baseUrl"] == shared_sandbox.path
    assert config["exposeAppInBrowser"] is True
    main = re.search(rf'src="(/jupyter/{application}/main\.[^"]+)"', page.decode())
    assert main is not None
    assert gateway.ask("GET", main[1])[0] == 200


def test_nothing_on_a_page_asks_the_network_or_names_the_host(
    gateway: Gateway, shared_sandbox: Sandbox
) -> None:
    for path in ("notebooks/lab.ipynb", "lab"):
        config = page_config(gateway.ask("GET", shared_sandbox.path + path)[2])
        assert "@jupyterlab/apputils-extension:announcements" in config["disabledExtensions"]
        assert "@jupyterlab/extensionmanager-extension" in config["disabledExtensions"]
        assert config["federated_extensions"] == []
        assert config["serverRoot"] == ""


@pytest.mark.parametrize(
    ("schema", "name", "accepts"),
    [
        ("@jupyterlab/docmanager-extension:plugin", "autosaveInterval", lambda value: 0 < value <= 10),
        ("@jupyterlab/docmanager-extension:plugin", "autosave", lambda value: value is True),
        ("@jupyterlab/apputils-extension:notification", "fetchNews", lambda value: value == "false"),
        ("@jupyterlab/apputils-extension:notification", "checkForUpdates", lambda value: value is False),
        ("@jupyter-notebook/application-extension:top", "visible", lambda value: value == "no"),
    ],
)
def test_our_settings_are_the_defaults(
    gateway: Gateway, shared_sandbox: Sandbox, schema: str, name: str, accepts: Callable[[Any], bool]
) -> None:
    status, _, body = gateway.ask("GET", f"{shared_sandbox.path}lab/api/settings/{schema}")
    assert status == 200
    assert accepts(json.loads(body)["schema"]["properties"][name]["default"])


def test_every_setting_that_we_override_exists(gateway: Gateway, shared_sandbox: Sandbox) -> None:
    overrides = json.loads((START.parent / "jupyter_settings" / "overrides.json").read_text())
    for schema, values in overrides.items():
        # From the packages' own files: the server would add a property that it does not know.
        folder, plugin = schema.split(":")
        own = json.loads((_schemas() / folder / f"{plugin}.json").read_text())
        assert set(values) <= set(own["properties"]), schema


def _schemas() -> Path:
    return Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"


def test_there_is_one_kernel_and_nothing_to_choose(gateway: Gateway, shared_sandbox: Sandbox) -> None:
    _, _, body = gateway.ask("GET", f"{shared_sandbox.path}api/kernelspecs")
    assert list(json.loads(body)["kernelspecs"]) == ["python3"]


def test_html_among_the_files_cannot_act_as_the_notebook(gateway: Gateway, shared_sandbox: Sandbox) -> None:
    (shared_sandbox.workspace / "report.html").write_text("<head></head><script>1</script>")
    status, headers, body = gateway.ask("GET", f"{shared_sandbox.path}files/report.html")
    assert (status, body) == (200, b"<head></head><script>1</script>")
    assert "sandbox allow-scripts" in headers.get_all("Content-Security-Policy", [])


def test_only_the_gateways_own_pages_may_write(gateway: Gateway, shared_sandbox: Sandbox) -> None:
    path = f"{shared_sandbox.path}api/contents/made.txt"
    body = json.dumps({"type": "file", "format": "text", "content": "made"}).encode()
    assert gateway.ask("PUT", path, body, Origin=gateway.portal_origin)[0] == 403
    assert not (shared_sandbox.workspace / "made.txt").exists()
    assert gateway.ask("PUT", path, body, Origin=gateway.origin)[0] == 201
    assert (shared_sandbox.workspace / "made.txt").read_text() == "made"


def test_a_terminal_works(gateway: Gateway, shared_sandbox: Sandbox) -> None:
    async def use() -> str:
        seen = ""
        async with aiohttp.ClientSession(gateway.origin, headers={"Origin": gateway.origin}) as session:
            async with session.post(f"{shared_sandbox.path}api/terminals") as answer:
                name = (await answer.json())["name"]
            url = f"{shared_sandbox.path}terminals/websocket/{name}"
            async with asyncio.timeout(120), session.ws_connect(url) as terminal:
                await terminal.send_json(["stdin", "echo $((6*7))-${PWD##*/}\r"])
                while f"42-{shared_sandbox.workspace.name}" not in seen:
                    kind, *rest = await terminal.receive_json()
                    seen += rest[0] if kind == "stdout" else ""
            async with session.delete(f"{shared_sandbox.path}api/terminals/{name}") as answer:
                assert answer.status == 204
        return seen

    assert "42-" in asyncio.run(use())


def test_nobody_ends_a_connection_on_which_nothing_happens(
    gateway: Gateway, launch: Callable[[], Sandbox]
) -> None:
    sandbox = launch()

    async def listen() -> aiohttp.WSMessage | None:
        async with aiohttp.ClientSession(gateway.origin, headers={"Origin": gateway.origin}) as session:
            async with session.post(f"{sandbox.path}api/kernels") as answer:
                kernel = (await answer.json())["id"]
            async with await connect(session, f"{sandbox.path}api/kernels/{kernel}/channels") as ws:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_SECONDS * 1.2):
                        while (message := await ws.receive()).type in DATA:
                            pass
                        return message
                return None

    assert asyncio.run(listen()) is None
    assert "WebSocket ping" not in sandbox.log.read_text()


def test_no_log_holds_the_token(gateway: Gateway, launch: Callable[[], Sandbox]) -> None:
    sandbox = launch()
    for path in ("notebooks/lab.ipynb", "api/nothing", "api/contents/nothing.ipynb", "files/nothing"):
        gateway.ask("GET", sandbox.path + path)
    gateway.ask("POST", sandbox.path + "api/sessions", b"not json", Origin=gateway.origin)
    sandbox.process.kill()
    sandbox.process.wait(60)
    assert gateway.ask("GET", sandbox.path)[0] == 502
    assert sandbox.token not in sandbox.log.read_text()
    assert sandbox.token not in gateway.log.read_text()
    assert sandbox.sandbox_id in gateway.log.read_text()


def test_jupyter_writes_only_into_its_home_and_the_workspace(
    gateway: Gateway, launch: Callable[[], Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    sandbox = launch()
    body = json.dumps(
        {"path": "lab.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    ).encode()
    status, _, answer = gateway.ask("POST", f"{sandbox.path}api/sessions", body, Origin=gateway.origin)
    assert status == 201
    kernel = json.loads(answer)["kernel"]["id"]
    asyncio.run(until_idle(gateway, f"{sandbox.path}api/kernels/{kernel}/channels"))
    assert (sandbox.home / "runtime").is_dir()
    assert list(tmp_path.iterdir()) == []


async def until_idle(gateway: Gateway, channels: str) -> None:
    """Return when the kernel of a WebSocket says that it is idle, and has been asked: it may have been idle before."""
    async with (
        aiohttp.ClientSession(gateway.origin, headers={"Origin": gateway.origin}) as session,
        asyncio.timeout(120),
        await connect(session, channels) as kernel,
    ):
        await kernel.send_json(message("kernel_info_request", {}))
        while (await kernel.receive_json())["content"].get("execution_state") != "idle":
            pass


def test_who_reads_during_a_save_finds_a_whole_notebook(
    gateway: Gateway, launch: Callable[[], Sandbox]
) -> None:
    sandbox = launch()
    notebook = {**NOTEBOOK, "metadata": {"padding": "x" * 2_000_000}}
    body = json.dumps({"type": "notebook", "format": "json", "content": notebook}).encode()
    saved = threading.Event()
    read, broken = 0, 0

    def save() -> None:
        try:
            for _ in range(20):
                gateway.ask("PUT", f"{sandbox.path}api/contents/lab.ipynb", body, Origin=gateway.origin)
        finally:
            saved.set()

    thread = threading.Thread(target=save)
    sandbox.notebook.chmod(0o640)
    thread.start()
    while not saved.is_set():
        read += 1
        try:
            json.loads(sandbox.notebook.read_text())
        except ValueError:
            broken += 1
    thread.join()
    assert (broken, sandbox.notebook.stat().st_mode & 0o777) == (0, 0o640), f"{broken} of {read} reads"
    assert len(sandbox.notebook.read_text()) > 2_000_000
    assert sorted(path.name for path in sandbox.workspace.glob("*.half")) == []


def test_a_faulty_configuration_ends_the_start(tmp_path: Path) -> None:
    variables = environment(tmp_path, "box", "t" * 20)
    Path(variables["SANDBOX_WORKSPACE"]).mkdir(parents=True)
    del variables["SANDBOX_WEB_PATH"]
    command = [sys.executable, "-P", str(START)]
    ended = subprocess.run(command, env=variables, capture_output=True, timeout=120, check=False)
    assert ended.returncode != 0
    assert b"SANDBOX_WEB_PATH" in ended.stderr


def test_a_taken_port_and_a_wrong_origin_are_said_in_one_line(gateway: Gateway) -> None:
    command = [sys.executable, "-m", "sandboxes.gateway", "--run-dir", str(gateway.run_dir)]
    port = gateway.origin.rsplit(":", 1)[1]
    taken = subprocess.run(
        [*command, "--portal-origin", "http://localhost:1", "--port", port],
        capture_output=True, timeout=120, check=False, cwd=START.parents[2], env=os.environ, text=True,
    )  # fmt: skip
    assert (taken.returncode, len(taken.stderr.splitlines())) == (1, 1)
    assert port in taken.stderr
    wrong = subprocess.run(
        [*command, "--portal-origin", "http://localhost:1/"],
        capture_output=True, timeout=120, check=False, cwd=START.parents[2], env=os.environ, text=True,
    )  # fmt: skip
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
