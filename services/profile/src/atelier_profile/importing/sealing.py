"""The commands of an import with every personal value sealed: what is kept in parts and, later, in the log."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from atelier_common.privacy.keyring import Keyring

from atelier_profile.domain.adult import AdultEntry, DeactivateAdult, RecordAdult, RoleAtSite
from atelier_profile.domain.district import (
    AcademicSession,
    Organisation,
    RecordAcademicSession,
    RecordOrganisation,
    RetireDistrictFact,
)
from atelier_profile.domain.guardian import DeactivateGuardian, GuardianEntry, RecordGuardian
from atelier_profile.domain.learner.commands import DeactivateLearner, RecordRosterEntry
from atelier_profile.domain.learner.values import RosterEntry
from atelier_profile.domain.provenance import Provenance, Visibility
from atelier_profile.importing.parts import DECIDERS, Planned
from atelier_profile.importing.planning import Comparison
from atelier_profile.roster.records import AdultRecord, GuardianRecord, LearnerRecord

LEFT = "no longer in the roster"
_BATCH = 500
_NOT_SEALED = frozenset(
    {"fingerprint", "site_ids", "guardian_ids", "parents_on_staff", "provenance", "roles", "relation"}
)
Entry = TypeVar("Entry", RosterEntry, GuardianEntry, AdultEntry)


async def sealed_commands(comparison: Comparison, tenant: str, keyring: Keyring, now: int) -> Sequence[Planned]:
    """The commands of an import in the order of their application; makes the keys of people who are new."""
    order = {category: place for place, category in enumerate(DECIDERS)}
    news = sorted(comparison.difference.news, key=lambda slot: order[slot[0]])
    planned: list[Planned] = []
    for start in range(0, len(news), _BATCH):
        planned += await _batch(news[start : start + _BATCH], comparison, tenant, keyring, now)
    return [*planned, *(_gone(kind, id) for kind, id in comparison.difference.gone)]


async def _batch(
    slots: Sequence[tuple[str, str]], comparison: Comparison, tenant: str, keyring: Keyring, now: int
) -> Sequence[Planned]:
    commands = [_command(kind, id, comparison, now) for kind, id in slots]
    values = [
        (place, spec.name, getattr(command.entry, spec.name))
        for place, command in enumerate(commands)
        if hasattr(command, "entry")
        for spec in fields(command.entry)
        if spec.name not in _NOT_SEALED and getattr(command.entry, spec.name)
    ]
    await keyring.create_many(tenant, sorted({slots[place][1] for place, _, _ in values}))
    sealed = await keyring.seal_many(tenant, [(slots[place][1], name, text) for place, name, text in values])
    by_place: dict[int, dict[str, Any]] = {}
    for (place, name, _), value in zip(values, sealed, strict=True):
        by_place.setdefault(place, {})[name] = value
    return [
        Planned(
            kind,
            id,
            replace(command, entry=replace(command.entry, **by_place[place])) if place in by_place else command,
        )
        for place, ((kind, id), command) in enumerate(zip(slots, commands, strict=True))
    ]


def _command(kind: str, id: str, comparison: Comparison, now: int) -> Any:
    """The command in plaintext; it lives only until the lines above have sealed it."""
    record, fingerprint = comparison.wanted[kind, id], comparison.fingerprints[kind, id]
    match record:
        case Organisation():
            return RecordOrganisation(id, record, 0)
        case AcademicSession():
            return RecordAcademicSession(id, record, 0)
        case GuardianRecord(person, relation):
            contact = GuardianEntry(fingerprint, relation, person.display_name, person.email, person.phone)
            return RecordGuardian(id, fingerprint, contact, 0)
        case AdultRecord(person, held):
            roles = tuple(RoleAtSite(role, site) for role, site in held)
            staff = AdultEntry(fingerprint, roles, person.display_name, person.username, person.email, person.phone)
            return RecordAdult(id, fingerprint, staff, 0)
        case LearnerRecord(person):
            entry = RosterEntry(
                fingerprint=fingerprint,
                site_ids=record.site_ids,
                guardian_ids=tuple(comparison.guardian_ids[key] for key in record.guardian_keys),
                parents_on_staff=tuple(comparison.adult_ids[key] for key in record.staff_parent_keys),
                provenance=Provenance("oneroster", now, 1.0, Visibility.FAMILY),
                display_name=person.display_name,
                legal_name=person.legal_name,
                username=person.username,
                email=person.email,
                phone=person.phone,
                birth_date=record.birth_date,
                enrolled_year=record.enrolled_year,
            )
            return RecordRosterEntry(id, fingerprint, entry, 0)


def _gone(kind: str, id: str) -> Planned:
    match kind:
        case "learner":
            return Planned(kind, id, DeactivateLearner(id, LEFT, 0))
        case "adult":
            return Planned(kind, id, DeactivateAdult(id, LEFT, 0))
        case "guardian":
            return Planned(kind, id, DeactivateGuardian(id, LEFT, 0))
        case _:
            return Planned(kind, id, RetireDistrictFact(id, 0))
