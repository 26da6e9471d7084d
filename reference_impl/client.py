"""How the command line reaches a running Meridian, be it one process or many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from reference_impl.shared.settings import Settings

DEFAULT_URL = "http://127.0.0.1:8080"
ANY_URL = "http://meridian"
TIMEOUT_SECONDS = 10.0
PAGE = 200
MOST_ROWS = 200_000


class Unreachable(Exception):
    """No Meridian answers there; the message says where and what to do."""


@dataclass(frozen=True)
class Place:
    """Where a Meridian is."""

    url: str
    socket: Path | None = None
    processes: Mapping[str, str] = field(default_factory=dict)
    """The base URL of each service when they have a process each; empty when one process is everything."""

    @property
    def text(self) -> str:
        """The place as one writes it."""
        return str(self.socket or self.url)

    def bases(self) -> list[str]:
        """What to put before a path to reach every process once."""
        return list(self.processes.values()) or [""]


class Routed(httpx.HTTPTransport):
    """Sends a request for the whole platform to the service that its path belongs to; those for one service go there."""

    def __init__(self, processes: Mapping[str, str]) -> None:
        from reference_impl.topologies.registry import ENTRIES

        super().__init__(verify=False)
        self._by_path = {
            path: httpx.URL(processes[entry.name])
            for entry in ENTRIES
            if entry.name in processes
            for path in entry.paths
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == httpx.URL(ANY_URL).host:
            base = self._by_path.get(request.url.path.split("/")[1])
            if base is None:
                raise httpx.ConnectError(f"no service answers for {request.url.path}", request=request)
            request.url = request.url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
            request.headers["Host"] = request.url.netloc.decode("ascii")
        return super().handle_request(request)


def locate(settings: Settings, *, url: str | None = None, uds: Path | None = None) -> Place:
    """The Meridian that is meant: what is given, else what the settings say, else the one that runs on their directory."""
    if uds or (settings.socket and not url):
        return Place(ANY_URL, uds or settings.socket)
    if url or settings.url:
        return Place(url or settings.url or "")
    from reference_impl.topologies.ground import Ground  # only who gives no address needs it

    running = Ground(settings.data).read()
    if running is None:
        return Place(DEFAULT_URL)
    services = {process.name: process.url for process in running.processes if process.kind == "service"}
    if running.topology == "services":
        return Place(ANY_URL, None, services)
    return Place(ANY_URL, running.socket) if running.socket else Place(running.url)


def reach(settings: Settings, *, url: str | None = None, uds: Path | None = None) -> Place:
    """The same, after a look at what answers there.

    An address at which only a gateway answers means the services behind it: on its host, at the ports that follow, or where
    `MERIDIAN_PEER_URL` says. Where nobody answers, the place is as it was named.
    """
    place = locate(settings, url=url, uds=uds)
    if place.socket or place.processes:
        return place
    try:
        return _behind_a_gateway(place, settings)
    except (httpx.HTTPError, httpx.InvalidURL):
        return place


def pages(
    client: httpx.Client, path: str, key: str, *, after: int = 0, most: int = MOST_ROWS
) -> Iterator[dict[str, Any]]:
    """Everything below a path that has pages, row by row. Raises httpx.HTTPError; ValueError when that is more than `most`."""
    cursor: int | None = after
    rows = 0
    while cursor is not None:
        page = client.get(path, params={"after": cursor, "limit": PAGE}).raise_for_status().json()
        yield from page[key]
        rows += len(page[key])
        if rows > most:
            raise ValueError(f"{path} has more than {most} rows; this command takes a smaller Meridian")
        cursor = page["next"]


def _behind_a_gateway(place: Place, settings: Settings) -> Place:
    """The same place, or that of the services when what answers there is their gateway and nothing else.

    Raises httpx.HTTPError, httpx.InvalidURL.
    """
    with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        answer = client.get(f"{place.url.rstrip('/')}/health/readiness")
    try:
        parts = [str(part["name"]) for part in answer.json()["parts"]]
    except (ValueError, KeyError, TypeError):
        return place
    if parts != ["gateway"]:
        return place
    from reference_impl.topologies import registry

    gateway = httpx.URL(place.url)
    elsewhere = settings.peer_url != type(settings).model_fields["peer_url"].default
    near = settings.model_copy(update={"base_port": gateway.port or 80})
    found = {
        entry.name: entry.address(settings) if elsewhere else str(gateway.copy_with(port=entry.port(near)))
        for entry in registry.entries()
    }
    return Place(ANY_URL, None, found)


@contextmanager
def connect(settings: Settings, *, url: str | None = None, uds: Path | None = None) -> Iterator[httpx.Client]:
    """A client of the Meridian that is meant. Raises Unreachable."""
    with connect_to(reach(settings, url=url, uds=uds)) as client:
        yield client


@contextmanager
def connect_to(place: Place) -> Iterator[httpx.Client]:
    """A client of what was found there by `reach`. Raises Unreachable."""
    transport: httpx.HTTPTransport | None = None
    if place.processes:
        transport = Routed(place.processes)
    elif place.socket:
        # No TLS on a Unix socket; `verify=True` would read all certificates for nothing.
        transport = httpx.HTTPTransport(uds=str(place.socket), verify=False)
    with httpx.Client(transport=transport, base_url=place.url, timeout=TIMEOUT_SECONDS) as client:
        try:
            for base in place.bases():
                client.get(f"{base}/health/liveness").raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(_why(place, type(error).__name__)) from error
        yield client


def _why(place: Place, error: str) -> str:
    gateway = place.processes.get("gateway")
    if gateway and not _silent(gateway):
        return (
            f"The gateway at {gateway} answers, and a service behind it does not ({error}). Where only the gateway can be "
            "reached, as with containers, the command has to run inside: `docker-compose run --rm tools` and the command."
        )
    return (
        f"No Meridian answers at {place.text} ({error}). Start one with "
        "`python -m reference_impl up`, or say where it is with --url or --uds."
    )


def _silent(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health/liveness", timeout=TIMEOUT_SECONDS, trust_env=False).is_error
    except httpx.HTTPError:
        return True
