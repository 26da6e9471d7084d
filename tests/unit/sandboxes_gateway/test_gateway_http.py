"""HTTP through the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from sandboxes.gateway import bridge, frontend, http_proxy, upstream
from sandboxes.gateway.app import create_gateway

from .conftest import OTHER_TOKEN, PORTAL, TOKEN, World, write_route

InWorld = Callable[[Callable[[World], Awaitable[None]]], None]
PAGE = {"Accept": "text/html"}


def test_a_request_arrives_byte_for_byte_and_without_cookies(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        await world.get("/files/a%2Fb%20c?x=%3D&y", headers={"Cookie": "a=b", "X-Own": "1"})
        asked = world.asked[0]
        assert asked.target == f"{world.base}/files/a%2Fb%20c?x=%3D&y"
        assert asked.headers["X-Own"] == "1"
        assert asked.headers["Host"] == world.origin.removeprefix("http://")
        assert "Cookie" not in asked.headers

    in_world(check)


def test_an_answer_passes_with_its_status_and_the_gateways_headers(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        async def made(request: web.Request) -> web.Response:
            return web.json_response({"a": 1}, status=201, headers={"Set-Cookie": "a=b", "ETag": '"e"'})

        world.answers["/api/x"] = made
        answer = await world.request("POST", "/api/x", data=b"body", headers={"Origin": world.origin})
        assert (answer.status, await answer.json(), answer.headers["ETag"]) == (201, {"a": 1}, '"e"')
        assert world.asked[0].body == b"body"
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Content-Security-Policy"] == f"frame-ancestors {PORTAL} 'self'"
        assert answer.headers["Referrer-Policy"] == "no-referrer"

    in_world(check)


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_have_none(in_world: InWorld, status: int) -> None:
    async def check(world: World) -> None:
        async def empty(request: web.Request) -> web.Response:
            return web.Response(status=status)

        world.answers["/x"] = empty
        answer = await world.get("/x")
        assert (answer.status, await answer.read()) == (status, b"")

    in_world(check)


def test_head_tells_the_length_and_sends_nothing(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        answer = await world.request("HEAD", "/x")
        assert answer.headers["Content-Length"] == str(len("from Jupyter"))
        assert await answer.read() == b""
        assert (await world.get("/y")).status == 200

    in_world(check)


def test_a_long_answer_streams_before_it_is_complete(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        async def slow(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"first")
            await told.wait()
            await response.write(b"last")
            return response

        told = asyncio.Event()
        world.answers["/x"] = slow
        answer = await world.client.get(f"{world.base}/x")
        assert await answer.content.readexactly(5) == b"first"
        told.set()
        assert await answer.read() == b"last"

    in_world(check)


def test_an_answer_that_breaks_off_does_not_look_complete(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        async def broken(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"first")
            assert request.transport is not None
            request.transport.abort()
            return response

        world.answers["/x"] = broken
        with pytest.raises(aiohttp.ClientError):
            await world.get("/x")

    in_world(check)


def test_a_missing_slash_is_added(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        answer = await world.get("")
        assert (answer.status, answer.headers["Location"]) == (302, f"/s/box1/{TOKEN}/")

    in_world(check)


@pytest.mark.parametrize(
    "path", [f"/s/box1/{OTHER_TOKEN}/", f"/s/box2/{TOKEN}/", "/s/box1", "/", "/s/box1/x/", f"/s/BOX1/{TOKEN}/"]
)
def test_a_wrong_token_and_an_unknown_sandbox_get_the_same_friendly_page(in_world: InWorld, path: str) -> None:
    async def check(world: World) -> None:
        answer = await world.client.get(path, headers=PAGE)
        text = await answer.text()
        assert answer.status == 404
        assert "It has ended, or it isn't yours" in text.replace("&#x27;", "'")
        assert f'href="{PORTAL}/"' in text
        assert 'data-tells="ended"' in text
        assert world.asked == []

    in_world(check)


def test_a_script_gets_a_refusal_that_it_can_read(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        answer = await world.client.get(f"/s/box9/{TOKEN}/api/contents", headers={"Accept": "*/*"})
        assert (await answer.json())["message"].startswith("This sandbox is not here")

    in_world(check)


def test_a_sandbox_that_ends_is_not_found_from_then_on(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        assert (await world.get("/x")).status == 200
        (world.run_dir / "routes" / "box1.json").unlink()
        assert (await world.get("/x")).status == 404

    in_world(check)


def test_a_dead_socket_gets_a_page_that_says_so(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(world.run_dir / "dead.sock"))
        listener.close()
        write_route(world.run_dir, "dead", TOKEN, world.run_dir / "dead.sock")
        write_route(world.run_dir, "gone", TOKEN, world.run_dir / "gone.sock")
        for name in ("dead", "gone"):
            answer = await world.client.get(f"/s/{name}/{TOKEN}/tree", headers=PAGE)
            assert answer.status == 502
            assert 'data-tells="unavailable"' in await answer.text()

    in_world(check)


def test_a_link_in_the_sockets_place_is_not_followed(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        (world.run_dir / "link.sock").symlink_to(world.run_dir / "jupyter.sock")
        write_route(world.run_dir, "link", TOKEN, world.run_dir / "link.sock")
        assert (await world.client.get(f"/s/link/{TOKEN}/tree")).status == 502
        assert world.asked == []

    in_world(check)


def test_a_plain_file_in_the_sockets_place_is_not_spoken_to(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        (world.run_dir / "file.sock").write_text("")
        write_route(world.run_dir, "file", TOKEN, world.run_dir / "file.sock")
        assert (await world.client.get(f"/s/file/{TOKEN}/tree")).status == 502

    in_world(check)


def test_a_link_put_there_later_is_not_followed_either(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        assert (await world.get("/x")).status == 200
        path = world.run_dir / "jupyter.sock"
        path.rename(world.run_dir / "real.sock")
        path.symlink_to(world.run_dir / "real.sock")
        assert (await world.get("/x")).status == 502

    in_world(check)


def test_a_jupyter_that_started_again_is_found_at_once(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        assert (await world.get("/x")).status == 200
        (world.run_dir / "jupyter.sock").unlink()
        again = web.Application()
        again.router.add_get("/{path:.*}", _again)
        runner = web.AppRunner(again)
        await runner.setup()
        await web.UnixSite(runner, world.run_dir / "jupyter.sock").start()
        assert await (await world.get("/x")).text() == "again"
        await runner.cleanup()

    in_world(check)


async def _again(request: web.Request) -> web.Response:
    return web.Response(text="again")


def open_below(folder: Path) -> list[str]:
    """What this process holds open there. What else it has open is others', who may open and close it meanwhile."""
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # no longer open
            held.append(str(descriptor.readlink()))
    return [path for path in held if path.startswith(str(folder))]


def test_connections_to_ended_sandboxes_are_dropped(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        pool = upstream.UpstreamPool()
        assert open_below(world.run_dir) == []
        await pool.get(upstream.Route("box1", "", world.run_dir / "jupyter.sock"))
        await pool.sweep()
        assert open_below(world.run_dir) == [str(world.run_dir / "jupyter.sock")]
        (world.run_dir / "jupyter.sock").unlink()
        await pool.sweep()
        assert open_below(world.run_dir) == []

    in_world(check)


def test_only_so_many_requests_at_one_time(in_world: InWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "MAX_ACTIVE", 0)

    async def check(world: World) -> None:
        answer = await world.get("/x", headers=PAGE)
        assert answer.status == 503
        assert "Close some tabs" in await answer.text()

    in_world(check)


def test_a_silent_jupyter_is_not_waited_for_without_end(
    in_world: InWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "READ_SECONDS", 0.2)

    async def check(world: World) -> None:
        over = asyncio.Event()

        async def silent(request: web.Request) -> web.Response:
            await over.wait()
            return web.Response()

        world.answers["/x"] = silent
        assert (await world.get("/x", headers=PAGE)).status == 504
        over.set()

    in_world(check)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("origin", [None, PORTAL, "null", "http://evil.example"])
def test_nothing_changes_at_the_word_of_another_origin(
    in_world: InWorld, method: str, origin: str | None
) -> None:
    async def check(world: World) -> None:
        headers = {"Origin": origin} if origin else {}
        assert (await world.request(method, "/api/contents/a", headers=headers)).status == 403
        assert world.asked == []

    in_world(check)


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND"])
def test_methods_that_jupyter_does_not_need_are_refused(in_world: InWorld, method: str) -> None:
    async def check(world: World) -> None:
        assert (await world.request(method, "/api", headers={"Origin": world.origin})).status == 405
        assert world.asked == []

    in_world(check)


def test_no_service_worker_is_served(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        assert (await world.get("/files/worker.js", headers={"Service-Worker": "script"})).status == 403
        assert world.asked == []

    in_world(check)


def test_the_refusal_of_a_foreign_request_comes_after_that_of_a_wrong_token(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        assert (await world.client.post(f"/s/box1/{OTHER_TOKEN}/api", headers={"Origin": PORTAL})).status == 404

    in_world(check)


def test_a_body_that_says_it_is_too_large_is_not_waited_for(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        host, port = world.origin.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"PUT {world.base}/api/contents/a HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {world.origin}\r\n"
            f"Content-Length: {http_proxy.MAX_BODY_BYTES + 1}\r\n\r\n".encode()
        )
        assert await asyncio.wait_for(reader.readline(), 60) == b"HTTP/1.1 413 Request Entity Too Large\r\n"
        writer.close()
        assert world.asked == []

    in_world(check)


@pytest.mark.parametrize("lingering_seconds", [30.0])  # or a client that stands still finds the door shut
def test_a_body_that_turns_out_too_large_is_cut_off(in_world: InWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_proxy.LimitedBody.__init__, "__defaults__", (100_000,))

    async def check(world: World) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 10_000

        answer = await world.request("PUT", "/api/contents/a", data=chunks(), headers={"Origin": world.origin})
        assert answer.status == 413
        assert "50 MB" in (await answer.json())["message"]
        assert world.asked == []

    in_world(check)


def test_a_body_within_the_limit_arrives_whole(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        body = os.urandom(3_000_000)
        answer = await world.request("PUT", "/api/contents/a", data=body, headers={"Origin": world.origin})
        assert answer.status == 200
        assert world.asked[0].body == body

    in_world(check)


def test_pages_get_the_bridge_and_files_do_not(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        async def page(request: web.Request) -> web.Response:
            return web.Response(text="<head></head>", content_type="text/html", headers={"ETag": '"e"'})

        world.answers["/notebooks/a.ipynb"] = world.answers["/files/a.html"] = page
        answer = await world.get("/notebooks/a.ipynb")
        assert "/bridge.js?v=" in await answer.text()
        assert "ETag" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
        assert await (await world.get("/files/a.html")).text() == "<head></head>"

    in_world(check)


def test_a_page_too_large_to_be_one_passes_unchanged(
    in_world: InWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontend, "MAX_PAGE_BYTES", 1000)

    async def check(world: World) -> None:
        text = "<head></head>" + "x" * 300_000

        async def page(request: web.Request) -> web.Response:
            return web.Response(text=text, content_type="text/html")

        world.answers["/lab"] = page
        assert await (await world.get("/lab")).text() == text

    in_world(check)


def test_the_bridge_is_served_without_a_secret_and_kept(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        answer = await world.client.get(f"/bridge.js?v={bridge.VERSION}")
        assert answer.content_type == "text/javascript"
        assert "immutable" in answer.headers["Cache-Control"]
        assert await answer.read() == bridge.SCRIPT
        assert (await world.client.get("/bridge.js?v=old")).headers["Cache-Control"] == "no-cache"

    in_world(check)


def test_front_end_assets_are_served_and_kept(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        name = next(path.name for path in frontend.installed()["notebook"].glob("main.*.js"))
        answer = await world.client.get(f"/jupyter/notebook/{name}")
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    in_world(check)


@pytest.mark.parametrize(
    "path",
    ["notebook/../app.py", "notebook/%2e%2e/app.py", "other/main.js", "notebook/nothing.js", "notebook/", ""],
)
def test_nothing_else_is_served_as_an_asset(in_world: InWorld, path: str) -> None:
    async def check(world: World) -> None:
        url = URL(f"{world.origin}/jupyter/{path}", encoded=True)
        async with world.client.get(url) as answer:
            assert answer.status == 404

    in_world(check)


def test_health_says_whether_the_run_directory_is_there(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        answer = await world.client.get("/healthz")
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        moved = world.run_dir.with_name(world.run_dir.name + "-away")
        world.run_dir.rename(moved)
        assert (await world.client.get("/healthz")).status == 503
        moved.rename(world.run_dir)

    in_world(check)


def test_a_bug_says_nothing_of_itself_and_logs_no_token(
    in_world: InWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(world: World) -> None:
        async def bug(*_: object) -> web.StreamResponse:
            raise RuntimeError(f"at /s/box1/{TOKEN}/tree")

        monkeypatch.setattr(http_proxy, "forward", bug)
        answer = await world.get("/tree")
        assert answer.status == 500
        assert "RuntimeError" not in await answer.text()
        assert answer.headers["Content-Security-Policy"].startswith("frame-ancestors")

    in_world(check)
    assert "RuntimeError" in caplog.text
    assert TOKEN not in caplog.text


def test_no_log_line_holds_a_token_whatever_happens(
    in_world: InWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def check(world: World) -> None:
        for path in ("/tree", "/api/nothing", "/../x"):
            await world.get(path)
        await world.request("POST", "/api", headers={"Origin": PORTAL})
        (world.run_dir / "jupyter.sock").unlink()
        await world.get("/tree")

    in_world(check)
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("sandboxes"))
    assert "box1" in ours
    assert TOKEN not in ours


@pytest.mark.parametrize(
    "origin", ["localhost:8000", "http://localhost:8000/", "http://a b", "*", "http://h;script-src *"]
)
def test_what_is_not_an_origin_is_refused_at_the_start(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ValueError, match="is not an origin"):
        create_gateway(tmp_path, origin)
