"""What must hold of work that processes share, on every log: all that was asked is done, once, in order; nobody waits for another.

An adapter's test is ``make_log``; nothing is skipped.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from atelier_common.bus.port import Message
from atelier_common.commands import Commands
from atelier_common.conformance.material import TENANT, append, until
from atelier_common.conformance.working_world import (
    ANSWERING,
    GROUP,
    KNOWN,
    TOPIC,
    WORKER,
    Errands,
    WorkingWorld,
    translate,
)
from atelier_common.documents.port import Body, Documents
from atelier_common.parking import PARKED, ParkedKey
from atelier_common.publisher import ContractLog
from atelier_common.reminding import Reminder


class WorkingSuite(WorkingWorld):
    """Subclass it and give :meth:`make_log`; the suite starts the store and closes it."""

    async def test_what_is_asked_is_done_in_order_and_the_log_says_so(self) -> None:
        errands = Errands()
        async with self.process(errands) as service:
            await self.ask("ann", "1", "2", "3")
            await self.ask("ben", "1")
            await self.settled(service)
            assert await service.waiting(TENANT) == {"errand": 0}
        assert (await self.runs("ann"), await self.runs("ben")) == (["1", "2", "3"], ["1"])
        assert await Commands(self.log.store).load(ANSWERING, TENANT, "ann:monday") == (3, len(errands.ran) - 1)
        (run, *_) = await self.log.store.read_stream(TENANT, "run/ann")
        asked = await self.log.store.read_stream(TENANT, "errand/ann:monday")
        assert run.actor == WORKER
        assert (run.recorded_at, run.correlation_id) in [(one.recorded_at, one.correlation_id) for one in asked]

    async def test_what_is_told_twice_or_late_is_done_once(self) -> None:
        errands = Errands()
        async with self.process(errands) as service:
            await self.ask("ann", "1", "2")
            await self.settled(service)
            before = list(errands.ran)
            await self.bus.publish(TOPIC, (await self.messages("ann")) * 3)
            await self._until_committed()
            assert errands.ran == before
        assert await self.runs("ann") == ["1", "2"]

    async def test_what_was_not_told_is_found_in_the_log_when_something_later_is(self) -> None:
        self.bus.loses = True
        errands = Errands()
        async with self.process(errands) as service:

            async def leading() -> bool:
                return service.leading

            await until(leading)
            await asyncio.sleep(0.1)
            await self.ask("ann", "1", "2", "3")
            (*_, last) = await self.messages("ann")
            self.bus.loses = False
            await self.bus.publish(TOPIC, [last])
            await self.until_ran("ann", "1", "2", "3")
            await self.settled(service)

    async def test_one_whose_errand_takes_long_keeps_nobody_waiting_and_is_run_for_one_at_a_time(self) -> None:
        errands = Errands()
        errands.gates["ann"] = asyncio.Event()
        async with self.process(errands) as service:
            await self.ask("ann", "1")
            await self._until_at_work(errands, "ann")
            await self.ask("ann", "2", "3")
            await self.ask("ben", "1")
            await self.until_ran("ben", "1")

            async def only_hers_wait() -> bool:
                return await service.waiting(TENANT) == {"errand": 3}

            await until(only_hers_wait)
            assert await self.runs("ann") == []
            assert not await service.idle()
            errands.gates["ann"].set()
            await self.settled(service)
        assert errands.most_at_work == 2
        assert [some for some in errands.ran if some != ("1",)] == [("2", "3")], "what had to wait is done together"

    async def test_who_was_worked_for_rests_for_as_long_so_that_more_comes_at_once(self) -> None:
        errands = Errands()
        errands.gates["ann"] = asyncio.Event()
        async with self.process(errands) as service:
            await self.ask("ann", "1")
            await self._until_at_work(errands, "ann")
            await asyncio.sleep(0.04)
            errands.gates["ann"].set()
            await self.until_ran("ann", "1")
            await self.ask("ann", "2")
            await self.settled(service)
        (_, ended), (began, _) = errands.times
        assert began - ended >= 0.04

    async def test_what_has_to_be_done_alone_is(self) -> None:
        errands = Errands()
        self.bus.loses = True
        await self.ask("ann", "1", "2", "alone", "alone", "3", "4")
        self.bus.loses = False
        async with self.process(errands) as service:
            await self.settled(service)
        assert errands.ran == [("1", "2"), ("alone",), ("alone",), ("3", "4")]

    async def test_who_cannot_be_served_is_parked_and_the_others_go_on(self) -> None:
        errands = Errands()
        errands.poison.add("bad")
        async with self.process(errands) as service, self.process(Errands(), "another") as other:
            await self.ask("ann", "1", "bad", "3")
            await self.ask("ben", "1")
            failing = await self._who_parked()
            await self.until_ran("ben", "1")
            await self.ask("ann", "4")
            await self.settled(service if service.leading else other)
            if failing is not None:
                assert await self.runs("ann") == ["1"]
                since = await self.log.store.position_of(TENANT, "errand/ann:monday", 2)
                assert await service.parked(TENANT) == [ParkedKey(WORKER, "ann", "ValueError in errand", since or -1)]
                with pytest.raises(ValueError, match="nobody can"):
                    await service.unpark(TENANT, WORKER, "ann")
                assert len(await self.parked()) == 1
                errands.poison.clear()
                await other.unpark(TENANT, WORKER, "ann")
            assert await self.parked() == []
            assert await self.runs("ann") == ["1", "bad", "3", "4"]
            await self.ask("ann", "5")
            await self.until_ran("ann", "1", "bad", "3", "4", "5")

    async def _who_parked(self) -> ParkedKey | None:
        """The entry, where the process that cannot run it had the turn."""

        async def decided() -> bool:
            return bool(await self.parked()) or await self.runs("ann") == ["1", "bad", "3"]

        await until(decided)
        return next(iter(await self.parked()), None)

    async def test_a_refused_command_parks_whose_work_it_is(self) -> None:
        async with self.process(Errands()) as service:
            await self.ask("ann", "refused")
            await self.settled(service)
            assert [(entry.key, entry.reason) for entry in await self.parked()] == [("ann", "RuleBroken in errand")]

    async def test_who_is_worked_for_again_and_again_is_not_asked_about_each_time(self) -> None:
        looks: list[str] = []

        class Looked:
            def __init__(self, documents: Documents) -> None:
                self._documents = documents

            async def find(self, tenant: str, collection: str, id: str) -> Body | None:
                looks.append(collection)
                return await self._documents.find(tenant, collection, id)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._documents, name)

        documents: Any = Looked(self.log.documents)
        self.log = replace(self.log, documents=documents)
        errands = Errands()
        async with self.process(errands) as service:
            for errand in ("1", "2", "3"):
                await self.ask("ann", errand)
                await self.settled(service)
        assert errands.ran == [("1",), ("2",), ("3",)]
        assert looks.count(PARKED) == 1

    async def test_what_is_not_available_is_tried_again_and_parks_nothing(self) -> None:
        errands = Errands()
        errands.away = {"1", "2"}
        async with self.process(errands) as service:
            await self.ask("ann", "1", "2")
            await self.settled(service)
        assert await self.runs("ann") == ["1", "2"]
        assert await self.parked() == []

    async def test_processes_share_the_work_and_one_that_ends_leaves_it_to_the_others(self) -> None:
        first, second = Errands(), Errands()
        names = [f"whom-{number}" for number in range(16)]
        async with self.process(second, "two") as left:
            async with self.process(first, "one"):
                for whom in names:
                    await self.ask(whom, "1")
                for whom in names:
                    await self.until_ran(whom, "1")
                assert first.ran
                assert second.ran
                first.gates = {whom: asyncio.Event() for whom in names}
                for whom in names:
                    await self.ask(whom, "2")

                async def begun() -> bool:
                    return bool(first.at_work)

                await until(begun)
                # It ends while it is at work: nothing of that is said to be done.
            for whom in names:
                await self.until_ran(whom, "1", "2")
            await self.settled(left)
        assert await self.parked() == []

    async def test_a_partition_that_is_dealt_to_another_meanwhile_loses_and_doubles_nothing(self) -> None:
        errands = Errands()
        names = [f"whom-{number}" for number in range(8)]
        errands.gates = {whom: asyncio.Event() for whom in names}
        async with self.process(errands) as service:
            for whom in names:
                await self.ask(whom, "1")

            async def begun() -> bool:
                return len(errands.at_work) == 4

            await until(begun)
            newcomer = self.bus.subscribe(GROUP, [TOPIC])
            for gate in errands.gates.values():
                gate.set()

            async def ended() -> bool:
                return len(errands.ran) >= 4

            await until(ended)
            await newcomer.close()
            for whom in names:
                await self.until_ran(whom, "1")
            await self.settled(service)
            await self._until_committed()
        for whom in names:
            assert await self.runs(whom) == ["1"]
            assert len(await self.log.store.read_stream(TENANT, f"run/{whom}")) == 1

    async def test_what_the_bus_has_lost_is_said_again_by_who_begins_to_lead(self) -> None:
        self.bus.loses = True
        async with self.process(Errands()) as service:
            await self.ask("ann", "1", "2")
            await self.ask("ann", "3", day="tuesday")

            async def published() -> bool:
                return service.leading and all(not lag for lag in (await service.lags()).values())

            await until(published)
            assert await service.waiting(TENANT) == {"errand": 3}
        self.bus.loses = False
        async with self.process(Errands(), "another") as service:
            await self.settled(service)
        assert await self.runs("ann") == ["1", "2", "3"]

    async def test_what_stands_still_is_said_again_and_what_is_parked_is_not(self) -> None:
        errands = Errands()
        errands.poison.add("bad")
        async with self.process(errands) as service:
            await self.ask("ben", "bad")
            await self.settled(service)
            self.bus.loses = True
            await self.ask("ann", "1", "2")

            async def published() -> bool:
                return all(not lag for lag in (await service.lags()).values())

            await until(published)
            self.bus.loses = False
            contracts = ContractLog("house", self.log.store, KNOWN, translate)
            worker, model = service.workers[WORKER], service.read("waiting_errand")
            reminder = asyncio.create_task(
                Reminder(worker, model, self.log.store, contracts, self.bus, again=0.05).run(1)
            )
            await self.until_ran("ann", "1", "2")
            await self.settled(service)
            reminder.cancel()
            await asyncio.gather(reminder, return_exceptions=True)
        assert [entry.key for entry in await self.parked()] == ["ben"]

    async def test_messages_of_another_log_and_such_as_nobody_can_read_ask_for_nothing(self) -> None:
        errands = Errands()
        async with self.process(errands) as service:
            await self.ask("ann", "1")
            await self.settled(service)
            (message,) = await self.messages("ann")
            elsewhere = tuple(
                (name, b"a log that is no more" if name == "ce_incarnation" else value)
                for name, value in message.headers
            )
            await self.bus.publish(TOPIC, [Message("nonsense", b"", ()), replace(message, headers=elsewhere)])
            await self.ask("ben", "1")
            await self.until_ran("ben", "1")
            await self._until_committed()
        assert errands.ran == [("1",), ("1",)]

    async def test_what_a_newer_release_asks_parks_whom_it_is_for(self) -> None:
        async with self.process(Errands()) as service:
            await self.ask("ann", "1")
            await self.settled(service)
            (stored,) = await self.log.store.read_stream(TENANT, "errand/ann:monday")
            newer = replace(stored.events[0], version=2, value=None)
            await append(self.log.store, replace(stored, version=2, position=0, events=(newer,), command_id="newer"))
            (message,) = await self.messages("ann", until=1)
            places = {"ce_streamversion": b"2", "ce_previous": b"1.0"}
            headers = tuple((name, places.get(name, value)) for name, value in message.headers)
            await self.bus.publish(TOPIC, [replace(message, headers=headers)])

            async def is_parked() -> bool:
                reasons = [entry.reason for entry in await self.parked() if entry.consumer == WORKER]
                return reasons == ["UnknownEventType in errand"]

            await until(is_parked)
        assert await self.runs("ann") == ["1"]

    async def _until_at_work(self, errands: Errands, whom: str) -> None:
        async def begun() -> bool:
            return whom in errands.at_work

        await until(begun)

    async def _until_committed(self) -> None:
        async def done() -> bool:
            return self.bus.has_committed(GROUP, TOPIC)

        await until(done)
