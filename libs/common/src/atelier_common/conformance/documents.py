"""What every document database must do for the kernel. An adapter's test is :meth:`make_documents`; nothing is skipped."""

import asyncio
from typing import Any

from atelier_common.conformance.material import OTHER_TENANT, TENANT
from atelier_common.conformance.on_documents import OnDocuments
from atelier_common.documents.port import Below, Body, Delete, Insert, Past, Replace, ServerTime
from atelier_common.errors import Unavailable


class DocumentsSuite(OnDocuments):
    """Subclass it and give :meth:`make_documents`."""

    async def server_now(self) -> int:
        """The database's own clock in milliseconds; the default asks it by writing."""
        await self.documents.write([Replace(TENANT, "clock", "now", {"now": ServerTime()}, upsert=True)])
        body = await self.documents.find(TENANT, "clock", "now")
        assert body is not None
        return int(body["now"])

    async def _put(self, id: str, body: Body, collection: str = "things", tenant: str = TENANT) -> None:
        assert await self.documents.write([Replace(tenant, collection, id, body, upsert=True)]) == [True]

    async def test_an_inserted_document_comes_back_as_it_was_given(self) -> None:
        body = {
            "text": "zażółć 漢字 🎓 \u0000 \"'",
            "big": 2**63 - 1,
            "small": -(2**63),
            "part": 0.1,
            "none": None,
            "yes": True,
            "nested": {"list": [1, "two", None, {"three": []}], "": "empty key"},
        }
        assert await self.documents.write([Insert(TENANT, "things", "ä🎓/1", body)]) == [True]
        assert await self.documents.find(TENANT, "things", "ä🎓/1") == body
        assert await self.documents.find(TENANT, "things", "ä🎓/2") is None
        assert await self.documents.find(TENANT, "others", "ä🎓/1") is None

    async def test_nothing_is_shared_with_the_caller(self) -> None:
        body: Body = {"list": [1]}
        await self.documents.write([Insert(TENANT, "things", "1", body)])
        body["list"].append(2)
        read = await self.documents.find(TENANT, "things", "1")
        assert read == {"list": [1]}
        read["list"].append(3)
        assert await self.documents.find(TENANT, "things", "1") == {"list": [1]}

    async def test_of_racing_inserts_exactly_one_wins(self) -> None:
        for round in range(40):
            claims = [Insert(TENANT, "things", f"{round}", {"by": n}) for n in range(8)]
            outcomes = await asyncio.gather(*(self.documents.write([claim]) for claim in claims))
            winners = [claim.body for claim, (won,) in zip(claims, outcomes, strict=True) if won]
            assert len(winners) == 1
            assert await self.documents.find(TENANT, "things", f"{round}") == winners[0]

    async def test_of_batches_of_inserts_that_cross_exactly_one_wins_each_document(self) -> None:
        for number in range(10):
            writes = [Insert(TENANT, "things", f"{number}/{place:03d}", {}) for place in range(60)]
            batches = (writes, writes[::-1], writes[30:] + writes[:30], writes[::-1])
            outcomes = await asyncio.gather(*(self.documents.write(batch) for batch in batches))
            won = [
                write.id
                for batch, taken in zip(batches, outcomes, strict=True)
                for write, is_mine in zip(batch, taken, strict=True)
                if is_mine
            ]
            assert sorted(won) == [write.id for write in writes]

    async def test_inserts_in_order_end_in_front_of_the_first_whose_id_is_taken(self) -> None:
        def inserts(*ids: str) -> list[Insert]:
            return [Insert(TENANT, "things", id, {"id": id}) for id in ids]

        assert await self.documents.insert_in_order([]) == 0
        assert await self.documents.insert_in_order(inserts("d", "c")) == 2
        assert await self.documents.insert_in_order(inserts("a", "b", "c", "e")) == 2
        assert await self.documents.insert_in_order(inserts("a", "f")) == 0
        assert [id for id, _ in await self.documents.scan(TENANT, "things")] == ["a", "b", "c", "d"]
        many = [f"{number:04d}" for number in range(1_200)]
        await self.documents.write(inserts("1100"))
        assert await self.documents.insert_in_order(inserts(*many)) == 1_100
        assert len(await self.documents.scan(TENANT, "things", low="0000", high="9999", limit=2_000)) == 1_101

    async def test_inserts_in_order_that_cross_leave_no_document_without_those_before_it(self) -> None:
        async def insert(ids: list[str]) -> tuple[list[str], int]:
            return ids, await self.documents.insert_in_order(
                [Insert(TENANT, "things", id, {"first": ids[0]}) for id in ids]
            )

        shared = [f"s{number}" for number in range(10)]
        outcomes = await asyncio.gather(*(insert([f"w{n}", *shared[n % 3 :], f"x{n}"]) for n in range(8)))
        held = dict(await self.documents.scan(TENANT, "things"))
        for ids, inserted in outcomes:
            assert [id for id in ids if held.get(id, {}).get("first") == ids[0]] == ids[:inserted]

    async def test_of_racing_guarded_replaces_exactly_one_wins(self) -> None:
        await self._put("1", {"version": 0, "by": -1})
        for version in range(40):
            claims = [
                Replace(TENANT, "things", "1", {"version": version + 1, "by": n}, {"version": version})
                for n in range(8)
            ]
            outcomes = await asyncio.gather(*(self.documents.write([claim]) for claim in claims))
            winners = [claim.body for claim, (won,) in zip(claims, outcomes, strict=True) if won]
            assert len(winners) == 1
            assert await self.documents.find(TENANT, "things", "1") == winners[0]

    async def test_of_racing_batches_of_replaces_exactly_one_wins_each_document(self) -> None:
        ids = [f"{n}" for n in range(30)]
        await self.documents.write([Insert(TENANT, "things", id, {"count": 0}) for id in ids])
        won = 0
        for _ in range(15):
            held = await self.documents.find_many(TENANT, "things", ids)
            counted = [
                Replace(TENANT, "things", id, {"count": body["count"] + 1}, {"count": body["count"]})
                for id, body in held.items()
            ]
            racing = (counted, counted[::-1], counted[::2])
            answers = await asyncio.gather(*map(self.documents.write, racing), return_exceptions=True)
            for answer in answers:
                # Who cannot tell what became of its writes says so; then they are not counted here.
                assert isinstance(answer, list | Unavailable)
                won += sum(answer) if isinstance(answer, list) else 0
        counts = [body["count"] for body in (await self.documents.find_many(TENANT, "things", ids)).values()]
        assert counts == [15] * 30
        assert won <= 15 * 30

    async def test_in_a_batch_of_replaces_each_guard_is_judged_for_its_own_document(self) -> None:
        for id, held in (("older", {"at": 1}), ("same", {"at": 5}), ("newer", {"at": 9}), ("bare", {"by": "a"})):
            await self._put(id, held)
        guarded: list[tuple[str, dict[str, Any], bool]] = [
            ("older", {"at": Below(5)}, True),
            ("same", {"at": Below(5)}, False),
            ("newer", {"at": Below(10)}, True),
            ("bare", {"at": Below(1)}, True),
            ("absent", {"at": Below(3)}, True),
        ]
        writes = [Replace(TENANT, "things", id, {"new": id}, guard, upsert=True) for id, guard, _ in guarded]
        assert await self.documents.write(writes) == [met for _, _, met in guarded]
        found = await self.documents.find_many(TENANT, "things", [id for id, _, _ in guarded])
        assert found == {id: {"new": id} if met else {"at": 5} for id, _, met in guarded}

    async def test_in_a_batch_of_replaces_guards_may_be_of_many_kinds(self) -> None:
        for id in ("1", "2", "3", "4", "5"):
            await self._put(id, {"n": 1, "text": "$n", "none": None})
        writes = [
            Replace(TENANT, "things", "1", {"text": "$n"}, {"n": 1, "text": "$n"}),
            Replace(TENANT, "things", "2", {"$odd": {"$literal": 1}, "a.b": 2}, {"n": 1, "text": "$none"}),
            Replace(TENANT, "things", "3", {"$odd": {"$literal": 1}, "a.b": 2}, {"n": Below(2)}),
            Replace(TENANT, "things", "4", {"set": 4}, {"none": None}),
            Replace(TENANT, "things", "5", {"set": 5}),
            Replace(TENANT, "things", "6", {"set": 6}),
            Replace(TENANT, "things", "7", {"set": 7}, upsert=True),
        ]
        assert await self.documents.write(writes) == [True, False, True, True, True, False, True]
        found = await self.documents.find_many(TENANT, "things", ["1", "3", "4", "6", "7"])
        assert found == {
            "1": {"text": "$n"},
            "3": {"$odd": {"$literal": 1}, "a.b": 2},
            "4": {"set": 4},
            "7": {"set": 7},
        }

    async def test_a_batch_of_large_replaces_is_written_whole(self) -> None:
        writes = [Replace(TENANT, "things", f"{n}", {"n": n, "text": "x" * 900_000}, upsert=True) for n in range(20)]
        for _ in range(2):
            assert await self.documents.write(writes) == [True] * 20
        found = await self.documents.find_many(TENANT, "things", [f"{n}" for n in range(20)])
        assert [found[f"{n}"]["n"] for n in range(20)] == list(range(20))

    async def test_a_batch_is_applied_in_order_each_on_its_own(self) -> None:
        outcomes = await self.documents.write(
            [
                Insert(TENANT, "things", "1", {"n": 1}),
                Insert(TENANT, "things", "1", {"n": 2}),
                Replace(TENANT, "things", "1", {"n": 3}, {"n": 1}),
                Replace(TENANT, "things", "1", {"n": 4}, {"n": 1}),
                Replace(TENANT, "things", "2", {"n": 5}),
                Delete(TENANT, "things", "1", {"n": 1}),
                Insert(TENANT, "things", "2", {"n": 6}),
                Delete(TENANT, "things", "2"),
                Delete(TENANT, "things", "2"),
            ]
        )
        assert outcomes == [True, False, True, False, False, False, True, True, False]
        assert await self.documents.find_many(TENANT, "things", ["1", "2"]) == {"1": {"n": 3}}
        assert await self.documents.write([]) == []

    async def test_who_takes_a_document_for_new_and_is_wrong_replaces_it_as_the_guard_says(self) -> None:
        for id, position in (("older", 1), ("newer", 9)):
            await self._put(id, {"position": position})
        ids = ("absent", "newer", "older")
        writes = [
            Replace(TENANT, "things", id, {"position": 5}, {"position": Below(5)}, upsert=True, likely_new=True)
            for id in ids
        ]
        assert await self.documents.write(writes) == [True, False, True]
        held = await self.documents.find_many(TENANT, "things", ids)
        assert {id: body["position"] for id, body in held.items()} == {"absent": 5, "newer": 9, "older": 5}

    async def test_what_is_known_to_be_replaced_is_replaced_whole_and_only_where_the_guard_is_met(self) -> None:
        for held in ({"id": "$1"}, {"id": "$2", "more": [1], "last": None}):
            bodies = {f"{n}": {**held, "wait": n, "gone": "$x", "kept": {"$y": n}} for n in range(6)}
            await self.documents.write(
                [Replace(TENANT, "things", id, body, upsert=True) for id, body in bodies.items()]
            )
            after = {
                id: {**{name: value for name, value in body.items() if name not in ("wait", "gone")}, "at": f"${id}"}
                for id, body in bodies.items()
            }
            writes = [
                Replace(TENANT, "things", id, body, {"wait": int(id) if id != "3" else 9}, known=bodies[id])
                for id, body in after.items()
            ]
            assert await self.documents.write(writes) == [True, True, True, False, True, True]
            assert await self.documents.write(writes) == [False] * 6
            assert await self.documents.find_many(TENANT, "things", after) == after | {"3": bodies["3"]}

    async def test_what_is_known_and_is_not_there_is_not_made(self) -> None:
        writes = [Replace(TENANT, "things", id, {"at": 1}, {"at": 0}, known={"at": 0}) for id in ("1", "2")]
        assert await self.documents.write(writes) == [False, False]
        assert await self.documents.find_many(TENANT, "things", ("1", "2")) == {}

    async def test_what_is_taken_for_new_and_may_not_be_inserted_is_not(self) -> None:
        writes = [Replace(TENANT, "things", id, {"at": 1}, likely_new=True) for id in ("1", "2")]
        assert await self.documents.write(writes) == [False, False]
        assert await self.documents.find_many(TENANT, "things", ("1", "2")) == {}

    async def test_an_upsert_inserts_what_is_absent_whatever_the_guard(self) -> None:
        write = Replace(TENANT, "things", "1", {"position": 5}, {"position": Below(5)}, upsert=True)
        assert await self.documents.write([write, write]) == [True, False]
        older = Replace(TENANT, "things", "1", {"position": 4}, {"position": Below(4)}, upsert=True)
        newer = Replace(TENANT, "things", "1", {"position": 6}, {"position": Below(6)}, upsert=True)
        assert await self.documents.write([older, newer]) == [False, True]
        assert await self.documents.find(TENANT, "things", "1") == {"position": 6}

    async def test_below_is_met_by_smaller_and_by_absent(self) -> None:
        guard = {"epoch": Below(3)}
        for held, met in (({"epoch": 2}, True), ({"epoch": 3}, False), ({"epoch": 4}, False), ({}, True)):
            await self._put("1", held)
            assert await self.documents.write([Replace(TENANT, "things", "1", {"set": 1}, guard)]) == [met]
        assert await self.documents.write([Replace(TENANT, "things", "absent", {}, guard)]) == [False]

    async def test_every_field_of_a_guard_must_be_met(self) -> None:
        await self._put("1", {"a": 1, "b": "x", "c": True})
        assert await self.documents.write([Delete(TENANT, "things", "1", {"a": 1, "b": "y"})]) == [False]
        assert await self.documents.write([Delete(TENANT, "things", "1", {"a": 1, "absent": "x"})]) == [False]
        assert await self.documents.write([Delete(TENANT, "things", "1", {"a": 1, "b": "x", "c": True})]) == [True]

    async def test_past_is_judged_by_the_servers_clock(self) -> None:
        before = await self.server_now()
        await self._put("gone", {"at": ServerTime(-1)})
        await self._put("to come", {"at": ServerTime(60_000)})
        held = await self.documents.find_many(TENANT, "things", ["gone", "to come"])
        assert before - 1 <= held["gone"]["at"] <= await self.server_now()
        assert 60_000 <= held["to come"]["at"] - before <= 70_000
        for id, met in (("gone", True), ("to come", False)):
            assert await self.documents.write([Replace(TENANT, "things", id, {"at": 0}, {"at": Past()})]) == [met]
        await self._put("never", {})
        assert await self.documents.write([Delete(TENANT, "things", "never", {"at": Past()})]) == [False]

    async def test_many_are_found_by_id(self) -> None:
        for n in range(250):
            await self._put(f"id {n}", {"n": n})
        wanted = [f"id {n}" for n in range(0, 500, 2)]
        found = await self.documents.find_many(TENANT, "things", iter(wanted))
        assert found == {f"id {n}": {"n": n} for n in range(0, 250, 2)}
        assert await self.documents.find_many(TENANT, "things", []) == {}

    async def test_a_scan_by_id_goes_in_order_between_its_bounds(self) -> None:
        ids = ["a", "a/1", "a/10", "a/2", "b", "ä", "漢", "🎓"]
        for id in reversed(ids):
            await self._put(id, {"is": id})
        assert [id for id, _ in await self.documents.scan(TENANT, "things")] == ids
        assert [id for id, _ in await self.documents.scan(TENANT, "things", low="a/1", high="b")] == ids[1:5]
        assert [id for id, _ in await self.documents.scan(TENANT, "things", low="a/1", high="a/\U0010ffff")] == ids[1:4]
        assert [id for id, _ in await self.documents.scan(TENANT, "things", limit=3)] == ids[:3]
        assert [id for id, _ in await self.documents.scan(TENANT, "things", limit=2, descending=True)] == ids[:-3:-1]
        assert await self.documents.scan(TENANT, "things", low="b", high="b") == [("b", {"is": "b"})]
        assert await self.documents.scan(TENANT, "nothing") == []

    async def test_a_scan_by_a_field_orders_by_it_and_then_by_id(self) -> None:
        await self.documents.ensure_index("things", ["rank"])
        await self.documents.ensure_index("things", ["rank"])
        for id, rank in (("e", 2), ("d", 1), ("c", 10), ("b", 1), ("a", None)):
            await self._put(id, {"rank": rank})
        await self._put("without", {})
        assert [id for id, _ in await self.documents.scan(TENANT, "things", "rank")] == ["b", "d", "e", "c"]
        assert [id for id, _ in await self.documents.scan(TENANT, "things", "rank", low=1, high=1)] == ["b", "d"]
        assert [id for id, _ in await self.documents.scan(TENANT, "things", "rank", low=2)] == ["e", "c"]
        assert [id for id, _ in await self.documents.scan(TENANT, "things", "rank", high=2, limit=2)] == ["b", "d"]
        found = await self.documents.scan(TENANT, "things", "rank", descending=True)
        assert [id for id, _ in found] == ["c", "e", "d", "b"]

    async def test_a_scan_by_a_text_field_follows_every_change(self) -> None:
        await self.documents.ensure_index("things", ["owner"])
        for n in range(20):
            await self._put(f"{n:02d}", {"owner": f"owner {n % 3}"})
        await self._put("00", {"owner": "owner 9"})
        await self._put("03", {})
        await self.documents.write([Delete(TENANT, "things", "06")])
        found = await self.documents.scan(TENANT, "things", "owner", low="owner 0", high="owner 0")
        assert [id for id, _ in found] == ["09", "12", "15", "18"]
        assert [id for id, _ in await self.documents.scan(TENANT, "things", "owner", low="owner 3")] == ["00"]

    async def test_big_numbers_are_ordered_exactly(self) -> None:
        await self.documents.ensure_index("things", ["at"])
        for n in range(5):
            await self._put(f"{n}", {"at": 2**53 + n})
        found = await self.documents.scan(TENANT, "things", "at", low=2**53 + 1, high=2**53 + 3)
        assert [id for id, _ in found] == ["1", "2", "3"]

    async def test_whoever_is_cancelled_while_it_asks_ends(self) -> None:
        async def ask() -> None:
            while True:
                await self.documents.find(TENANT, "things", "1")
                await asyncio.sleep(0)

        for moment in range(200):
            asking = asyncio.create_task(ask())
            await asyncio.sleep(moment * 0.000_05)
            asking.cancel()
            await asyncio.wait({asking}, timeout=5)
            assert asking.cancelled()

    async def test_tenants_are_apart(self) -> None:
        await self._put("1", {"of": "ours", "n": 1})
        await self._put("1", {"of": "theirs", "n": 1}, tenant=OTHER_TENANT)
        assert await self.documents.find(TENANT, "things", "1") == {"of": "ours", "n": 1}
        assert await self.documents.scan(OTHER_TENANT, "things", "n", low=1, high=1) == [
            ("1", {"of": "theirs", "n": 1})
        ]
        assert await self.documents.write([Delete(OTHER_TENANT, "things", "1")]) == [True]
        assert await self.documents.find_many(TENANT, "things", ["1"]) == {"1": {"of": "ours", "n": 1}}
        assert await self.documents.find("nobody", "things", "1") is None
