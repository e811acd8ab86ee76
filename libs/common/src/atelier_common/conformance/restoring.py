"""What must hold when one service alone is restored from a backup: its neighbours resynchronise, and so does it.

An adapter's test is ``make_log``; nothing is skipped.
"""

from dataclasses import replace

import pytest

from atelier_common import ingested
from atelier_common.conformance.material import TENANT, append
from atelier_common.conformance.notes import (
    TOPIC,
    Doodled,
    KeptPrivate,
    Noted,
    Reader,
)
from atelier_common.conformance.reading_world import ReadingWorld
from atelier_common.errors import Unavailable


class RestoringSuite(ReadingWorld):
    """Subclass it and give :meth:`make_log`; the suite starts the stores and closes them."""

    async def test_a_restored_owner_is_followed_stream_by_stream(self) -> None:
        for stream in ("note/same", "note/lost-tail", "note/other-tail", "note/lost"):
            await self.notes.note(stream, "1", "2", "3")
            await self.settle(stream)
        await self.restore_owner({"note/same": 3, "note/lost-tail": 2, "note/other-tail": 2})
        await self.notes.note("note/other-tail", "3 anew", "4")
        await self.notes.note("note/fresh", "1")
        await self.send("note/other-tail", 4)
        await self.reader.take_in()

        assert await self.reader.held("note/same") == ["1", "2", "3"]
        assert await self.reader.held("note/lost-tail") == ["1", "2", "3", "2"]
        assert await self.reader.held("note/other-tail") == ["1", "2", "3", "3 anew", "4"]
        assert await self.reader.held("note/lost") == ["1", "2", "3"]
        assert await self.reader.held("note/fresh") == ["1"]
        incarnation = await self.notes.log.store.incarnation(TENANT)
        for stream in ("note/same", "note/lost-tail", "note/other-tail", "note/lost"):
            found = ingested.identity((await self.reader.commits(stream))[-1])
            assert found is not None
            assert found[0] == incarnation

        for stream in ("note/same", "note/lost-tail", "note/lost"):
            await self.notes.note(stream, "later")
            await self.settle(stream)
        assert await self.reader.held("note/same") == ["1", "2", "3", "later"]
        assert await self.reader.held("note/lost-tail") == ["1", "2", "3", "2", "later"]
        assert await self.reader.held("note/lost") == ["1", "2", "3", "later"]
        assert await self.reader.parked() == {}

    async def test_facts_said_together_are_taken_in_again_together(self) -> None:
        await self.notes.note("note/a", "1")
        await self.notes.write("note/a", Doodled(), Noted("2, first part"), KeptPrivate(), Noted("2, second part"))
        await self.notes.note("note/a", "3")
        await self.settle("note/a")
        await self.restore_owner({"note/a": 2})
        await self.reader.inlet.look_after()
        parts = ["2, first part", "2, second part"]
        assert await self.reader.held("note/a") == ["1", *parts, "3", *parts]

    async def test_a_restored_owner_is_noticed_without_any_message(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.settle("note/a")
        await self.restore_owner({"note/a": 2})
        await self.reader.inlet.look_after()
        assert await self.reader.held("note/a") == ["1", "2", "3", "2"]
        length = len(await self.reader.commits("note/a"))
        await self.reader.inlet.look_after()
        assert len(await self.reader.commits("note/a")) == length

    async def test_an_owner_restored_twice_is_followed_twice(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.settle("note/a")
        await self.restore_owner({"note/a": 2})
        await self.reader.inlet.look_after()
        await self.restore_owner({"note/a": 1})
        await self.reader.inlet.look_after()
        assert await self.reader.held("note/a") == ["1", "2", "3", "2", "1"]
        await self.notes.note("note/a", "2 anew")
        await self.settle("note/a")
        assert await self.reader.held("note/a") == ["1", "2", "3", "2", "1", "2 anew"]

    async def test_a_late_message_of_an_old_incarnation_is_dropped(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.settle("note/a")
        await self.notes.note("note/a", "3 that was lost")
        await self.notes.note("note/b", "never seen, and lost")
        late = [*await self.notes.messages("note/a"), *await self.notes.messages("note/b")]
        await self.restore_owner({"note/a": 2})
        await self.notes.note("note/a", "3 anew")
        await self.settle("note/a")
        await self.bus.publish(TOPIC, late)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1", "2", "3 anew"]
        assert await self.reader.held("note/b") == []
        assert await self.reader.parked() == {}

    async def test_while_a_restored_owner_is_away_its_topics_wait(self) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        await self.restore_owner({"note/a": 1})
        await self.notes.note("note/a", "2")
        self.backfill.away = False
        await self.send("note/a", 2)
        self.backfill.away = True
        for _ in range(2):
            with pytest.raises(Unavailable):
                await self.reader.inlet.step()
        assert await self.reader.held("note/a") == ["1"]
        self.backfill.away = False
        assert await self.reader.take_in() == 1
        assert await self.reader.held("note/a") == ["1", "2"]

    async def test_a_reader_restored_alone_fetches_what_its_log_lost(self) -> None:
        for stream in ("note/a", "note/b"):
            await self.notes.note(stream, "1", "2", "3")
            await self.settle(stream)
        restored = await self.new_log()
        for stream, versions in (("@log", 1), ("note/a", 1), ("note/b", 3)):
            for commit in (await self.reader.commits(stream))[:versions]:
                await append(restored.store, replace(commit, position=0))
        await self.reader.inlet.leave()
        self.reader = await self.join(restored)
        await self.reader.inlet.look_after()
        assert await self.reader.held("note/a") == ["1", "2", "3"]
        assert await self.reader.held("note/b") == ["1", "2", "3"]
        assert len(await self.reader.commits("note/b")) == 3

    async def test_a_key_parked_before_a_restore_catches_up_after_it(self) -> None:
        await self.park_counted()
        await self.restore_owner({"note/a": 3, "note/b": 2})
        await self.reader.inlet.look_after()
        assert await self.reader.parked() == {"note/a": "unknown-type"}
        await self.restart()
        assert await self.reader.held("note/a") == ["1", 2, "3"]
        assert await self.reader.parked() == {}

    async def test_a_replica_that_missed_the_restore_takes_nothing_of_the_old_log(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.settle("note/a")
        stale = self.reader
        other = Reader(stale.log, self.bus, self.backfill)
        await self.notes.note("note/a", "3 that was lost")
        late = await self.notes.messages("note/a")
        await self.restore_owner({"note/a": 2})
        await other.inlet.look_after()
        await self.bus.publish(TOPIC, late)
        await stale.take_in()
        assert await stale.held("note/a") == ["1", "2"]
        await self.notes.note("note/a", "3 anew")
        await self.settle("note/a")
        assert await stale.held("note/a") == ["1", "2", "3 anew"]
        assert await stale.parked() == {}

    async def test_a_replica_that_missed_the_restore_does_not_align_again(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.settle("note/a")
        await self.restore_owner({"note/a": 1})
        await Reader(self.reader.log, self.bus, self.backfill).inlet.look_after()
        length = len(await self.reader.commits("@log"))
        await self.reader.inlet.look_after()
        assert len(await self.reader.commits("@log")) == length == 2
        assert await self.reader.held("note/a") == ["1", "2", "1"]
