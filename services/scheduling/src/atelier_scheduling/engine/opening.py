"""Where a group of people who are nowhere else meets, and with whom: the next session on the ground."""

from enum import Enum

from atelier_scheduling.engine.checks import adult_forbidden, learner_forbidden, zone_forbidden
from atelier_scheduling.engine.facts import Span
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.sessions import HomeGroup
from atelier_scheduling.engine.staffing import cap_at, find_staff, ground_focus, supervising_kinds
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import Meeting, Timetable


class Mode(Enum):
    """How the ground is laid: home groups in their own places; few adults in large places; fewest adults, the young
    together."""

    OWN = "own"
    SPARING = "sparing"
    TIGHT = "tight"


def may_attend(table: Timetable, meeting: Meeting, learner: int, parts: list[Span]) -> bool:
    """Whether every rule lets the learner be there in all these stretches."""
    return all(learner_forbidden(table, meeting, learner, start, end) is None for start, end in parts)


class Opening:
    """Opens sessions on the ground. Numbers of groups are those of ``groups``; ``group_of`` is by learner, ``adult_of`` and ``zone_of``
    by group, -1 where there is none."""

    def __init__(self, table: Timetable, groups: list[HomeGroup], group_of: dict[int, int]) -> None:
        facts = table.facts
        self.table = table
        self.groups = groups
        self.group_of = group_of
        self.adult_of = [facts.adult_of.get(group.adult, -1) for group in groups]
        self.zone_of = [facts.zone_of.get(group.zone, -1) for group in groups]
        teaching = max((kind.cap for kind in facts.problem.kinds if kind.teaching), default=0)
        # Places that hold far more than a lesson does: with a share of them, each bell can spare adults to teach.
        self._large = {n for n, zone in enumerate(facts.zones) if not zone.shared and 4 * zone.seats > 5 * teaching > 0}
        self._kinds = {purpose: supervising_kinds(facts, purpose) for purpose in SlotPurpose}

    def large_share(self, cell: int) -> int:
        """How many of the large places are this cell's, by learners, among the cells of other bells at the same time."""
        facts = self.table.facts
        around = facts.cells[cell]
        here = len(facts.learners_in[cell])
        beside = facts.cells_between(around.start, around.end)
        other = max((len(facts.learners_in[one.index]) for one in beside if one.index != cell), default=0)
        return max(1, round(len(self._large) * here / max(1, here + other)))

    def room(self, cell: int, adults: list[int], most: int | None = None, fair: bool = False) -> int:
        """At most how many learners the adults (``most`` of them) could hold together in the cell's free zones: an
        upper bound; only ``cover`` can tell. ``fair``: with no more of the large places than are this cell's."""
        facts = self.table.facts
        around = facts.cells[cell]
        kinds = self._kinds[around.purpose]
        caps = sorted((max((facts.cap(adult, kind) for kind in kinds), default=0) for adult in adults), reverse=True)[
            :most
        ]
        seats: list[int] = []
        large = self.large_share(cell) if fair else len(self._large)
        for zone in sorted({number for kind in kinds for number in facts.zones_for[kind.id]}) if caps else ():
            if zone_forbidden(self.table, zone, around.start, around.end):
                continue
            if zone in self._large:
                large -= 1
                if large < 0:
                    continue
            left = facts.zones[zone].seats
            if facts.zones[zone].shared:
                beside = self.table.in_zone(zone, around.start, around.end)
                left -= sum(len(other.occupants) for other in beside)
                while left > 0 and len(seats) < 4 * len(caps) and caps[0] > 0:
                    seats.append(min(left, caps[0]))
                    left -= caps[0]
            else:
                seats.append(left)
        seats.sort(reverse=True)
        return sum(min(pair) for pair in zip(caps, seats, strict=False))

    def own_lead(self, loose: dict[int, list[Span]], adults: list[int]) -> int | None:
        """One of these adults whose own home group has loose learners."""
        present = {self.group_of.get(learner, -1) for learner in loose}
        for group in sorted(present):
            if group >= 0 and self.adult_of[group] in adults:
                return self.adult_of[group]
        return None

    def meeting(self, cell: int, loose: dict[int, list[Span]], adults: list[int], mode: Mode) -> Meeting | None:
        """A new meeting for the group with most loose learners, with its own adult and zone where they are free."""
        facts = self.table.facts
        around = facts.cells[cell]
        counts: dict[int, int] = {}
        for learner in loose:
            group = self.group_of.get(learner, -1)
            counts[group] = counts.get(group, 0) + 1
        ranked = sorted(counts, key=lambda g: (g < 0 or self.adult_of[g] not in adults, -counts[g], g))
        group = ranked[0]
        kinds = self._kinds[around.purpose]
        if mode is Mode.TIGHT:
            kinds = sorted(kinds, key=lambda kind: -kind.cap)
        for kind in kinds:
            for adult in self._adult_order(adults, group, kind, counts):
                zone = self._zone(kind, cell, group, adult, loose, mode)
                if zone < 0:
                    continue
                staff = find_staff(self.table, kind, adult, around.start, around.end, zone)
                if staff is None:
                    continue
                own = self.adult_of[group] == adult if group >= 0 else False
                meeting = Meeting(
                    kind,
                    cell,
                    around.start,
                    around.end,
                    zone,
                    staff,
                    cap_at(facts, kind, staff, zone),
                    focus=ground_focus(around.purpose, kind),
                    home_group=self.groups[group].id if own else "",
                    needs_device=kind.needs_device,
                    base=True,
                )
                if not any(may_attend(self.table, meeting, learner, loose[learner]) for learner in loose):
                    continue
                adults.remove(adult)
                self.table.add(meeting)
                return meeting
        return None

    def _adult_order(self, adults: list[int], group: int, kind: SessionKind, counts: dict[int, int]) -> list[int]:
        facts = self.table.facts
        own = self.adult_of[group] if group >= 0 else -1
        of_others = {self.adult_of[other] for other in counts if other >= 0 and other != group}
        return sorted(
            adults,
            key=lambda n: (n != own, n in of_others, -facts.cap(n, kind), len(facts.adults[n].certificates), n),
        )

    def _zone(
        self, kind: SessionKind, cell: int, group: int, adult: int, loose: dict[int, list[Span]], mode: Mode
    ) -> int:
        facts = self.table.facts
        around = facts.cells[cell]
        want = min(len(loose), facts.cap(adult, kind))
        own = self.zone_of[group] if group >= 0 else -1
        held = sum(meeting.zone in self._large for meeting in self.table.in_cell[cell]) if self._large else 0
        over = mode is not Mode.TIGHT and held >= self.large_share(cell) if self._large else False
        best, best_key = -1, (True, True, True, 0, True, "")
        for zone in facts.zones_for[kind.id]:
            place = facts.zones[zone]
            if zone_forbidden(self.table, zone, around.start, around.end):
                continue
            if adult_forbidden(self.table, adult, around.start, around.end, place.place):
                continue
            seats = place.seats
            if place.shared:
                beside = self.table.in_zone(zone, around.start, around.end)
                seats -= sum(facts.seats_of[one] for meeting in beside for one in meeting.occupants)
            if seats <= 0:
                continue
            order = kind.zone_kinds.index(place.kind) if kind.zone_kinds else 0
            # The own zone first; a shared zone (dining hall) before others of its kind; else the best fit.
            if mode is not Mode.OWN:
                key = (
                    over and zone in self._large,
                    seats < want,
                    False,
                    -min(seats, want) * 1000 + order,
                    zone != own,
                    place.id,
                )
            else:
                key = (
                    over and zone in self._large,
                    zone != own,
                    seats < want,
                    order * 1000 + abs(seats - want),
                    False,
                    place.id,
                )
            if best < 0 or key < best_key:
                best, best_key = zone, key
        return best
