"""What comes out of an engine's stream, and which transport an engine needs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sandboxes.drivers.attach import HEADER, Transport, engine_output, needed_transport, parse_transport
from sandboxes.interface import DriverUnavailable


@pytest.mark.parametrize("size", [1, 5, 4096])
def test_only_standard_output_is_taken_and_in_any_pieces(size: int) -> None:
    framed = b"".join(
        HEADER.pack(kind, len(data)) + data
        for kind, data in [
            (1, b"one"),
            (2, b"an error"),
            (1, b""),
            (1, b"x" * 10_000),
            (3, b"engine"),
            (1, b"!"),
        ]
    )

    async def run() -> bytes:
        reader = asyncio.StreamReader()
        read = engine_output(reader)
        for at in range(0, len(framed), size):
            reader.feed_data(framed[at : at + size])
        reader.feed_data(HEADER.pack(1, 4_294_967_295) + b"cut off")  # a length alone reserves nothing
        reader.feed_eof()
        parts = []
        while data := await read():
            parts.append(data)
        return b"".join(parts)

    assert asyncio.run(run()) == b"one" + b"x" * 10_000 + b"!cut off"


class _Client:
    def __init__(self, base_url: str, system: str) -> None:
        self.base_url = base_url
        self._system = system

    def info(self) -> dict[str, Any]:
        return {"OperatingSystem": self._system}


@pytest.mark.parametrize(
    ("base_url", "system", "transport"),
    [
        ("http+docker://localhost", "Debian GNU/Linux 12 (bookworm)", Transport.SOCKETS),
        ("http+docker://localhost", "Docker Desktop", Transport.TUNNEL),
        ("http://10.0.0.1:2375", "Debian GNU/Linux 12 (bookworm)", Transport.TUNNEL),
        ("https://engine:2376", "Debian GNU/Linux 12 (bookworm)", Transport.TUNNEL),
        ("http+docker://ssh", "Debian GNU/Linux 12 (bookworm)", Transport.TUNNEL),
    ],
)
def test_an_engine_elsewhere_needs_the_tunnel(base_url: str, system: str, transport: Transport) -> None:
    assert needed_transport(_Client(base_url, system)) is transport


def test_the_transport_is_a_known_word() -> None:
    assert parse_transport("auto") is None
    assert parse_transport("tunnel") is Transport.TUNNEL
    with pytest.raises(DriverUnavailable, match="auto, sockets, tunnel"):
        parse_transport("pigeons")
