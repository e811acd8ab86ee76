"""The parked keys of one follower of a log, as the process that leads it knows them."""

from collections.abc import Awaitable, Callable, Sequence

from atelier_common.commit import Commit
from atelier_common.documents.port import Documents
from atelier_common.errors import Unavailable
from atelier_common.eventstore.port import EventStore
from atelier_common.parking import ParkedKey, Parking


class ParkedKeys:
    """What ``consumer`` has parked, by tenant and key. Of each tenant it is taken over once in a tenure: from then on no earlier leader
    can release anything, and what is parked here is also stored.
    """

    def __init__(self, consumer: str, purpose: str, store: EventStore, documents: Documents) -> None:
        self._consumer = consumer
        self._purpose = purpose
        self._store = store
        self._parking = Parking(documents)
        self._epoch = 0
        self._of: dict[str, dict[str, int]] = {}
        self._reasons: dict[tuple[str, str], str] = {}

    def begin(self, epoch: int) -> None:
        """A new tenure: what is stored counts."""
        self._epoch = epoch
        self._of.clear()
        self._reasons.clear()

    async def of(self, tenant: str) -> dict[str, int]:
        """Since which position each key is parked."""
        while tenant not in self._of:
            epoch = self._epoch
            found = await self._parking.take_over(tenant, self._consumer, epoch)
            if epoch == self._epoch:  # else it was taken over for a tenure that is past
                self._of[tenant] = {entry.key: entry.since for entry in found}
                self._reasons.update({(tenant, entry.key): entry.reason for entry in found})
        return self._of[tenant]

    def reason(self, tenant: str, key: str) -> str:
        """Why a key was parked, as it was found when it was taken over; else empty."""
        return self._reasons.get((tenant, key), "")

    async def park(self, tenant: str, key: str, error: Exception, position: int) -> None:
        """From the commit at this position on; durable when it returns."""
        held = await self.of(tenant)
        if held.get(key, position + 1) > position:
            reason = f"{type(error).__name__} in {self._purpose}"
            await self._parking.park(tenant, ParkedKey(self._consumer, key, reason, position), self._epoch)
            held[key] = position

    async def catch_up(
        self,
        tenant: str,
        key: str,
        until: Callable[[], int],
        redo: Callable[[Sequence[Commit]], Awaitable[None]],
    ) -> None:
        """Have the log redone for a key from where it is parked up to where its follower stands, ``until()``, and release it.

        Raises what still stops it, and Unavailable where another process leads; then it stays parked.
        """
        # Should this process begin to lead anew meanwhile, it begins further on than this comes to, and the key stays parked.
        epoch = self._epoch
        # What is stored counts here, also what a leader that is no more has parked.
        self._of.pop(tenant, None)
        since = (await self.of(tenant)).get(key)
        if since is None:
            return
        last, after = until(), since - 1
        if last < since:
            raise Unavailable(f"{self._purpose} has not come to {key} in this process; unpark where it is led")
        while after < last:
            commits = [commit for commit in await self._store.read_log(tenant, after) if commit.position <= last]
            if not commits:
                raise Unavailable(f"the log cannot be read up to where {self._purpose} stands; try again")
            await redo(commits)
            after = commits[-1].position
        self._of.pop(tenant, None)
        if not await self._parking.release(tenant, ParkedKey(self._consumer, key, "", since), epoch):
            raise Unavailable(f"{key} is watched over by a later leader; unpark where it is led")
        self._reasons.pop((tenant, key), None)
