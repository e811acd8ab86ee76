"""How good a plan is, in numbers that a principal can check by hand from the plan itself."""

from atelier_scheduling.engine.demand import Demands
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.needs import FocusKind, NeedClass
from atelier_scheduling.engine.plan import Alarm, LedgerLine, Metrics
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.timetable import Timetable

_CARE = (FocusKind.SERVICE, FocusKind.MENTOR)
_SMALL = 8


def is_contact(kind: SessionKind, focus_kind: FocusKind | None) -> bool:
    """Whether time in such a session is contact with an adult who teaches, serves or mentors (not merely supervises)."""
    return kind.teaching or focus_kind in _CARE


def measure(
    table: Timetable, demands: Demands, ledger: tuple[LedgerLine, ...], moves: tuple[int, int], studios: int
) -> Metrics:
    """All metrics of a finished timetable. ``moves``: of choice, forced."""
    facts = table.facts
    by_kind: dict[str, int] = {}
    contact = small = alone = independent = 0
    shared = 0.0
    meetings = 0
    for rows in table.in_cell:
        for meeting in rows:
            meetings += 1
            minutes = sum([seat.end - seat.start for seat in meeting.seats if seat.present])
            by_kind[meeting.kind.id] = by_kind.get(meeting.kind.id, 0) + minutes
            if is_contact(meeting.kind, meeting.focus.kind if meeting.focus else None):
                contact += minutes
                size = len(meeting.occupants)
                shared += minutes * len(meeting.leads) / max(1, size)
                small += minutes if size <= _SMALL else 0
                alone += minutes if size == 1 else 0
            elif meeting.kind.independent:
                independent += minutes
    wants = [
        demand
        for rows in demands.of
        for demand in rows
        if demand.need.need_class is NeedClass.PREFERENCE and demand.need.is_open
    ]
    urgency = facts.policy.weights.urgency
    points = [1 + urgency * demand.need.urgency for demand in wants if demand.met]
    served, score = len(points), sum(points)
    on_site = sum(b - a for spans in facts.stretches for a, b in spans)
    return Metrics(
        learners=len(facts.learners),
        needs=len(wants),
        needs_served=served,
        obligations=len(ledger),
        obligations_met=sum(not line.code for line in ledger),
        owed_minutes=sum(line.owed for line in ledger),
        on_site_minutes=on_site,
        contact_minutes=contact,
        small_group_minutes=small,
        one_to_one_minutes=alone,
        independent_minutes=independent,
        supervised_minutes=sum(by_kind.values()),
        adult_share=round(shared / contact, 4) if contact else 0.0,
        moves_of_choice=moves[0],
        moves_forced=moves[1],
        sessions=meetings,
        studios=studios,
        score=round(score, 3),
        by_kind=tuple(sorted(by_kind.items())),
    )


def alarms(facts: Facts, metrics: Metrics, ledger: tuple[LedgerLine, ...]) -> tuple[Alarm, ...]:
    """What a named person must see before the plan is published: owed obligations by kind, floors that are missed."""
    owed: dict[str, list[LedgerLine]] = {}
    for line in ledger:
        if line.code:
            owed.setdefault(line.obligation, []).append(line)
    found = [
        Alarm(
            "obligation-owed",
            (("obligation", name), ("count", str(len(rows))), ("minutes", str(sum(r.owed for r in rows)))),
        )
        for name, rows in sorted(owed.items())
    ]
    floors = facts.policy.floors
    if metrics.needs and metrics.needs_served_share < floors.needs_served_share:
        found.append(Alarm("floor-needs-served", (("share", f"{metrics.needs_served_share:.3f}"),)))
    if metrics.learners and metrics.contact_minutes < floors.contact_minutes * metrics.learners:
        found.append(Alarm("floor-contact-minutes", (("minutes", str(metrics.contact_minutes // metrics.learners)),)))
    if metrics.independent_share > floors.independent_share_most:
        found.append(Alarm("floor-independent-share", (("share", f"{metrics.independent_share:.3f}"),)))
    return tuple(found)
