"""The learner: guards first, then one list of events.

A learner is never deleted: who leaves is deactivated, who asks for it is erased, and an erased learner does not come back: a roster
that still names one changes nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput, NotFound, RuleBroken

from atelier_profile.domain.learner.commands import (
    AssignCohort,
    DeactivateLearner,
    EraseLearner,
    LearnerCommand,
    MakeChoice,
    RecordFact,
    RecordRosterEntry,
    RecordSupports,
    RemoveInterest,
    SetInterest,
    WithdrawFact,
)
from atelier_profile.domain.learner.events import (
    ChoiceMade,
    CohortAssigned,
    FactRecorded,
    FactWithdrawn,
    InterestRemoved,
    InterestSet,
    LearnerDeactivated,
    LearnerEnrolled,
    LearnerErased,
    LearnerEvent,
    LearnerReactivated,
    LearnerRosterChanged,
    PublicLearnerChanged,
)
from atelier_profile.domain.learner.state import Erased, Known, LearnerState, Unknown, evolve, public
from atelier_profile.domain.learner.supports import supports_changed
from atelier_profile.domain.learner.values import Choice, Interest
from atelier_profile.domain.provenance import Provenance, Visibility, says_the_same, settled
from atelier_profile.domain.registry import registry

FACT_KINDS = frozenset({"strength", "need", "basic-need", "preference", "observation", "interview", "survey"})
INTEREST_LASTS = 180 * 24 * 60 * 60 * 1000
"""Milliseconds until an interest goes stale unless it says so itself: about one school term."""
TOPIC = re.compile(r"[\w][\w \-]{0,39}")


def decide(command: LearnerCommand, state: LearnerState) -> Sequence[LearnerEvent]:
    """Raises NotFound for an unknown learner, RuleBroken for an erased one, InvalidInput for what breaks a rule of its form."""
    events = list(_decide(command, state))
    after = state
    for event in events:
        after = evolve(after, event)
    shown = public(after)
    if shown is not None and shown != public(state):
        events.append(PublicLearnerChanged(shown))
    return events


def _decide(command: LearnerCommand, state: LearnerState) -> Sequence[LearnerEvent]:
    match state:
        case Unknown():
            return _of_unknown(command)
        case Known():
            return _of_known(command, state)
        case Erased():
            return _of_erased(command)
        case _:
            assert_never(state)


def _of_unknown(command: LearnerCommand) -> Sequence[LearnerEvent]:
    if isinstance(command, RecordRosterEntry):
        return [LearnerEnrolled(command.learner_id, command.entry)]
    raise NotFound(f"there is no learner {command.learner_id}")


def _of_erased(command: LearnerCommand) -> Sequence[LearnerEvent]:
    if isinstance(command, RecordRosterEntry | DeactivateLearner | EraseLearner):
        return []
    raise RuleBroken(f"learner {command.learner_id} was erased", rule="erased-for-good")


def _of_known(command: LearnerCommand, state: Known) -> Sequence[LearnerEvent]:
    match command:
        case RecordRosterEntry():
            back: list[LearnerEvent] = [] if state.active else [LearnerReactivated(state.learner_id)]
            if command.fingerprint == state.entry.fingerprint:
                return back
            return [*back, LearnerRosterChanged(state.learner_id, command.entry)]
        case DeactivateLearner():
            return [LearnerDeactivated(state.learner_id, command.reason)] if state.active else []
        case RecordSupports():
            return supports_changed(command, state)
        case RecordFact():
            return [_fact_recorded(command)]
        case WithdrawFact():
            if command.fact_id not in state.facts:
                raise NotFound(f"learner {state.learner_id} has no fact {command.fact_id}")
            return [FactWithdrawn(state.learner_id, command.fact_id, command.reason)]
        case SetInterest():
            interest = _interest(command)
            known = state.interests.get(interest.topic)
            return [] if says_the_same(known, interest) else [InterestSet(state.learner_id, interest)]
        case RemoveInterest():
            return [InterestRemoved(state.learner_id, command.topic)] if command.topic in state.interests else []
        case MakeChoice():
            choice = _choice(command)
            return (
                []
                if says_the_same(state.choices.get(choice.choice_id), choice)
                else [ChoiceMade(state.learner_id, choice)]
            )
        case AssignCohort():
            cohort = replace(command.cohort, provenance=settled(command.cohort.provenance, command.now))
            known_arm = state.cohorts.get(cohort.study_id)
            if known_arm is not None and known_arm.arm != cohort.arm:
                raise RuleBroken(f"the arm in study {cohort.study_id} is already assigned", rule="one-arm-per-study")
            return [] if known_arm is not None else [CohortAssigned(state.learner_id, cohort)]
        case EraseLearner():
            return [LearnerErased(state.learner_id, command.request_id, command.now)]
        case _:
            assert_never(command)


def _fact_recorded(command: RecordFact) -> FactRecorded:
    fact = command.fact
    if fact.kind not in FACT_KINDS:
        raise InvalidInput(f"a fact is one of {', '.join(sorted(FACT_KINDS))}", field="kind", value=fact.kind)
    provenance = settled(fact.provenance, command.now)
    if fact.kind == "basic-need" and provenance.visibility != Visibility.RESTRICTED:
        raise InvalidInput("a basic need is recorded as restricted", field="visibility", value=provenance.visibility)
    return FactRecorded(command.learner_id, replace(fact, provenance=provenance))


def _interest(command: SetInterest) -> Interest:
    interest = command.interest
    if not TOPIC.fullmatch(interest.topic):
        raise InvalidInput("a topic is up to 40 letters, digits, spaces and hyphens", field="topic")
    if not 0.0 <= interest.strength <= 1.0:
        raise InvalidInput("strength lies between 0 and 1", field="strength", value=interest.strength)
    return replace(interest, provenance=_expiring(interest.provenance, command.now))


def _choice(command: MakeChoice) -> Choice:
    ranked = command.choice.ranked
    if not ranked or sorted(wish.rank for wish in ranked) != list(range(1, len(ranked) + 1)):
        raise InvalidInput("choices are ranked 1, 2, 3 ... without gaps", field="ranked")
    return replace(command.choice, provenance=settled(command.choice.provenance, command.now))


def _expiring(provenance: Provenance, now: int) -> Provenance:
    until = provenance.expires_at or (provenance.observed_at or now) + INTEREST_LASTS
    return settled(replace(provenance, expires_at=until), now)


def result(command: LearnerCommand, events: Sequence[LearnerEvent], _state: LearnerState) -> Any:
    return {"learner_id": command.learner_id, "changes": len(events)}


learner: Decider[LearnerCommand, LearnerState, LearnerEvent] = Decider(
    category="learner", registry=registry, initial=Unknown, decide=decide, evolve=evolve, result=result
)
