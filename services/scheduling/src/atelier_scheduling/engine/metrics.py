"""How good a plan is, in numbers that a principal can check by hand from the plan itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum

from atelier_scheduling.engine.demand import Demands
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.needs import FocusKind, NeedClass
from atelier_scheduling.engine.plan import Alarm, LedgerLine, Metrics
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.timetable import Meeting, Timetable

_CARE = (FocusKind.SERVICE, FocusKind.MENTOR)
_SMALL = 8


def is_contact(kind: SessionKind, focus_kind: FocusKind | None) -> bool:
    """Whether time in such a session is contact with an adult who teaches, serves or mentors (not merely supervises)."""
    return kind.teaching or focus_kind in _CARE


@dataclass(frozen=True, slots=True)
class _Held:
    """Minutes in one meeting: of everybody present, in contact with an adult, of those in a small group and alone, independent.
    ``shared``: contact minutes by adults per learner."""

    kind: str
    minutes: int
    contact: int = 0
    small: int = 0
    alone: int = 0
    independent: int = 0
    shared: float = 0.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One learner's open preferences: how many, how many of them served, their points; and the minutes on site."""

    needs: int
    served: int
    points: float
    on_site: int


class Tally:
    """What metrics are the sums of, meeting by meeting and learner by learner. Sums are exact, so their order does not matter."""

    def __init__(self, table: Timetable, demands: Demands) -> None:
        self._table = table
        self._demands = demands
        self._held = {meeting.id: _held(meeting) for rows in table.in_cell for meeting in rows}
        self._wanted = [self._of(learner) for learner in range(len(table.facts.learners))]

    def again(self, meetings: Mapping[str, Meeting | None], learners: Iterable[int]) -> None:
        """Count some meetings (by id; ``None``: not held any more) and learners anew."""
        for name, meeting in meetings.items():
            if meeting is None:
                self._held.pop(name, None)
            else:
                self._held[name] = _held(meeting)
        for learner in learners:
            self._wanted[learner] = self._of(learner)

    def metrics(self, ledger: tuple[LedgerLine, ...], moves: tuple[int, int], studios: int) -> Metrics:
        """All metrics. ``moves``: of choice, forced."""
        held = self._held.values()
        by_kind: dict[str, int] = {}
        for one in held:
            by_kind[one.kind] = by_kind.get(one.kind, 0) + one.minutes
        contact = sum([one.contact for one in held])
        return Metrics(
            learners=len(self._wanted),
            needs=sum([one.needs for one in self._wanted]),
            needs_served=sum([one.served for one in self._wanted]),
            obligations=len(ledger),
            obligations_met=sum([not line.code for line in ledger]),
            owed_minutes=sum([line.owed for line in ledger]),
            on_site_minutes=sum([one.on_site for one in self._wanted]),
            contact_minutes=contact,
            small_group_minutes=sum([one.small for one in held]),
            one_to_one_minutes=sum([one.alone for one in held]),
            independent_minutes=sum([one.independent for one in held]),
            supervised_minutes=sum(by_kind.values()),
            adult_share=round(fsum([one.shared for one in held]) / contact, 4) if contact else 0.0,
            moves_of_choice=moves[0],
            moves_forced=moves[1],
            sessions=len(held),
            studios=studios,
            score=round(fsum([one.points for one in self._wanted]), 3),
            by_kind=tuple(sorted(by_kind.items())),
        )

    def _of(self, learner: int) -> _Wanted:
        facts = self._table.facts
        urgency = facts.policy.weights.urgency
        wants = [
            demand
            for demand in self._demands.of[learner]
            if demand.need.need_class is NeedClass.PREFERENCE and demand.need.is_open
        ]
        points = [1 + urgency * demand.need.urgency for demand in wants if demand.met]
        return _Wanted(len(wants), len(points), fsum(points), sum(b - a for a, b in facts.stretches[learner]))


def _held(meeting: Meeting) -> _Held:
    minutes = sum([seat.end - seat.start for seat in meeting.seats if seat.present])
    kind = meeting.kind
    if is_contact(kind, meeting.focus.kind if meeting.focus else None):
        size = len(meeting.occupants)
        return _Held(
            kind.id,
            minutes,
            contact=minutes,
            small=minutes if size <= _SMALL else 0,
            alone=minutes if size == 1 else 0,
            shared=minutes * len(meeting.leads) / max(1, size),
        )
    return _Held(kind.id, minutes, independent=minutes if kind.independent else 0)


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
