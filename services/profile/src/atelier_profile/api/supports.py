"""Supports as they are sent, turned into commands: provenance filled in, free text sealed."""

from typing import Any

import orjson
from atelier_common.privacy.keyring import Keyring
from atelier_common.security.tokens import Caller
from pydantic import BaseModel

from atelier_profile.api.bodies import IntervalBody, Sourced, SupportsBody
from atelier_profile.domain.learner.commands import RecordSupports
from atelier_profile.domain.learner.values import (
    Absence,
    Accommodation,
    Device,
    Languages,
    OffSite,
    Presence,
    Restriction,
    SupportService,
    WeeklyInterval,
)
from atelier_profile.domain.provenance import Provenance, Visibility


def provenance(body: Sourced, caller: Caller, visibility: Visibility) -> Provenance:
    """Who says it: the source that staff name, or the caller's own part. ``visibility`` holds where the body names none.

    What a learner or guardian says is always the family's to see, and never passes for somebody else's word.
    """
    if caller.has("district-admin", "principal", "counselor", "coach"):
        source = body.source or f"staff:{caller.subject}"
        circle = Visibility(body.visibility) if body.visibility else visibility
    else:
        source = "learner" if caller.has("student") else "guardian"
        circle = Visibility.FAMILY
    # 0 stands for "as the command comes": the same request sent again must be the same command.
    return Provenance(source, body.observed_at or 0, body.confidence, circle, body.expires_at)


async def sealed_text(keyring: Keyring, tenant: str, subject: str, field: str, text: str) -> tuple[str, str]:
    """(sealed, keyed digest) of a text; ('', '') of none."""
    if not text:
        return "", ""
    digest = await keyring.pseudonym(tenant, "text", text)
    return await keyring.seal(tenant, subject, field, text), digest


async def supports_command(
    keyring: Keyring, caller: Caller, learner_id: str, body: SupportsBody, now: int
) -> RecordSupports:
    return RecordSupports(
        learner_id=learner_id,
        now=now,
        digest=await keyring.pseudonym(caller.tenant, "supports", orjson.dumps(body.model_dump(mode="json")).decode()),
        accommodations=await _accommodations(keyring, caller, learner_id, body),
        services=tuple(
            SupportService(
                service_id=one.id or one.kind,
                provenance=provenance(one, caller, Visibility.SUPPORT),
                **_content(one),
            )
            for one in body.services
        ),
        absences=tuple(
            Absence(
                one.id or f"{one.starts_at}-{one.ends_at}",
                one.starts_at,
                one.ends_at,
                provenance(one, caller, Visibility.FAMILY),
            )
            for one in body.absences
        ),
        off_site=await _off_site(keyring, caller, learner_id, body),
        restrictions=tuple(
            Restriction(
                one.id or f"{one.kind}-{one.other_id}",
                one.kind,
                one.other_id,
                provenance(one, caller, Visibility.RESTRICTED),
            )
            for one in body.restrictions
        ),
        languages=Languages(body.languages.tags, provenance(body.languages, caller, Visibility.FAMILY))
        if body.languages
        else None,
        device=Device(body.device.has_device, provenance(body.device, caller, Visibility.FAMILY))
        if body.device
        else None,
        presence=Presence(
            body.presence.step_free,
            body.presence.on_site_minutes_per_week,
            _intervals(body.presence.availability),
            provenance(body.presence, caller, Visibility.STAFF),
        )
        if body.presence
        else None,
        ended_ids=body.end,
    )


async def _accommodations(
    keyring: Keyring, caller: Caller, learner_id: str, body: SupportsBody
) -> tuple[Accommodation, ...]:
    made = []
    for one in body.accommodations:
        detail, digest = await sealed_text(keyring, caller.tenant, learner_id, "detail", one.detail)
        accommodation = Accommodation(
            accommodation_id=one.id or one.kind,
            kind=one.kind,
            basis=one.basis,
            provenance=provenance(one, caller, Visibility.FAMILY),
            time_factor=one.time_factor,
            group_size_max=one.group_size_max,
            bound_adult_id=one.bound_adult_id,
            detail=detail,
            detail_digest=digest,
        )
        made.append(accommodation)
    return tuple(made)


async def _off_site(keyring: Keyring, caller: Caller, learner_id: str, body: SupportsBody) -> tuple[OffSite, ...]:
    made = []
    for one in body.off_site:
        place, place_digest = await sealed_text(keyring, caller.tenant, learner_id, "place", one.place)
        supervisor, digest = await sealed_text(keyring, caller.tenant, learner_id, "supervisor", one.supervisor)
        off_site = OffSite(
            off_site_id=one.id,
            intervals=_intervals(one.intervals),
            travel_minutes=one.travel_minutes,
            provenance=provenance(one, caller, Visibility.FAMILY),
            supervisor_adult_id=one.supervisor_adult_id,
            place_digest=place_digest + digest,
            place=place,
            supervisor=supervisor,
        )
        made.append(off_site)
    return tuple(made)


def _intervals(bodies: tuple[IntervalBody, ...]) -> tuple[WeeklyInterval, ...]:
    return tuple(WeeklyInterval(**interval.model_dump()) for interval in bodies)


def _content(body: BaseModel) -> dict[str, Any]:
    return body.model_dump(exclude={"id", *Sourced.model_fields})
