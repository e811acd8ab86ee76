"""Both sites as data, in the format of ``atelier import site``: a studio-and-seminar school and a tight flex school."""

import json

from atelier_standalone.sample.people import LANTERN, SITES, TIDEWATER, AdultPerson, Hours, People, Site
from atelier_standalone.sample.strands import LANGUAGE, NUMBERS

TIME_ZONE = "America/Chicago"
Data = dict[str, object]


def site_file(people: People, site_id: str) -> bytes:
    """The description of one site as JSON."""
    site = next(site for site in SITES if site.site_id == site_id)
    own = _TIDEWATER if site_id == TIDEWATER else _LANTERN
    description: Data = {
        "format": 1,
        "site_id": site_id,
        "title": site.name,
        "time_zone": TIME_ZONE,
        **own,
        "staff": [
            _staff(adult, site)
            for adult in people.adults
            if adult.scheduled and site_id in (adult.site_id, adult.other_site)
        ],
        "placements": [
            {"learner": learner.sourced_id, "bell": learner.bell, "home_group": learner.home_group}
            for learner in people.at(site_id)
        ],
    }
    return json.dumps(description, indent=1).encode()


def _staff(adult: AdultPerson, site: Site) -> Data:
    hours = adult.hours if adult.site_id == site.site_id else adult.other_hours
    return {
        "adult": adult.sourced_id,
        "roles": adult.roles,
        "certificates": adult.certificates,
        "certificated": adult.certificated,
        "hours": _hours(hours),
        "contract": {
            "duty_free_lunch": 30,
            "lunch_window": ["11:00", "13:30"],
            "planning": 0 if hours or not adult.certificated else 40,
            "longest_run": 300,
        },
    }


def _hours(hours: Hours) -> list[Data]:
    return [{"weekday": weekday, "start": start, "end": end} for weekday, start, end in hours]


def _slots(*slots: tuple[str, str, str, str]) -> list[Data]:
    return [{"name": name, "start": start, "end": end, "purpose": purpose} for name, start, end, purpose in slots]


def _zone(zone: str, name: str, kind: str, seats: int, **more: object) -> Data:
    return {"id": zone, "name": name, "kind": kind, "seats": seats, **more}


def _routine(need: str, title: str, focus: str, minutes: int, **more: object) -> Data:
    return {"id": need, "title": title, "focus": focus, "minutes": minutes, **more}


def _kinds(
    lesson: str, lesson_zones: list[str], lesson_cap: int, study_zones: list[str], study_cap: int, dining: str
) -> list[Data]:
    """The kinds of session that both models know, by their own names and caps."""
    return [
        {
            "id": lesson,
            "focus_kinds": ["competency", "subject"],
            "teaching": True,
            "zone_kinds": lesson_zones,
            "cap": lesson_cap,
            "fewest": 2,
        },
        {
            "id": "project",
            "focus_kinds": ["project", "elective", "passion"],
            "zone_kinds": ["maker", "studio"],
            "cap": 24,
            "age_span_months": 84,
        },
        {
            "id": "own-work",
            "focus_kinds": ["study", "passion"],
            "independent": True,
            "zone_kinds": study_zones,
            "cap": study_cap,
        },
        {
            "id": "circle",
            "focus_kinds": ["home", "reflection"],
            "zone_kinds": ["studio", *lesson_zones, *study_zones, "maker"],
            "cap": 45,
        },
        {"id": "mentor-talk", "focus_kinds": ["mentor"], "cap": 6, "minutes": 15},
        {
            "id": "support",
            "focus_kinds": ["service"],
            "zone_kinds": ["office"],
            "cap": 4,
            "staff": [{"role": "specialist", "count": 1}],
        },
        {"id": "lunch", "focus_kinds": ["lunch"], "zone_kinds": [dining], "cap": 60},
        {"id": "recess", "focus_kinds": ["recess"], "zone_kinds": ["outdoors"], "cap": 60},
    ]


_TIDEWATER: Data = {
    "model": "studios and seminars in long blocks",
    "bells": [
        {
            "id": "long-blocks",
            "title": "Long blocks",
            "slots": _slots(
                ("Morning circle", "08:30", "08:50", "home"),
                ("Block one", "08:50", "10:20", "teaching"),
                ("Recess", "10:20", "10:40", "recess"),
                ("Block two", "10:40", "12:10", "teaching"),
                ("Lunch", "12:10", "12:50", "lunch"),
                ("Own time", "12:50", "13:20", "protected"),
                ("Seminar", "13:20", "14:45", "teaching"),
                ("Closing circle", "14:45", "15:00", "home"),
            ),
        },
        {
            "id": "late-start",
            "title": "Late start",
            "slots": _slots(
                ("Morning circle", "10:00", "10:20", "home"),
                ("Block", "10:20", "12:10", "teaching"),
                ("Lunch", "12:10", "12:50", "lunch"),
                ("Own time", "12:50", "13:20", "protected"),
                ("Seminar", "13:20", "14:45", "teaching"),
                ("Closing circle", "14:45", "15:00", "home"),
            ),
        },
    ],
    "special_days": [
        {"date": "2026-09-23", "bells": {"long-blocks": "late-start"}, "note": "Adults plan together in the morning"},
        {"date": "2026-11-26", "closed": True, "note": "Closed"},
    ],
    "zones": [
        _zone("pier", "Pier studio", "studio", 24, room="pier"),
        _zone("reef", "Reef studio", "studio", 24, room="reef"),
        _zone("dune", "Dune studio", "studio", 24, room="dune"),
        _zone("loft", "Loft studio", "studio", 24, room="loft", step_free=False),
        _zone("cove", "Cove seminar room", "seminar", 16, room="cove"),
        _zone("inlet", "Inlet seminar room", "seminar", 16, room="inlet"),
        _zone("commons", "Commons", "commons", 90, room="commons", devices=40, shared=True),
        _zone("shed", "Boat shed", "maker", 24, room="shed"),
        _zone("nook", "Quiet nook", "office", 8, room="nook"),
        _zone("garden", "Garden", "outdoors", 100, shared=True),
    ],
    "kinds": _kinds("studio-lesson", ["studio", "seminar"], 16, ["commons", "studio"], 40, "commons"),
    "policy": {
        "studio_fewest": 3,
        "studio_most": 16,
        "ratios": [{"below_years": 8, "most_per_adult": 12, "kind": "project"}],
        "floors": {"needs_served_share": 0.5, "contact_minutes": 300, "independent_share_most": 0.5},
        "term": "autumn-2026",
    },
    "routine": [
        _routine("mentor", "Talk with the mentor", "mentor", 15, shortest=10, kinds=["mentor-talk"]),
        _routine("numbers", NUMBERS, "subject", 80, subject=NUMBERS, times=1),
        _routine("language", LANGUAGE, "subject", 80, subject=LANGUAGE, times=1),
        _routine("own-time", "Time for a passion", "passion", 30, need_class="preference"),
    ],
    "competencies_per_subject": 2,
    "competency_minutes": 60,
    "cut_off": {"days_before": 3, "at": "16:00"},
    "publishing": "reviewed",
    "effort": 1,
    "seed": 7,
}

_LANTERN_START = (
    ("Morning circle", "08:30", "08:45", "home"),
    ("Station one", "08:45", "09:35", "teaching"),
    ("Station two", "09:35", "10:25", "teaching"),
    ("Recess", "10:25", "10:40", "recess"),
    ("Station three", "10:40", "11:30", "teaching"),
)
_LANTERN_END = (
    ("Station five", "13:00", "13:50", "teaching"),
    ("Flex", "13:50", "14:40", "flex"),
    ("Closing circle", "14:40", "15:00", "home"),
)

_LANTERN: Data = {
    "model": "stations and flex with two lunch waves",
    "bells": [
        {
            "id": "early-lunch",
            "title": "Early lunch",
            "slots": _slots(
                *_LANTERN_START,
                ("Lunch", "11:30", "12:10", "lunch"),
                ("Station four", "12:10", "13:00", "teaching"),
                *_LANTERN_END,
            ),
        },
        {
            "id": "late-lunch",
            "title": "Late lunch",
            "slots": _slots(
                *_LANTERN_START,
                ("Station four", "11:30", "12:20", "teaching"),
                ("Lunch", "12:20", "13:00", "lunch"),
                *_LANTERN_END,
            ),
        },
    ],
    "special_days": [{"date": "2026-11-26", "closed": True, "note": "Closed"}],
    # 178 seats to teach in for 160 learners: nine in ten are taken.
    "zones": [
        _zone("amber", "Amber room", "station", 16, room="amber"),
        _zone("cobalt", "Cobalt room", "station", 16, room="cobalt"),
        _zone("ochre", "Ochre room", "station", 16, room="ochre"),
        _zone("umber", "Umber room", "station", 16, room="umber"),
        _zone("hall", "Flex hall", "flex", 90, room="hall", devices=60, shared=True),
        _zone("barn", "Maker barn", "maker", 24, room="barn"),
        _zone("dining", "Dining hall", "dining", 90, shared=True),
        _zone("office", "Support office", "office", 6),
        _zone("yard", "Yard", "outdoors", 180, shared=True),
    ],
    "kinds": _kinds("station", ["station", "maker"], 16, ["flex", "maker"], 45, "dining"),
    "policy": {
        "studio_fewest": 3,
        "studio_most": 16,
        "ratios": [{"below_years": 8, "most_per_adult": 16, "kind": "project"}],
        "floors": {"needs_served_share": 0.4, "contact_minutes": 240, "independent_share_most": 0.65},
        "term": "autumn-2026",
    },
    "routine": [
        _routine("mentor", "Talk with the mentor", "mentor", 15, shortest=10, kinds=["mentor-talk"]),
        _routine("numbers", NUMBERS, "subject", 50, subject=NUMBERS, times=1),
        _routine("language", LANGUAGE, "subject", 50, subject=LANGUAGE, times=1),
    ],
    "competencies_per_subject": 1,
    "competency_minutes": 50,
    "cut_off": {"days_before": 3, "at": "16:00"},
    "publishing": "automatic",
    "effort": 1,
    "seed": 7,
}

SITE_IDS = (TIDEWATER, LANTERN)
