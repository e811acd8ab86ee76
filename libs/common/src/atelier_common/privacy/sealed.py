"""Sealed values: a personal value encrypted under the key of the person it speaks of.

A sealed value is the string ``sealed:1:<subject>:<base64url of nonce and ciphertext>``: AES-256-GCM with a fresh 96-bit
nonce; tenant, subject and field are bound in as associated data, so that a value moved elsewhere does not open there.
"""

import base64
import binascii
import os
import re
from dataclasses import dataclass
from typing import ClassVar, Final

import grpc
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from atelier_common.errors import AtelierError, InvalidInput, RuleBroken

KEY_BYTES = 32
_NONCE_BYTES = 12
_PREFIX = "sealed:1:"
_SUBJECT = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Erased:
    """What a sealed value reads as once its subject's key is destroyed. There is one: :data:`ERASED`."""

    def __str__(self) -> str:
        return "erased"

    def __repr__(self) -> str:
        return "ERASED"


ERASED: Final = Erased()


class SealBroken(AtelierError):
    """A sealed value was altered, moved to another tenant, subject or field, or is no sealed value at all."""

    code: ClassVar[str] = "seal-broken"
    title: ClassVar[str] = "A sealed value does not open here"


class UnknownKey(AtelierError):
    """No key was ever made for this subject in this tenant. Never confused with *erased*."""

    code: ClassVar[str] = "unknown-key"
    title: ClassVar[str] = "The key of a sealed value is not known"


class SubjectErased(RuleBroken):
    """The subject's key was destroyed; its tombstone forbids a new key and new sealed values."""

    code: ClassVar[str] = "subject-erased"
    http_status: ClassVar[int] = 410
    grpc_status: ClassVar[grpc.StatusCode] = grpc.StatusCode.FAILED_PRECONDITION
    title: ClassVar[str] = "This person's data was erased"


@dataclass(frozen=True, slots=True)
class SealedParts:
    """A sealed value taken apart; nothing is decrypted yet."""

    subject: str
    nonce: bytes
    ciphertext: bytes


def check_subject(subject: str) -> str:
    """The subject itself, if it may stand in a sealed value: 1 to 128 of ``A-Z a-z 0-9 _ . -``. Raises InvalidInput."""
    if not _SUBJECT.fullmatch(subject):
        raise InvalidInput("a subject of sealed values is 1 to 128 letters, digits, '_', '.' or '-'", field="subject")
    return subject


def is_sealed(value: str) -> bool:
    return value.startswith(_PREFIX)


def subject_of(sealed: str) -> str:
    """Whose key the value needs. Raises :class:`SealBroken` where it is no sealed value."""
    if not sealed.startswith(_PREFIX):
        raise SealBroken("this is not a sealed value")
    subject, _, body = sealed[len(_PREFIX) :].partition(":")
    if not body or not _SUBJECT.fullmatch(subject):
        raise SealBroken("this is not a sealed value")
    return subject


def take_apart(sealed: str) -> SealedParts:
    subject = subject_of(sealed)
    encoded = sealed[len(_PREFIX) + len(subject) + 1 :]
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealBroken("a sealed value is not base64url") from error
    return SealedParts(subject, raw[:_NONCE_BYTES], raw[_NONCE_BYTES:])


def seal_with(key: bytes, tenant: str, subject: str, field: str, plaintext: str) -> str:
    """The sealed form of ``plaintext``; differs at every call, since the nonce does."""
    check_subject(subject)
    raw = encrypt(key, plaintext.encode(), (tenant, subject, field))
    return f"{_PREFIX}{subject}:{base64.urlsafe_b64encode(raw).rstrip(b'=').decode('ascii')}"


def open_with(key: bytes, tenant: str, field: str, sealed: str) -> str:
    """The plaintext. Raises :class:`SealBroken` for another tenant, field or key, and for altered bytes."""
    parts = take_apart(sealed)
    return decrypt(key, parts.nonce + parts.ciphertext, (tenant, parts.subject, field)).decode()


def encrypt(key: bytes, plaintext: bytes, bound: tuple[str, ...]) -> bytes:
    """Nonce and ciphertext; ``bound`` must be given again to decrypt."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, _associated(bound))


def decrypt(key: bytes, raw: bytes, bound: tuple[str, ...]) -> bytes:
    """Raises :class:`SealBroken`."""
    try:
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _associated(bound))
    except (InvalidTag, ValueError) as error:
        raise SealBroken("a sealed value was altered or belongs elsewhere") from error


def _associated(bound: tuple[str, ...]) -> bytes:
    # JSON and not a joined string: ("a", "b|c") and ("a|b", "c") must never bind alike.
    return orjson.dumps(bound)
