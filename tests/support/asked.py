"""What a server of the MongoDB protocol is asked, counted on the wire: a relay that reads the commands it passes on."""

import asyncio
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

_HEADER = struct.Struct("<iiii")
_OP_MSG = 2013
_TEXT = 0x02
Asked = tuple[str, str, str]
"""(database, command, collection); the collection is empty where a command names none."""


class Asking:
    """The commands that came by since :meth:`forget`. ``address`` is where to connect instead of the server."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.commands: Counter[Asked] = Counter()

    def forget(self) -> None:
        self.commands.clear()

    def of(self, database: str) -> Counter[tuple[str, str]]:
        """Commands and collections of one database."""
        found: Counter[tuple[str, str]] = Counter()
        for (asked, command, collection), count in self.commands.items():
            if asked == database:
                found[command, collection] += count
        return found

    def count(self) -> int:
        return self.commands.total()


@contextmanager
def asking(server: str) -> Iterator[Asking]:
    """Relay to the ``mongodb://`` address ``server`` while the block lasts."""
    parts = urlsplit(server)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="asked", daemon=True)
    thread.start()
    seen = Asking("")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(parts.hostname, parts.port)
        answers = asyncio.create_task(_copy(up_reader, writer))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header = await reader.readexactly(_HEADER.size)
                length, _, _, operation = _HEADER.unpack(header)
                body = await reader.readexactly(length - _HEADER.size)
                if operation == _OP_MSG:
                    seen.commands[_asked(body)] += 1
                up_writer.write(header + body)
                await up_writer.drain()
        answers.cancel()
        up_writer.close()
        writer.close()

    listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(relay, "127.0.0.1", 0), loop).result()
    port = listening.sockets[0].getsockname()[1]
    seen.address = urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
    try:
        yield seen
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


def _asked(body: bytes) -> Asked:
    """Of an OP_MSG: its first document begins with the command, and says its database."""
    document = body[5:]
    end = document.index(b"\0", 5)
    command = document[5:end].decode()
    collection = _text(document, end + 1) if document[4] == _TEXT else ""
    at = document.find(b"\x02$db\0")
    return (_text(document, at + 5) if at >= 0 else "", command, collection)


def _text(document: bytes, at: int) -> str:
    (length,) = struct.unpack_from("<i", document, at)
    return document[at + 4 : at + 3 + length].decode()
