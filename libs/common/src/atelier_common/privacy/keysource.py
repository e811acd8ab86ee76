"""What services seal and open with: the :class:`KeySource` port, and one that fetches keys from their owner."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from atelier_common.privacy.pseudonym import pseudonym_with
from atelier_common.privacy.sealed import ERASED, Erased, SubjectErased, UnknownKey, open_with, seal_with, subject_of

Key = bytes | Erased
"""An unwrapped 256-bit key, or the tombstone of one."""


class KeySource(Protocol):
    """Seals and opens personal values. Every call names its tenant."""

    async def seal(self, tenant: str, subject: str, field: str, plaintext: str) -> str:
        """Raises UnknownKey where the subject has no key, SubjectErased where it had one."""
        ...

    async def seal_many(self, tenant: str, values: Sequence[tuple[str, str, str]]) -> list[str]:
        """Seal each (subject, field, plaintext); all keys are looked up at once."""
        ...

    async def open_many(self, tenant: str, values: Sequence[tuple[str, str]]) -> list[str | Erased]:
        """Open each (field, sealed value), in order. An erased subject's is ERASED; an unknown raises UnknownKey."""
        ...

    async def pseudonym(self, tenant: str, kind: str, natural_key: str) -> str:
        """The id that stands for a natural key (a SIS id) in this tenant: always the same, revealing nothing of it."""
        ...


class KeyOwner(Protocol):
    """The keyring as other services see it: unwrapped keys in batches, by gRPC or directly within one process."""

    async def subject_keys(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Key]:
        """Keys and tombstones by subject; an unknown subject is left out."""
        ...

    async def pseudonym_key(self, tenant: str) -> bytes: ...


class CachingKeySource:
    """A :class:`KeySource` over a :class:`KeyOwner`: fetches keys in batches and keeps them for ``seconds``.

    After an erasure a value stays readable here for at most ``seconds``, or until :meth:`purge`. Unknown keys are not
    kept, so a new learner is seen at once. Ages are taken on the monotonic clock.
    """

    def __init__(
        self,
        owner: KeyOwner,
        *,
        seconds: float = 60.0,
        capacity: int = 100_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner = owner
        self._seconds = seconds
        self._capacity = capacity
        self._monotonic = monotonic
        self._kept: OrderedDict[tuple[str, str], tuple[float, Key]] = OrderedDict()
        self._purges = 0
        self._pseudonym_keys: dict[str, bytes] = {}

    async def seal(self, tenant: str, subject: str, field: str, plaintext: str) -> str:
        return (await self.seal_many(tenant, [(subject, field, plaintext)]))[0]

    async def seal_many(self, tenant: str, values: Sequence[tuple[str, str, str]]) -> list[str]:
        keys = await self._keys(tenant, {subject for subject, _, _ in values})
        return [seal_value(keys, tenant, subject, field, plaintext) for subject, field, plaintext in values]

    async def open_many(self, tenant: str, values: Sequence[tuple[str, str]]) -> list[str | Erased]:
        keys = await self._keys(tenant, {subject_of(sealed) for _, sealed in values})
        return [open_value(keys, tenant, field, sealed) for field, sealed in values]

    async def pseudonym(self, tenant: str, kind: str, natural_key: str) -> str:
        key = self._pseudonym_keys.get(tenant)
        if key is None:
            # Kept for good: it never changes, since every id of the tenant hangs on it.
            key = self._pseudonym_keys[tenant] = await self._owner.pseudonym_key(tenant)
        return pseudonym_with(key, kind, natural_key)

    def purge(self, tenant: str, subject: str) -> None:
        """Forget a subject's key now; called when its erasure is heard of."""
        self._kept.pop((tenant, subject), None)
        self._purges += 1

    async def _keys(self, tenant: str, subjects: set[str]) -> dict[str, Key]:
        now = self._monotonic()
        found: dict[str, Key] = {}
        for subject in subjects:
            kept = self._kept.get((tenant, subject))
            if kept is not None and now - kept[0] < self._seconds:
                found[subject] = kept[1]
        missing = subjects - found.keys()
        if missing:
            purges = self._purges
            fetched = await self._owner.subject_keys(tenant, missing)
            found.update(fetched)
            if purges == self._purges:
                # A purge while the fetch was under way may concern what it brought: then it is used once and not kept.
                self._keep(tenant, fetched, now)
        return found

    def _keep(self, tenant: str, keys: Mapping[str, Key], now: float) -> None:
        for subject, key in keys.items():
            self._kept[(tenant, subject)] = (now, key)
            self._kept.move_to_end((tenant, subject))
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)


def seal_value(keys: Mapping[str, Key], tenant: str, subject: str, field: str, plaintext: str) -> str:
    """Raises UnknownKey or SubjectErased."""
    key = keys.get(subject)
    if key is None:
        raise UnknownKey(f"no key was made for subject {subject}")
    if isinstance(key, Erased):
        raise SubjectErased(f"subject {subject} was erased; nothing can be sealed for it")
    return seal_with(key, tenant, subject, field, plaintext)


def open_value(keys: Mapping[str, Key], tenant: str, field: str, sealed: str) -> str | Erased:
    """The plaintext or ERASED. Raises UnknownKey or SealBroken."""
    subject = subject_of(sealed)
    key = keys.get(subject)
    if key is None:
        raise UnknownKey(f"no key is known for subject {subject}")
    return ERASED if isinstance(key, Erased) else open_with(key, tenant, field, sealed)
