"""How long an append takes until it can be read in the log's order, at a steady rate and in a burst.

work        steady: 300 commands a second for 20 seconds (``--count`` commands in all), each on one of 200 streams, whether or not the
            ones before are through. Burst: the 300 first answers of one exam, 300 commands on 300 new streams of one tenant at
            once, said to open them, as the door of evidence says. Both through atelier_common.commands.Commands on
            DocumentEventStore, with the sequencer in the same process and a reader that follows the log by its doorbell
reference   none: the bound is what follows on it
durability  write concern majority with journal
ratio       none. From the call to the moment at which the reader holds the commit in its order; in the burst the 95th percentile of
            the acknowledgement, and the longest that a commit was acknowledged and not yet in order
"""

import asyncio
import time

from atelier_common.clock import SystemClock
from atelier_common.commands import Accepted, Commands, Request
from atelier_common.commit import Context
from atelier_common.eventstore.documents import DocumentEventStore

from bench.counting import COUNTING, NOTE, Add
from bench.measuring import Line, percentile
from bench.servers.real import TENANT, Sequenced, Servers, documents, on_servers

COUNT = 6_000
PER_SECOND = 300
BURST = 300
STREAMS = 200


def measure(count: int = COUNT) -> list[Line]:
    """All figures."""
    return on_servers(_measure, count)


async def _measure(found: Servers, count: int) -> list[Line]:
    async with documents(found, "latency") as own:
        store = DocumentEventStore(own)
        await store.start()
        appends = _Appends(store)
        await appends.at_rate([f"warm-{number % STREAMS}" for number in range(PER_SECOND)])
        steady = await appends.at_rate([f"steady-{number % STREAMS}" for number in range(count)])
        burst = await appends.at_rate([f"exam-{number}" for number in range(BURST)], per_second=0)
        await store.close()
    waits = [1_000 * (one.sequenced - one.called) for one in steady]
    answers = [1_000 * (one.acknowledged - one.called) for one in burst]
    pending = max(1_000 * (one.sequenced - one.acknowledged) for one in burst)
    return [
        Line("append to sequenced at 300/s, 99th percentile", percentile(waits, 0.99), "ms", at_most=100),
        Line("append to sequenced at 300/s, median", percentile(waits, 0.5), "ms"),
        Line("burst of 300 first answers: append, 95th percentile", percentile(answers, 0.95), "ms", at_most=400),
        Line("burst: oldest pending", pending, "ms", at_most=1_000),
        Line("appended at 300/s", count, "commits"),
    ]


class _Timed:
    def __init__(self, called: float) -> None:
        self.called = self.acknowledged = self.sequenced = called


class _Appends:
    def __init__(self, store: DocumentEventStore) -> None:
        self._store = store
        self._commands = Commands(store)
        self._clock = SystemClock()
        self._number = 0

    async def at_rate(self, keys: list[str], per_second: float = PER_SECOND) -> list[_Timed]:
        """A command for each key, so many a second (0: all at once); done when the reader holds every one."""
        seen = Sequenced(self._store, TENANT)
        following = asyncio.create_task(seen.follow(len(keys)))
        await asyncio.sleep(0.1)
        timed: dict[tuple[str, int], _Timed] = {}

        async def append(key: str, number: int) -> None:
            context = Context(TENANT, "bench", f"timed-{number}", self._clock.now())
            one = _Timed(time.perf_counter())
            request = Request(COUNTING, key, Add(NOTE, context.now), context, opening=per_second == 0)
            accepted: Accepted = await self._commands.execute(request)
            one.acknowledged = time.perf_counter()
            timed[(accepted.stream, accepted.version)] = one

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for place, key in enumerate(keys):
                if per_second:
                    await asyncio.sleep(max(0.0, began + place / per_second - time.perf_counter()))
                self._number += 1
                group.create_task(append(key, self._number))
        await following
        for slot, one in timed.items():
            one.sequenced = seen.at[slot]
        return list(timed.values())
