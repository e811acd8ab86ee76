"""What a valid support looks like. Each check returns the support with its provenance settled, or raises InvalidInput."""

import re
from dataclasses import replace
from datetime import date

from atelier_common.errors import InvalidInput

from atelier_profile.domain.learner.values import (
    Absence,
    Accommodation,
    Languages,
    OffSite,
    Presence,
    Restriction,
    SupportService,
    WeeklyInterval,
)
from atelier_profile.domain.provenance import settled

BASES = frozenset({"iep", "504", "language-plan", "health-plan", "intervention", "informal"})
SETTINGS = frozenset({"push-in", "pull-out", "either"})
PERIODS = frozenset({"day", "week", "cycle", "month"})
RESTRICTIONS = frozenset({"bar-adult", "bar-zone", "bar-focus", "apart", "together", "chosen-peer"})
MINUTES_OF_A_DAY = 24 * 60
MINUTES_OF_A_MONTH = 31 * MINUTES_OF_A_DAY
_CODE = re.compile(r"[a-z0-9][a-z0-9.\-]{0,59}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def accommodation_checked(now: int, accommodation: Accommodation) -> Accommodation:
    _code(accommodation.kind, "kind")
    _one_of(accommodation.basis, BASES, "basis")
    _at_least(accommodation.time_factor, 1.0, "time_factor")
    _at_least(accommodation.group_size_max, 1, "group_size_max")
    return replace(accommodation, provenance=settled(accommodation.provenance, now))


def service_checked(now: int, service: SupportService) -> SupportService:
    _code(service.kind, "kind")
    _code(service.provider_role, "provider_role")
    for pulled_from in service.may_be_pulled_from:
        _code(pulled_from, "may_be_pulled_from")
    _one_of(service.basis, BASES, "basis")
    _one_of(service.setting, SETTINGS, "setting")
    _one_of(service.period, PERIODS, "period")
    if not 0 < service.minutes_per_week <= MINUTES_OF_A_MONTH:
        raise InvalidInput("minutes must be positive and fit the period", field="minutes_per_week")
    _at_least(service.group_size_max, 1, "group_size_max")
    if service.inclusion_minimum is not None and not 0.0 <= service.inclusion_minimum <= 1.0:
        raise InvalidInput("the inclusion minimum is a share between 0 and 1", field="inclusion_minimum")
    _range(service.sessions_min, service.sessions_max, "sessions_max")
    _range(service.session_minutes_min, service.session_minutes_max, "session_minutes_max")
    _dates(service.valid_from, service.valid_until)
    return replace(service, provenance=settled(service.provenance, now))


def absence_checked(now: int, absence: Absence) -> Absence:
    if absence.ends_at <= absence.starts_at:
        raise InvalidInput("an absence ends after it starts", field="ends_at", value=absence.ends_at)
    return replace(absence, provenance=settled(absence.provenance, now))


def off_site_checked(now: int, off_site: OffSite) -> OffSite:
    if not off_site.intervals:
        raise InvalidInput("off-site time has hours of the week", field="intervals")
    for interval in off_site.intervals:
        _interval(interval)
    _at_least(off_site.travel_minutes, 0, "travel_minutes")
    if not off_site.place:
        raise InvalidInput("off-site time names its place", field="place")
    if not (off_site.supervisor or off_site.supervisor_adult_id):
        raise InvalidInput("off-site time names its supervisor", field="supervisor")
    return replace(off_site, provenance=settled(off_site.provenance, now))


def restriction_checked(now: int, learner_id: str, restriction: Restriction) -> Restriction:
    _one_of(restriction.kind, RESTRICTIONS, "kind")
    if not restriction.other_id or restriction.other_id == learner_id:
        raise InvalidInput("a restriction names somebody or something else", field="other_id")
    return replace(restriction, provenance=settled(restriction.provenance, now))


def presence_checked(now: int, presence: Presence) -> Presence:
    _at_least(presence.on_site_minutes_per_week, 0, "on_site_minutes_per_week")
    for interval in presence.availability:
        _interval(interval)
    return replace(presence, provenance=settled(presence.provenance, now))


def languages_checked(now: int, languages: Languages) -> Languages:
    for tag in languages.tags:
        if not _LANGUAGE.fullmatch(tag):
            raise InvalidInput(f"{tag} is not a BCP 47 language tag", field="languages", value=tag)
    return replace(languages, provenance=settled(languages.provenance, now))


def _code(value: str, field: str) -> None:
    # Codes travel in the clear, so nothing that could hold a sentence about a child is accepted here.
    if not _CODE.fullmatch(value):
        raise InvalidInput(f"{field} is a code of lower-case letters, digits, dots and hyphens", field=field)


def _one_of(value: str, allowed: frozenset[str], field: str) -> None:
    if value not in allowed:
        raise InvalidInput(f"{field} is one of {', '.join(sorted(allowed))}", field=field, value=value)


def _at_least(value: float | None, least: float, field: str) -> None:
    if value is not None and value < least:
        raise InvalidInput(f"{field} is at least {least:g}", field=field, value=value)


def _range(least: int | None, most: int | None, field: str) -> None:
    _at_least(least, 1, field)
    _at_least(most, least or 1, field)


def _interval(interval: WeeklyInterval) -> None:
    if not 1 <= interval.weekday <= 7:
        raise InvalidInput("weekdays are 1 (Monday) to 7 (Sunday)", field="weekday", value=interval.weekday)
    if not 0 <= interval.start_minute < interval.end_minute <= MINUTES_OF_A_DAY:
        raise InvalidInput("hours start before they end, within one day", field="end_minute", value=interval.end_minute)
    _dates(interval.valid_from, interval.valid_until)


def _dates(valid_from: str, valid_until: str) -> None:
    try:
        first, last = (date.fromisoformat(text) if text else None for text in (valid_from, valid_until))
    except ValueError as error:
        raise InvalidInput("dates are written YYYY-MM-DD", field="valid_from") from error
    if first and last and last < first:
        raise InvalidInput("a support ends after it begins", field="valid_until", value=valid_until)
