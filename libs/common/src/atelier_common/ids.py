"""Identities: every id that the kernel makes is a function of what caused it; none is random."""

import uuid

_ATELIER = uuid.UUID("0b0f7a5e-6f0d-5a53-9d1c-4f6a51a7c0de")


def derive_id(tenant: str, cause: str, name: str, ordinal: int = 0) -> str:
    """The uuid5 of (tenant, cause, name, ordinal): the same cause always gives the same id."""
    return str(uuid.uuid5(_ATELIER, "\x1f".join((tenant, cause, name, str(ordinal)))))


def event_id(incarnation: str, stream: str, version: int, ordinal: int) -> str:
    """The identity of one event of one log, stable over every publishing of it."""
    return str(uuid.uuid5(_ATELIER, "\x1f".join((incarnation, stream, str(version), str(ordinal)))))
