"""The keyring: makes, hands out and destroys the keys of personal values. One service owns it; the others fetch.

Three layers, so that nothing readable is ever stored: a *master key* of the installation (outside databases and their
backups) wraps one key per tenant, which wraps one key per subject. Destroying a subject's wrapped key makes every copy
of its sealed values, in logs, topics, read models and backups of them, unreadable at once.
"""

import base64
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from atelier_common.documents.port import Body, Documents, Insert, Replace
from atelier_common.privacy.keysource import Key, open_value, seal_value
from atelier_common.privacy.pseudonym import pseudonym_with
from atelier_common.privacy.sealed import (
    ERASED,
    KEY_BYTES,
    Erased,
    SubjectErased,
    check_subject,
    decrypt,
    encrypt,
    subject_of,
)
from atelier_common.security.secret_file import load_or_create_secret

COLLECTION = "keys"
_TENANT = "tenant"
_SUBJECT = "subject:"
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The lasting mark of an erasure. It must outlive every backup; it carries nothing personal."""

    tenant: str
    subject: str
    reason: str
    request_id: str


@dataclass(frozen=True, slots=True)
class _TenantKeys:
    wrapping: bytes
    pseudonym: bytes


def load_or_create_master_key(path: Path) -> bytes:
    """The installation's master key, 32 bytes, made at the first start; the file has mode 0600. Back it up apart."""
    return load_or_create_secret(path, lambda: os.urandom(KEY_BYTES))


class Keyring:
    """A :class:`KeySource` and :class:`KeyOwner` over a document database.

    Guarantees: a key is made once, also by racing callers; after ``erase`` returns no key of the subject is stored and
    none can be made again; erasing twice is erasing once. Raises UnknownKey, SubjectErased and SealBroken as KeySource
    says. Limits: until its next checkpoint a database's journal may hold the wrapped key, and so do backups, which is why
    tombstones are replayed over a restore and kept apart from them.
    """

    def __init__(self, documents: Documents, master_key: bytes) -> None:
        if len(master_key) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes, not {len(master_key)}")
        self._documents = documents
        self._master_key = master_key
        self._tenants: dict[str, _TenantKeys] = {}

    async def create(self, tenant: str, subject: str) -> None:
        """Make the subject's key; one that exists is kept. Raises SubjectErased where a tombstone stands."""
        await self.create_many(tenant, [subject])

    async def create_many(self, tenant: str, subjects: Sequence[str]) -> None:
        """As ``create`` for each. Raises SubjectErased where tombstones stand, once the others' keys are made."""
        wrapping = (await self._tenant_keys(tenant)).wrapping
        wanted = list(dict.fromkeys(check_subject(subject) for subject in subjects))
        erased: list[str] = []
        for start in range(0, len(wanted), _BATCH):
            batch = wanted[start : start + _BATCH]
            made = await self._documents.write([self._new_key(tenant, subject, wrapping) for subject in batch])
            present = [_SUBJECT + subject for subject, new in zip(batch, made, strict=True) if not new]
            if present:
                bodies = await self._documents.find_many(tenant, COLLECTION, present)
                erased += [id[len(_SUBJECT) :] for id in present if bodies[id]["state"] == "erased"]
        if erased:
            raise SubjectErased(f"subject {erased[0]} was erased; no new key can be made", subjects=erased)

    async def erase(self, tenant: str, subject: str, reason: str, request_id: str) -> Tombstone:
        """Destroy the subject's key for ever, also where none was made yet. Returns the tombstone that stands.

        ``reason`` and ``request_id`` may carry nothing personal: the tombstone is kept when the person's data is gone.
        """
        mark = Tombstone(tenant, check_subject(subject), reason, request_id)
        [marked] = await self._documents.write([_burial(mark)])
        if marked:
            return mark
        body = await self._documents.find(tenant, COLLECTION, _SUBJECT + subject)
        assert body is not None, "a tombstone is never removed"
        return _tombstone(tenant, _SUBJECT + subject, body)

    async def tombstones(self, tenant: str) -> list[Tombstone]:
        """Every erasure of the tenant: to be kept beside the backups and replayed after a restore."""
        found: list[Tombstone] = []
        low = _SUBJECT
        while True:
            rows = await self._documents.scan(tenant, COLLECTION, low=low, high=_SUBJECT + "~", limit=_BATCH)
            found += [_tombstone(tenant, id, body) for id, body in rows if body["state"] == "erased"]
            if len(rows) < _BATCH:
                return found
            # "!" sorts before every character of a subject: the next page begins behind the last row of this one.
            low = rows[-1][0] + "!"

    async def replay_tombstones(self, tombstones: Iterable[Tombstone]) -> int:
        """After a restore, before anything is read: bury again what the backup brought back. Returns how many."""
        marks = list(tombstones)
        buried = 0
        for start in range(0, len(marks), _BATCH):
            buried += sum(await self._documents.write([_burial(mark) for mark in marks[start : start + _BATCH]]))
        return buried

    async def seal(self, tenant: str, subject: str, field: str, plaintext: str) -> str:
        return (await self.seal_many(tenant, [(subject, field, plaintext)]))[0]

    async def seal_many(self, tenant: str, values: Sequence[tuple[str, str, str]]) -> list[str]:
        keys = await self.subject_keys(tenant, {subject for subject, _, _ in values})
        return [seal_value(keys, tenant, subject, field, plaintext) for subject, field, plaintext in values]

    async def open_many(self, tenant: str, values: Sequence[tuple[str, str]]) -> list[str | Erased]:
        keys = await self.subject_keys(tenant, {subject_of(sealed) for _, sealed in values})
        return [open_value(keys, tenant, field, sealed) for field, sealed in values]

    async def pseudonym(self, tenant: str, kind: str, natural_key: str) -> str:
        return pseudonym_with(await self.pseudonym_key(tenant), kind, natural_key)

    async def subject_keys(self, tenant: str, subjects: Collection[str]) -> Mapping[str, Key]:
        wrapping = (await self._tenant_keys(tenant)).wrapping
        ids = [_SUBJECT + subject for subject in subjects]
        keys: dict[str, Key] = {}
        for start in range(0, len(ids), _BATCH):
            for id, body in (await self._documents.find_many(tenant, COLLECTION, ids[start : start + _BATCH])).items():
                subject = id[len(_SUBJECT) :]
                if body["state"] == "erased":
                    keys[subject] = ERASED
                else:
                    keys[subject] = decrypt(wrapping, base64.b64decode(body["wrapped"]), ("subject", tenant, subject))
        return keys

    async def pseudonym_key(self, tenant: str) -> bytes:
        return (await self._tenant_keys(tenant)).pseudonym

    async def _tenant_keys(self, tenant: str) -> _TenantKeys:
        known = self._tenants.get(tenant)
        if known is not None:
            return known
        body = await self._documents.find(tenant, COLLECTION, _TENANT)
        if body is None:
            await self._documents.write([Insert(tenant, COLLECTION, _TENANT, self._new_tenant(tenant))])
            # Read again rather than trust what was just made: another process may have been first.
            body = await self._documents.find(tenant, COLLECTION, _TENANT)
            assert body is not None
        keys = _TenantKeys(
            decrypt(self._master_key, base64.b64decode(body["wrapping"]), ("wrapping", tenant)),
            decrypt(self._master_key, base64.b64decode(body["pseudonym"]), ("pseudonym", tenant)),
        )
        self._tenants[tenant] = keys
        return keys

    def _new_tenant(self, tenant: str) -> Body:
        # Who holds the master key and the natural keys finds the same ids again, also where this document was lost.
        pseudonym = HKDF(SHA256(), KEY_BYTES, salt=None, info=f"pseudonym\x1f{tenant}".encode()).derive(
            self._master_key
        )
        return {
            purpose: base64.b64encode(encrypt(self._master_key, key, (purpose, tenant))).decode()
            for purpose, key in (("wrapping", os.urandom(KEY_BYTES)), ("pseudonym", pseudonym))
        }

    @staticmethod
    def _new_key(tenant: str, subject: str, wrapping: bytes) -> Insert:
        wrapped = encrypt(wrapping, os.urandom(KEY_BYTES), ("subject", tenant, subject))
        body = {"state": "live", "wrapped": base64.b64encode(wrapped).decode()}
        return Insert(tenant, COLLECTION, _SUBJECT + subject, body)


def _burial(mark: Tombstone) -> Replace:
    body = {"state": "erased", "reason": mark.reason, "request_id": mark.request_id}
    return Replace(mark.tenant, COLLECTION, _SUBJECT + mark.subject, body, guard={"state": "live"}, upsert=True)


def _tombstone(tenant: str, id: str, body: Body) -> Tombstone:
    return Tombstone(tenant, id[len(_SUBJECT) :], body["reason"], body["request_id"])
