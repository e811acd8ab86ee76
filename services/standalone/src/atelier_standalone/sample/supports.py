"""What a roster cannot carry: accommodations, services, absences, devices, languages, orders. For profile's own API."""

import json
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from atelier_standalone.sample.people import FIRST_DAY, LANTERN, SERVICE_SHARE, SITES, LearnerPerson, People

PLANNED_MONDAY = FIRST_DAY + timedelta(days=5)
DEVICE_SHARE = 0.85
ABSENT_SHARE = 0.03
Data = dict[str, object]

_SPEECH: Data = {
    "kind": "speech",
    "basis": "iep",
    "minutes_per_week": 30,
    "setting": "pull-out",
    "provider_role": "specialist",
    "group_size_max": 3,
    "may_be_pulled_from": ["study", "project", "home", "subject", "competency"],
    "sessions_min": 1,
    "session_minutes_min": 15,
}
_READING: Data = {
    "kind": "reading-support",
    "basis": "iep",
    "minutes_per_week": 60,
    "setting": "pull-out",
    "provider_role": "specialist",
    "group_size_max": 4,
    "inclusion_minimum": 0.0,
    "may_be_pulled_from": ["study", "project", "home", "subject", "competency"],
    "sessions_min": 2,
    "session_minutes_min": 20,
    "session_minutes_max": 40,
}
_ACCOMMODATIONS: tuple[Data, ...] = (
    {"kind": "extended-time", "basis": "504", "time_factor": 1.5},
    {"kind": "quiet", "basis": "504"},
    {"kind": "breaks", "basis": "informal"},
)
_LANGUAGES = (["en"], ["en"], ["en"], ["en"], ["es", "en"], ["pt", "en"], ["uk", "en"])


def supports_json(people: People, seed: int) -> bytes:
    """Supports per learner, and absences of adults, in the week that is planned. Persons are named by OneRoster sourcedId."""
    random = Random(f"supports:{seed}")
    served = {
        learner.sourced_id
        for site in SITES
        for learner in random.sample(people.at(site.site_id), round(SERVICE_SHARE * site.learners))
    }
    learners = [_supports(random, learner, learner.sourced_id in served) for learner in people.learners]
    _orders(random, people, learners)
    away = next(adult for adult in people.adults if adult.site_id == LANTERN and adult.scheduled)
    adults: list[Data] = [{"adult": away.sourced_id, "absences": [_absence(f"away-{away.sourced_id}", 1)]}]
    return json.dumps({"learners": learners, "adults": adults}, indent=1).encode()


def _supports(random: Random, learner: LearnerPerson, served: bool) -> Data:
    supports: Data = {
        "learner": learner.sourced_id,
        "languages": random.choice(_LANGUAGES),
        "has_device": random.random() < DEVICE_SHARE,
        "interests": [{"topic": topic, "strength": 0.7} for topic in learner.interests],
    }
    if served:
        service = random.choice((_SPEECH, _READING))
        accommodation = random.choice(_ACCOMMODATIONS)
        supports["services"] = [{"service_id": f"service-{learner.sourced_id}", **service}]
        supports["accommodations"] = [{"accommodation_id": f"accommodation-{learner.sourced_id}", **accommodation}]
    if random.random() < 0.01:
        supports["presence"] = {"step_free": True}
    if random.random() < ABSENT_SHARE:
        supports["absences"] = [_absence(f"absence-{learner.sourced_id}", random.randrange(5))]
    return supports


def _absence(absence_id: str, weekday: int) -> Data:
    """A whole school day of the planned week, 0 Monday."""
    day = PLANNED_MONDAY + timedelta(days=weekday)
    return {"absence_id": absence_id, "starts_at": _milliseconds(day, 12), "ends_at": _milliseconds(day, 22)}


def _milliseconds(day: date, hour: int) -> int:
    return int(datetime.combine(day, time(hour), UTC).timestamp() * 1000)


def _orders(random: Random, people: People, learners: list[Data]) -> None:
    """A few learners who are kept apart, and one who must not meet an adult."""
    by_id = {str(learner["learner"]): learner for learner in learners}
    for site in SITES:
        first, second, third = (learner.sourced_id for learner in random.sample(people.at(site.site_id), 3))
        adult = next(adult.sourced_id for adult in people.adults if adult.site_id == site.site_id and adult.scheduled)
        by_id[first]["restrictions"] = [{"restriction_id": f"order-{first}", "kind": "apart", "other_id": second}]
        by_id[third]["restrictions"] = [{"restriction_id": f"order-{third}", "kind": "bar-adult", "other_id": adult}]
