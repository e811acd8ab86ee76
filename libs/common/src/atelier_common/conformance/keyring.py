"""What a keyring must do over any document database. An adapter's test is ``make_documents``; nothing is skipped.

An adapter that can restore a real backup overrides :meth:`KeyringSuite.back_up` and :meth:`KeyringSuite.restore`.
"""

import asyncio
import base64
import re

import pytest

from atelier_common.documents.port import Body, Delete, Documents, Insert
from atelier_common.privacy.keyring import COLLECTION, Keyring, Tombstone
from atelier_common.privacy.keysource import CachingKeySource
from atelier_common.privacy.sealed import ERASED, SealBroken, SubjectErased, UnknownKey

TENANT = "north"
OTHER_TENANT = "south"
MASTER_KEY = bytes(range(32))

Backup = list[tuple[str, Body]]


class KeyringSuite:
    """Subclass it and give :meth:`make_documents`."""

    async def make_documents(self) -> Documents:
        """An empty document database."""
        raise NotImplementedError

    async def back_up(self, documents: Documents) -> Backup:
        return await documents.scan(TENANT, COLLECTION)

    async def restore(self, documents: Documents, backup: Backup) -> None:
        """Put the keys back as they were, over whatever is there."""
        for id, body in backup:
            await documents.write([Delete(TENANT, COLLECTION, id), Insert(TENANT, COLLECTION, id, body)])

    @pytest.fixture
    async def documents(self) -> Documents:
        return await self.make_documents()

    @pytest.fixture
    async def keyring(self, documents: Documents) -> Keyring:
        keyring = Keyring(documents, MASTER_KEY)
        await keyring.create(TENANT, "lrn_a")
        return keyring

    async def test_a_sealed_value_opens_for_its_tenant_and_field(self, keyring: Keyring) -> None:
        sealed = await keyring.seal(TENANT, "lrn_a", "display_name", "Ada Sample ☂")
        assert sealed.startswith("sealed:1:lrn_a:")
        assert "Ada" not in sealed
        assert await keyring.open_many(TENANT, [("display_name", sealed)]) == ["Ada Sample ☂"]

    async def test_sealing_twice_gives_two_different_values(self, keyring: Keyring) -> None:
        assert len(set(await keyring.seal_many(TENANT, [("lrn_a", "name", "same")] * 2))) == 2

    async def test_many_values_open_in_their_order_and_the_erased_read_as_erased(self, keyring: Keyring) -> None:
        await keyring.create_many(TENANT, ["lrn_b", "lrn_c"])
        sealed = await keyring.seal_many(TENANT, [(f"lrn_{letter}", "name", letter) for letter in "cab"])
        await keyring.erase(TENANT, "lrn_a", "request of the family", "req-1")
        assert await keyring.open_many(TENANT, [("name", value) for value in sealed]) == ["c", ERASED, "b"]
        assert str(ERASED) == "erased"

    async def test_a_value_moved_to_another_field_does_not_open(self, keyring: Keyring) -> None:
        sealed = await keyring.seal(TENANT, "lrn_a", "display_name", "Ada Sample")
        with pytest.raises(SealBroken):
            await keyring.open_many(TENANT, [("birth_date", sealed)])

    async def test_a_value_moved_to_another_subject_does_not_open(self, keyring: Keyring) -> None:
        await keyring.create(TENANT, "lrn_b")
        sealed = await keyring.seal(TENANT, "lrn_a", "name", "Ada Sample")
        with pytest.raises(SealBroken):
            await keyring.open_many(TENANT, [("name", sealed.replace("lrn_a", "lrn_b"))])

    async def test_a_value_moved_to_another_tenant_does_not_open_there(self, keyring: Keyring) -> None:
        sealed = await keyring.seal(TENANT, "lrn_a", "name", "Ada Sample")
        with pytest.raises(UnknownKey):
            await keyring.open_many(OTHER_TENANT, [("name", sealed)])
        await keyring.create(OTHER_TENANT, "lrn_a")
        with pytest.raises(SealBroken):
            await keyring.open_many(OTHER_TENANT, [("name", sealed)])

    async def test_a_wrapped_key_moved_to_another_subject_does_not_unwrap(
        self, keyring: Keyring, documents: Documents
    ) -> None:
        stolen = await documents.find(TENANT, COLLECTION, "subject:lrn_a")
        assert stolen is not None
        await documents.write([Insert(TENANT, COLLECTION, "subject:lrn_b", stolen)])
        with pytest.raises(SealBroken):
            await keyring.seal(TENANT, "lrn_b", "name", "Ben Sample")

    @pytest.mark.parametrize("position", [0, 5, 20, -1])
    async def test_an_altered_value_does_not_open(self, keyring: Keyring, position: int) -> None:
        sealed = await keyring.seal(TENANT, "lrn_a", "name", "Ada Sample, who is made up")
        prefix, body = sealed[: len("sealed:1:lrn_a:")], list(sealed[len("sealed:1:lrn_a:") :])
        # Two letters apart differ in a bit that base64 keeps, also in its last letter.
        body[position] = "A" if body[position] not in "ABCD" else "Z"
        with pytest.raises(SealBroken):
            await keyring.open_many(TENANT, [("name", prefix + "".join(body))])

    @pytest.mark.parametrize(
        "value", ["", "Ada Sample", "sealed:1:", "sealed:1:lrn_a:", "sealed:1:lrn_a:!", "sealed:2:a:b"]
    )
    async def test_what_is_no_sealed_value_is_refused_and_never_passed_through(
        self, keyring: Keyring, value: str
    ) -> None:
        with pytest.raises(SealBroken):
            await keyring.open_many(TENANT, [("name", value)])

    async def test_an_unknown_subject_raises_and_is_never_taken_for_erased(self, keyring: Keyring) -> None:
        sealed = await keyring.seal(TENANT, "lrn_a", "name", "Ada Sample")
        with pytest.raises(UnknownKey):
            await keyring.open_many(TENANT, [("name", sealed.replace("lrn_a", "lrn_x"))])
        with pytest.raises(UnknownKey):
            await keyring.seal(TENANT, "lrn_x", "name", "Xia Sample")

    async def test_making_a_key_again_keeps_the_first(self, keyring: Keyring) -> None:
        sealed = await keyring.seal(TENANT, "lrn_a", "name", "Ada Sample")
        await keyring.create_many(TENANT, ["lrn_a", "lrn_a"])
        assert await keyring.open_many(TENANT, [("name", sealed)]) == ["Ada Sample"]

    async def test_racing_replicas_make_one_key_and_one_tenant(self, documents: Documents) -> None:
        replicas = [Keyring(documents, MASTER_KEY) for _ in range(4)]
        await asyncio.gather(*(replica.create(TENANT, "lrn_a") for replica in replicas))
        sealed = [await replica.seal(TENANT, "lrn_a", "name", "Ada Sample") for replica in replicas]
        for replica in replicas:
            assert await replica.open_many(TENANT, [("name", value) for value in sealed]) == ["Ada Sample"] * 4
        assert len({await replica.pseudonym(TENANT, "learner", "sis-1") for replica in replicas}) == 1

    async def test_another_start_with_the_same_master_key_opens_what_was_sealed(
        self, keyring: Keyring, documents: Documents
    ) -> None:
        sealed = await keyring.seal(TENANT, "lrn_a", "name", "Ada Sample")
        assert await Keyring(documents, MASTER_KEY).open_many(TENANT, [("name", sealed)]) == ["Ada Sample"]

    async def test_another_master_key_opens_nothing(self, keyring: Keyring, documents: Documents) -> None:
        sealed = await keyring.seal(TENANT, "lrn_a", "name", "Ada Sample")
        with pytest.raises(SealBroken):
            await Keyring(documents, bytes(32)).open_many(TENANT, [("name", sealed)])

    async def test_no_key_lies_in_the_database_unwrapped(self, keyring: Keyring, documents: Documents) -> None:
        keys = [*(await keyring.subject_keys(TENANT, ["lrn_a"])).values(), await keyring.pseudonym_key(TENANT)]
        stored = repr(await documents.scan(TENANT, COLLECTION))
        for key in keys:
            assert isinstance(key, bytes)
            assert key.hex() not in stored
            assert _base64(key) not in stored

    async def test_a_tombstone_forbids_a_new_key_and_new_values(self, keyring: Keyring) -> None:
        await keyring.erase(TENANT, "lrn_a", "request of the family", "req-1")
        with pytest.raises(SubjectErased):
            await keyring.create(TENANT, "lrn_a")
        with pytest.raises(SubjectErased):
            await keyring.seal(TENANT, "lrn_a", "name", "Ada Sample")

    async def test_among_many_new_subjects_an_erased_one_is_named_and_the_others_get_their_keys(
        self, keyring: Keyring
    ) -> None:
        await keyring.erase(TENANT, "lrn_a", "request of the family", "req-1")
        with pytest.raises(SubjectErased) as caught:
            await keyring.create_many(TENANT, ["lrn_b", "lrn_a", "lrn_c"])
        assert caught.value.extensions == {"subjects": ["lrn_a"]}
        assert len(await keyring.seal_many(TENANT, [("lrn_b", "name", "b"), ("lrn_c", "name", "c")])) == 2

    async def test_erasing_leaves_nothing_of_the_key_behind(self, keyring: Keyring, documents: Documents) -> None:
        before = await documents.find(TENANT, COLLECTION, "subject:lrn_a")
        assert before is not None
        await keyring.erase(TENANT, "lrn_a", "request of the family", "req-1")
        assert before["wrapped"] not in repr(await documents.scan(TENANT, COLLECTION))

    async def test_erasing_twice_is_erasing_once(self, keyring: Keyring) -> None:
        first = await keyring.erase(TENANT, "lrn_a", "request of the family", "req-1")
        again = await keyring.erase(TENANT, "lrn_a", "another reason", "req-2")
        assert first == again == Tombstone(TENANT, "lrn_a", "request of the family", "req-1")
        assert await keyring.tombstones(TENANT) == [first]

    async def test_erasing_one_leaves_the_others_and_the_other_tenant(self, keyring: Keyring) -> None:
        await keyring.create(TENANT, "lrn_b")
        await keyring.create(OTHER_TENANT, "lrn_a")
        sealed = await keyring.seal(TENANT, "lrn_b", "name", "Ben Sample")
        elsewhere = await keyring.seal(OTHER_TENANT, "lrn_a", "name", "Ada Sample")
        await keyring.erase(TENANT, "lrn_a", "request of the family", "req-1")
        assert await keyring.open_many(TENANT, [("name", sealed)]) == ["Ben Sample"]
        assert await keyring.open_many(OTHER_TENANT, [("name", elsewhere)]) == ["Ada Sample"]

    async def test_one_can_be_erased_before_any_key_was_made(self, keyring: Keyring) -> None:
        await keyring.erase(TENANT, "lrn_never", "request of the family", "req-9")
        with pytest.raises(SubjectErased):
            await keyring.create(TENANT, "lrn_never")

    async def test_an_erased_learner_stays_erased_after_a_restore(self, keyring: Keyring, documents: Documents) -> None:
        await keyring.create(TENANT, "lrn_b")
        sealed = await keyring.seal_many(TENANT, [("lrn_a", "name", "Ada Sample"), ("lrn_b", "name", "Ben Sample")])
        backup = await self.back_up(documents)
        await keyring.erase(TENANT, "lrn_a", "request of the family", "req-1")
        kept_apart = await keyring.tombstones(TENANT)

        await self.restore(documents, backup)
        restored = Keyring(documents, MASTER_KEY)
        values = [("name", value) for value in sealed]
        assert await restored.open_many(TENANT, values) == ["Ada Sample", "Ben Sample"], "the backup had the key"
        assert await restored.replay_tombstones(kept_apart) == 1

        assert await restored.open_many(TENANT, values) == [ERASED, "Ben Sample"]
        with pytest.raises(SubjectErased):
            await restored.create(TENANT, "lrn_a")
        assert await restored.tombstones(TENANT) == kept_apart
        assert await restored.replay_tombstones(kept_apart) == 0, "a second replay finds nothing left to bury"

    async def test_every_tombstone_is_listed_however_many_there_are(self, keyring: Keyring) -> None:
        wanted = [Tombstone(TENANT, f"lrn_{n:04}", "left the district", "req-1") for n in range(1201)]
        assert await keyring.replay_tombstones(wanted) == len(wanted)
        assert await keyring.tombstones(TENANT) == wanted

    async def test_a_pseudonym_is_stable_and_differs_by_tenant_kind_and_key(self, keyring: Keyring) -> None:
        one = await keyring.pseudonym(TENANT, "learner", "sis-4711")
        assert re.fullmatch(r"lrn_[a-z2-7]{26}", one)
        assert await keyring.pseudonym(TENANT, "learner", "sis-4711") == one
        others = [
            await keyring.pseudonym(OTHER_TENANT, "learner", "sis-4711"),
            await keyring.pseudonym(TENANT, "adult", "sis-4711"),
            await keyring.pseudonym(TENANT, "learner", "sis-4712"),
        ]
        assert len({value.partition("_")[2] for value in (one, *others)}) == 4

    async def test_another_service_seals_and_opens_through_fetched_keys(self, keyring: Keyring) -> None:
        other = CachingKeySource(keyring)
        sealed = await other.seal(TENANT, "lrn_a", "name", "Ada Sample")
        assert await keyring.open_many(TENANT, [("name", sealed)]) == ["Ada Sample"]
        assert await other.open_many(TENANT, [("name", sealed)]) == ["Ada Sample"]
        assert await other.pseudonym(TENANT, "learner", "s") == await keyring.pseudonym(TENANT, "learner", "s")


def _base64(key: bytes) -> str:
    return base64.b64encode(key).decode().rstrip("=")
