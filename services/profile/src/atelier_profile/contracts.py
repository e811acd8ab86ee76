"""Learners and adults in the words of the contract."""

from atelier.profile.v1 import events_pb2 as contract

from atelier_profile.domain.adult import AdultEntry
from atelier_profile.domain.learner.values import (
    Accommodation,
    Choice,
    Interest,
    OffSite,
    PublicLearner,
    Restriction,
    SupportService,
    WeeklyInterval,
)

_SETTINGS = {
    "push-in": contract.SERVICE_SETTING_PUSH_IN,
    "pull-out": contract.SERVICE_SETTING_PULL_OUT,
    "either": contract.SERVICE_SETTING_EITHER,
}
_BARS = {
    "bar-adult": contract.BAR_TARGET_ADULT,
    "bar-zone": contract.BAR_TARGET_ZONE,
    "bar-focus": contract.BAR_TARGET_FOCUS,
}
_PAIRS = {
    "apart": contract.PAIR_KIND_APART,
    "together": contract.PAIR_KIND_TOGETHER,
    "chosen-peer": contract.PAIR_KIND_CHOSEN_PEER,
}


def learner_changed(learner: PublicLearner) -> contract.LearnerChanged:
    presence = learner.presence
    message = contract.LearnerChanged(
        learner_id=learner.learner_id,
        active=learner.active,
        site_ids=learner.site_ids,
        display_name=learner.display_name,
        birth_date=learner.birth_date or None,
        languages=learner.languages,
        accommodations=[_accommodation(held) for held in learner.accommodations],
        services=[_service(held) for held in learner.services],
        guardian_ids=learner.guardian_ids,
        has_device=learner.has_device,
        interests=[_interest(held) for held in learner.interests],
        bars=[
            *(_bar(held) for held in learner.restrictions if held.kind in _BARS),
            *(_own_parent(adult_id) for adult_id in learner.parents_on_staff),
        ],
        pairs=[_pair(held) for held in learner.restrictions if held.kind in _PAIRS],
        absences=[
            contract.Absence(starts_at_ms=held.starts_at, ends_at_ms=held.ends_at, absence_id=held.absence_id)
            for held in learner.absences
        ],
        off_site=[_off_site(held) for held in learner.off_site],
        choices=[wish for held in learner.choices for wish in _wishes(held)],
        enrolled_year=learner.enrolled_year or None,
        cohorts=[
            contract.CohortAssignment(study_id=held.study_id, arm=held.arm, assigned_at_ms=held.provenance.observed_at)
            for held in learner.cohorts
        ],
    )
    if presence is not None:
        message.step_free = presence.step_free
        message.availability.extend(_interval(hours) for hours in presence.availability)
        if presence.on_site_minutes_per_week is not None:
            message.on_site_minutes_per_week = presence.on_site_minutes_per_week
    return message


def adult_changed(
    adult_id: str, active: bool, entry: AdultEntry, certificates: tuple[str, ...]
) -> contract.AdultChanged:
    return contract.AdultChanged(
        adult_id=adult_id,
        active=active,
        site_ids=dict.fromkeys(held.site_id for held in entry.roles),
        roles=dict.fromkeys(held.role for held in entry.roles),
        display_name=entry.display_name,
        certificates=[contract.Certificate(code=code) for code in certificates],
    )


def _accommodation(held: Accommodation) -> contract.Accommodation:
    return contract.Accommodation(
        accommodation_id=held.accommodation_id,
        kind=held.kind,
        detail=held.detail,
        time_factor=held.time_factor,
        group_size_max=held.group_size_max,
        bound_adult_id=held.bound_adult_id or None,
        source=held.basis,
    )


def _service(held: SupportService) -> contract.LearnerService:
    return contract.LearnerService(
        service_id=held.service_id,
        kind=held.kind,
        minutes_per_week=held.minutes_per_week,
        setting=_SETTINGS[held.setting],
        group_size_max=held.group_size_max,
        provider_role=held.provider_role,
        inclusion_minimum=held.inclusion_minimum,
        may_be_pulled_from=held.may_be_pulled_from,
        period=held.period,
        sessions_min=held.sessions_min,
        sessions_max=held.sessions_max,
        session_minutes_min=held.session_minutes_min,
        session_minutes_max=held.session_minutes_max,
        provider_certificate=held.provider_certificate,
        source=held.basis,
        valid_from=held.valid_from or None,
        valid_until=held.valid_until or None,
        provider_adult_id=held.provider_adult_id or None,
    )


def _interest(held: Interest) -> contract.Interest:
    return contract.Interest(
        topic=held.topic,
        expires_at_ms=held.provenance.expires_at,
        source=held.provenance.source,
        confidence=held.provenance.confidence,
    )


def _bar(held: Restriction) -> contract.Bar:
    return contract.Bar(
        target=_BARS[held.kind],
        target_id=held.other_id,
        expires_at_ms=held.provenance.expires_at,
        bar_id=held.restriction_id,
    )


def _own_parent(adult_id: str) -> contract.Bar:
    return contract.Bar(target=contract.BAR_TARGET_ADULT, target_id=adult_id, bar_id=f"own-parent-{adult_id}")


def _pair(held: Restriction) -> contract.PairRule:
    return contract.PairRule(
        kind=_PAIRS[held.kind],
        other_learner_id=held.other_id,
        expires_at_ms=held.provenance.expires_at,
        pair_id=held.restriction_id,
    )


def _interval(held: WeeklyInterval) -> contract.WeeklyInterval:
    return contract.WeeklyInterval(
        weekday=held.weekday,
        start_minute=held.start_minute,
        end_minute=held.end_minute,
        site_id=held.site_id,
        valid_from=held.valid_from or None,
        valid_until=held.valid_until or None,
    )


def _off_site(held: OffSite) -> contract.OffSite:
    return contract.OffSite(
        off_site_id=held.off_site_id,
        intervals=[_interval(hours) for hours in held.intervals],
        place=held.place,
        travel_minutes=held.travel_minutes,
        supervisor_adult_id=held.supervisor_adult_id or None,
    )


def _wishes(held: Choice) -> list[contract.RankedChoice]:
    return [
        contract.RankedChoice(
            choice_id=held.choice_id,
            kind=wish.kind,
            focus_id=wish.focus_id,
            rank=wish.rank,
            made_at_ms=held.provenance.observed_at,
            expires_at_ms=held.provenance.expires_at,
        )
        for wish in held.ranked
    ]
