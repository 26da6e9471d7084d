"""The inside's end of the tunnel: `python -m sandboxes.agent.tunnel FOLDER NAME …`, started by the engine, its pipes attached.

It connects to the Unix sockets of these names below the folder, and to nothing else, as the other end asks. It ends when its
input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Collection
from pathlib import Path

from sandboxes.multiplex import CHUNK, Multiplexer, ProtocolError, Stream

CONNECT_SECONDS = 5.0


class Inside:
    """Connects streams to sockets."""

    def __init__(self, folder: Path, names: Collection[str], multiplexer: Multiplexer) -> None:
        self._folder = folder
        self._names = frozenset(names)
        self._multiplexer = multiplexer
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the other end is gone. Raises ProtocolError, OSError."""
        answer = asyncio.create_task(self._answer())
        try:
            await self._multiplexer.run(self._opened)
        finally:
            answer.cancel()
            await asyncio.gather(answer, *self._tasks, return_exceptions=True)

    async def _answer(self) -> None:
        await self._multiplexer.greeted.wait()
        await self._multiplexer.greet()

    def _opened(self, stream: Stream, name: str) -> None:
        task = asyncio.create_task(self._connect(stream, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, stream: Stream, name: str) -> None:
        if name not in self._names:
            return await self._multiplexer.refuse(stream)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self._folder / name), limit=CHUNK)
        except OSError:
            return await self._multiplexer.refuse(stream)
        with contextlib.suppress(OSError):
            await self._multiplexer.carry(stream, reader, writer)


async def serve(folder: Path, names: Collection[str], source: int, target: int) -> None:
    """Be the inside's end on two descriptors. Raises ProtocolError, OSError."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=CHUNK)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", 0))
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(target, "wb", 0)
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    await Inside(folder, names, Multiplexer(lambda: reader.read(2 * CHUNK), writer)).run()


def main() -> int:
    if len(sys.argv) < 3:
        sys.stderr.write("usage: python -m sandboxes.agent.tunnel FOLDER NAME …\n")
        return 2
    try:
        asyncio.run(serve(Path(sys.argv[1]), sys.argv[2:], sys.stdin.fileno(), sys.stdout.fileno()))
    except (ProtocolError, OSError) as error:
        sys.stderr.write(f"the tunnel ended: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
