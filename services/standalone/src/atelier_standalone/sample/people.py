"""Learners, guardians and adults of the sample district: made up from birds, trees and minerals, and drawn from a seed."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random

from atelier_standalone.sample.names import drawn_names, words
from atelier_standalone.sample.strands import LANGUAGE, MAKING, NATURE, NUMBERS, SOCIETY

DISTRICT_ID = "harbour-district"
TIDEWATER, LANTERN = "tidewater", "lantern"
FIRST_DAY = date(2026, 9, 9)
"""The first of three school days of evidence (a Wednesday); the week that is planned begins on the Monday after."""

SERVICE_SHARE = 0.12
_INTERESTS = words(
    "tide pools|lighthouses|kites|bread|old maps|beetles|drums|bridges|comets|puppets|clay|sailing|moss|codes", "|"
)


Hours = tuple[tuple[int, str, str], ...]
"""(weekday, from, to) in the site's own clock; empty for whenever the site is open."""


@dataclass(frozen=True, slots=True)
class Site:
    """A school: how many learners, and the bell schedules and home groups that they are spread over in turn."""

    site_id: str
    name: str
    learners: int
    bells: tuple[str, ...]
    home_groups: int


SITES = (
    Site(TIDEWATER, "Tidewater Studio School (fictional)", 80, ("long-blocks",), 5),
    Site(LANTERN, "Lantern Flex School (fictional)", 160, ("early-lunch", "late-lunch"), 10),
)


@dataclass(frozen=True, slots=True)
class Person:
    sourced_id: str
    given: str
    family: str
    site_id: str


@dataclass(frozen=True, slots=True)
class LearnerPerson(Person):
    """``ability`` is the latent ability per subject in logits; only the evidence model knows it."""

    born: date = FIRST_DAY
    guardian: str = ""
    bell: str = ""
    home_group: str = ""
    ability: dict[str, float] = field(default_factory=dict)
    interests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdultPerson(Person):
    """``role`` is OneRoster's, ``roles`` are the site's. An itinerant is at ``other_site`` in ``other_hours``. Who is not
    ``scheduled`` takes no sessions."""

    role: str = "teacher"
    roles: tuple[str, ...] = ("teacher",)
    certificates: tuple[str, ...] = ()
    certificated: bool = True
    hours: Hours = ()
    other_site: str = ""
    other_hours: Hours = ()
    scheduled: bool = True


@dataclass(frozen=True, slots=True)
class People:
    learners: tuple[LearnerPerson, ...]
    adults: tuple[AdultPerson, ...]
    guardians: tuple[Person, ...]

    def at(self, site_id: str) -> tuple[LearnerPerson, ...]:
        return tuple(learner for learner in self.learners if learner.site_id == site_id)


_MORNINGS = tuple((weekday, "08:00", "12:30") for weekday in range(1, 6))
_EARLY_WEEK = tuple((weekday, "08:00", "15:30") for weekday in (1, 2, 3))
_LATE_WEEK = tuple((weekday, "08:00", "15:30") for weekday in (4, 5))


def _teacher(site_id: str, *certificates: str, hours: Hours = ()) -> AdultPerson:
    return AdultPerson("", "", "", site_id, certificates=certificates, hours=hours)


def _aide(site_id: str) -> AdultPerson:
    return AdultPerson("", "", "", site_id, role="aide", roles=("aide",), certificated=False)


def _office(site_id: str, role: str) -> AdultPerson:
    return AdultPerson("", "", "", site_id, role=role, roles=(role,), scheduled=False)


_POSTS = (
    _teacher(TIDEWATER, NUMBERS, NATURE),
    _teacher(TIDEWATER, LANGUAGE, SOCIETY),
    _teacher(TIDEWATER, NATURE, MAKING),
    _teacher(TIDEWATER, SOCIETY, LANGUAGE),
    _teacher(TIDEWATER, MAKING, NUMBERS),
    _teacher(TIDEWATER, NUMBERS, LANGUAGE),
    _teacher(TIDEWATER, NATURE, SOCIETY),
    _teacher(TIDEWATER, LANGUAGE, NUMBERS, hours=_MORNINGS),
    _aide(TIDEWATER),
    _teacher(LANTERN, NUMBERS, NATURE),
    _teacher(LANTERN, NUMBERS, MAKING),
    _teacher(LANTERN, LANGUAGE, SOCIETY),
    _teacher(LANTERN, LANGUAGE, SOCIETY),
    _teacher(LANTERN, NATURE, NUMBERS),
    _teacher(LANTERN, SOCIETY, LANGUAGE),
    _teacher(LANTERN, MAKING, NATURE),
    _teacher(LANTERN, LANGUAGE, MAKING, hours=_MORNINGS),
    AdultPerson(
        *("", "", "", LANTERN),
        roles=("teacher", "specialist"),
        certificates=("speech-language", "special-education", LANGUAGE),
        hours=_EARLY_WEEK,
        other_site=TIDEWATER,
        other_hours=_LATE_WEEK,
    ),
    _aide(LANTERN),
    _office(TIDEWATER, "principal"),
    _office(LANTERN, "principal"),
    _office(DISTRICT_ID, "districtAdministrator"),
)


def people(seed: int) -> People:
    """240 learners aged 7 to 13, their guardians and the adults of both sites."""
    random = Random(f"people:{seed}")
    drawn = drawn_names(random)
    adults = tuple(
        replace(post, sourced_id=f"adult-{place:03d}", given=given, family=family)
        for place, (post, (given, family)) in enumerate(zip(_POSTS, drawn, strict=False), start=1)
    )
    learners: list[LearnerPerson] = []
    guardians: list[Person] = []
    taken: set[tuple[str, str]] = set()
    for site in SITES:
        for place in range(site.learners):
            number = len(learners) + 1
            given, family = next(drawn)
            # One family in four has two children here, one after the other.
            if (
                not guardians
                or learners[-1].site_id != site.site_id
                or random.random() > 0.25
                or _siblings(learners) > 1
            ):
                guardians.append(Person(f"guardian-{len(guardians) + 1:03d}", next(drawn)[0], family, site.site_id))
            guardian = guardians[-1]
            while (given, guardian.family) in taken:
                given, _ = next(drawn)
            taken.add((given, guardian.family))
            born = FIRST_DAY - timedelta(days=int(365.25 * random.uniform(7.02, 13.95)))
            learners.append(
                LearnerPerson(
                    f"learner-{number:03d}",
                    given,
                    guardian.family,
                    site.site_id,
                    born,
                    guardian.sourced_id,
                    site.bells[place % len(site.bells)],
                    f"home-{place % site.home_groups + 1}",
                    _ability(random, born),
                    tuple(sorted(random.sample(_INTERESTS, random.choice((0, 1, 1, 2))))),
                )
            )
    return People(tuple(learners), adults, tuple(guardians))


def _siblings(learners: list[LearnerPerson]) -> int:
    return sum(learner.guardian == learners[-1].guardian for learner in learners[-3:])


def _ability(random: Random, born: date) -> dict[str, float]:
    """Logits per subject: it grows with age, and differs between learners and between one learner's subjects."""
    years = (FIRST_DAY - born).days / 365.25
    general = 0.55 * (years - 10.0) + random.gauss(0.0, 0.8)
    return {
        subject: round(general + random.gauss(0.0, 0.6), 6) for subject in (NUMBERS, LANGUAGE, NATURE, SOCIETY, MAKING)
    }
