"""The problem of one site and week, built from facts in canonical order, so that equal facts give equal bytes.

Birth dates stay sealed in the problem that is stored; :func:`with_birth_dates` opens it at the engine's door.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date

from atelier.profile.v1 import events_pb2 as profile

from atelier_scheduling.domain.site_description import SiteDescription, StaffMember
from atelier_scheduling.engine.people import (
    Accommodation,
    AccommodationKind,
    Adult,
    Bar,
    BarTarget,
    Cap,
    Choice,
    Commitment,
    Contract,
    Learner,
    OffSite,
    Pair,
    PairKind,
)
from atelier_scheduling.engine.problem import SiteProblem, Title
from atelier_scheduling.engine.times import Day, DayKind, Interval, Slot, minute_of
from atelier_scheduling.planning.calendar import dated, days_and_slots, local_interval, without
from atelier_scheduling.planning.facts import SiteFacts
from atelier_scheduling.planning.needs import needs_of

_BAR_TARGETS = {
    profile.BAR_TARGET_ADULT: BarTarget.ADULT,
    profile.BAR_TARGET_ZONE: BarTarget.ZONE,
    profile.BAR_TARGET_FOCUS: BarTarget.FOCUS,
}
_ACCOMMODATIONS = {
    "extended-time": AccommodationKind.EXTENDED_TIME,
    "separate-setting": AccommodationKind.QUIET,
    "quiet": AccommodationKind.QUIET,
    "interpreter": AccommodationKind.INTERPRETER,
    "aide": AccommodationKind.BOUND_ADULT,
}


def assemble(facts: SiteFacts, week: str, now_ms: int) -> SiteProblem:
    """The problem as it is stored: complete, ordered by id, birth dates sealed. Raises InvalidInput for a week that is none."""
    description = facts.description
    days, slots = days_and_slots(week, description)
    now = now_ms // 60_000
    learners = [facts.learners[id] for id in sorted(facts.learners) if facts.learners[id].active]
    present = {learner.learner_id for learner in learners}
    needs = tuple(need for learner in learners for need in needs_of(facts, learner))
    foci = {need.focus.id for need in needs}
    return SiteProblem(
        site=description.site_id,
        week=week,
        time_zone=description.time_zone,
        now=now,
        days=days,
        slots=slots,
        zones=tuple(sorted(description.zones, key=lambda zone: zone.id)),
        kinds=tuple(sorted(description.kinds, key=lambda kind: kind.id)),
        adults=tuple(
            adult_of(member, facts.adults.get(member.adult), days, slots, description)
            for member in sorted(description.staff, key=lambda one: one.adult)
            if member.adult not in facts.adults or facts.adults[member.adult].active
        ),
        learners=tuple(learner_of(facts, learner, days, slots, now) for learner in learners),
        needs=needs,
        pairs=_pairs(learners, present, now),
        travel=description.travel,
        home_groups=facts.home_groups,
        studios=facts.studios,
        overrides=facts.overrides,
        policy=description.policy,
        titles=tuple(
            sorted(
                (
                    *(Title(one.id, one.statement) for one in facts.competencies.values() if one.id in foci),
                    *(Title(one.id, one.title) for one in description.routine if one.id in foci),
                ),
                key=lambda title: title.id,
            )
        ),
    )


def with_birth_dates(problem: SiteProblem, opened: Mapping[str, str]) -> SiteProblem:
    """The problem at the engine's door: ``opened`` maps a sealed birth date to the plain one ("" where it is erased)."""
    return dataclasses.replace(
        problem,
        learners=tuple(
            dataclasses.replace(learner, birth_date=opened.get(learner.birth_date, ""))
            if learner.birth_date
            else learner
            for learner in problem.learners
        ),
    )


def adult_of(
    member: StaffMember,
    known: profile.AdultChanged | None,
    days: tuple[Day, ...],
    slots: tuple[Slot, ...],
    description: SiteDescription,
) -> Adult:
    """An adult of the site in this week: the site's hours and contract, profile's absences and certificates."""
    zone = description.time_zone
    if member.hours:
        available = dated(member.hours, days, zone)
    elif known is not None and known.availability:
        available = _weekly(known.availability, days, zone, description.site_id)
    else:
        available = _open_hours(days, slots)
    away = tuple(_minutes(absence.starts_at_ms, absence.ends_at_ms) for absence in known.absences) if known else ()
    certificates = set(member.certificates)
    if known is not None:
        certificates |= {
            one.code for one in known.certificates if not one.valid_until or one.valid_until >= days[0].date
        }
    contract = member.contract
    lunch = contract.lunch_window
    return Adult(
        id=member.adult,
        available=without(available, away),
        roles=tuple(sorted(set(member.roles) | (set(known.roles) if known else set()))),
        certificates=tuple(sorted(certificates)),
        certificated=member.certificated,
        substitute=member.substitute,
        caps=tuple(Cap(kind, most) for kind, most in sorted(member.caps.items())),
        contract=Contract(
            duty_free_lunch=contract.duty_free_lunch,
            lunch_windows=tuple(local_interval(day.date, lunch[0], lunch[1], zone) for day in days) if lunch else (),
            planning=contract.planning,
            longest_run=contract.longest_run,
            preparations_most=contract.preparations_most,
            common_planning_with=contract.common_planning_with,
            common_planning=contract.common_planning,
        ),
        commitments=tuple(
            Commitment(interval, one.code, one.place)
            for one in member.commitments
            for interval in dated((one,), days, zone)
        ),
        bound_to=member.bound_to,
        place=member.place,
    )


def learner_of(
    facts: SiteFacts, known: profile.LearnerChanged, days: tuple[Day, ...], slots: tuple[Slot, ...], now: int
) -> Learner:
    """A learner in this week; the birth date stays as it came, sealed."""
    description = facts.description
    placement = next((one for one in description.placements if one.learner == known.learner_id), None)
    away = tuple(_minutes(absence.starts_at_ms, absence.ends_at_ms) for absence in known.absences)
    if known.availability:
        here = _weekly(known.availability, days, description.time_zone, description.site_id)
        away += without(_open_hours(days, slots), here)
    accommodations = [
        Accommodation(_ACCOMMODATIONS.get(one.kind, AccommodationKind.OTHER), one.kind, one.time_factor or 1.0)
        for one in known.accommodations
    ]
    if known.step_free:
        accommodations.append(Accommodation(AccommodationKind.STEP_FREE))
    return Learner(
        id=known.learner_id,
        bell=placement.bell if placement else description.bells[0].id,
        birth_date=known.birth_date,
        absences=tuple(sorted(away)),
        off_site=tuple(
            OffSite(
                interval, f"off-site:{one.off_site_id}", one.supervisor_adult_id, one.travel_minutes, one.travel_minutes
            )
            for one in known.off_site
            if one.supervisor_adult_id
            for interval in _weekly(one.intervals, days, description.time_zone, description.site_id)
        ),
        on_site_minimum=known.on_site_minutes_per_week,
        languages=tuple(known.languages),
        accommodations=tuple(accommodations),
        has_device=known.has_device,
        bars=tuple(
            Bar(_BAR_TARGETS[bar.target], bar.target_id)
            for bar in known.bars
            if bar.target in _BAR_TARGETS and not _over(bar, now)
        ),
        choices=tuple(Choice(choice.focus_id, choice.rank) for choice in known.choices if not _over(choice, now)),
        moves_left=facts.moves_left.get(known.learner_id),
        home_group=placement.home_group if placement else "",
    )


def _pairs(learners: list[profile.LearnerChanged], present: set[str], now: int) -> tuple[Pair, ...]:
    pairs: dict[tuple[str, str, PairKind], Pair] = {}
    for learner in learners:
        for rule in learner.pairs:
            if rule.other_learner_id not in present or _over(rule, now):
                continue
            kind = PairKind.APART if rule.kind == profile.PAIR_KIND_APART else PairKind.TOGETHER
            first, second = sorted((learner.learner_id, rule.other_learner_id))
            pairs[(first, second, kind)] = Pair(first, second, kind, order=kind is PairKind.APART)
    return tuple(pairs[key] for key in sorted(pairs))


def _over(
    fact: profile.Bar | profile.PairRule | profile.RankedChoice,
    now: int,
) -> bool:
    return fact.HasField("expires_at_ms") and fact.expires_at_ms // 60_000 <= now


def _minutes(starts_at_ms: int, ends_at_ms: int) -> Interval:
    return Interval(starts_at_ms // 60_000, -(-ends_at_ms // 60_000))


def _open_hours(days: tuple[Day, ...], slots: tuple[Slot, ...]) -> tuple[Interval, ...]:
    """From the first slot's start to the last slot's end of each day, whatever the bell."""
    hours = []
    for day in days:
        of_day = [slot.interval for slot in slots if slot.date == day.date]
        if day.kind is not DayKind.CLOSED and of_day:
            hours.append(Interval(min(one.start for one in of_day), max(one.end for one in of_day)))
    return tuple(hours)


def _weekly(
    intervals: Iterable[profile.WeeklyInterval], days: tuple[Day, ...], time_zone: str, site_id: str
) -> tuple[Interval, ...]:
    found = []
    for one in intervals:
        if one.site_id not in ("", site_id):
            continue
        for day in days:
            if date.fromisoformat(day.date).isoweekday() != one.weekday:
                continue
            if (one.valid_from and day.date < one.valid_from) or (one.valid_until and day.date > one.valid_until):
                continue
            found.append(
                Interval(
                    minute_of(day.date, one.start_minute, time_zone),
                    minute_of(day.date, one.end_minute, time_zone),
                )
            )
    return tuple(sorted(found))
