"""Services, tests and mentor talks: small meetings inside the day's cells, placed before teaching because they are
owed.

A pull-out takes its learners out of the supervised ground of a cell and lies inside that session; a push-in keeps its
provider's time and finds its place once the learner's session is known (``settle_push_ins``).
"""

from collections import defaultdict
from dataclasses import dataclass

from atelier_scheduling.engine.checks import (
    adult_forbidden,
    learner_forbidden,
    staff_forbidden,
    staffed_cap,
    zone_forbidden,
)
from atelier_scheduling.engine.demand import APPOINTED, Demand, Demands, kinds_of, session_factor
from atelier_scheduling.engine.facts import Cell, Facts
from atelier_scheduling.engine.needs import FocusKind, NeedClass, NeedState, Origin, Setting
from atelier_scheduling.engine.plan import PlacedBy
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.sessions import AdultTimeKind, StaffRole
from atelier_scheduling.engine.staffing import find_staff
from atelier_scheduling.engine.supervision import Ground
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import DECIDED, LATER, SHOWN, Meeting, Seat, Timetable, Why

_OPEN_TIME = (SlotPurpose.TEACHING, SlotPurpose.FLEX, SlotPurpose.HOME)
_STEP = 5
Key = tuple[str, str, str, str, int, int, str]


@dataclass(frozen=True, slots=True)
class PushIn:
    """Time that a provider keeps for a learner until the learner's session is known."""

    demand: Demand
    adult: int
    cell: int
    start: int
    end: int


class Appointments:
    """Places appointed needs on a timetable; ``reasons`` tells for each need left owed what stood in its way."""

    def __init__(self, table: Timetable, ground: Ground, demands: Demands) -> None:
        self.table = table
        self.facts: Facts = table.facts
        self.ground = ground
        self.demands = demands
        self.push_ins: list[PushIn] = []
        self.reasons: dict[str, str] = {}
        self.pulls: dict[tuple[int, int], int] = defaultdict(int)

    def place_all(self, only: set[int] | None = None) -> None:
        """Place every appointed need (of the learners ``only``), the most binding first."""
        groups: dict[Key, list[Demand]] = defaultdict(list)
        for learner, rows in enumerate(self.demands.of):
            if only is not None and learner not in only:
                continue
            for demand in rows:
                if demand.need.focus.kind in APPOINTED and not demand.met:
                    groups[self._key(demand)].append(demand)
        rank = {NeedClass.SAFETY: 0, NeedClass.OBLIGATION: 1, NeedClass.PREFERENCE: 2}
        order = sorted(
            groups.items(),
            key=lambda item: (
                min(rank[d.need.need_class] for d in item[1]),
                item[0][0] == FocusKind.MENTOR,
                -max(d.need.urgency for d in item[1]),
                item[0],
            ),
        )
        for _, rows in order:
            rows.sort(key=lambda d: (rank[d.need.need_class], -d.need.urgency, d.need.id))
            self._place_group(rows)

    def _key(self, demand: Demand) -> Key:
        need = demand.need
        kinds = kinds_of(self.facts, need)
        provider = ""
        if need.focus.kind is FocusKind.MENTOR and not need.provider_role:
            group = self.ground.group_of.get(demand.learner, -1)
            provider = self.ground.groups[group].adult if group >= 0 else ""
        alone = need.id if need.setting is Setting.PUSH_IN else need.cohort
        kind = kinds[0].id if kinds else ""
        return (
            need.focus.kind,
            need.focus.id,
            kind,
            need.provider_role + provider,
            need.group_most,
            self._length(demand),
            alone,
        )

    def _length(self, demand: Demand) -> int:
        need = demand.need
        times = max(1, demand.times_due)
        minutes = -(-demand.due // times) if demand.due else max(need.shortest, 15)
        minutes = max(minutes, need.shortest)
        if need.longest:
            minutes = min(minutes, int(need.longest * session_factor(self.facts, need, demand.learner)))
        return -(-minutes // _STEP) * _STEP

    def _place_group(self, rows: list[Demand]) -> None:
        kinds = kinds_of(self.facts, rows[0].need)
        length = self._length(rows[0])
        providers = self._providers(rows[0])
        if not kinds or not providers or length <= 0:
            code = "owed.no-kind" if not kinds else "owed.no-provider"
            self.reasons.update({demand.need.id: code for demand in rows})
            return
        guard = 1 + sum(-(-demand.due // length) + demand.times_due for demand in rows)
        for _ in range(guard):
            waiting = [demand for demand in rows if not demand.met]
            if not waiting or not any(self._place_one(waiting, kind, providers, length) for kind in kinds):
                break
        for demand in rows:
            if not demand.met:
                self.reasons.setdefault(demand.need.id, "owed.no-time")

    def _providers(self, demand: Demand) -> list[int]:
        need = demand.need
        adults = [n for n, person in enumerate(self.facts.adults) if person.bound_to is None]
        if need.provider_role:
            return [n for n in adults if need.provider_role in self.facts.adults[n].roles]
        if need.focus.kind is FocusKind.MENTOR:
            group = self.ground.group_of.get(demand.learner, -1)
            own = self.ground.opening.adult_of[group] if group >= 0 else -1
            others = [n for n in adults if "mentor" in self.facts.adults[n].roles and n != own]
            return ([own] if own >= 0 else []) + (others or ([] if own >= 0 else adults))
        return [n for n in adults if self.facts.may_lead[n]]

    def _place_one(self, rows: list[Demand], kind: SessionKind, providers: list[int], length: int) -> bool:
        """One meeting for as many of the rows as may share it; free providers first, then one freed from supervision."""
        lead = rows[0]
        cells = [
            self.facts.cells[index]
            for index in sorted(self.facts.parts[lead.learner])
            if self.facts.cells[index].end - self.facts.cells[index].start >= length
        ]
        cells = [cell for cell in cells if cell.purpose in _OPEN_TIME and not self.table_has_fixed(cell, lead.learner)]
        cells.sort(key=lambda c: (self._load(lead, c), c.start))
        for freeing in (False, True):
            for cell in cells:
                if not self._may_serve(lead, cell, length):
                    continue
                for provider in providers:
                    if self._in_cell(rows, kind, provider, cell, length, freeing):
                        return True
        return False

    def table_has_fixed(self, cell: Cell, learner: int) -> bool:
        """Whether the learner's whole cell is taken by meetings that are not ground."""
        return all(not seat.session.base for seat in self.table.seats_in(learner, cell.start, cell.end))

    def _load(self, demand: Demand, cell: Cell) -> tuple[int, int, int]:
        spread = demand.days.count(cell.day)
        began = any(item.focus == demand.need.focus and not item.base for item in self.table.in_cell[cell.index])
        return (spread, 0 if began else 1, self.table.away(cell.start, cell.end))

    def _may_serve(self, demand: Demand, cell: Cell, length: int) -> bool:
        need = demand.need
        if demand.met or demand.days.count(cell.day) >= max(1, need.most_per_day):
            return False
        most = self.facts.learners[demand.learner].pulls_most
        most = self.facts.policy.pulls_most if most is None else most
        if most and need.focus.kind is not FocusKind.TEST and self.pulls[demand.learner, cell.day] >= most:
            return False
        return cell.end - cell.start >= length and self.demands.after_met(need, cell.start)

    def _in_cell(
        self, rows: list[Demand], kind: SessionKind, provider: int, cell: Cell, length: int, freeing: bool
    ) -> bool:
        person = self.facts.adults[provider]
        if not any(span.start < cell.end and cell.start < span.end for span in person.available):
            return False
        in_base = any(provider in meeting.leads for meeting in self.ground.base(cell.index))
        if in_base and not freeing:
            return False
        for start in range(cell.start, cell.end - length + 1, _STEP):
            end = start + length
            if not in_base and adult_forbidden(self.table, provider, start, end, ""):
                continue
            if not self._windows(rows[0], start, end):
                continue
            if in_base and not self.ground.claim(provider, start, end):
                return False
            in_base = False
            if adult_forbidden(self.table, provider, start, end, "") is None and self._meet(
                rows, kind, provider, cell, start, end
            ):
                return True
        return False

    @staticmethod
    def _windows(demand: Demand, start: int, end: int) -> bool:
        windows = demand.need.windows
        return not windows or any(window.start <= start and end <= window.end for window in windows)

    def _meet(self, rows: list[Demand], kind: SessionKind, provider: int, cell: Cell, start: int, end: int) -> bool:
        need = rows[0].need
        if need.setting is Setting.PUSH_IN:
            if self._base_of(rows[0].learner, start, end) is None:
                return False
            self.table.hold(provider, AdultTimeKind.PLANNING, start, end)
            self.push_ins.append(PushIn(rows[0], provider, cell.index, start, end))
            rows[0].minutes += end - start
            rows[0].times += 1
            rows[0].days.append(cell.day)
            return True
        for zone in self.facts.zones_for[kind.id]:
            place = self.facts.zones[zone].place
            if zone_forbidden(self.table, zone, start, end) or adult_forbidden(self.table, provider, start, end, place):
                continue
            staff = self._staff(kind, provider, start, end, zone)
            if staff is None:
                continue
            cap = staffed_cap(self.facts, kind, staff)
            meeting = Meeting(
                kind, cell.index, start, end, zone, staff, cap, focus=need.focus, group_most=need.group_most
            )
            meeting.needs_device = kind.needs_device or need.needs_device
            meeting.fewest = kind.fewest
            meeting.delivers = self.facts.qualified(provider, need.focus, kind, need.provider_role)
            self.table.add(meeting)
            for demand in rows:
                if self._may_serve(demand, cell, end - start) and self._windows(demand, start, end):
                    self._take(demand, meeting)
            if meeting.occupants:
                return True
            self.table.drop(meeting)
        return False

    def _staff(
        self, kind: SessionKind, provider: int, start: int, end: int, zone: int
    ) -> list[tuple[int, StaffRole]] | None:
        if self.facts.may_lead[provider]:
            return find_staff(self.table, kind, provider, start, end, zone)
        # A provider without a certificate needs somebody certificated in charge beside them.
        place = self.facts.zones[zone].place
        for lead in range(len(self.facts.adults)):
            if (
                lead != provider
                and self.facts.may_lead[lead]
                and not adult_forbidden(self.table, lead, start, end, place)
            ):
                staff = [(lead, StaffRole.LEAD), (provider, StaffRole.SUPPORT)]
                return staff if staff_forbidden(self.facts, kind, staff) is None else None
        return None

    def _base_of(self, learner: int, start: int, end: int) -> Meeting | None:
        seats = self.table.seats_in(learner, start, end)
        if len(seats) != 1 or seats[0].why[0] in DECIDED:
            return None
        if seats[0].session.base and seats[0].start <= start and end <= seats[0].end:
            return seats[0].session
        return None

    def _take(self, demand: Demand, meeting: Meeting) -> bool:
        """Move a learner from the ground into the meeting for its interval."""
        base = self._base_of(demand.learner, meeting.start, meeting.end)
        if base is None or learner_forbidden(self.table, meeting, demand.learner, meeting.start, meeting.end, base):
            return False
        carve(self.table, demand.learner, meeting.start, meeting.end)
        seat = Seat(demand.learner, meeting, meeting.start, meeting.end, why(demand, "appointment"))
        self.table.seat(seat)
        self.demands.credit(seat)
        self.pulls[demand.learner, self.facts.cells[meeting.cell].day] += 1
        return True

    def settle_push_ins(self) -> None:
        """Now that sessions are known, put each kept push-in into the learner's own session, or owe it."""
        for push in self.push_ins:
            demand, adult = push.demand, push.adult
            self.table.release(adult, AdultTimeKind.PLANNING, push.start, push.end)
            demand.minutes -= push.end - push.start
            demand.times -= 1
            demand.days.remove(self.facts.cells[push.cell].day)
            seats = self.table.seats_in(demand.learner, push.start, push.end)
            host = seats[0].session if len(seats) == 1 else None
            kind = kinds_of(self.facts, demand.need)[0]
            if host is None or not self._settle(push, host, kind):
                self.reasons[demand.need.id] = "owed.no-time"

    def _settle(self, push: PushIn, host: Meeting, kind: SessionKind) -> bool:
        zone = self.facts.zones[host.zone]
        allowed = not kind.zone_kinds or zone.kind in kind.zone_kinds
        if not allowed or adult_forbidden(self.table, push.adult, push.start, push.end, zone.place):
            return False
        staff = [(push.adult, StaffRole.LEAD)]
        if staff_forbidden(self.facts, kind, staff):
            return False
        focus = push.demand.need.focus
        cap = staffed_cap(self.facts, kind, staff)
        meeting = Meeting(kind, push.cell, push.start, push.end, host.zone, staff, cap, focus=focus, fewest=1)
        meeting.delivers = self.facts.qualified(push.adult, focus, kind, push.demand.need.provider_role)
        if learner_forbidden(self.table, meeting, push.demand.learner, push.start, push.end, host):
            return False
        self.table.add(meeting)
        carve(self.table, push.demand.learner, push.start, push.end)
        seat = Seat(push.demand.learner, meeting, push.start, push.end, why(push.demand, "appointment"))
        self.table.seat(seat)
        self.demands.credit(seat)
        return True


def carve(table: Timetable, learner: int, start: int, end: int) -> None:
    """Shorten the learner's present seats so that they leave the stretch free."""
    for seat in table.seats_in(learner, start, end):
        table.unseat(seat)
        if seat.start < start:
            table.seat(Seat(learner, seat.session, seat.start, start, seat.why, seat.needs))
        if end < seat.end:
            table.seat(Seat(learner, seat.session, end, seat.end, seat.why, seat.needs))


def why(demand: Demand, code: str, margin: float = 0.0) -> Why:
    """The receipt of a placement that serves a need."""
    need = demand.need
    placed_by = {
        Origin.CHOICE: PlacedBy.CHOICE,
        Origin.COACH: PlacedBy.COACH,
        Origin.LAW: PlacedBy.LAW,
        Origin.SERVICES: PlacedBy.LAW,
    }.get(need.origin, PlacedBy.NEED)
    restricted = need.restricted or need.focus.kind is FocusKind.SERVICE
    parameters = (("focus", need.focus.id), ("need", need.id))
    return (f"{code}.{need.focus.kind}", placed_by, parameters, restricted, margin)


def staying(demand: Demand) -> Why:
    """The receipt of a seat whose need is not open: shown already, or ready while other steps come first."""
    _, placed_by, parameters, restricted, _ = why(demand, "studio")
    return (SHOWN if demand.need.state is NeedState.SHOWN else LATER, placed_by, parameters, restricted, 0.0)


def practice(demand: Demand) -> Why:
    """The receipt of time with a focus that has had what it was owed this week."""
    _, placed_by, parameters, restricted, _ = why(demand, "studio")
    return ("studio.practice", placed_by, parameters, restricted, 0.0)
