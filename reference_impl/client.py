"""How the command line reaches a running Meridian."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from reference_impl.shared.settings import Settings

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_SECONDS = 10.0


class Unreachable(Exception):
    """No Meridian answers there; the message says where and what to do."""


@contextmanager
def connect(settings: Settings, *, url: str | None = None, uds: Path | None = None) -> Iterator[httpx.Client]:
    """A client of the Meridian at a socket or an address; the settings say where when neither is given. Raises Unreachable."""
    socket = uds or (None if url else settings.socket)
    # No TLS on a Unix socket; `verify=True` would read all certificates for nothing.
    transport = httpx.HTTPTransport(uds=str(socket), verify=False) if socket else None
    base_url = "http://meridian" if socket else (url or settings.url or DEFAULT_URL)
    with httpx.Client(transport=transport, base_url=base_url, timeout=TIMEOUT_SECONDS) as client:
        try:
            client.get("/health/liveness").raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            where = socket or base_url
            raise Unreachable(
                f"No Meridian answers at {where} ({type(error).__name__}). Start one with `python -m reference_impl up`, "
                "or say where it is with --url or --uds."
            ) from error
        yield client
