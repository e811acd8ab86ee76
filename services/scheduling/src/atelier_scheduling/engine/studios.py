"""Instructional studios: learners of several ages who share a gap that they are ready for, within one subject.

Formed before the week is placed: for every focus and kind, learners are taken in the order of their readiness into
the first studio whose readiness band (with its uncertainty), age span and size still hold. Existing studios keep
their members while the gap is shared.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from atelier_scheduling.engine.checks import may_share
from atelier_scheduling.engine.demand import GROUPED, Demand, Demands, kinds_of
from atelier_scheduling.engine.facts import Facts, age_months, gates_met
from atelier_scheduling.engine.labels import Labels
from atelier_scheduling.engine.needs import Focus, FocusKind, Need
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.sessions import Studio, StudioState

_DAY = 24 * 60


@dataclass(slots=True, eq=False)
class Draft:
    """A studio in the making: its demands by learner. ``adult`` and ``zone`` are those of its series, once it has
    met."""

    id: str
    focus: Focus
    kind: SessionKind
    members: dict[int, Demand]
    formed_at: int
    expires: int
    label: str = ""
    adult: int = -1
    zone: int = -1
    stage: str = ""


def form_studios(
    facts: Facts, demands: Demands, previous: tuple[Studio, ...], wanted: dict[int, set[str]]
) -> tuple[list[Draft], dict[str, str]]:
    """Studios for all needs that learners meet in groups, and for each need left out the reason code. ``wanted``:
    studio ids that a person decided, per learner."""
    waiting: dict[tuple[Focus, str, str], list[Demand]] = defaultdict(list)
    bell_of = {bell: facts.meets_with(bell) for bell in {learner.bell for learner in facts.learners}}
    reasons: dict[str, str] = {}
    for rows in demands.of:
        for demand in rows:
            need = demand.need
            if need.focus.kind not in GROUPED or need.provider_role or not need.is_open:
                continue
            kinds = kinds_of(facts, need)
            if not gates_met(need.gates):
                reasons[need.id] = "unserved.prerequisite"
            elif not kinds:
                reasons[need.id] = "unserved.no-kind"
            else:
                waiting[need.focus, kinds[0].id, bell_of[facts.learners[demand.learner].bell]].append(demand)
    old = _alive(facts, previous)
    drafts: list[Draft] = []
    for (focus, kind_id, _), rows in sorted(waiting.items()):
        kind = facts.kinds[kind_id]
        formed = _keep(facts, old.get(focus, []), kind, rows, wanted)
        taken = {one for draft in formed for one in draft.members}
        rows = [demand for demand in rows if demand.learner not in taken]
        rows.sort(key=lambda d: (d.need.stage, _estimate(d.need), facts.learners[d.learner].id))
        for demand in rows:
            _join_or_open(facts, formed, demand, focus, kind)
        drafts += _merge_small(facts, formed, reasons)
    return drafts, reasons


def _alive(facts: Facts, previous: tuple[Studio, ...]) -> dict[Focus, list[Studio]]:
    known = {studio.id: studio for studio in (*facts.problem.studios, *previous)}
    alive: dict[Focus, list[Studio]] = defaultdict(list)
    for _, studio in sorted(known.items()):
        if studio.state is StudioState.ACTIVE and (not studio.expires or studio.expires > facts.problem.now):
            alive[studio.focus].append(studio)
    return alive


def _keep(
    facts: Facts, old: list[Studio], kind: SessionKind, rows: list[Demand], wanted: dict[int, set[str]]
) -> list[Draft]:
    by_learner = {demand.learner: demand for demand in rows}
    drafts = []
    placed: set[int] = set()
    for studio in old:
        draft = Draft(
            studio.id, studio.focus, kind, {}, studio.formed_at, studio.expires, studio.label, stage=studio.stage
        )
        numbers = [facts.learner_of[name] for name in studio.members if name in facts.learner_of]
        numbers += [one for one in sorted(by_learner) if studio.id in wanted.get(one, ()) and one not in numbers]
        for one in numbers:
            elsewhere = wanted.get(one, set()) & {other.id for other in old} - {studio.id}
            if one in by_learner and one not in placed and not elsewhere and _fits(facts, draft, by_learner[one]):
                draft.members[one] = by_learner[one]
                placed.add(one)
        if draft.members:
            drafts.append(draft)
    return drafts


def _join_or_open(facts: Facts, formed: list[Draft], demand: Demand, focus: Focus, kind: SessionKind) -> None:
    for draft in formed:
        if draft.stage == demand.need.stage and _fits(facts, draft, demand):
            draft.members[demand.learner] = demand
            return
    problem = facts.problem
    first = facts.learners[demand.learner].id
    text = f"{problem.site}|{problem.week}|{focus.kind}|{focus.id}|{kind.id}|{first}"
    name = "stu_" + hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    expires = problem.now + facts.policy.studio_expiry_days * _DAY
    formed.append(Draft(name, focus, kind, {demand.learner: demand}, problem.now, expires, stage=demand.need.stage))


def _fits(facts: Facts, draft: Draft, demand: Demand) -> bool:
    most = min(facts.policy.studio_most, draft.kind.cap)
    if demand.need.group_most:
        most = min(most, demand.need.group_most)
    if len(draft.members) >= most or not may_share(facts, demand.learner, list(draft.members)):
        return False
    if facts.apart_wish.get(demand.learner, set()) & draft.members.keys():
        return False
    span = draft.kind.age_span_months
    if span:
        births = [facts.birth[one] for one in (*draft.members, demand.learner)]
        known = [birth for birth in births if birth]
        if len(known) < len(births) or age_months(min(known), max(known)) > span:
            return False
    if draft.kind.teaching and facts.policy.readiness_span > 0:
        return _one_band([*(d.need for d in draft.members.values()), demand.need], facts.policy.readiness_span)
    return True


def _one_band(needs: list[Need], span: float) -> bool:
    """Whether the estimates lie within ``span`` of each other once each may move by its own uncertainty."""
    known = [need.readiness for need in needs if need.readiness is not None]
    if len(known) < 2:
        return True
    highest_low = max(item.estimate - item.uncertainty for item in known)
    lowest_high = min(item.estimate + item.uncertainty for item in known)
    return highest_low - lowest_high <= span


def _merge_small(facts: Facts, formed: list[Draft], reasons: dict[str, str]) -> list[Draft]:
    """Studios below the fewest give their members to others with room; what is left meets only if an obligation asks
    for it."""
    kept = [draft for draft in formed if len(draft.members) >= _fewest(facts, draft)]
    for draft in formed:
        if draft in kept:
            continue
        for one, demand in list(draft.members.items()):
            for other in kept:
                if other.stage == draft.stage and _fits(facts, other, demand):
                    other.members[one] = draft.members.pop(one)
                    break
        if len(draft.members) >= draft.kind.fewest and any(
            d.need.need_class != "preference" for d in draft.members.values()
        ):
            kept.append(draft)
        else:
            reasons.update({demand.need.id: "unserved.too-few" for demand in draft.members.values()})
    return kept


def _fewest(facts: Facts, draft: Draft) -> int:
    return max(1, draft.kind.fewest, min(facts.policy.studio_fewest, draft.kind.cap))


def _estimate(need: Need) -> float:
    return need.readiness.estimate if need.readiness else 0.5


def as_studios(facts: Facts, drafts: list[Draft], seed: int) -> tuple[Studio, ...]:
    """The studios as the plan tells them, labelled without order."""
    problem = facts.problem
    labels = Labels(
        f"{problem.site}/{facts.policy.term}/{seed}", False, [draft.label for draft in drafts if draft.label]
    )
    studios = []
    for draft in sorted(drafts, key=lambda item: item.id):
        if len(draft.members) < facts.policy.studio_fewest and not draft.label:
            continue
        studios.append(
            Studio(
                draft.id,
                draft.label or labels.deal(draft.id),
                draft.focus.subject_id,
                draft.focus,
                tuple(sorted(facts.learners[one].id for one in draft.members)),
                shared_gap(facts, draft),
                draft.expires,
                draft.formed_at,
                draft.focus.id,
                draft.stage,
            )
        )
    return tuple(studios)


def shared_gap(facts: Facts, draft: Draft, most: int = 4) -> tuple[Focus, ...]:
    """The draft's focus, then other competencies of the subject that every member is ready for too."""
    common: set[Focus] | None = None
    for one in draft.members:
        foci = {
            need.focus
            for need in facts.needs[one]
            if need.focus.kind is FocusKind.COMPETENCY
            and need.is_open
            and need.focus.subject == draft.focus.subject
            and gates_met(need.gates)
        }
        common = foci if common is None else common & foci
    others = sorted((common or set()) - {draft.focus})
    return (draft.focus, *others[: most - 1])
