"""The tunnel's protocol: what an end makes of an honest other end, and of one that breaks the rules."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sandboxes.multiplex import (
    CHUNK,
    CREDIT,
    HEADER,
    LATE_FRAMES,
    MAX_STREAMS,
    WINDOW,
    Decoder,
    Frame,
    Kind,
    Multiplexer,
    ProtocolError,
    Stream,
)

SECONDS = 120


class Bench:
    """One end under test, the other end played by the test, and a connection through it for each stream."""

    def __init__(self, multiplexer: Multiplexer, peer: socket.socket) -> None:
        self.multiplexer = multiplexer
        self.peer = peer
        self.decoder = Decoder()
        self.frames: list[Frame] = []
        self.reading = asyncio.create_task(multiplexer.run())

    async def say(self, *frames: Frame) -> None:
        await asyncio.get_running_loop().sock_sendall(self.peer, b"".join(frame.encode() for frame in frames))

    async def hear(self) -> Frame:
        while not self.frames:
            data = await asyncio.get_running_loop().sock_recv(self.peer, 65_536)
            assert data, "the end under test hung up"
            self.frames += self.decoder.feed(data)
        return self.frames.pop(0)

    async def connect(self) -> tuple[Stream, asyncio.StreamReader, asyncio.StreamWriter]:
        """A client that is carried on a new stream."""
        theirs, ours = socket.socketpair()
        stream = await self.multiplexer.open("door")
        assert stream is not None
        assert await self.hear() == Frame(Kind.OPEN, stream.number, b"door")
        reader, writer = await asyncio.open_connection(sock=ours, limit=CHUNK)
        self.carrying = asyncio.create_task(self.multiplexer.carry(stream, reader, writer))
        return stream, *await asyncio.open_connection(sock=theirs)


def play(story: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    """Run a test's story with an end that the test plays the other end of."""

    async def run() -> None:
        ours, peer = socket.socketpair()
        peer.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours)
        bench = Bench(Multiplexer(lambda: reader.read(65_536), writer), peer)
        try:
            async with asyncio.timeout(SECONDS):
                await story(bench)
        finally:
            bench.reading.cancel()
            await asyncio.gather(bench.reading, return_exceptions=True)
            writer.close()
            peer.close()

    asyncio.run(run())


def test_frames_come_whole_out_of_any_pieces() -> None:
    frames = [
        Frame(Kind.HELLO, 0, b"1"),
        Frame(Kind.OPEN, 1, b"agent.sock"),
        Frame(Kind.DATA, 1, bytes(range(256)) * 128),
        Frame(Kind.CREDIT, 1, CREDIT.pack(99)),
        Frame(Kind.END, 1),
        Frame(Kind.RESET, 4_294_967_295),
    ]
    data = b"".join(frame.encode() for frame in frames)
    for size in (1, 3, 7, 1000, len(data)):
        decoder = Decoder()
        found = [frame for at in range(0, len(data), size) for frame in decoder.feed(data[at : at + size])]
        assert found == frames, size


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HEADER.pack(Kind.DATA, 1, CHUNK + 1), "DATA of 32769 bytes"),
        (HEADER.pack(Kind.DATA, 1, 0), "DATA of 0 bytes"),
        (HEADER.pack(Kind.OPEN, 1, 65_535), "OPEN of 65535 bytes"),
        (HEADER.pack(Kind.END, 1, 1), "END of 1 bytes"),
        (HEADER.pack(Kind.CREDIT, 1, 3), "CREDIT of 3 bytes"),
        (HEADER.pack(77, 1, 0), "unknown kind 77"),
    ],
)
def test_a_frame_that_is_none_is_refused_before_its_payload_is_kept(header: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        list(Decoder().feed(header))


def test_data_passes_both_ways_and_each_way_ends_by_itself() -> None:
    async def story(bench: Bench) -> None:
        stream, reader, writer = await bench.connect()
        writer.write(b"question")
        writer.write_eof()
        assert await bench.hear() == Frame(Kind.DATA, stream.number, b"question")
        assert await bench.hear() == Frame(Kind.END, stream.number)
        await bench.say(Frame(Kind.DATA, stream.number, b"ans"), Frame(Kind.DATA, stream.number, b"wer"))
        await bench.say(Frame(Kind.END, stream.number))
        assert await reader.read() == b"answer"
        await bench.carrying
        assert not bench.reading.done()
        # What crosses the end of a stream is no offence.
        await bench.say(Frame(Kind.RESET, stream.number), Frame(Kind.CREDIT, stream.number, CREDIT.pack(8)))
        await bench.connect()

    play(story)


def test_what_was_said_before_an_end_arrives_although_the_rest_is_refused() -> None:
    async def story(bench: Bench) -> None:
        stream, reader, _ = await bench.connect()
        number = stream.number
        await bench.say(Frame(Kind.DATA, number, b"no"), Frame(Kind.END, number), Frame(Kind.RESET, number))
        assert await reader.read() == b"no"
        assert await bench.hear() == Frame(Kind.RESET, number)
        await bench.carrying

    play(story)


def test_a_reset_ends_the_connection_and_is_answered() -> None:
    async def story(bench: Bench) -> None:
        stream, reader, _ = await bench.connect()
        await bench.say(Frame(Kind.RESET, stream.number))
        assert await bench.hear() == Frame(Kind.RESET, stream.number)
        assert await reader.read() == b""

    play(story)


def test_a_client_that_went_away_is_told_inside_which_may_still_send_until_it_knows() -> None:
    async def story(bench: Bench) -> None:
        stream, _, writer = await bench.connect()
        writer.transport.abort()
        assert await bench.hear() == Frame(Kind.END, stream.number)
        await bench.say(Frame(Kind.DATA, stream.number, b"x" * 1000))
        assert await bench.hear() == Frame(Kind.RESET, stream.number)
        await bench.say(Frame(Kind.DATA, stream.number, b"x" * 1000), Frame(Kind.RESET, stream.number))
        await bench.connect()

    play(story)


def test_no_more_is_sent_than_there_is_credit_for() -> None:
    async def story(bench: Bench) -> None:
        stream, _, writer = await bench.connect()
        writer.write(bytes(3 * WINDOW))
        got = 0
        while got < WINDOW:
            got += len((await bench.hear()).payload)
        assert (got, stream.credit) == (WINDOW, 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await bench.hear()
        await bench.say(Frame(Kind.CREDIT, stream.number, CREDIT.pack(10)))
        assert await bench.hear() == Frame(Kind.DATA, stream.number, bytes(10))

    play(story)


def test_a_client_that_does_not_read_holds_up_nobody_else_and_costs_a_window() -> None:
    async def story(bench: Bench) -> None:
        slow, _reader, _writer = await bench.connect()
        for _ in range(WINDOW // CHUNK):
            await bench.say(Frame(Kind.DATA, slow.number, bytes(CHUNK)))
        other, reader, _other_writer = await bench.connect()
        await bench.say(Frame(Kind.DATA, other.number, b"hello"))
        assert await reader.read(5) == b"hello"
        assert len(slow.waiting) <= WINDOW

    play(story)


BAD: dict[str, Callable[[int], list[Frame]]] = {
    "more data than was asked for": lambda n: [Frame(Kind.DATA, n, bytes(CHUNK))] * 100,
    "not open": lambda n: [Frame(Kind.DATA, n + 1, b"x")],
    "opened from the wrong end": lambda n: [Frame(Kind.OPEN, n + 1, b"door")],
    "data after": lambda n: [Frame(Kind.END, n), Frame(Kind.DATA, n, b"x")],
    "a second end": lambda n: [Frame(Kind.END, n), Frame(Kind.END, n)],
    "a credit of": lambda n: [Frame(Kind.CREDIT, n, CREDIT.pack(1))],
    "a greeting": lambda n: [Frame(Kind.HELLO, 0, b"1"), Frame(Kind.HELLO, 0, b"1")],
    "of a stream that is not open": lambda n: [Frame(Kind.RESET, n + 1)],
}


@pytest.mark.parametrize("words", BAD)
def test_whoever_breaks_a_rule_is_hung_up_on(words: str) -> None:
    async def story(bench: Bench) -> None:
        stream, reader, _ = await bench.connect()
        saying = asyncio.create_task(bench.say(*BAD[words](stream.number)))
        with pytest.raises(ProtocolError, match=words):
            await bench.reading
        saying.cancel()
        await bench.carrying
        await reader.read()  # whoever was connected sees the end

    play(story)


def test_late_frames_are_few() -> None:
    async def story(bench: Bench) -> None:
        stream, _, writer = await bench.connect()
        writer.write_eof()
        assert (await bench.hear()).kind is Kind.END
        await bench.say(Frame(Kind.END, stream.number))
        await bench.carrying
        await bench.say(*[Frame(Kind.CREDIT, stream.number, CREDIT.pack(1))] * LATE_FRAMES)
        await bench.say(Frame(Kind.CREDIT, stream.number, CREDIT.pack(1)))
        with pytest.raises(ProtocolError, match="not open"):
            await bench.reading

    play(story)


def test_an_end_that_never_confirms_can_be_opened_so_many_streams_to_and_no_more() -> None:
    async def story(bench: Bench) -> None:
        for _ in range(MAX_STREAMS):
            stream = await bench.multiplexer.open("door")
            assert stream is not None
            await bench.hear()
            await bench.multiplexer.refuse(stream)
            await bench.hear()
        assert await bench.multiplexer.open("door") is None

    play(story)


def test_one_that_sends_and_never_reads_is_kept_bounded() -> None:
    """Its data earns credit, and the frames that say so must not pile up."""

    async def story(bench: Bench) -> None:
        stream, reader, _writer = await bench.connect()
        transport = bench.multiplexer._writer.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        transport.set_write_buffer_limits(high=100)
        taken = 0

        async def talk() -> None:
            nonlocal taken
            while taken < 200 * WINDOW:
                await bench.say(Frame(Kind.DATA, stream.number, bytes(CHUNK)))
                taken += len(await reader.readexactly(CHUNK))

        talking = asyncio.create_task(talk())
        # Until it stands still; not by one look, in which this process may have stood still itself.
        before, still = 0, 0
        while still < 10 and not talking.done():
            await asyncio.sleep(0.05)
            still = still + 1 if WINDOW < taken == before else 0
            before = taken
        talking.cancel()
        assert WINDOW < taken < 200 * WINDOW
        assert transport.get_write_buffer_size() < 1000

    play(story)
