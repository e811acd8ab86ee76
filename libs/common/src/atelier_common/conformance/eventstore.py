"""What every event store must do. An adapter's test is ``make_store`` and, for one that lasts, ``reopen``; nothing is
skipped.
"""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from atelier_common.commit import MAX_BYTES, MAX_EVENTS, Commit
from atelier_common.conformance.material import OTHER_TENANT, PATIENCE_SECONDS, TENANT, append, commit, until, whole_log
from atelier_common.errors import InvalidInput, NotFound
from atelier_common.eventstore.port import Appended, EventStore, VersionTaken


class EventStoreSuite:
    """Subclass it and give :meth:`make_store`; the suite starts the store and closes it."""

    async def make_store(self) -> EventStore:
        """A new, empty store, not started."""
        raise NotImplementedError

    folder: Path
    """Empty at the start of each test, for adapters that need one."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @pytest.fixture
    async def store(self) -> Any:
        store = await self.make_store()
        await store.start()
        yield store
        await store.close()

    async def test_a_commit_comes_back_as_it_was_given(self, store: EventStore) -> None:
        data = {
            "text": "zażółć 漢字 🎓 \u0000",
            "big": 2**63 - 1,
            "small": -(2**63),
            "part": 0.1,
            "none": None,
            "list": [[], {}],
        }
        given = commit("thing/ä🎓", 1, events=3, data=data, result={"answer": [1, "två"]})
        await append(store, given)

        (read,) = await store.read_stream(TENANT, "thing/ä🎓")
        assert read == given
        (logged,) = await whole_log(store, TENANT, 1)
        assert logged == given
        assert logged.position == 1

    async def test_what_is_read_is_nobody_elses(self, store: EventStore) -> None:
        await append(store, commit("thing/1", 1, data=["as written"]))
        for read in (await store.read_stream(TENANT, "thing/1"), await whole_log(store, TENANT, 1)):
            assert read[0].events[0].data == {"number": 0, "data": ["as written"]}

    async def test_of_racing_writers_exactly_one_wins_each_round(self, store: EventStore) -> None:
        rounds, writers = 60, 8
        for version in range(1, rounds + 1):
            claims = [commit("race/1", version, f"{version} by {writer}") for writer in range(writers)]
            outcomes = await asyncio.gather(*(store.append([claim]) for claim in claims))
            won = [claim for claim, (outcome,) in zip(claims, outcomes, strict=True) if isinstance(outcome, Appended)]
            lost = [outcome for (outcome,) in outcomes if isinstance(outcome, VersionTaken)]
            assert (len(won), len(lost)) == (1, writers - 1)
            assert (await store.read_stream(TENANT, "race/1", after=version - 1)) == won
        assert len(await whole_log(store, TENANT, rounds)) == rounds

    async def test_a_version_without_its_predecessor_is_refused(self, store: EventStore) -> None:
        await append(store, commit("thing/1", 1))
        outcomes = await store.append([commit("thing/1", 3), commit("thing/2", 2), commit("thing/1", 1, "again")])
        assert outcomes == [VersionTaken()] * 3
        assert [c.version for c in await store.read_stream(TENANT, "thing/1")] == [1]
        assert await store.read_stream(TENANT, "thing/2") == []

    async def test_each_append_of_one_call_stands_alone(self, store: EventStore) -> None:
        await append(store, commit("taken/1", 1))
        outcomes = await store.append(
            [
                commit("new/1", 1),
                commit("taken/1", 1, "late"),
                commit("taken/1", 2, "built on the late one"),
                commit("new/1", 2),
            ]
        )
        assert [type(outcome) for outcome in outcomes] == [Appended, VersionTaken, VersionTaken, Appended]
        assert [c.version for c in await store.read_stream(TENANT, "new/1")] == [1, 2]
        assert [c.version for c in await store.read_stream(TENANT, "taken/1")] == [1]
        log = await whole_log(store, TENANT, 3)
        assert sorted((c.stream, c.version) for c in log) == [("new/1", 1), ("new/1", 2), ("taken/1", 1)]

    async def test_all_events_of_a_commit_or_none(self, store: EventStore) -> None:
        """Readers of a stream and of the log, while others write, never meet a part of a commit."""
        writes = 40
        seen: list[Commit] = []

        async def read() -> None:
            while len(seen) < writes:
                for found in (await store.read_stream(TENANT, "many/1"), await store.read_log(TENANT, 0)):
                    assert all(len(c.events) == 7 for c in found)
                seen[:] = await store.read_log(TENANT, 0)
                await asyncio.sleep(0)

        async def write() -> None:
            for version in range(1, writes + 1):
                await append(store, commit("many/1", version, events=7))

        await asyncio.wait_for(asyncio.gather(read(), write()), 30)
        assert [c.version for c in seen] == list(range(1, writes + 1))

    async def test_a_command_is_found_by_its_id_in_its_stream_alone(self, store: EventStore) -> None:
        await append(
            store, commit("thing/1", 1, "one"), commit("thing/1", 2, "two", result=7), commit("thing/2", 1, "one")
        )
        found = await store.find_command(TENANT, "thing/1", "two")
        assert found is not None
        assert (found.version, found.result, found.command_id) == (2, 7, "two")
        assert await store.find_command(TENANT, "thing/2", "two") is None
        assert await store.find_command(OTHER_TENANT, "thing/1", "two") is None

    async def test_an_append_whose_reply_is_lost_is_settled_by_looking_up(self, store: EventStore) -> None:
        lossy, landed = LosesReplies(store), 0
        for version in range(1, 41):
            wanted = commit("thing/1", version, f"command {version}")
            while await store.find_command(TENANT, "thing/1", wanted.command_id) is None:
                try:
                    await lossy.append([wanted])
                except ConnectionError:
                    landed += await store.find_command(TENANT, "thing/1", wanted.command_id) is not None
        assert lossy.after == landed
        assert lossy.before > 0
        assert lossy.after > 0
        log = await whole_log(store, TENANT, 40)
        assert [c.command_id for c in log] == [f"command {version}" for version in range(1, 41)]

    async def test_positions_are_dense_for_a_reader_who_follows_fifty_writers(self, store: EventStore) -> None:
        writers, each = 50, 6
        committed: set[tuple[str, int]] = set()
        followed: list[Commit] = []

        async def write(number: int) -> None:
            own, shared = f"own/{number}", f"shared/{number % 5}"
            for version in range(1, each // 2 + 1):
                await append(store, commit(own, version, f"{own} {version}"))
                committed.add((own, version))
                last = len(await store.read_stream(TENANT, shared))
                while isinstance(
                    (await store.append([commit(shared, last + 1, f"{number} {version}")]))[0], VersionTaken
                ):
                    last = len(await store.read_stream(TENANT, shared))
                committed.add((shared, last + 1))

        async def follow() -> None:
            while len(followed) < writers * each:
                rung = store.changed.listen()
                page = await store.read_log(TENANT, len(followed), limit=random.choice((1, 3, 50, 500)))
                assert [c.position for c in page] == list(range(len(followed) + 1, len(followed) + len(page) + 1))
                followed.extend(page)
                if not page:
                    await store.changed.wait(rung, 0.05)

        await asyncio.wait_for(asyncio.gather(follow(), *(write(number) for number in range(writers))), 60)
        assert len(followed) == writers * each == await store.head(TENANT)
        assert {(c.stream, c.version) for c in followed} == committed
        assert len(committed) == writers * each
        assert_stream_order(followed)
        assert await whole_log(store, TENANT, writers * each) == followed

    async def test_nothing_waits_for_a_position_once_all_have_theirs(self, store: EventStore) -> None:
        assert await store.pending_since(TENANT) is None
        await append(store, *(commit(f"a/{number}", 1) for number in range(20)))
        await whole_log(store, TENANT, 20)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await store.pending_since(TENANT) is not None:
                await asyncio.sleep(0.01)

    async def test_every_reader_sees_the_same_positions_for_ever(self, store: EventStore) -> None:
        for version in range(1, 31):
            await append(store, commit("a/1", version), commit("b/1", version))
        log = await whole_log(store, TENANT, 60)
        assert [c.position for c in log] == list(range(1, 61))
        assert [await store.position_of(TENANT, c.stream, c.version) for c in log] == [c.position for c in log]
        assert await store.position_of(TENANT, "a/1", 31) is None
        await append(store, commit("a/1", 31))
        assert (await whole_log(store, TENANT, 61))[:60] == log
        assert [c.position for c in await store.read_log(TENANT, 58, limit=2)] == [59, 60]
        assert await store.read_log(TENANT, 61) == []

    async def test_a_stream_is_read_from_any_version(self, store: EventStore) -> None:
        await append(store, *(commit("thing/1", version) for version in range(1, 13)), commit("thing/10", 1))
        assert [c.version for c in await store.read_stream(TENANT, "thing/1", after=9)] == [10, 11, 12]
        assert [c.version for c in await store.read_stream(TENANT, "thing/1", after=2, limit=3)] == [3, 4, 5]
        assert await store.read_stream(TENANT, "thing/1", after=12) == []
        assert await store.read_stream(TENANT, "thing", after=0) == []

    async def test_several_streams_are_read_in_one_call(self, store: EventStore) -> None:
        lengths = {"thing/1": 1, "thing/10": 30, "thing/2": 6, "other/1": 5}
        for stream, length in lengths.items():
            for version in range(1, length + 1):
                await append(store, commit(stream, version, data=f"{stream} {version}"))
        await append(store, commit("thing/3", 1, tenant=OTHER_TENANT))
        asked = [*lengths, "thing/3", "thing", "", "thing/1"]
        found = await store.read_streams(TENANT, asked)
        assert found == {stream: await store.read_stream(TENANT, stream) for stream in asked}
        assert {stream: len(commits) for stream, commits in found.items() if commits} == lengths
        many = await store.read_streams(TENANT, (f"thing/{number}" for number in range(3_000)))
        assert len(many) == 3_000
        assert sorted(stream for stream, commits in many.items() if commits) == ["thing/1", "thing/10", "thing/2"]
        assert await store.read_streams(TENANT, []) == {}

    async def test_an_append_has_its_limits(self, store: EventStore) -> None:
        await append(store, commit("full/1", 1, events=MAX_EVENTS))
        await append(store, commit("full/2", 1, data="x" * (MAX_BYTES - 2_000)))
        for beyond in (commit("over/1", 1, events=MAX_EVENTS + 1), commit("over/1", 1, data="x" * MAX_BYTES)):
            with pytest.raises(InvalidInput):
                await store.append([commit("good/1", 1), beyond])
        assert await store.read_stream(TENANT, "over/1") == []
        assert await store.read_stream(TENANT, "good/1") == []
        assert len(await whole_log(store, TENANT, 2)) == 2

    async def test_a_commit_without_events_is_a_commit(self, store: EventStore) -> None:
        await append(store, commit("thing/1", 1, "no-op", events=0))
        (read,) = await whole_log(store, TENANT, 1)
        assert (read.events, read.command_id) == ((), "no-op")

    async def test_tenants_are_apart(self, store: EventStore) -> None:
        await append(store, commit("thing/1", 1, data="ours"), commit("thing/1", 1, tenant=OTHER_TENANT, data="theirs"))
        await append(store, commit("thing/1", 2))
        (theirs,) = await whole_log(store, OTHER_TENANT, 1)
        ours = await whole_log(store, TENANT, 2)
        assert [c.events[0].data["data"] for c in [theirs, *ours]] == ["theirs", "ours", None]
        assert [c.position for c in [theirs, *ours]] == [1, 1, 2]
        assert sorted(await store.tenants()) == [TENANT, OTHER_TENANT]
        assert await store.head("nobody") == 0
        assert await store.list_streams("nobody", "") == []
        assert await store.read_stream("nobody", "thing/1") == []

    async def test_a_log_has_one_incarnation(self, store: EventStore) -> None:
        ids = await asyncio.gather(*(store.incarnation(TENANT) for _ in range(10)))
        await append(store, commit("thing/1", 1))
        assert {await store.incarnation(TENANT), *ids} == {ids[0]}
        assert await store.incarnation(OTHER_TENANT) != ids[0]

    async def test_streams_are_listed_by_prefix_in_pages(self, store: EventStore) -> None:
        names = sorted(f"thing/{number:03d}" for number in range(57))
        await append(
            store, *(commit(name, 1) for name in names), commit("thing/000", 2), commit("thin", 1), commit("thinh", 1)
        )
        await append(store, commit("other/1", 1))
        listed: list[str] = []
        while page := await store.list_streams(TENANT, "thing/", after=listed[-1] if listed else "", limit=10):
            listed += page
        assert listed == names
        assert await store.list_streams(TENANT, "") == sorted([*names, "thin", "thinh", "other/1"])
        assert await store.list_streams(TENANT, "nothing") == []

    async def test_parts_are_kept_by_their_content(self, store: EventStore) -> None:
        large = random.Random(1).randbytes(9_000_001)
        for content in (b"", b"small", bytes(range(256)), large):
            digest = await store.put_part(TENANT, content)
            assert digest == await store.put_part(TENANT, content)
            assert await store.get_part(TENANT, digest) == content
            with pytest.raises(NotFound):
                await store.get_part(OTHER_TENANT, digest)
        with pytest.raises(NotFound):
            await store.get_part(TENANT, "0" * 64)

    async def test_the_bell_rings_when_the_log_grows(self, store: EventStore) -> None:
        for version in range(1, 6):
            rung = store.changed.listen()
            await append(store, commit("thing/1", version))
            assert await store.changed.wait(rung, 10)

    async def test_nameless_and_ambiguous_commits_are_refused(self, store: EventStore) -> None:
        for wrong in (commit("", 1, "c"), commit("a\x1fb", 1), commit("thing/1", 0), commit("thing/1", 1, tenant="")):
            with pytest.raises(InvalidInput):
                await store.append([wrong])


class DurableEventStoreSuite(EventStoreSuite):
    """For a store that outlives its process: also give :meth:`reopen`."""

    async def reopen(self) -> EventStore:
        """The same log opened anew, not started; the suite has closed the old one."""
        raise NotImplementedError

    async def test_everything_is_there_after_a_restart(self) -> None:
        store = await self.make_store()
        await store.start()
        for version in range(1, 21):
            await append(store, commit("a/1", version, data="ö"), commit("b/1", version))
        log = await whole_log(store, TENANT, 40)
        incarnation, digest = await store.incarnation(TENANT), await store.put_part(TENANT, b"a part")
        await store.close()

        again = await self.reopen()
        await again.start()
        try:
            assert await whole_log(again, TENANT, 40) == log
            assert [c.position for c in await again.read_log(TENANT, 0)] == list(range(1, 41))
            assert await again.incarnation(TENANT) == incarnation
            assert await again.tenants() == [TENANT]
            assert await again.get_part(TENANT, digest) == b"a part"
            assert isinstance((await again.append([commit("a/1", 20, "late")]))[0], VersionTaken)
            await append(again, commit("a/1", 21))
            assert (await whole_log(again, TENANT, 41))[-1].position == 41
        finally:
            await again.close()

    async def test_an_append_before_the_first_start_of_a_reader_is_not_lost(self) -> None:
        store = await self.make_store()
        await store.start()
        await append(store, commit("a/1", 1))
        await store.close()
        again = await self.reopen()
        await again.start()
        try:

            async def placed() -> bool:
                return await again.position_of(TENANT, "a/1", 1) == 1

            await until(placed)
        finally:
            await again.close()


class LosesReplies:
    """Loses, seeded, some appends before they happen and some replies after."""

    def __init__(self, store: EventStore, seed: int = 7) -> None:
        self._store = store
        self._random = random.Random(seed)
        self.before = 0
        self.after = 0

    async def append(self, commits: list[Commit]) -> None:
        fate = self._random.random()
        if fate < 0.3:
            self.before += 1
            raise ConnectionError("the request was lost")
        await self._store.append(commits)
        if fate < 0.6:
            self.after += 1
            raise ConnectionError("the reply was lost")


def assert_stream_order(log: list[Commit]) -> None:
    """Every stream's versions are 1, 2, 3 ... in the order of the log."""
    last: dict[str, int] = {}
    for each in log:
        assert each.version == last.get(each.stream, 0) + 1, f"{each.stream} version {each.version} is out of order"
        last[each.stream] = each.version
