"""What timers must do on every document database. An adapter's test is :meth:`make_documents`; nothing is skipped."""

import asyncio
from collections import Counter

import pytest

from atelier_common.clock import SimulatedClock
from atelier_common.conformance.material import OTHER_TENANT, TENANT, until
from atelier_common.conformance.on_documents import OnDocuments
from atelier_common.timers import Timer, Timers

MONDAY = 1_800_000_000_000
HOUR = 3_600_000


class Commanded:
    """What a service is commanded by its timers: a command id that was accepted before changes nothing."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.accepted: dict[tuple[str, str], Timer] = {}
        self.refusals = 0

    async def handle(self, timer: Timer) -> None:
        context = timer.context()
        self.calls[context.command_id] += 1
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("not accepted")
        self.accepted.setdefault((timer.tenant, context.command_id), timer)

    @property
    def ids(self) -> list[str]:
        return [command_id for _, command_id in self.accepted]


class TimersSuite(OnDocuments):
    """Subclass it and give :meth:`make_documents`."""

    clock: SimulatedClock
    commanded: Commanded

    @pytest.fixture(autouse=True)
    def _set_up(self) -> None:
        self.clock = SimulatedClock(MONDAY)
        self.commanded = Commanded()

    def timers(self) -> Timers:
        """Those of a process that has just started."""
        timers = Timers(self.documents, self.clock, idle_seconds=0.02)
        timers.handle("cut-off", self.commanded.handle)
        return timers

    async def left(self) -> list[str]:
        return [timer.id for timer in await self.timers().due(TENANT, 2**62)]

    async def test_a_timer_fires_when_it_is_due_and_not_before(self) -> None:
        timers = self.timers()
        await timers.schedule(TENANT, "t1", MONDAY + HOUR, "cut-off", {"site": "one"})
        self.clock.advance_to(MONDAY + HOUR - 1)
        assert await timers.fire_due() == 0
        self.clock.advance(1)
        assert await timers.fire_due() == 1
        assert self.commanded.accepted == {
            (TENANT, "t1"): Timer(TENANT, "t1", MONDAY + HOUR, "cut-off", {"site": "one"})
        }
        assert await timers.fire_due() == 0
        assert await self.left() == []

    async def test_timers_fire_in_the_order_in_which_they_were_due(self) -> None:
        timers = self.timers()
        for n in (5, 1, 450, 3, *range(6, 450), 2, 4):
            await timers.schedule(TENANT, f"t{n}", MONDAY + n, "cut-off")
        self.clock.advance(HOUR)
        assert await timers.fire_due() == 450
        assert self.commanded.ids == [f"t{n}" for n in range(1, 451)]

    async def test_a_timer_that_came_due_while_everything_was_down_fires_once_with_its_own_time(self) -> None:
        await self.timers().schedule(TENANT, "t1", MONDAY + HOUR, "cut-off")
        self.clock.advance(72 * HOUR)
        reopened = self.timers()
        assert await reopened.fire_due() == 1
        assert await self.timers().fire_due() == 0
        (timer,) = self.commanded.accepted.values()
        assert timer.context().now == MONDAY + HOUR
        assert timer.context().command_id == "t1"

    async def test_a_timer_stays_until_its_command_is_accepted_and_holds_up_nobody(self) -> None:
        timers = self.timers()
        self.commanded.refusals = 1
        await timers.schedule(TENANT, "t1", MONDAY, "cut-off")
        await timers.schedule(TENANT, "t2", MONDAY + 1, "cut-off")
        self.clock.advance(1)
        assert await timers.fire_due() == 1
        assert self.commanded.ids == ["t2"]
        assert await self.left() == ["t1"]

        async def fired() -> bool:
            return await timers.fire_due() == 1

        await until(fired)
        assert self.commanded.ids == ["t2", "t1"]
        assert self.commanded.calls == {"t1": 2, "t2": 1}
        assert await self.left() == []

    async def test_a_crash_between_the_command_and_the_deletion_fires_again_to_the_same_command(self) -> None:
        await self.timers().schedule(TENANT, "t1", MONDAY, "cut-off")
        crashing = self.timers()

        async def crash(timer: Timer) -> None:
            await self.commanded.handle(timer)
            raise asyncio.CancelledError

        crashing.handle("cut-off", crash)
        with pytest.raises(asyncio.CancelledError):
            await crashing.fire_due()
        assert await self.left() == ["t1"]
        assert await self.timers().fire_due() == 1
        assert self.commanded.calls == {"t1": 2}
        assert len(self.commanded.accepted) == 1

    async def test_two_runners_at_once_have_the_effect_of_one(self) -> None:
        for n in range(40):
            await self.timers().schedule(TENANT, f"t{n}", MONDAY, "cut-off")
        await asyncio.gather(self.timers().fire_due(), self.timers().fire_due())
        assert sorted(self.commanded.ids) == sorted(f"t{n}" for n in range(40))
        assert await self.left() == []

    async def test_a_timer_can_be_moved_and_called_off(self) -> None:
        timers = self.timers()
        await timers.schedule(TENANT, "moved", MONDAY, "cut-off", 1)
        await timers.schedule(TENANT, "moved", MONDAY + HOUR, "cut-off", 2)
        await timers.schedule(TENANT, "called off", MONDAY, "cut-off")
        assert await timers.cancel(TENANT, "called off")
        assert not await timers.cancel(TENANT, "called off")
        assert await timers.fire_due() == 0
        self.clock.advance(HOUR)
        assert await timers.fire_due() == 1
        assert [timer.payload for timer in self.commanded.accepted.values()] == [2]

    async def test_a_handler_may_set_its_own_timer_anew(self) -> None:
        timers = self.timers()
        beats: list[int] = []

        async def beat(timer: Timer) -> None:
            beats.append(timer.due_ms)
            await timers.schedule(timer.tenant, timer.id, timer.due_ms + HOUR, "beat")

        timers.handle("beat", beat)
        await timers.schedule(TENANT, "weekly", MONDAY, "beat")
        for _ in range(3):
            assert await timers.fire_due() == 1
            self.clock.advance(HOUR)
        assert beats == [MONDAY, MONDAY + HOUR, MONDAY + 2 * HOUR]

    async def test_a_timer_that_no_handler_knows_waits(self) -> None:
        await self.timers().schedule(TENANT, "t1", MONDAY, "of a newer release")
        assert await self.timers().fire_due() == 0
        assert await self.left() == ["t1"]

    async def test_tenants_are_apart(self) -> None:
        timers = self.timers()
        await timers.schedule(TENANT, "t1", MONDAY, "cut-off", "ours")
        await timers.schedule(OTHER_TENANT, "t1", MONDAY, "cut-off", "theirs")
        assert await timers.cancel(TENANT, "t1")
        assert await timers.fire_due() == 1
        assert [timer.payload for timer in self.commanded.accepted.values()] == ["theirs"]

    async def test_a_running_leader_fires_by_itself(self) -> None:
        timers = self.timers()
        running = asyncio.create_task(timers.run(1))
        await timers.schedule(TENANT, "t1", MONDAY, "cut-off")
        await until(lambda: self._accepted(["t1"]))
        await self.timers().schedule(TENANT, "by another replica", MONDAY + HOUR, "cut-off")
        self.clock.advance(HOUR)
        await until(lambda: self._accepted(["t1", "by another replica"]))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def _accepted(self, ids: list[str]) -> bool:
        return self.commanded.ids == ids
