"""Traces: where their context travels, what is kept of them, and that they cost nothing while they are off."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from reference_impl.cli import main
from reference_impl.shared import tracing
from reference_impl.shared.peers import Network
from reference_impl.shared.settings import Settings, Traces
from reference_impl.shared.traces import reading
from reference_impl.shared.traces.files import FileExporter
from reference_impl.shared.traces.recording import Recorder
from reference_impl.shared.tracing import SpanName

from .conftest import Shop

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
Flush = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def flush(tmp_path: Path) -> Iterator[Flush]:
    """Traces go to a file; what is returned ends tracing and reads it."""
    tracing.configure(Settings(data=tmp_path, traces=Traces.FILE), "tested")

    def read() -> list[dict[str, Any]]:
        tracing.shutdown()
        return [json.loads(line) for line in (tmp_path / "traces" / "tested.jsonl").read_text().splitlines()]

    yield read
    tracing.shutdown()


def checkout(shop: Shop, **headers: str) -> None:
    shop.stock("TEA", 3)
    body = {"items": [{"sku": "TEA", "quantity": 1}], "card": "tok_visa"}
    shop.http.post("/orders", json=body, headers={"X-Correlation-ID": "buy-1"} | headers).raise_for_status()
    shop.settle()


def test_a_checkout_is_one_tree_over_all_services(shop: Shop, flush: Flush, tmp_path: Path) -> None:
    checkout(shop)
    flush()
    spans = reading.find(tmp_path / "traces", "buy-1")
    (root,) = reading.trees(spans)
    assert root.span.name == "request POST /orders"
    walked = [(span.service, span.name) for _, span in root.walk()]
    assert len(walked) == len(spans)
    for step in (
        ("order", "call GET product"),
        ("product", "request GET /products"),
        ("order", "publish ReserveInventory"),
        ("inventory", "handle ReserveInventory"),
        ("inventory", "transaction"),
        ("payment", "handle AuthorisePayment"),
        ("order", "handle PaymentCaptured"),
        ("inventory", "handle OrderConfirmed"),
    ):
        assert step in walked, step


def test_handling_is_below_what_wrote_the_event_and_beside_its_publication(shop: Shop, flush: Flush) -> None:
    checkout(shop)
    spans = {span["name"]: span for span in flush()}
    handled, published = spans["handle ReserveInventory"], spans["publish ReserveInventory"]
    assert handled["parent_id"] == published["parent_id"]
    assert handled["attributes"]["messaging.message.id"] == published["attributes"]["messaging.message.id"]


def test_who_comes_with_a_trace_goes_on_with_it(shop: Shop, flush: Flush) -> None:
    checkout(shop, traceparent=f"00-{TRACE}-{PARENT}-01")
    spans = [span for span in flush() if span["correlation_id"] == "buy-1"]
    assert {span["trace_id"] for span in spans} == {TRACE}
    assert [span["name"] for span in spans if span["parent_id"] == PARENT] == ["request POST /orders"]
    events = shop.http.get("/events").json()["events"]
    assert {event["traceparent"].split("-")[1] for event in events if event["correlation_id"] == "buy-1"} == {
        TRACE
    }


def test_through_the_gateway_a_service_is_below_the_gateway(shop: Shop, flush: Flush) -> None:
    shop.stock("TEA", 3)
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    shop.http.get("/api/v1/products", headers=headers).raise_for_status()
    spans = {span["name"]: span for span in flush() if span["trace_id"] == TRACE}
    names = ["request GET /v1/products", "call GET product"]
    asked, calling = (spans[name] for name in names)
    above = next(span for span in spans.values() if span["span_id"] == calling["parent_id"])
    assert (asked["service"], calling["service"], above["service"]) == ("product", "gateway", "gateway")
    assert asked["parent_id"] == calling["span_id"]
    assert above["parent_id"] == PARENT


def test_a_call_without_an_answer_is_a_failed_span(flush: Flush) -> None:
    peers = Network({"order": "http://127.0.0.1:1"})

    async def ask() -> None:
        with pytest.raises(httpx.ConnectError):
            await peers.client("order").get("/orders")

    asyncio.run(ask())
    (span,) = flush()
    assert (span["name"], span["error"]) == ("call GET order", "ConnectError")


@pytest.mark.parametrize("header", ["nonsense", f"00-{'0' * 32}-{PARENT}-01", "x" * 5000])
def test_a_trace_that_can_not_be_read_is_none(shop: Shop, flush: Flush, header: str) -> None:
    assert shop.http.get("/orders", headers={"traceparent": header}).status_code == 200
    (span,) = [span for span in flush() if span["name"] == "request GET /orders"]
    assert span["parent_id"] is None


def test_a_trace_that_was_not_chosen_is_kept_nowhere(shop: Shop, flush: Flush) -> None:
    checkout(shop, traceparent=f"00-{TRACE}-{PARENT}-00")
    assert TRACE not in {span["trace_id"] for span in flush()}


def test_the_ratio_says_how_many_traces_are_recorded(tmp_path: Path) -> None:
    tracing.configure(Settings(data=tmp_path, traces=Traces.FILE, trace_ratio=0), "tested")
    with tracing.span(SpanName.REQUEST, "GET") as span:
        assert span is None
        flags = int(str(tracing.traceparent()).rpartition("-")[2], 16)
        assert flags & 1 == 0, "whoever receives it must not record it either"
    tracing.shutdown()
    assert not (tmp_path / "traces" / "tested.jsonl").exists()


def test_replaying_a_dead_letter_belongs_to_the_operator_and_links_to_the_checkout(
    shop: Shop, flush: Flush
) -> None:
    shop.faults.set("events.poison", 1)
    checkout(shop)
    letters = shop.http.get("/dead-letters").json()
    letter = next(letter for letter in letters if letter["event"]["correlation_id"] == "buy-1")
    shop.http.post(f"/dead-letters/{letter['id']}/replay")
    spans = flush()
    replay = next(span for span in spans if span["name"].startswith("replay "))
    above = next(span for span in spans if span["span_id"] == replay["parent_id"])
    assert above["name"] == "request POST /dead-letters/{letter_id}/replay"
    assert replay["links"] == [letter["event"]["traceparent"].split("-")[1]]
    assert replay["trace_id"] != replay["links"][0]
    dead = [span["error"] for span in spans if span["name"].startswith("handle ") and span["error"]]
    assert "dead-lettered" in dead


def test_nothing_that_runs_all_the_time_begins_a_trace(shop: Shop, flush: Flush) -> None:
    shop.stock("TEA", 1)
    shop.settle()
    for service in shop.built.runtime.services:
        for chore in service.chores:
            chore.run()
    assert {span["name"].split()[0] for span in flush() if span["parent_id"] is None} <= {"request", "handle"}


def test_an_event_of_before_has_no_trace_and_is_handled_all_the_same(shop: Shop) -> None:
    checkout(shop)
    assert {event["traceparent"] for event in shop.http.get("/events").json()["events"]} == {None}


def test_while_traces_are_off_the_sdk_is_not_even_imported() -> None:
    code = (
        "import sys, tempfile, pathlib\n"
        "from reference_impl.shared import tracing\n"
        "from reference_impl.shared.settings import Settings\n"
        "from reference_impl.topologies import monolith\n"
        "settings = Settings(data=pathlib.Path(tempfile.mkdtemp()))\n"
        "tracing.configure(settings, 'x')\n"
        "built = monolith.build(settings)\n"
        "built.runtime.stop()\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert answer.stdout.strip() == "[]"
    assert tracing.span(SpanName.REQUEST, "GET") is tracing.span(SpanName.HANDLE, "X")


def test_files_are_bounded(tmp_path: Path) -> None:
    exporter = FileExporter(tmp_path, "small", largest_bytes=2_000)
    recorder = Recorder(Settings(data=tmp_path, traces=Traces.FILE), "source")
    for number in range(30):
        with recorder.span(SpanName.CALL, str(number), None, None, {}):
            pass
    recorder.shutdown()
    lines = (tmp_path / "traces" / "source.jsonl").read_text().splitlines()
    assert len(lines) == 30
    recorder = Recorder(Settings(data=tmp_path, traces=Traces.FILE), "source")
    for number in range(30):
        with recorder._tracer.start_as_current_span(str(number)) as span:
            pass
        exporter.export([span])  # type: ignore[list-item]
    recorder.shutdown()
    files = {file.name: file.stat().st_size for file in tmp_path.glob("small*")}
    assert set(files) == {"small.jsonl", "small.jsonl.1"}
    assert all(size <= 2_000 for size in files.values())


def test_a_collector_gets_the_spans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
    tracing.configure(Settings(data=tmp_path, traces=Traces.OTLP), "order")
    with tracing.span(SpanName.HANDLE, "OrderCreated"):
        pass
    tracing.shutdown()
    server.shutdown()
    thread.join(60)
    server.server_close()
    assert [path for path, _ in got] == ["/v1/traces"]
    assert b"handle OrderCreated" in got[0][1]
    assert b"meridian" in got[0][1]


def test_the_command_prints_the_tree(shop: Shop, flush: Flush, tmp_path: Path) -> None:
    checkout(shop)
    flush()
    (tmp_path / "traces" / "torn.jsonl").write_text('{"correlation_id": "buy-1", "trace_')
    answer = CliRunner().invoke(main, ["trace", "buy-1", "--data", str(tmp_path)], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    lines = answer.output.splitlines()
    assert lines[2].endswith("request POST /orders")
    assert any(line.endswith("      handle ReserveInventory".lstrip()) for line in lines)
    document = json.loads(
        CliRunner().invoke(main, ["trace", "buy-1", "--data", str(tmp_path), "--json"]).output
    )
    assert len(document["spans"]) == len(lines) - 2


def test_the_command_says_what_to_do_when_there_is_nothing(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["trace", "buy-1", "--data", str(tmp_path)])
    assert answer.exit_code == 1
    assert "MERIDIAN_TRACES=file" in answer.output
