"""Every mistake in a site's description is named in words that say where it is."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from atelier_scheduling.domain.site_description import SiteDescription
from pydantic import ValidationError

GOOD: dict[str, Any] = json.loads((Path(__file__).parents[1] / "planning" / "small_site.json").read_text())


def described(*edits: tuple[tuple[str | int, ...], Any]) -> dict[str, Any]:
    """The good description with values put at places; a place behind a list's end appends."""
    data = copy.deepcopy(GOOD)
    for place, value in edits:
        target: Any = data
        for step in place[:-1]:
            target = target[step]
        if isinstance(target, list) and place[-1] == len(target):
            target.append(value)
        else:
            target[place[-1]] = value
    return data


def test_the_good_description_is_read_and_written_back_equal() -> None:
    described_ = SiteDescription.model_validate(GOOD)
    assert SiteDescription.model_validate_json(described_.model_dump_json()) == described_


SLOTS = ("bells", 0, "slots")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            described(((*SLOTS, 5), {"name": "Extra", "start": "09:00", "end": "09:30"})),
            "'Block one' and 'Extra' overlap",
        ),
        (described(((*SLOTS, 5), {"name": "Back", "start": "14:00", "end": "13:00"})), "'Back' ends before it starts"),
        (described(((*SLOTS, 0, "start"), "8:30")), "not a time of day"),
        (
            described((("placements",), [{"learner": "l", "bell": "gone"}])),
            "placement of 'l': there is no bell schedule 'gone'",
        ),
        (
            described((("special_days",), [{"date": "2026-09-14", "bells": {"blocks": "gone"}}])),
            "special day 2026-09-14",
        ),
        (
            described((("special_days",), [{"date": "2026-09-14", "bells": {"gone": "blocks"}}])),
            "no bell schedule 'gone'",
        ),
        (described((("special_days",), [{"date": "14.9.2026"}])), "isoformat"),
        (described((("time_zone",), "Mars/Olympus")), "'Mars/Olympus' is not an IANA time zone"),
        (described((("time_zone",), "../etc/passwd")), "is not an IANA time zone"),
        (described((("zones", 4), GOOD["zones"][0])), "zones: 'east' stands twice"),
        (described((("kinds", 5), GOOD["kinds"][0])), "kinds: 'lesson' stands twice"),
        (described((("staff", 3), GOOD["staff"][0])), "staff: 'adult-1' stands twice"),
        (described((("bells", 1), GOOD["bells"][0])), "bells: 'blocks' stands twice"),
        (described((("routine", 1), GOOD["routine"][0])), "routine: 'lunch' stands twice"),
        (
            described((("routine", 0, "kinds"), ["seance"])),
            "routine need 'lunch': there is no kind of session 'seance'",
        ),
        (described((("kinds", 0, "focus_kinds"), ["alchemy"])), "Input should be"),
        (described((("colour",), "green")), "Extra inputs are not permitted"),
        (described((("school_days",), [0])), "greater than or equal to 1"),
        (described((("school_days",), [])), "at least 1 item"),
        (described((("bells",), [])), "at least 1 item"),
        (described(((*SLOTS, 1, "name"), "Block two")), "two slots of one day are called 'Block two'"),
        (described((("special_days",), [{"date": "2026-09-14"}] * 2)), "special_days: '2026-09-14' stands twice"),
        (described((("cycle",), ["A", "B"])), "a date on which its first day falls"),
        (described(((*SLOTS, 1, "cycle_days"), ["C"])), "'Block one' is on 'C', no day of the cycle"),
        (
            described((("staff", 0, "hours"), [{"weekday": 1, "start": "13:00", "end": "08:00"}])),
            "hours from 13:00 to 08:00 end before they start",
        ),
    ],
)
def test_a_mistake_is_named(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SiteDescription.model_validate(wrong)
    assert words in str(refused.value)


def test_slots_of_different_days_or_cycle_days_may_share_a_time() -> None:
    early = {"name": "Monday", "start": "13:00", "end": "14:00", "weekdays": [1]}
    late = {"name": "Tuesday", "start": "13:30", "end": "14:30", "weekdays": [2]}
    first = {"name": "A", "start": "15:00", "end": "16:00", "cycle_days": ["A"]}
    second = {"name": "B", "start": "15:00", "end": "16:00", "cycle_days": ["B"]}
    in_turns = ((*SLOTS, 5), early), ((*SLOTS, 6), late), ((*SLOTS, 7), first), ((*SLOTS, 8), second)
    cycle = (("cycle",), ["A", "B"]), (("cycle_starts",), "2026-09-07")
    assert len(SiteDescription.model_validate(described(*in_turns, *cycle)).bells[0].slots) == 9
