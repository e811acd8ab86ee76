"""One learner's needs of a week: from the path's frontier, the plan of services and the site's routine."""

from collections import defaultdict

from atelier.pathing.v1 import events_pb2 as pathing
from atelier.profile.v1 import events_pb2 as profile

from atelier_scheduling.domain.site_description import RoutineNeed, SiteDescription
from atelier_scheduling.engine.needs import (
    Focus,
    FocusKind,
    Gate,
    GateMetBy,
    Need,
    NeedClass,
    Origin,
    Period,
    Readiness,
    Setting,
)
from atelier_scheduling.planning.facts import Competency, SiteFacts

_GATES = {
    pathing.GATE_REASON_EARNED: GateMetBy.EARNED,
    pathing.GATE_REASON_DEPENDENT_SUCCESS: GateMetBy.LATER_SUCCESS,
    pathing.GATE_REASON_TRANSFERRED_CREDIT: GateMetBy.CREDIT,
    pathing.GATE_REASON_WAIVER: GateMetBy.WAIVER,
}
_SETTINGS = {
    profile.SERVICE_SETTING_PUSH_IN: Setting.PUSH_IN,
    profile.SERVICE_SETTING_PULL_OUT: Setting.PULL_OUT,
}
_BY_LAW = frozenset({"iep", "504"})
_UNKNOWN = Readiness(0.5, 0.5)


def needs_of(facts: SiteFacts, learner: profile.LearnerChanged) -> tuple[Need, ...]:
    """All needs of a learner, in a stable order."""
    description = facts.description
    return (
        *_competencies(facts, learner.learner_id),
        *(_service(learner.learner_id, service) for service in learner.services),
        *(
            _routine(learner.learner_id, need)
            for need in description.routine
            if not need.learners or learner.learner_id in need.learners
        ),
    )


def not_asked(facts: SiteFacts, learner: str, needs: tuple[Need, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Competencies that are no need now, yet lawful to work on: those shown of late, and those ready that wait."""
    asked = {need.focus.id for need in needs}
    shown = tuple(one for one in facts.shown.get(learner, ()) if one not in asked)
    waiting = {entry.competency_id for path in facts.paths.get(learner, ()) for entry in path.frontier}
    return shown, tuple(sorted(waiting - asked - set(shown)))


def _competencies(facts: SiteFacts, learner: str) -> list[Need]:
    """The first few competencies of each subject that the learner is ready for, or that a probe should settle."""
    description = facts.description
    needs: list[Need] = []
    for path in facts.paths.get(learner, ()):
        met = {gate.competency_id: _GATES.get(gate.reason, GateMetBy.EARNED) for gate in path.gates_met}
        taken: defaultdict[str, int] = defaultdict(int)
        for entry in sorted(path.frontier, key=lambda one: (one.rank, one.competency_id)):
            if (
                entry.state == pathing.FRONTIER_STATE_DEFERRED
                or taken[entry.subject] >= description.competencies_per_subject
            ):
                continue
            taken[entry.subject] += 1
            needs.append(_competency(learner, entry, met, facts.competencies.get(entry.competency_id), description))
    return needs


def _competency(
    learner: str,
    entry: pathing.FrontierEntry,
    met: dict[str, GateMetBy],
    competency: Competency | None,
    description: SiteDescription,
) -> Need:
    known = entry.HasField("estimate")
    readiness = Readiness(round(entry.estimate, 4), round(entry.uncertainty, 4)) if known else _UNKNOWN
    probe = entry.state == pathing.FRONTIER_STATE_PROBE
    gates = tuple(
        Gate(prerequisite, met.get(prerequisite, GateMetBy.PROBE if probe else GateMetBy.OPEN))
        for prerequisite in (competency.essential if competency else ())
    )
    origins = {pathing.AUTHOR_ROLE_LEARNER: Origin.CHOICE, pathing.AUTHOR_ROLE_COACH: Origin.COACH}
    return Need(
        id=f"{learner}:{entry.competency_id}",
        learner=learner,
        focus=Focus(FocusKind.COMPETENCY, entry.competency_id, entry.subject),
        need_class=NeedClass.PREFERENCE,
        minutes=entry.expected_minutes or description.competency_minutes,
        per=Period.WEEK,
        times=1,
        kinds=tuple(entry.session_kinds),
        failed_kinds=(entry.last_failed_kind,) if entry.last_failed_kind else (),
        urgency=min(1.0, 0.5 + 0.1 * entry.opportunities_without_progress),
        rank=entry.rank,
        readiness=readiness,
        gates=gates,
        origin=Origin.CHOICE if entry.chosen_by_learner else origins.get(entry.origin, Origin.NEED),
        evidence=tuple(entry.evidence_ids),
    )


def _service(learner: str, service: profile.LearnerService) -> Need:
    law = service.source in _BY_LAW
    return Need(
        id=f"{learner}:service:{service.service_id}",
        learner=learner,
        focus=Focus(FocusKind.SERVICE, service.kind),
        need_class=NeedClass.OBLIGATION,
        minutes=service.minutes_per_week,
        per=Period(service.period) if service.period else Period.WEEK,
        times=service.sessions_min or 1,
        shortest=service.session_minutes_min,
        longest=service.session_minutes_max,
        urgency=1.0,
        origin=Origin.LAW if law else Origin.SERVICES,
        setting=_SETTINGS.get(service.setting, Setting.ANY),
        group_most=service.group_size_max,
        provider_role=service.provider_role,
        # The plan of services names what may be missed; where it names nothing, no teaching is.
        may_take_from=tuple(service.may_be_pulled_from) or (FocusKind.HOME, FocusKind.STUDY),
        inclusion_minimum=service.inclusion_minimum,
        restricted=True,
    )


def _routine(learner: str, routine: RoutineNeed) -> Need:
    return Need(
        id=f"{learner}:{routine.id}",
        learner=learner,
        focus=Focus(routine.focus, routine.id, routine.subject),
        need_class=routine.need_class,
        minutes=routine.minutes,
        per=routine.per,
        times=routine.times,
        shortest=routine.shortest,
        longest=routine.longest,
        most_per_day=routine.most_per_day,
        kinds=routine.kinds,
        origin=Origin.ENGINE,
    )
