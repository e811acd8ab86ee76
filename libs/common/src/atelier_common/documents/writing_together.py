"""Many inserts and guarded replaces in as few commands as can be, and what each of them came to.

The outcomes are told by the counts that the server gives, by the ids it refuses, or by who the documents say wrote them.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from atelier_common.documents.mongo_form import ID, WROTE
from atelier_common.documents.port import Body, Guard, Insert, Replace
from atelier_common.documents.replacing import Replacing, Shape, shape, together
from atelier_common.errors import Unavailable


class Server(Protocol):
    """What is asked of a server; every document is named by its ``_id``."""

    async def insert_all(self, collection: str, documents: Sequence[Body]) -> set[int]:
        """Insert each by itself; the places of those whose ids exist."""
        ...

    async def replace_all(self, collection: str, replacing: Replacing) -> int:
        """How many of them were there and met their guards."""
        ...

    async def who_wrote(self, collection: str, keys: Sequence[str]) -> dict[str, str]:
        """Of these documents those that exist, each with the write that made it."""
        ...


class WritingTogether:
    """Writes to one collection, no two of one document, none with the server's time. ``alone`` does one write by itself."""

    def __init__(self, server: Server, alone: Callable[[Insert | Replace], Awaitable[bool]]) -> None:
        self._server = server
        self._alone = alone

    async def write(self, writes: Sequence[Insert | Replace], stored: Sequence[Body]) -> list[bool]:
        """The outcome of each. ``stored``: the documents as they are to be."""
        outcomes = [False] * len(writes)
        new = [place for place, write in enumerate(writes) if isinstance(write, Insert) or _likely_new(write)]
        if new:
            await self._insert(writes, stored, new, outcomes)
        alike: dict[Shape, list[int]] = {}
        for place, write in enumerate(writes):
            if isinstance(write, Insert) or outcomes[place]:
                continue
            if (common := shape(write)) is not None:
                alike.setdefault(common, []).append(place)
            else:
                outcomes[place] = await self._alone(write)
        missing: list[int] = []
        for common, places in alike.items():
            missing += await self._replace(writes, stored, places, common, outcomes)
        for place in await self._insert(writes, stored, missing, outcomes) if missing else ():
            # It came into being since we looked, and may meet the guard.
            outcomes[place] = await self._alone(writes[place])
        return outcomes

    async def _replace(
        self,
        writes: Sequence[Insert | Replace],
        stored: Sequence[Body],
        places: Sequence[int],
        common: Shape,
        outcomes: list[bool],
    ) -> list[int]:
        """Replace what is there and meets its guard; returns the places of what is not there and has to be inserted."""
        collection = writes[0].collection
        guards: list[Guard] = [write.guard if isinstance(write, Replace) else {} for write in writes]
        left, missing = list(places), list[int]()
        while left:
            part = next(together(stored, guards, left, common))
            left = left[len(part.places) :]
            replaced = await self._server.replace_all(collection, part)
            if replaced == len(part.places):
                for place in part.places:
                    outcomes[place] = True
                continue
            there = await self._find_out(collection, stored, part.places, replaced, outcomes)
            missing += [place for place in part.places if stored[place][ID] not in there]
            if not there and left:
                # All of these are new; so may be the others, and then there is nothing to replace.
                there = set(await self._server.who_wrote(collection, [stored[place][ID] for place in left]))
                missing += [place for place in left if stored[place][ID] not in there]
                left = [place for place in left if stored[place][ID] in there]
        return [place for place in missing if isinstance(write := writes[place], Replace) and write.upsert]

    async def _insert(
        self, writes: Sequence[Insert | Replace], stored: Sequence[Body], places: Sequence[int], outcomes: list[bool]
    ) -> list[int]:
        """Returns the places of those that the server refused for their ids."""
        # In one order for everybody: of two bulks that cross in the same documents a server would break one off.
        places = sorted(places, key=lambda place: str(stored[place][ID]))
        refused = await self._server.insert_all(writes[0].collection, [stored[place] for place in places])
        for number, place in enumerate(places):
            outcomes[place] = number not in refused
        return [places[number] for number in refused]

    async def _find_out(
        self, collection: str, stored: Sequence[Body], places: Sequence[int], replaced: int, outcomes: list[bool]
    ) -> set[str]:
        """Which of these replaces met their guards: those whose documents say that we wrote them. Returns whose documents exist.

        Raises Unavailable where others wrote over some of them before we looked: then nobody can tell.
        """
        held = await self._server.who_wrote(collection, [stored[place][ID] for place in places])
        for place in places:
            outcomes[place] = held.get(stored[place][ID]) == stored[place][WROTE]
        if sum(outcomes[place] for place in places) != replaced:
            raise Unavailable("others wrote the same documents meanwhile, so it is not known which writes were applied")
        return set(held)


def _likely_new(write: Replace) -> bool:
    return write.likely_new and write.upsert
