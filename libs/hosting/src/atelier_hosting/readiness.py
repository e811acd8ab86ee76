"""How far a process is on its way to serving, for whoever sends traffic to it, and a gate that is shut until then."""

from atelier_common.errors import Unavailable
from atelier_common.http.problems import problem_of
from atelier_common.service import Service
from starlette.types import ASGIApp, Receive, Scope, Send

_LITTLE = 200
"""Commits that are applied in a moment."""
_HEALTH = "/health/"


class Readiness:
    """``migrated``: indexes and read models are as this release wants them. ``topics``: those on the broker are as declared.
    ``draining``: it was told to end. ``reasons`` say of what is missing what it waits for.

    What it takes to be ready is asked for once: a leader that is lost later is found anew within a lease's time, and until then
    each replica still accepts and shows what it has, which is better than none of them doing so.
    """

    def __init__(self, service: Service) -> None:
        self.migrated = False
        self.topics = False
        self.draining = False
        self.reasons = {"migrated": "the database has not answered yet", "topics": "the broker has not answered yet"}
        self._service = service
        self._led = False
        self._caught_up = False

    async def parts(self) -> dict[str, bool | str]:
        """What traffic needs, and whether it is there; where it is known why not, that."""
        if self.migrated and not self._caught_up:
            self._led = await self._service.led()
            self._caught_up = self._led and await self._service.backlog() <= _LITTLE
        return {
            "migrated": self.migrated or self.reasons["migrated"],
            "topics": self.topics or self.reasons["topics"],
            "led": self._led,
            "caught up": self._caught_up,
            "taking calls": not self.draining,
        }


class Gate:
    """Lets nothing but probes in to ``app`` before the process is migrated."""

    def __init__(self, app: ASGIApp, readiness: Readiness) -> None:
        self._app = app
        self._readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shut = scope["type"] == "http" and not self._readiness.migrated
        if shut and not scope["path"].startswith(_HEALTH):
            await problem_of(Unavailable("this process is starting; try again shortly"))(scope, receive, send)
        else:
            await self._app(scope, receive, send)
