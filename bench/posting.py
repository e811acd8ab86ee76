"""A client that costs little processor time itself: the measured server and its client share the machine.

The project's own client (httpx) takes some 7 ms of processor per request with sixteen under way, more than the server takes to
answer; a rate measured with it is the client's.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp


class Poster:
    """Posts bytes as they are, to one server, over as many connections as there are posts under way."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Done when the whole answer is here. Raises RuntimeError with the answer where it is not a success."""
        async with self._session.post(path, data=body, headers=headers) as answer:
            content = await answer.read()
            if not answer.ok:
                raise RuntimeError(f"{path} answered {answer.status}: {content.decode(errors='replace')}")


@asynccontextmanager
async def poster(url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Poster]:
    """Posts to the server at ``url``, each with these headers."""
    connections = aiohttp.TCPConnector(limit=0)
    sent = {"content-type": "application/json", **(headers or {})}
    patience = aiohttp.ClientTimeout(total=3_600)
    async with aiohttp.ClientSession(url, connector=connections, headers=sent, timeout=patience) as session:
        yield Poster(session)
