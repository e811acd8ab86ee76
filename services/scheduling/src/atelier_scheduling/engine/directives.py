"""What people decided: overrides and pins, carried out before the planner chooses anything, each with its outcome.

Safety and law stand above them: one that would break a safety rule is refused (or suspended, if it held in the
previous plan), naming the rule; nothing the planner does later undoes one that was carried out.
"""

from atelier_scheduling.engine.appointments import carve, why
from atelier_scheduling.engine.checks import (
    adult_forbidden,
    learner_forbidden,
    matches,
    may_learn,
    may_share,
    staffed_cap,
    zone_forbidden,
)
from atelier_scheduling.engine.demand import Demands
from atelier_scheduling.engine.facts import Cell, Facts
from atelier_scheduling.engine.needs import Focus
from atelier_scheduling.engine.overrides import Override, OverrideAction, OverrideOutcome, OverrideStanding
from atelier_scheduling.engine.people import Pin
from atelier_scheduling.engine.plan import PlacedBy, Plan
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.rules import Obligation, Rule
from atelier_scheduling.engine.staffing import find_staff, supervising_kinds
from atelier_scheduling.engine.studios import Draft
from atelier_scheduling.engine.supervision import Ground
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import DECIDED, Meeting, Seat, Timetable

_LAW = (SlotPurpose.LUNCH, SlotPurpose.RECESS, SlotPurpose.PROTECTED)
Broken = Rule | Obligation


class Directives:
    """All overrides and pins of a problem in the order they were given."""

    def __init__(self, facts: Facts, previous: Plan | None) -> None:
        self.facts = facts
        self.outcomes: dict[str, OverrideOutcome] = {}
        self._held = {
            outcome.override
            for outcome in (previous.overrides if previous else ())
            if outcome.standing in (OverrideStanding.HONOURED, OverrideStanding.SUSPENDED)
        }
        self.orders: list[Override] = []
        for order in sorted(facts.problem.overrides, key=lambda item: (item.given_at, item.id)):
            if order.expires is not None and order.expires <= facts.problem.now:
                self._note(order, OverrideStanding.EXPIRED)
            else:
                self.orders.append(order)
        for learner in facts.learners:
            for pin in sorted(learner.pins, key=lambda item: item.id):
                self.orders.append(self._from_pin(learner.id, pin))

    def _from_pin(self, learner: str, pin: Pin) -> Override:
        focus = None
        if pin.focus:
            number = self.facts.learner_of[learner]
            focus = next((need.focus for need in self.facts.needs[number] if need.focus.id == pin.focus), None)
            if focus is None:
                focus = next((n.focus for rows in self.facts.needs for n in rows if n.focus.id == pin.focus), None)
        return Override(
            pin.id,
            "",
            "pin",
            OverrideAction.PLACE,
            pin.interval,
            learners=(learner,),
            adults=(pin.adult,) if pin.adult else (),
            focus=focus,
            studio=pin.studio,
            session=pin.session,
            zone=pin.zone,
        )

    def _note(self, order: Override, standing: OverrideStanding, rule: str = "") -> None:
        self.outcomes[order.id] = OverrideOutcome(order.id, order.owner, standing, rule)

    def _settle(self, order: Override, rule: Broken | None) -> None:
        if rule is None:
            self._note(order, OverrideStanding.HONOURED)
        else:
            against = OverrideStanding.SUSPENDED if order.id in self._held else OverrideStanding.REFUSED
            self._note(order, against, rule.value)

    def unmet(self) -> list[str]:
        """Ids of ``place`` and ``open`` orders that could not be carried out, in the order they were given."""
        carried = (OverrideAction.PLACE, OverrideAction.OPEN)
        orders = [order.id for order in self.orders if order.action in carried]
        return [name for name in orders if self.outcomes[name].standing is not OverrideStanding.HONOURED]

    def home_groups(self) -> dict[int, str]:
        """Learner to home group, as people decided; a group with somebody the learner must be kept apart from is
        refused."""
        wanted: dict[int, str] = {}
        for order in self.orders:
            if order.action is not OverrideAction.HOME_GROUP:
                continue
            rule: Broken | None = None
            for name in order.learners:
                number = self.facts.learner_of.get(name)
                if number is None:
                    rule = Rule.KNOWN
                    continue
                others = [n for n, group in wanted.items() if group == order.home_group]
                if not may_share(self.facts, number, others):
                    rule = Rule.APART
                else:
                    wanted[number] = order.home_group
            self._settle(order, rule)
        return wanted

    def studios(self) -> dict[int, set[str]]:
        """Learner to studios, as people decided."""
        wanted: dict[int, set[str]] = {}
        for order in self.orders:
            if order.action is OverrideAction.STUDIO:
                known = [self.facts.learner_of[name] for name in order.learners if name in self.facts.learner_of]
                for number in known:
                    wanted.setdefault(number, set()).add(order.studio)
                self._settle(order, None if len(known) == len(order.learners) else Rule.KNOWN)
        return wanted

    def leads(self) -> list[tuple[int, str, str, str, int, int]]:
        """Adults that people named to lead: (adult, focus id, kind, studio, start, end)."""
        named = []
        for order in self.orders:
            if order.action is OverrideAction.STAFF:
                known = [self.facts.adult_of[name] for name in order.adults if name in self.facts.adult_of]
                lawful = [adult for adult in known if self.facts.may_lead[adult]]
                for adult in lawful:
                    focus = order.focus.id if order.focus else ""
                    named.append((adult, focus, order.kind, order.studio, order.scope.start, order.scope.end))
                self._settle(order, None if lawful else Rule.CERTIFICATED_IN_CHARGE)
        return named

    def keep_out(self, table: Timetable) -> None:
        for order in self.orders:
            if order.action is OverrideAction.KEEP_OUT:
                for name in order.learners:
                    if name in self.facts.learner_of:
                        table.keep_out.setdefault(self.facts.learner_of[name], []).append(order)
                self._settle(order, None)

    def drop_keep_out(self, table: Timetable) -> bool:
        """Nobody can be supervised under the keep-outs: they give way to safety. Returns whether there were any."""
        orders = {order.id: order for rows in table.keep_out.values() for order in rows}
        for order in orders.values():
            self._settle(order, Rule.SUPERVISED_EVERY_MINUTE)
        table.keep_out.clear()
        return bool(orders)

    def place(self, table: Timetable, ground: Ground, demands: Demands, drafts: list[Draft], only: str = "") -> None:
        """Carry out every ``place`` and ``open`` order (or the one named)."""
        for order in self.orders:
            if only and order.id != only:
                continue
            if order.action is OverrideAction.PLACE:
                self._settle(order, _Carrying(table, ground, demands, drafts).place(order))
            elif order.action is OverrideAction.OPEN:
                self._settle(order, _Carrying(table, ground, demands, drafts).open(order))


class _Carrying:
    """Carries one order out, wholly or not at all."""

    def __init__(self, table: Timetable, ground: Ground, demands: Demands, drafts: list[Draft]) -> None:
        self.table = table
        self.facts = table.facts
        self.ground = ground
        self.demands = demands
        self.drafts = {draft.id: draft for draft in drafts}
        self.opened: list[Meeting] = []
        self.seated: list[Seat] = []
        self.along: list[Seat] = []
        self.given_up: list[Seat] = []

    def place(self, order: Override) -> Broken | None:
        for name in order.learners:
            learner = self.facts.learner_of.get(name)
            rule = Rule.KNOWN if learner is None else self._place_learner(order, learner)
            if rule is not None:
                self._undo()
                return rule
        for meeting in self.opened:
            meeting.fixed = True
        for seat in self.seated:
            self.demands.credit(seat)
        return None

    def open(self, order: Override) -> Broken | None:
        """One session of the focus in the first cell of the scope where somebody can hold it."""
        rule: Broken | None = Rule.SUPERVISED_EVERY_MINUTE
        for cell in self.facts.cells:
            if order.scope.start <= cell.start and cell.end <= order.scope.end and cell.purpose not in _LAW:
                meeting = self._open(order, cell, order.focus)
                if isinstance(meeting, Meeting):
                    meeting.fixed = True
                    return None
                rule = meeting
        return rule

    def _place_learner(self, order: Override, learner: int) -> Broken | None:
        draft = self.drafts.get(order.studio)
        focus = order.focus or (draft.focus if draft else None)
        if not may_learn(self.facts, learner, focus):
            return Rule.PREREQUISITE
        inside = [self.facts.cells[index] for index in sorted(self.facts.parts[learner])]
        inside = [cell for cell in inside if cell.start < order.scope.end and order.scope.start < cell.end]
        exact = [cell for cell in inside if cell.start <= order.scope.start and order.scope.end <= cell.end]
        cells = exact or [cell for cell in inside if cell.purpose not in _LAW]
        if not cells:
            return Rule.LEARNER_AVAILABLE
        for cell in cells:
            rule = self._place_in_cell(order, learner, cell, focus)
            if rule is not None:
                return rule
        return None

    def _place_in_cell(self, order: Override, learner: int, cell: Cell, focus: Focus | None) -> Broken | None:
        now = self.table.seats_in(learner, cell.start, cell.end)
        if any(seat.session.fixed and matches(self.facts, seat.session, order) for seat in now):
            return None
        for seat in now:
            if seat.why[0] not in DECIDED:
                continue
            if ("override", order.id) not in seat.why[2] or not matches(self.facts, seat.session, order):
                return Rule.ONE_PLACE
            seat.session.fixed = True
            return None
        rule: Broken | None = None
        for meeting in self.table.in_cell[cell.index]:
            if (
                matches(self.facts, meeting, order)
                and (order.focus is None or meeting.focus == focus)
                and not meeting.base
            ):
                rule = self._seat(order, learner, meeting)
                if rule is None:
                    return None
        if order.session:
            return rule or Rule.KNOWN
        opened = self._open(order, cell, focus)
        if isinstance(opened, Meeting):
            return self._seat(order, learner, opened)
        return rule or self._open_for_many(order, learner, cell, focus)

    def _open(self, order: Override, cell: Cell, focus: Focus | None) -> Meeting | Broken:
        rule: Broken = Rule.SUPERVISED_EVERY_MINUTE
        for kind in self._kinds(order, cell, focus):
            leads = self._leads(order, kind, focus)
            # Whoever is free needs nobody else to step in.
            leads.sort(key=lambda n: adult_forbidden(self.table, n, cell.start, cell.end, "") is not None)
            for lead in leads:
                if not self.ground.claim(lead, cell.start, cell.end):
                    rule = Rule.SUPERVISED_EVERY_MINUTE
                    continue
                for zone in self.facts.zones_for[kind.id]:
                    if order.zone and self.facts.zones[zone].id != order.zone:
                        continue
                    place = self.facts.zones[zone].place
                    against = zone_forbidden(self.table, zone, cell.start, cell.end) or adult_forbidden(
                        self.table, lead, cell.start, cell.end, place
                    )
                    staff = None if against else find_staff(self.table, kind, lead, cell.start, cell.end, zone)
                    if staff is None:
                        rule = against or Rule.STAFF_ROLES
                        continue
                    meeting = Meeting(
                        kind, cell.index, cell.start, cell.end, zone, staff, staffed_cap(self.facts, kind, staff)
                    )
                    meeting.focus, meeting.studio, meeting.series = focus, order.studio, order.studio
                    meeting.needs_device = kind.needs_device
                    meeting.delivers = self.facts.qualified(lead, focus, kind)
                    self.table.add(meeting)
                    self.opened.append(meeting)
                    return meeting
        return rule

    def _open_for_many(self, order: Override, learner: int, cell: Cell, focus: Focus | None) -> Broken | None:
        """No adult can be spared for one learner alone: a session that takes others of this time along, who want the
        same focus, or (without a focus) anybody who is nowhere else."""
        standing = [m for m in self.ground.base(cell.index) if not m.fixed and len(m.leads) == 1]
        # First one session of the ground gives way; only if none can do that alone, all of this time.
        for taken in [*([m] for m in sorted(standing, key=lambda m: (len(m.occupants), m.zone))), None]:
            rule = self._open_instead(taken, order, learner, cell, focus)
            if rule is None:
                return None
        return rule

    def _open_instead(
        self, taken: list[Meeting] | None, order: Override, learner: int, cell: Cell, focus: Focus | None
    ) -> Broken | None:
        before = self.ground.snapshot(cell.index)
        if taken is None:
            self.ground.strip(cell.index)
        for meeting in taken or ():
            self.table.drop(meeting)
        rule: Broken = Rule.SUPERVISED_EVERY_MINUTE
        opened = self._open(order, cell, focus)
        if isinstance(opened, Meeting):
            opened.base = opened.fixed = focus is None
            against = self._seat(order, learner, opened)
            if against is None:
                self._take_along(opened, cell)
                if self.ground.cover(cell.index):
                    return None
                self._give_up(opened)
            else:
                rule = against
                self._give_up(opened)
        self.ground.revert(cell.index, before)
        return rule

    def _take_along(self, meeting: Meeting, cell: Cell) -> None:
        wanting = [
            (-self.demands.points(demand, cell), one, demand)
            for one in self.facts.learners_in[cell.index]
            for demand in self.demands.of[one]
            if demand.need.focus == meeting.focus and self.demands.open_now(demand, cell, cell.end - cell.start)
        ]
        for _, one, demand in sorted(wanting, key=lambda row: row[:2]):
            if learner_forbidden(self.table, meeting, one, meeting.start, meeting.end) is None:
                seat = Seat(one, meeting, meeting.start, meeting.end, why(demand, "studio"))
                self.table.seat(seat)
                self.demands.credit(seat)
                self.along.append(seat)

    def _give_up(self, meeting: Meeting) -> None:
        for seat in list(meeting.seats):
            if seat in self.along:
                self.along.remove(seat)
                self.demands.uncredit(seat)
            if seat in self.seated:
                self.seated.remove(seat)
            self.table.unseat(seat)
        self.opened.remove(meeting)
        self.table.drop(meeting)

    def _kinds(self, order: Override, cell: Cell, focus: Focus | None) -> list[SessionKind]:
        if order.kind:
            return [self.facts.kinds[order.kind]] if order.kind in self.facts.kinds else []
        draft = self.drafts.get(order.studio)
        if draft:
            return [draft.kind]
        return self.facts.kinds_for[focus.kind] if focus else supervising_kinds(self.facts, cell.purpose)

    def _leads(self, order: Override, kind: SessionKind, focus: Focus | None) -> list[int]:
        if order.adults:
            return [self.facts.adult_of[one] for one in order.adults if one in self.facts.adult_of]
        fit = [
            n for n in range(len(self.facts.adults)) if self.facts.may_lead[n] and self.facts.qualified(n, focus, kind)
        ]
        return sorted(fit, key=lambda n: (len(self.facts.adults[n].certificates), n))

    def _seat(self, order: Override, learner: int, meeting: Meeting) -> Broken | None:
        given_up = [s for s in self.table.seats_in(learner, meeting.start, meeting.end) if not s.session.base]
        if any(seat.why[0] in DECIDED for seat in given_up):
            return Rule.ONE_PLACE
        parts = [
            (max(a, meeting.start), min(b, meeting.end))
            for a, b in self.facts.parts[learner].get(meeting.cell, [])
            if a < meeting.end and meeting.start < b
        ]
        before = list(self.table.seats_of(learner))
        # What a former plan gave the learner at this time was a preference or can be given at another one; a person's
        # decision stands above it.
        for seat in given_up:
            self.demands.uncredit(seat)
        for start, end in parts:
            carve(self.table, learner, start, end)
        for start, end in parts:
            rule = learner_forbidden(self.table, meeting, learner, start, end)
            if rule is not None:
                self._put_back(learner, before)
                for seat in given_up:
                    self.demands.credit(seat)
                return rule
            reason = (
                "override.place" if order.owner else "pin",
                PlacedBy.COACH,
                (("override", order.id),),
                order.restricted,
                0.0,
            )
            seat = Seat(learner, meeting, start, end, reason)
            self.table.seat(seat)
            self.seated.append(seat)
        for seat in self.table.seats_of(learner):
            if given_up and seat not in before and seat not in self.seated:
                self.demands.credit(seat)
        self.given_up += given_up
        return None if parts else Rule.LEARNER_AVAILABLE

    def _put_back(self, learner: int, seats: list[Seat]) -> None:
        for seat in list(self.table.seats_of(learner)):
            if seat not in seats:
                self.table.unseat(seat)
        for seat in seats:
            if seat not in self.table.seats_of(learner):
                self.table.seat(seat)

    def _undo(self) -> None:
        cells = {seat.session.cell for seat in self.seated} | {meeting.cell for meeting in self.opened}
        for seat in self.along:
            self.demands.uncredit(seat)
        for seat in (*self.seated, *self.along):
            self.table.unseat(seat)
        for meeting in self.opened:
            self.table.drop(meeting)
        for seat in self.given_up:
            for part in self.table.seats_in(seat.learner, seat.start, seat.end):
                if not part.session.base:
                    self.demands.uncredit(part)
                self.table.unseat(part)
            self.table.seat(seat)
            self.demands.credit(seat)
        for cell in sorted(cells):
            self.ground.lay(cell)
