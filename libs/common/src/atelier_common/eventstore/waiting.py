"""This process's own commits that wait for their positions: its sequencer knows them and need not look for them in the database.

A sequencer that has read the log's end knows what was sent after that: it stands in no segment up to the end, and whoever else wrote a
later one makes this sequencer's next insert fail, upon which it forgets all of this and looks.
"""

from collections.abc import Iterable, Mapping
from types import TracebackType

from atelier_common.documents.port import Body

Key = tuple[str, int]
"""(stream, version)."""
_UNKNOWN = 0


class Waiting:
    """One tenant's. Between :meth:`opened` and :meth:`closed` the log's end is known, and nobody but this sequencer has moved it."""

    def __init__(self) -> None:
        self.known: dict[Key, Body] = {}
        """Durable, sent after the end was known, in no segment yet; with their documents."""
        self.look = True
        """Whether something may wait that is not known here."""
        self._tenures = _UNKNOWN
        self._tenure = _UNKNOWN
        self._under_way = 0
        self._taken_early: set[Key] = set()
        """Of what may be under way still, what was seen in the database and has its position."""

    def opened(self) -> None:
        """The log's end is known from here on."""
        self._tenures += 1
        self._tenure = self._tenures
        self._taken_early.clear()

    def closed(self) -> None:
        """It is not any more."""
        self._tenure = _UNKNOWN
        self.known.clear()
        self.look = True

    def begin(self) -> int:
        """Something is about to be sent. Pass what this returns to :meth:`end`, in any case."""
        self._under_way += 1
        return self._tenure

    def end(self, tenure: int, durable: Mapping[Key, Body], *, certain: bool) -> None:
        """It is known to be durable; without ``certain`` more of it may be."""
        self._under_way -= 1
        if tenure != _UNKNOWN and tenure == self._tenure and certain:
            self.known.update((key, body) for key, body in durable.items() if key not in self._taken_early)
        else:
            self.look = True
        if not self._under_way:
            self._taken_early.clear()

    def taken(self, keys: Iterable[Key]) -> None:
        """These have their positions."""
        for key in keys:
            if self.known.pop(key, None) is None and self._under_way:
                self._taken_early.add(key)


class Appending:
    """The context in which commits are sent, of tenants whose sequencers may work here."""

    def __init__(self, waiting: Mapping[str, Waiting]) -> None:
        self._waiting = waiting
        self._durable: dict[str, dict[Key, Body]] = {}
        self._tenures: dict[str, int] = {}

    def __enter__(self) -> "Appending":
        self._tenures = {tenant: waiting.begin() for tenant, waiting in self._waiting.items()}
        return self

    def durable(self, tenant: str, document: Body) -> None:
        """This document of a commit was inserted."""
        self._durable.setdefault(tenant, {})[(document["stream"], document["version"])] = document

    def __exit__(self, error: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        for tenant, tenure in self._tenures.items():
            self._waiting[tenant].end(tenure, self._durable.get(tenant, {}), certain=error is None)
