"""A TCP proxy on the loopback that can stop passing bytes on, as a network does that has parted."""

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import Literal

Manner = Literal["pass", "refuse", "hang"]
_CHUNK = 65_536


@dataclass
class Proxy:
    """Between its own ``port`` (0: a free one) and ``target``, a port of the loopback, in a thread of its own.

    ``pass``: bytes go both ways. ``refuse``: connections are cut and new ones closed at once. ``hang``: connections stay and new
    ones are accepted, and nothing passes in either direction.
    """

    target: int
    port: int = 0
    _manner: Manner = "pass"
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def start(self) -> None:
        """Listen; when it returns, ``port`` is known."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=f"proxy to {self.target}", daemon=True)
        self._thread.start()
        ready.wait()

    def behave(self, manner: Manner) -> None:
        """From now on; what hung goes on where it stood."""
        asyncio.run_coroutine_threadsafe(self._behave(manner), self._loop).result()

    def stop(self) -> None:
        self.behave("refuse")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._passing = asyncio.Event()
        self._passing.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    async def _behave(self, manner: Manner) -> None:
        self._manner = manner
        if manner == "hang":
            self._passing.clear()
            return
        self._passing.set()
        if manner == "refuse":
            for writer in list(self._open):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await self._passing.wait()
            if self._manner == "refuse":
                return
            with contextlib.suppress(OSError):
                there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
                self._open |= {writer, there_writer}
                try:
                    with contextlib.closing(there_writer):
                        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
                finally:
                    self._open -= {writer, there_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            await self._passing.wait()
            writer.write(chunk)
            await writer.drain()
        writer.close()
