"""What the keyring does apart from its database: the master key's file, and keys kept by other services."""

import base64
import stat
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pytest
from atelier_common.errors import InvalidInput
from atelier_common.privacy.keyring import Keyring, load_or_create_master_key
from atelier_common.privacy.keysource import CachingKeySource, Key
from atelier_common.privacy.pseudonym import pseudonym_with
from atelier_common.privacy.sealed import (
    ERASED,
    SealBroken,
    SubjectErased,
    UnknownKey,
    is_sealed,
    open_with,
    seal_with,
    subject_of,
)
from atelier_common.security.secret_file import SecretExposed, load_or_create_secret
from hypothesis import given
from hypothesis import strategies as st

KEY = bytes(range(32))


class Owner:
    """The owning service, seen from another: counts what is fetched."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {"lrn_a": KEY, "lrn_b": KEY[::-1]}
        self.fetches: list[set[str]] = []
        self.pseudonym_fetches = 0
        self.while_fetching: Callable[[], None] = lambda: None

    async def subject_keys(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Key]:
        assert tenant == "north"
        self.fetches.append(set(subjects))
        found = {subject: self.keys[subject] for subject in subjects if subject in self.keys}
        self.while_fetching()
        return found

    async def pseudonym_key(self, tenant: str) -> bytes:
        assert tenant == "north"
        self.pseudonym_fetches += 1
        return KEY


class Seconds:
    """A monotonic clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def sealed_for(subject: str, owner: Owner, text: str = "Ada Sample") -> tuple[str, str]:
    key = owner.keys[subject]
    assert isinstance(key, bytes)
    return ("name", seal_with(key, "north", subject, "name", text))


async def test_keys_are_fetched_in_one_batch_and_kept_for_a_minute() -> None:
    owner, seconds = Owner(), Seconds()
    source = CachingKeySource(owner, monotonic=seconds)
    values = [sealed_for("lrn_a", owner), sealed_for("lrn_b", owner), sealed_for("lrn_a", owner)]

    assert await source.open_many("north", values) == ["Ada Sample"] * 3
    seconds.now += 59.9
    assert await source.open_many("north", values) == ["Ada Sample"] * 3
    assert owner.fetches == [{"lrn_a", "lrn_b"}]

    seconds.now += 0.2
    await source.open_many("north", values[:1])
    assert owner.fetches == [{"lrn_a", "lrn_b"}, {"lrn_a"}]


async def test_an_erasure_is_seen_at_the_latest_after_a_minute() -> None:
    owner, seconds = Owner(), Seconds()
    source = CachingKeySource(owner, monotonic=seconds)
    value = sealed_for("lrn_a", owner)
    await source.open_many("north", [value])
    owner.keys["lrn_a"] = ERASED
    seconds.now += 60
    assert await source.open_many("north", [value]) == [ERASED]
    with pytest.raises(SubjectErased):
        await source.seal("north", "lrn_a", "name", "Ada Sample")


async def test_an_erasure_that_is_heard_of_is_seen_at_once() -> None:
    owner = Owner()
    source = CachingKeySource(owner)
    value = sealed_for("lrn_a", owner)
    await source.open_many("north", [value])
    owner.keys["lrn_a"] = ERASED
    source.purge("north", "lrn_a")
    assert await source.open_many("north", [value]) == [ERASED]


async def test_a_key_whose_erasure_is_heard_of_while_it_is_fetched_is_not_kept() -> None:
    owner = Owner()
    source = CachingKeySource(owner)
    value = sealed_for("lrn_a", owner)

    def erased_meanwhile() -> None:
        owner.keys["lrn_a"] = ERASED
        source.purge("north", "lrn_a")

    owner.while_fetching = erased_meanwhile
    await source.open_many("north", [value])
    assert await source.open_many("north", [value]) == [ERASED]


async def test_an_unknown_key_raises_and_is_asked_for_again_next_time() -> None:
    owner = Owner()
    source = CachingKeySource(owner)
    value = ("name", seal_with(KEY, "north", "lrn_new", "name", "Noa Sample"))
    with pytest.raises(UnknownKey):
        await source.open_many("north", [value])
    owner.keys["lrn_new"] = KEY
    assert await source.open_many("north", [value]) == ["Noa Sample"]


async def test_no_more_keys_are_kept_than_there_is_room_for() -> None:
    owner = Owner()
    source = CachingKeySource(owner, capacity=1)
    a, b = sealed_for("lrn_a", owner), sealed_for("lrn_b", owner)
    for value in (a, b, b, a):
        await source.open_many("north", [value])
    assert owner.fetches == [{"lrn_a"}, {"lrn_b"}, {"lrn_a"}]


async def test_the_key_of_pseudonyms_is_fetched_once() -> None:
    owner = Owner()
    source = CachingKeySource(owner)
    assert await source.pseudonym("north", "learner", "s1") != await source.pseudonym("north", "learner", "s2")
    assert owner.pseudonym_fetches == 1


@given(st.text(), st.text(), st.from_regex(r"[A-Za-z0-9_.-]{1,128}", fullmatch=True), st.text())
def test_whatever_is_sealed_opens_again(tenant: str, field: str, subject: str, plaintext: str) -> None:
    sealed = seal_with(KEY, tenant, subject, field, plaintext)
    assert is_sealed(sealed)
    assert subject_of(sealed) == subject
    assert open_with(KEY, tenant, field, sealed) == plaintext


def test_what_a_value_is_bound_to_cannot_be_shifted_between_its_parts() -> None:
    sealed = seal_with(KEY, "north", "lrn_a", "x|name", "Ada Sample")
    with pytest.raises(SealBroken):
        open_with(KEY, "north|lrn_a|x", "name", sealed)


@pytest.mark.parametrize("subject", ["", "a:b", "a/b", "é", "x" * 129, "a\nb"])
def test_a_subject_that_would_break_the_sealed_form_is_refused(subject: str) -> None:
    with pytest.raises(InvalidInput):
        seal_with(KEY, "north", subject, "name", "Ada Sample")


def test_a_pseudonym_is_that_of_this_release_for_ever() -> None:
    # Every id of a district hangs on this value: a change of it is a change of everybody's identity.
    assert pseudonym_with(KEY, "learner", "sis-4711") == "lrn_y5s4j65mfsra4w7dvwruokn72z"


def test_a_pseudonym_of_an_empty_key_is_refused() -> None:
    with pytest.raises(InvalidInput):
        pseudonym_with(KEY, "learner", "")


def test_the_master_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "master.key"
    first = load_or_create_master_key(path)
    assert len(first) == 32
    assert load_or_create_master_key(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_processes_that_start_at_once_get_one_master_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(load_or_create_master_key(path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    load_or_create_secret(path, lambda: b"secret")
    path.chmod(mode)
    with pytest.raises(SecretExposed, match="chmod 600"):
        load_or_create_secret(path, lambda: b"secret")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_of_another_size_is_refused(size: int) -> None:
    from atelier_common.documents.memory import MemoryDocuments

    with pytest.raises(ValueError, match="32 bytes"):
        Keyring(MemoryDocuments(), bytes(size))


def test_a_sealed_value_has_the_form_that_is_promised() -> None:
    sealed = seal_with(KEY, "north", "lrn_a", "name", "Ada Sample")
    scheme, version, subject, body = sealed.split(":")
    assert (scheme, version, subject) == ("sealed", "1", "lrn_a")
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    assert len(raw) == 12 + len("Ada Sample") + 16
