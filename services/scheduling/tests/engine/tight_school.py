"""A tight school from a seed: 16 learners per adult, a fifth of the adults part-time, nine tenths of teaching seats needed, 12 % of
learners with services, two bell schedules, absences on both sides. Fixed before the engine was tuned; change the engine, never this."""

import random

from atelier_scheduling.engine.needs import Focus, FocusKind, Need, NeedClass, Origin, Period, Readiness, Setting
from atelier_scheduling.engine.people import Accommodation, AccommodationKind, Adult, Contract, Learner, Pair, PairKind
from atelier_scheduling.engine.places import Zone
from atelier_scheduling.engine.policy import Policy, Ratio, SessionKind
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.times import Day, Interval, Slot, SlotPurpose, minute_of

SUBJECTS = ("mathematics", "language", "science", "history", "arts")
DATES = ("2030-09-02", "2030-09-03", "2030-09-04", "2030-09-05", "2030-09-06")
ZONE = "America/Chicago"
DAY = (
    ("Opening", 480, 500, SlotPurpose.HOME),
    ("Block 1", 503, 553, SlotPurpose.TEACHING),
    ("Block 2", 556, 606, SlotPurpose.TEACHING),
    ("Recess", 608, 623, SlotPurpose.RECESS),
    ("Block 3", 626, 676, SlotPurpose.TEACHING),
    ("Lunch", 679, 709, SlotPurpose.LUNCH),
    ("Block 4", 712, 762, SlotPurpose.TEACHING),
    ("Block 5", 765, 815, SlotPurpose.TEACHING),
    ("Block 6", 818, 868, SlotPurpose.FLEX),
)
KINDS = (
    SessionKind("home", (FocusKind.HOME,), zone_kinds=("direct", "quiet", "project"), cap=30),
    SessionKind("study", (FocusKind.STUDY,), independent=True, zone_kinds=("quiet", "direct", "project"), cap=36),
    SessionKind(
        "direct",
        (FocusKind.COMPETENCY, FocusKind.SUBJECT),
        teaching=True,
        zone_kinds=("direct", "project", "quiet"),
        fewest=3,
        cap=22,
        age_span_months=48,
    ),
    SessionKind("project", (FocusKind.PROJECT,), zone_kinds=("project", "direct"), fewest=4, cap=24),
    SessionKind("service", (FocusKind.SERVICE,), zone_kinds=("office", "quiet"), cap=4),
    SessionKind("mentor", (FocusKind.MENTOR,), zone_kinds=("office", "quiet"), cap=1),
    SessionKind("lunch", (FocusKind.LUNCH,), zone_kinds=("dining",), cap=60),
    SessionKind("recess", (FocusKind.RECESS,), zone_kinds=("outdoors",), cap=50),
)


def tight_school(learners: int = 282, seed: int = 1, foci_per_subject: int = 20, days: int = 5) -> SiteProblem:
    """A week of a school with this many learners aged 7 to 13."""
    chance = random.Random(seed)
    count = max(4, -(-learners // 16))
    bells = ("early", "late")
    dates = DATES[:days]
    slots = tuple(
        Slot(f"{bell}-{date}-{number}", bell, date, name, _span(date, start + shift, end + shift), purpose)
        for bell, shift in zip(bells, (0, 25), strict=True)
        for date in dates
        for number, (name, start, end, purpose) in enumerate(DAY)
    )
    adults = tuple(_adult(number, count, dates, chance) for number in range(count))
    people = tuple(_learner(number, bells[number % 2], dates, chance) for number in range(learners))
    needs = tuple(need for person in people for need in _needs(person, foci_per_subject, chance))
    return SiteProblem(
        "site-a",
        "2030-W36",
        ZONE,
        minute_of(dates[0], 0, ZONE) - 24 * 60,
        tuple(Day(date) for date in dates),
        slots,
        _zones(learners, count),
        KINDS,
        adults,
        people,
        needs,
        tuple(Pair(f"lrn_{a:04}", f"lrn_{a + 7:04}", PairKind.APART, order=True) for a in range(0, learners - 8, 40)),
        policy=Policy(ratios=(Ratio(8, 30),), term="autumn"),
    )


def _span(date: str, start: int, end: int) -> Interval:
    return Interval(minute_of(date, start, ZONE), minute_of(date, end, ZONE))


def _zones(learners: int, count: int) -> tuple[Zone, ...]:
    # Nine tenths of the seats in teaching rooms are taken when everybody is being taught.
    rooms = max(2, round(learners / 0.9 / 24))
    projects = max(1, rooms // 4)
    zones = [
        Zone(f"z-direct-{n:02}", f"Room {n}", "direct", 24, room=f"r{n}", devices=12) for n in range(rooms - projects)
    ]
    zones += [Zone(f"z-project-{n:02}", f"Workshop {n}", "project", 24) for n in range(projects)]
    zones += [
        Zone(f"z-quiet-{n:02}", f"Library {n}", "quiet", 40, step_free=n % 2 == 0) for n in range(max(1, count // 6))
    ]
    zones += [Zone(f"z-office-{n:02}", f"Office {n}", "office", 5) for n in range(max(1, count // 6))]
    zones.append(Zone("z-dining", "Dining hall", "dining", learners, shared=True))
    zones.append(Zone("z-yard", "Yard", "outdoors", learners, shared=True))
    return tuple(zones)


def _adult(number: int, count: int, dates: tuple[str, ...], chance: random.Random) -> Adult:
    part_time = number % 5 == 4
    here = dates[: max(1, (3 * len(dates)) // 5)] if part_time else dates
    absent = {chance.choice(here)} if number % 9 == 8 and len(here) > 1 else set()
    available = tuple(_span(date, 470, 910) for date in here if date not in absent)
    subjects = (SUBJECTS[number % 5], SUBJECTS[(number + 1 + number // 5) % 5])
    roles = (
        ("coach", "mentor")
        + (("speech",) if number == 4 % count else ())
        + (("reading",) if number == 9 % count else ())
    )
    return Adult(f"adt_{number:03}", available, roles, subjects, contract=Contract(duty_free_lunch=25, planning=45))


def _learner(number: int, bell: str, dates: tuple[str, ...], chance: random.Random) -> Learner:
    months = chance.randrange(7 * 12, 14 * 12)
    year, month = divmod(2030 * 12 + 8 - months, 12)
    absences = ()
    if chance.random() < 0.05:
        date = chance.choice(dates)
        absences = (_span(date, 0, 1439) if chance.random() < 0.7 else _span(date, 700, 1439),)
    accommodations = (Accommodation(AccommodationKind.STEP_FREE),) if number % 97 == 5 else ()
    return Learner(
        f"lrn_{number:04}",
        bell,
        f"{year:04}-{month + 1:02}-{chance.randrange(1, 28):02}",
        absences=absences,
        accommodations=accommodations,
        has_device=chance.random() < 0.8,
    )


def _needs(person: Learner, foci: int, chance: random.Random) -> list[Need]:
    needs = []
    age = (2030 - int(person.birth_date[:4])) / 14
    for subject in SUBJECTS:
        middle = int(foci * (age * 0.7 + chance.random() * 0.3))
        for step in range(2 if subject in ("science", "history", "arts") else 3):
            number = min(foci - 1, max(0, middle + step - 1))
            focus = Focus(FocusKind.COMPETENCY, f"{subject}-{number:02}", subject)
            readiness = Readiness(round(0.35 + 0.4 * chance.random(), 3), 0.12)
            needs.append(
                Need(
                    f"{person.id}-{subject}-{step}",
                    person.id,
                    focus,
                    urgency=round(chance.random(), 3),
                    rank=step,
                    readiness=readiness,
                )
            )
    theme = chance.randrange(max(2, foci // 4))
    project = Focus(FocusKind.PROJECT, f"project-{theme:02}", SUBJECTS[theme % 5])
    needs.append(
        Need(f"{person.id}-project", person.id, project, minutes=90, times=2, urgency=0.4, origin=Origin.CHOICE)
    )
    mathematics = Focus(FocusKind.SUBJECT, "mathematics", "mathematics")
    needs.append(
        Need(
            f"{person.id}-mathematics",
            person.id,
            mathematics,
            NeedClass.OBLIGATION,
            minutes=100,
            times=2,
            origin=Origin.LAW,
        )
    )
    if chance.random() < 0.12:
        role = chance.choice(("speech", "reading"))
        needs.append(
            Need(
                f"{person.id}-{role}",
                person.id,
                Focus(FocusKind.SERVICE, role),
                NeedClass.OBLIGATION,
                minutes=60,
                times=2,
                urgency=0.8,
                origin=Origin.SERVICES,
                setting=Setting.PULL_OUT,
                group_most=3,
                provider_role=role,
                restricted=True,
            )
        )
    lunch = Focus(FocusKind.LUNCH, "lunch")
    needs.append(Need(f"{person.id}-lunch", person.id, lunch, NeedClass.OBLIGATION, 20, Period.DAY, origin=Origin.LAW))
    return needs
