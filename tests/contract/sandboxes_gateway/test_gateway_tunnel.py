"""The whole way from a browser to a container's Jupyter where sockets can't be shared: gateway, relay, engine, tunnel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from sandboxes.drivers import open_driver
from sandboxes.interface import Sandbox, SandboxSpec

from .conftest import NOTEBOOK, Gateway, connect, message, wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def learners(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A learner's sandbox with a notebook in it."""
    driver = open_driver("docker", gateway.run_dir, transport="tunnel")
    workspace: Path = tmp_path_factory.mktemp("learners")
    (workspace / "lab.ipynb").write_text(json.dumps(NOTEBOOK))
    yield driver.start(SandboxSpec(workspace=workspace), lambda progress: None)
    driver.close()


async def run_cell(gateway: Gateway, path: str, code: str) -> str:
    """What a cell prints in a new kernel of the notebook."""
    headers = {"Origin": gateway.origin}
    session = {"path": "lab.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    printed = ""
    async with aiohttp.ClientSession(gateway.origin, headers=headers) as client, asyncio.timeout(200):
        async with client.post(f"{path}api/sessions", json=session) as answer:
            assert answer.status == 201
            kernel = (await answer.json())["kernel"]["id"]
        async with await connect(client, f"{path}api/kernels/{kernel}/channels") as channels:
            request = message("execute_request", {"code": code, "silent": False})
            await channels.send_json(request)
            while True:
                heard = await channels.receive_json()
                if heard["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                    continue
                if heard["msg_type"] == "stream":
                    printed += heard["content"]["text"]
                if heard["content"].get("execution_state") == "idle":
                    return printed


def test_a_page_and_its_files_come_through(gateway: Gateway, learners: Sandbox) -> None:
    status, _, page = gateway.ask("GET", f"{learners.web_path}notebooks/lab.ipynb")
    assert status == 200
    assert b"/bridge.js" in page
    body = json.dumps({"type": "file", "format": "text", "content": "x" * 3_000_000}).encode()
    path = f"{learners.web_path}api/contents/big.txt"
    assert gateway.ask("PUT", path, body, Origin=gateway.origin)[0] == 201
    assert json.loads(gateway.ask("GET", path)[2])["content"] == "x" * 3_000_000


def test_a_kernel_runs_a_cell(gateway: Gateway, learners: Sandbox) -> None:
    code = "print('the answer is', 6 * 7); print('y' * 2_000_000)"
    printed = asyncio.run(run_cell(gateway, learners.web_path, code))
    assert printed == "the answer is 42\n" + "y" * 2_000_000 + "\n"
    wait_until(lambda: learners.activity() is not None, 60, "an answer about what it did")


def test_another_token_opens_nothing(gateway: Gateway, learners: Sandbox) -> None:
    assert gateway.ask("GET", f"/s/{learners.id}/{'x' * 43}/notebooks/lab.ipynb")[0] in {403, 404}
