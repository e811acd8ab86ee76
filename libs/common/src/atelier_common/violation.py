"""What a check of stored data says when it finds something wrong."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must never be. ``subject`` is a stream, a document or a cursor; nothing here is a personal value."""

    rule: str
    tenant: str
    subject: str
    detail: str
