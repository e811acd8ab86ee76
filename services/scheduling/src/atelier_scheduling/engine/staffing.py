"""Who may hold a session and how many: the staff it asks for, its cap, and the kinds that hold whoever is nowhere else."""

from atelier_scheduling.engine.checks import adult_forbidden, staffed_cap
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.homegroups import home_kinds
from atelier_scheduling.engine.needs import Focus, FocusKind
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.sessions import StaffRole
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import Timetable

_FOCUS_OF = {
    SlotPurpose.LUNCH: FocusKind.LUNCH,
    SlotPurpose.RECESS: FocusKind.RECESS,
    SlotPurpose.PROTECTED: FocusKind.PASSION,
    SlotPurpose.HOME: FocusKind.HOME,
    SlotPurpose.TEACHING: FocusKind.STUDY,
    SlotPurpose.FLEX: FocusKind.STUDY,
}
BY_LAW = (SlotPurpose.LUNCH, SlotPurpose.RECESS, SlotPurpose.PROTECTED)
"""Slots whose time the law or the site gives to something of its own."""


def cap_at(facts: Facts, kind: SessionKind, staff: list[tuple[int, StaffRole]], zone: int) -> int:
    """Most learners of the staff in the zone."""
    return min(staffed_cap(facts, kind, staff), facts.zones[zone].seats)


def find_staff(
    table: Timetable, kind: SessionKind, lead: int, start: int, end: int, zone: int
) -> list[tuple[int, StaffRole]] | None:
    """The lead and whoever else the kind asks for, free at that time and place; ``None`` if somebody is missing."""
    facts = table.facts
    place = facts.zones[zone].place
    staff = [(lead, StaffRole.LEAD)]
    for wanted in kind.staff:
        have = sum(1 for adult, _ in staff if not wanted.role or wanted.role in facts.adults[adult].roles)
        for adult in range(len(facts.adults)):
            if have >= wanted.count:
                break
            person = facts.adults[adult]
            fits = (wanted.role in person.roles) if wanted.role else facts.may_lead[adult]
            if not fits or person.bound_to is not None or any(adult == one for one, _ in staff):
                continue
            if adult_forbidden(table, adult, start, end, place) is None:
                staff.append((adult, StaffRole.SUPPORT))
                have += 1
        if have < wanted.count:
            return None
    return staff


def supervising_kinds(facts: Facts, purpose: SlotPurpose) -> list[SessionKind]:
    """Kinds that hold learners in a slot of this purpose, best first; home and study kinds stand behind every
    purpose."""
    first = facts.kinds_for[_FOCUS_OF[purpose]]
    if purpose in (SlotPurpose.TEACHING, SlotPurpose.FLEX):
        # A teaching kind asks for a teacher's whole attention: it never holds whoever is left over.
        first = [kind for kind in first if not kind.teaching]
    return list({kind.id: kind for kind in [*first, *home_kinds(facts)]}.values())


def ground_focus(purpose: SlotPurpose, kind: SessionKind) -> Focus | None:
    """What a session on the ground is about, where the slot is for something of its own."""
    wanted = _FOCUS_OF[purpose]
    if wanted in kind.focus_kinds and purpose in BY_LAW:
        return Focus(wanted, wanted.value)
    return None
