"""How a Meridian stands: each process, whether it is ready, and what waits in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import httpx

from reference_impl.client import Place, reach
from reference_impl.command_line.common import data_option, say, table, where
from reference_impl.shared.settings import Settings
from reference_impl.topologies.ground import Ground, Phase, PlatformState, ProcessState

PROBE_SECONDS = 2.0


@click.command(
    "status",
    help="Show what runs on a directory, or at an address; exit code 1 when something is not ready.",
)
@data_option
@where
def status_command(data: Path | None, url: str | None, uds: Path | None, as_json: bool) -> None:
    """Look."""
    settings = Settings.from_environment(data=data)
    named = bool(url or uds or (data is None and (settings.url or settings.socket)))
    if named:
        _say_looks(None, _processes(reach(settings, url=url, uds=uds)), as_json)
        return
    ground = Ground(settings.data)
    running = ground.read()
    if running is None:
        say({"state": "stopped", "processes": []}, f"No Meridian runs on {ground.data}.", as_json)
        raise SystemExit(1)
    _say_looks(running, [(process, running.socket) for process in running.processes], as_json)


def _processes(place: Place) -> list[tuple[ProcessState, Path | None]]:
    """Those at an address, taken for ready until they are asked; of what they run on nothing is known."""
    found = place.processes or {"meridian": place.url}
    return [
        (ProcessState(name=name, kind="service", phase=Phase.READY, url=url), place.socket)
        for name, url in found.items()
    ]


def _say_looks(
    running: PlatformState | None, processes: list[tuple[ProcessState, Path | None]], as_json: bool
) -> None:
    with ThreadPoolExecutor(8) as pool:
        looks = list(pool.map(lambda each: _look(*each), processes))
    ready = all(look["state"] == "ready" for look in looks)
    well = ready and (running is None or running.phase is Phase.READY)
    rows = [
        [
            look["name"],
            look["state"],
            str(look["pid"] or "–"),
            str(look["port"] or "–"),
            str(look["backlog"]),
            str(look["restarts"]),
            look["detail"],
        ]
        for look in looks
    ]
    text = table(["process", "state", "pid", "port", "backlog", "restarts", ""], rows)
    if running is None:
        document: dict[str, Any] = {"state": "ready" if ready else "not ready", "processes": looks}
    else:
        document = {
            "state": running.phase.value,
            "topology": running.topology,
            "pid": running.pid,
            "address": running.url,
            "processes": looks,
        }
        text = f"{running.topology}, {running.phase.value}, {running.url}\n\n{text}"
    say(document, text, as_json)
    if not well:
        raise SystemExit(1)


def _look(process: ProcessState, socket: Path | None) -> dict[str, Any]:
    """One process as it is now: `state` is what the supervisor says, or `not ready` with the reason."""
    look: dict[str, Any] = {
        "name": process.name,
        "kind": process.kind,
        "state": process.phase.value,
        "pid": process.pid,
        "port": httpx.URL(process.url).port if process.url.startswith("http") else None,
        "backlog": 0,
        "restarts": process.restarts,
        "detail": "" if process.detail == process.url else process.detail,
    }
    if process.phase is not Phase.READY or not process.url:
        return look
    transport = httpx.HTTPTransport(uds=str(socket), verify=False) if socket else None
    base = "http://meridian" if socket else process.url
    with httpx.Client(transport=transport, base_url=base, timeout=PROBE_SECONDS, trust_env=False) as client:
        try:
            health = client.get("/health/readiness").json()
            look["backlog"] = sum(part["backlog"] for part in health["parts"])
            troubles = [f"{part['name']}: {part['detail']}" for part in health["parts"] if part["detail"]]
            ready = health["state"] == "up"
        except (httpx.HTTPError, ValueError, KeyError) as error:
            troubles, ready = [f"does not answer ({type(error).__name__})"], False
    if not ready:
        look |= {"state": "not ready", "detail": "; ".join(troubles)}
    return look
