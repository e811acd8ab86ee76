"""A learner's document as facts: each with source, time, confidence, visibility and expiry, marked where it has gone stale."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from atelier_common.privacy.keyring import Keyring
from atelier_common.privacy.sealed import is_sealed

from atelier_profile.domain.provenance import Visibility

Fact = dict[str, Any]

_ROSTER_FACTS = (
    ("name", "display_name", Visibility.FAMILY),
    ("legal-name", "legal_name", Visibility.STAFF),
    ("username", "username", Visibility.FAMILY),
    ("email", "email", Visibility.FAMILY),
    ("phone", "phone", Visibility.STAFF),
    ("birth-date", "birth_date", Visibility.FAMILY),
    ("enrolled-year", "enrolled_year", Visibility.REPORTING),
    ("sites", "site_ids", Visibility.FAMILY),
    ("guardians", "guardian_ids", Visibility.FAMILY),
)
_HIDDEN = frozenset({"provenance", "detail_digest", "place_digest"})
_ID_NAMES = frozenset(
    {
        "accommodation_id",
        "service_id",
        "absence_id",
        "off_site_id",
        "restriction_id",
        "choice_id",
        "study_id",
        "fact_id",
    }
)


def facts_of(document: Mapping[str, Any], seen: Collection[Visibility], now: int) -> list[Fact]:
    """The facts that a reader with these circles may see, values still sealed. Pure."""
    entry = document["entry"]
    facts = [
        _fact(kind, field, {field: entry[field]}, {**entry["provenance"], "visibility": visibility}, now)
        for kind, field, visibility in _ROSTER_FACTS
        if entry[field]
    ]
    for group, held in sorted(document["groups"].items()):
        for id, item in sorted(held.items()):
            value = {name: part for name, part in item.items() if name not in _HIDDEN and name not in _ID_NAMES}
            kind = value.pop("kind") if group == "fact" else group
            facts.append(_fact(kind, id or group, value, item["provenance"], now))
    return [fact for fact in facts if fact["visibility"] in seen]


def _fact(kind: str, id: str, value: Any, provenance: Mapping[str, Any], now: int) -> Fact:
    expires_at = provenance["expires_at"]
    return {
        "id": id,
        "kind": kind,
        "value": value,
        "source": provenance["source"],
        "observed_at": provenance["observed_at"],
        "confidence": provenance["confidence"],
        "visibility": str(provenance["visibility"]),
        "expires_at": expires_at,
        "stale": expires_at is not None and now >= expires_at,
    }


async def opened(keyring: Keyring, tenant: str, values: Sequence[Any]) -> list[Any]:
    """Plain data with every sealed string opened, all in one batch; an erased person's reads ``erased``."""
    found: list[tuple[str, str]] = []
    for value in values:
        _collect(value, "", found)
    texts = [str(text) for text in await keyring.open_many(tenant, found)]
    known = dict(zip(found, texts, strict=True))
    return [_replaced(value, "", known) for value in values]


def _collect(value: Any, name: str, found: list[tuple[str, str]]) -> None:
    if isinstance(value, str):
        if is_sealed(value):
            found.append((name, value))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            _collect(part, key, found)
    elif isinstance(value, list | tuple):
        for part in value:
            _collect(part, name, found)


def _replaced(value: Any, name: str, known: Mapping[tuple[str, str], str]) -> Any:
    if isinstance(value, str):
        return known.get((name, value), value)
    if isinstance(value, Mapping):
        return {key: _replaced(part, key, known) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(part, name, known) for part in value]
    return value
