"""What a roster cannot carry: accommodations, services, absences, devices, languages, places to avoid. For profile's own API."""

import json
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from atelier_standalone.sample.people import FIRST_DAY, SERVICE_SHARE, SITES, TIDEWATER, LearnerPerson, People

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
    """The body of ``POST /profile/v1/supports``: supports per learner, absences in the week that is planned."""
    random = Random(f"supports:{seed}")
    served = {
        learner.sourced_id
        for site in SITES
        for learner in random.sample(people.at(site.site_id), round(SERVICE_SHARE * site.learners))
    }
    learners = [_supports(random, learner, learner.sourced_id in served) for learner in people.learners]
    return json.dumps({"learners": learners}, indent=1).encode()


def _supports(random: Random, learner: LearnerPerson, served: bool) -> Data:
    supports: Data = {
        "sourced_id": learner.sourced_id,
        "languages": {"tags": random.choice(_LANGUAGES)},
        "device": {"has_device": random.random() < DEVICE_SHARE},
    }
    if served:
        supports["services"] = [random.choice((_SPEECH, _READING))]
        supports["accommodations"] = [random.choice(_ACCOMMODATIONS)]
    if random.random() < 0.01:
        supports["presence"] = {"step_free": True}
    if random.random() < 0.01:
        supports["restrictions"] = [
            {"kind": "bar-zone", "other_id": "loft" if learner.site_id == TIDEWATER else "barn"}
        ]
    if random.random() < ABSENT_SHARE:
        supports["absences"] = [_absence(random.randrange(5))]
    return supports


def _absence(weekday: int) -> Data:
    """A whole school day of the planned week, 0 Monday."""
    day = PLANNED_MONDAY + timedelta(days=weekday)
    return {"starts_at": _milliseconds(day, 12), "ends_at": _milliseconds(day, 22)}


def _milliseconds(day: date, hour: int) -> int:
    return int(datetime.combine(day, time(hour), UTC).timestamp() * 1000)
