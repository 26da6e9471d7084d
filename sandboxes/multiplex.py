"""Many streams over one pipe each way: the protocol of the tunnel, the same at both of its ends.

A frame is a kind (1 byte), a stream's number (4 bytes), the payload's length (2 bytes) and the payload::

    HELLO   version                 the outside speaks first; the inside answers the same
    OPEN    name of a socket        the outside only; the inside connects
    DATA    bytes                   at most what the other side gave credit for
    END     nothing                 no more data this way; the other way stays open
    RESET   nothing                 the end of both ways, but for data before an END
    CREDIT  number (4 bytes)        so much was passed on, so much more may come

Each stream begins with `WINDOW` bytes of credit each way. So one slow stream never stops the others, and what an end has to
keep is bounded whatever the other one sends: what breaks a rule ends the connection (`ProtocolError`). The loop that reads
frames never waits for anything to be written, so two ends whose pipes are both full can't block each other. Only the standard
library is used: the inside's end has to start quickly and in any image.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

VERSION = b"1"
HEADER = struct.Struct(">BIH")
CREDIT = struct.Struct(">I")
CHUNK = 32_768
"""The largest payload."""
WINDOW = 131_072
"""Bytes of one stream and direction that may be on their way."""
MAX_STREAMS = 256
NAME_BYTES = 100
LINGER_SECONDS = 2.0
"""For what a side that takes nothing more still has to say."""
LATE_FRAMES = 64
"""Frames that a stream which ended here may still get: the other side could not know yet."""


class Kind(IntEnum):
    """What a frame is."""

    HELLO = 0
    OPEN = 1
    DATA = 2
    END = 3
    RESET = 4
    CREDIT = 5


LENGTHS = {
    Kind.HELLO: (1, 1),
    Kind.OPEN: (1, NAME_BYTES),
    Kind.DATA: (1, CHUNK),
    Kind.END: (0, 0),
    Kind.RESET: (0, 0),
    Kind.CREDIT: (CREDIT.size, CREDIT.size),
}
"""The least and the most bytes of a payload."""


class ProtocolError(Exception):
    """The other end broke a rule; the text says which."""


@dataclass(frozen=True)
class Frame:
    """One message between the ends."""

    kind: Kind
    stream: int
    payload: bytes = b""

    def encode(self) -> bytes:
        return HEADER.pack(self.kind, self.stream, len(self.payload)) + self.payload


class Decoder:
    """Frames out of bytes that come in any pieces; keeps less than one frame."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now. Raises ProtocolError."""
        rest = self._rest
        rest += data
        at = 0
        try:
            while len(rest) - at >= HEADER.size:
                code, stream, length = HEADER.unpack_from(rest, at)
                kind = _kind(code, length)
                if len(rest) - at < HEADER.size + length:
                    break
                at += HEADER.size
                payload = bytes(rest[at : at + length])
                at += length
                yield Frame(kind, stream, payload)
        finally:
            del rest[:at]


def _kind(code: int, length: int) -> Kind:
    try:
        kind = Kind(code)
    except ValueError as error:
        raise ProtocolError(f"a frame of the unknown kind {code}") from error
    least, most = LENGTHS[kind]
    if not least <= length <= most:
        raise ProtocolError(f"a frame {kind.name} of {length} bytes")
    return kind


@dataclass
class Stream:
    """One connection through the tunnel, as one end sees it."""

    number: int
    credit: int = WINDOW
    """Bytes that may still be sent."""
    waiting: bytearray = field(default_factory=bytearray)
    """Received and not passed on yet."""
    taken: int = 0
    """Received and not given back as credit yet: never more than `WINDOW`."""
    sent_end: bool = False
    sent_reset: bool = False
    got_end: bool = False
    got_reset: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Something came for `down`."""
    credited: asyncio.Event = field(default_factory=asyncio.Event)
    """Something came for `up`."""
    up: asyncio.Task[None] | None = None
    down: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """Whether both ends have said their last word."""
        return (self.sent_end or self.sent_reset) and (self.got_end or self.got_reset)


class Multiplexer:
    """One end of a tunnel. Everything happens in one event loop."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], writer: asyncio.StreamWriter) -> None:
        """`read` gives the next bytes from the other end, and none at its end."""
        self._read = read
        self._writer = writer
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._late = 0
        self.greeted = asyncio.Event()

    async def run(self, opened: Callable[[Stream, str], None] | None = None) -> None:
        """Take in frames until the other end is gone, then end every stream. Raises ProtocolError, OSError.

        `opened` is told of each stream that the other end opens; without it none may be opened from there.
        """
        decoder = Decoder()
        try:
            while data := await self._read():
                for frame in decoder.feed(data):
                    self._take(frame, opened)
                # One that never stops sending must not keep the loop from everybody else.
                await asyncio.sleep(0)
        finally:
            for stream in list(self._streams.values()):
                stream.got_reset = stream.sent_reset = True
                _cancel(stream.up, stream.down)
            self._streams.clear()

    async def greet(self) -> None:
        """Send our version."""
        await self._send(Kind.HELLO, 0, VERSION)

    async def open(self, name: str) -> Stream | None:
        """A new stream to the socket of that name; None when there are too many."""
        if len(self._streams) >= MAX_STREAMS:
            return None
        self._last += 1
        stream = self._streams[self._last] = Stream(self._last)
        await self._send(Kind.OPEN, stream.number, name.encode())
        return stream

    async def carry(self, stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass everything on between a stream and a connection at this end, until both ways are done; closes the connection."""
        # Drained means handed to the system: credit is given back for nothing that is kept here.
        writer.transport.set_write_buffer_limits(high=0)
        stream.up = asyncio.create_task(self._send_from(stream, reader))
        stream.down = asyncio.create_task(self._pass_to(stream, writer))
        if stream.got_reset:
            _cancel(stream.up, stream.down)
        try:
            await asyncio.wait({stream.up, stream.down}, return_when=asyncio.FIRST_EXCEPTION)
            if not stream.up.done():  # our side takes nothing more; what it has to say is still worth hearing
                await asyncio.wait({stream.up}, timeout=LINGER_SECONDS)
        finally:
            _cancel(stream.up, stream.down)
            await asyncio.gather(stream.up, stream.down, return_exceptions=True)
            writer.transport.abort()
            await self.refuse(stream)

    async def refuse(self, stream: Stream) -> None:
        """End a stream that is not wanted, or not any more."""
        stream.waiting.clear()
        if not (stream.sent_end and stream.got_end) and not stream.sent_reset:
            stream.sent_reset = True
            with contextlib.suppress(OSError):
                await self._send(Kind.RESET, stream.number)
        self._settle(stream)

    async def _send_from(self, stream: Stream, reader: asyncio.StreamReader) -> None:
        while True:
            while stream.credit <= 0:
                stream.credited.clear()
                await stream.credited.wait()
            data = await reader.read(min(CHUNK, stream.credit))
            if not data:
                stream.sent_end = True
                await self._send(Kind.END, stream.number)
                self._settle(stream)
                return
            stream.credit -= len(data)
            await self._send(Kind.DATA, stream.number, data)

    async def _pass_to(self, stream: Stream, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while True:
            while not stream.waiting and not stream.got_end:
                stream.changed.clear()
                await stream.changed.wait()
            if not stream.waiting:
                writer.write_eof()
                return
            data = bytes(stream.waiting)
            stream.waiting.clear()
            writer.write(data)
            await writer.drain()
            passed += len(data)
            if passed >= WINDOW // 4 and not stream.got_end:
                stream.taken -= passed
                await self._send(Kind.CREDIT, stream.number, CREDIT.pack(passed))
                passed = 0

    async def _send(self, kind: Kind, number: int, payload: bytes = b"") -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the tunnel is closed")
        self._writer.write(Frame(kind, number, payload).encode())
        await self._writer.drain()

    def _take(self, frame: Frame, opened: Callable[[Stream, str], None] | None) -> None:
        if frame.kind is Kind.HELLO:
            if self.greeted.is_set() or frame.payload != VERSION:
                raise ProtocolError("a greeting that is not expected")
            self.greeted.set()
        elif frame.kind is Kind.OPEN:
            self._take_open(frame, opened)
        elif (stream := self._streams.get(frame.stream)) is None:
            self._take_late(frame)
        elif frame.kind is Kind.DATA:
            self._take_data(stream, frame.payload)
        elif frame.kind is Kind.CREDIT:
            self._take_credit(stream, CREDIT.unpack(frame.payload)[0])
        else:
            self._take_last(stream, frame.kind)

    def _take_open(self, frame: Frame, opened: Callable[[Stream, str], None] | None) -> None:
        if opened is None:
            raise ProtocolError("a stream opened from the wrong end")
        if frame.stream in self._streams or len(self._streams) >= MAX_STREAMS:
            raise ProtocolError("a stream too many")
        self._last = max(self._last, frame.stream)
        stream = self._streams[frame.stream] = Stream(frame.stream)
        opened(stream, frame.payload.decode("utf-8", "replace"))

    def _take_late(self, frame: Frame) -> None:
        # Of a stream that ended here only what crossed our own last word: never data, which END and RESET are answered to.
        self._late += 1
        known = 0 < frame.stream <= self._last
        if not known or frame.kind in (Kind.DATA, Kind.END) or self._late > LATE_FRAMES * self._last:
            raise ProtocolError(f"a frame {frame.kind.name} of a stream that is not open")

    def _take_data(self, stream: Stream, data: bytes) -> None:
        if stream.got_end or stream.got_reset:
            raise ProtocolError("data after the end")
        stream.taken += len(data)
        if stream.taken > WINDOW:
            raise ProtocolError("more data than was asked for")
        if not stream.sent_reset:
            stream.waiting += data
            stream.changed.set()

    def _take_credit(self, stream: Stream, credit: int) -> None:
        if not 0 < credit <= WINDOW - stream.credit:
            raise ProtocolError(f"a credit of {credit} bytes")
        stream.credit += credit
        stream.credited.set()

    def _take_last(self, stream: Stream, kind: Kind) -> None:
        if stream.got_reset or (kind is Kind.END and stream.got_end):
            raise ProtocolError("a second end")
        if kind is Kind.END:
            stream.got_end = True
            stream.changed.set()
        else:
            stream.got_reset = True
            _cancel(stream.up)
            if not stream.got_end:
                _cancel(stream.down)
        self._settle(stream)

    def _settle(self, stream: Stream) -> None:
        if stream.over:
            self._streams.pop(stream.number, None)


def _cancel(*tasks: asyncio.Task[None] | None) -> None:
    for task in tasks:
        if task is not None:
            task.cancel()
