"""A site of our own for the real learners, who come without one: adults, hours, rooms, bells, services and absences are made up."""

import json
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

SITE_ID = "school-1"
SUBJECT = "Skills of a real course"
TIME_ZONE = "America/Chicago"
ADULTS = 18
SERVICE_SHARE = 0.12
ABSENT_SHARE = 0.03
BELLS = ("early-lunch", "late-lunch")
Data = dict[str, Any]

_MORNINGS = tuple((weekday, "08:00", "12:30") for weekday in range(1, 6))
_EARLY_WEEK = tuple((weekday, "08:00", "15:30") for weekday in (1, 2, 3))
_LATE_WEEK = tuple((weekday, "08:00", "15:30") for weekday in (3, 4, 5))
_PART_TIME = {3: _MORNINGS, 9: _EARLY_WEEK, 15: _LATE_WEEK}
_SPECIALISTS = (17, 18)
_AIDES = (8, 16)

_START = (
    ("Morning circle", "08:30", "08:45", "home"),
    ("Block one", "08:45", "09:35", "teaching"),
    ("Block two", "09:35", "10:25", "teaching"),
    ("Recess", "10:25", "10:40", "recess"),
    ("Block three", "10:40", "11:30", "teaching"),
)
_END = (
    ("Block five", "13:00", "13:50", "teaching"),
    ("Flex", "13:50", "14:40", "flex"),
    ("Closing circle", "14:40", "15:00", "home"),
)
_LUNCHES = {
    "early-lunch": (("Lunch", "11:30", "12:10", "lunch"), ("Block four", "12:10", "13:00", "teaching")),
    "late-lunch": (("Block four", "11:30", "12:20", "teaching"), ("Lunch", "12:20", "13:00", "lunch")),
}


def site(learners: list[str]) -> Data:
    """The site's description for ``atelier import site``. Learners by sourcedId, in turn on the one bell and the other."""
    rooms = [_zone(f"room-{number}", "room", 20) for number in range(1, 17)]
    return {
        "format": 1,
        "site_id": SITE_ID,
        "title": "Example School",
        "model": "blocks and flex with two lunch waves",
        "time_zone": TIME_ZONE,
        "bells": [_bell(name) for name in BELLS],
        "zones": [
            *rooms,
            _zone("hall", "hall", 160, devices=80, shared=True),
            _zone("workshop", "maker", 48, shared=True),
            _zone("dining", "dining", 170, shared=True),
            *(_zone(f"office-{number}", "office", 6) for number in (1, 2)),
            _zone("yard", "outdoors", 320, shared=True),
        ],
        "kinds": _KINDS,
        "policy": {
            "studio_fewest": 3,
            "studio_most": 16,
            "home_age_span_months": 60,
            "floors": {"needs_served_share": 0.4, "contact_minutes": 300, "independent_share_most": 0.6},
            "term": "autumn-2026",
        },
        "routine": [
            {"id": "mentor", "title": "Talk with the mentor", "focus": "mentor", "minutes": 15, "shortest": 10,
             "kinds": ["mentor-talk"]},
            {"id": "course", "title": "Work on the course", "focus": "subject", "minutes": 50, "subject": SUBJECT},
        ],
        "competencies_per_subject": 6,
        "competency_minutes": 50,
        "cut_off": {"days_before": 3, "at": "16:00"},
        "publishing": "reviewed",
        "staff": [_adult(number) for number in range(1, ADULTS + 1)],
        "placements": [
            {"learner": learner, "bell": BELLS[place % len(BELLS)]} for place, learner in enumerate(learners)
        ],
    }  # fmt: skip


def supports(learners: list[str], monday: date) -> Data:
    """The body of ``POST /profile/v1/supports``: services for 12 % of the learners, absences in the planned week."""
    random = Random("services and absences")
    served = random.sample(learners, round(SERVICE_SHARE * len(learners)))
    absent = random.sample(learners, round(ABSENT_SHARE * len(learners)))
    found: dict[str, Data] = {learner: {"sourced_id": learner} for learner in sorted({*served, *absent})}
    for place, learner in enumerate(served):
        found[learner]["services"] = [_SERVICES[place % len(_SERVICES)]]
    for place, learner in enumerate(absent):
        found[learner]["absences"] = [_absence(monday + timedelta(days=place % 5))]
    return {"learners": list(found.values())}


def _absence(day: date) -> Data:
    here = ZoneInfo(TIME_ZONE)
    begins, ends = (datetime.combine(day, time(hour), here).astimezone(UTC) for hour in (8, 16))
    return {"starts_at": int(begins.timestamp() * 1000), "ends_at": int(ends.timestamp() * 1000)}


def _bell(name: str) -> Data:
    slots = (*_START, *_LUNCHES[name], *_END)
    return {
        "id": name,
        "title": name.replace("-", " ").capitalize(),
        "slots": [{"name": what, "start": start, "end": end, "purpose": why} for what, start, end, why in slots],
    }


def _zone(zone: str, kind: str, seats: int, **more: object) -> Data:
    return {"id": zone, "name": zone.replace("-", " ").capitalize(), "kind": kind, "seats": seats, **more}


def _adult(number: int) -> Data:
    aide = number in _AIDES
    roles = ["teacher", "specialist"] if number in _SPECIALISTS else ["aide"] if aide else ["teacher"]
    hours = _PART_TIME.get(number, ())
    return {
        "adult": f"adult-{number:04d}",
        "roles": roles,
        "certificates": [] if aide else [SUBJECT],
        "certificated": not aide,
        "hours": [{"weekday": weekday, "start": start, "end": end} for weekday, start, end in hours],
        "commitments": _ABSENCES.get(number, []),
        "contract": {
            "duty_free_lunch": 30,
            "lunch_window": ["11:00", "13:30"],
            "planning": 0 if hours or aide else 40,
            "longest_run": 300,
        },
    }


_ABSENCES: dict[int, list[Data]] = {
    5: [{"weekday": 2, "start": "08:00", "end": "15:30", "code": "absent"}],
    12: [{"weekday": 4, "start": "08:00", "end": "12:30", "code": "absent"}],
}
"""Two adults are away in the planned week: one a day, one a morning."""

_SERVICES: tuple[Data, ...] = (
    {
        "kind": "speech", "basis": "iep", "minutes_per_week": 30, "setting": "pull-out", "provider_role": "specialist",
        "group_size_max": 3, "sessions_min": 1, "session_minutes_min": 15,
        "may_be_pulled_from": ["study", "project", "home", "subject", "competency"],
    },
    {
        "kind": "reading-support", "basis": "iep", "minutes_per_week": 60, "setting": "pull-out",
        "provider_role": "specialist", "group_size_max": 4, "sessions_min": 2, "session_minutes_min": 20,
        "session_minutes_max": 40, "may_be_pulled_from": ["study", "project", "home", "subject", "competency"],
    },
)  # fmt: skip

_KINDS: list[Data] = [
    {"id": "studio-lesson", "focus_kinds": ["competency", "subject"], "teaching": True, "zone_kinds": ["room"], "cap": 16,
     "fewest": 2},
    {"id": "project", "focus_kinds": ["project", "elective", "passion"], "zone_kinds": ["maker", "room"], "cap": 24},
    {"id": "own-work", "focus_kinds": ["study", "passion"], "independent": True, "zone_kinds": ["hall", "maker", "room"],
     "cap": 45},
    {"id": "circle", "focus_kinds": ["home", "reflection"], "zone_kinds": ["room", "hall", "maker"], "cap": 45},
    {"id": "mentor-talk", "focus_kinds": ["mentor"], "cap": 6, "minutes": 15},
    {"id": "support", "focus_kinds": ["service"], "zone_kinds": ["office"], "cap": 4,
     "staff": [{"role": "specialist", "count": 1}]},
    {"id": "lunch", "focus_kinds": ["lunch"], "zone_kinds": ["dining"], "cap": 60},
    {"id": "recess", "focus_kinds": ["recess"], "zone_kinds": ["outdoors"], "cap": 60},
]  # fmt: skip


def as_json(content: Data) -> bytes:
    return json.dumps(content, indent=1).encode()
