"""The timetable behind a plan, built again from the plan alone, trusting it: what first aid works on."""

from atelier_scheduling.engine.demand import Demands
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.loading import is_ground
from atelier_scheduling.engine.plan import Plan, Presence
from atelier_scheduling.engine.timetable import Meeting, Seat, Timetable


def restore(facts: Facts, plan: Plan) -> tuple[Timetable, dict[str, Meeting]]:
    """Every session and attendance of the plan, unchecked. A meeting's cap is the session's ``most``."""
    table = Timetable(facts)
    meetings: dict[str, Meeting] = {}
    for session in plan.sessions:
        cell = facts.cell_at(session.interval.start, session.interval.end, session.slot)
        meeting = Meeting(
            facts.kinds[session.kind],
            cell,
            session.interval.start,
            session.interval.end,
            facts.zone_of[session.zone],
            [(facts.adult_of[member.adult], member.role) for member in session.staff],
            session.most,
            session.focus,
            studio=session.studio,
            home_group=session.home_group,
            series=session.series,
            parent=session.parent,
            fewest=session.fewest,
            needs_device=session.needs_device,
            delivers=session.delivers,
            base=is_ground(session),
            id=session.id,
        )
        table.add(meeting)
        meetings[session.id] = meeting
    for row in plan.attendances:
        receipt = row.because
        table.seat(
            Seat(
                facts.learner_of[row.learner],
                meetings[row.session],
                row.interval.start,
                row.interval.end,
                (receipt.code, receipt.placed_by, receipt.parameters, receipt.restricted, receipt.margin),
                row.needs,
                row.presence is Presence.PRESENT,
                row.station,
            )
        )
    for time in plan.adult_time:
        table.hold(facts.adult_of[time.adult], time.kind, time.interval.start, time.interval.end)
    return table, meetings


def recount(table: Timetable, demands: Demands, learner: int) -> None:
    """Count a learner's demands from the seats alone, as the seats say which needs they serve."""
    demands.refresh(learner)
    for day, seats in enumerate(table.seats_on[learner]):
        for seat in seats:
            if not seat.present:
                continue
            for name in seat.needs:
                demand = demands.by_need.get(name)
                if demand is not None and demand.learner == learner:
                    demand.minutes += seat.end - seat.start
                    demand.times += 1
                    demand.days.append(day)
                    demand.last_end = max(demand.last_end, seat.end)
