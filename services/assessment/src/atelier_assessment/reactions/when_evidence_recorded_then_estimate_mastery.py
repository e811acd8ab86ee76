"""Evidence that counts, or counts no more, moves the estimate of each competency it is about."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.reaction import Issue, Reaction

from atelier_assessment.domain.attempt_events import EvidenceMapped, EvidenceRecorded, EvidenceVoided
from atelier_assessment.domain.evidence import observe
from atelier_assessment.domain.mastery import CountEvidence, Rules, WithdrawEvidence, mastery, mastery_key
from atelier_assessment.rules_source import RulesSource

NAME = "when_evidence_recorded_then_estimate_mastery"
_KNOWN_SECONDS = 0.5
"""Rules that another replica has adopted so short a time ago may not be known here yet. The reaction that brings all estimates under them
looks at the log in this same process: from then on they are known here too, and what was estimated before, it estimates anew.
"""


def reaction(rules: RulesSource) -> Reaction:
    async def react(events: Sequence[RecordedEvent]) -> Sequence[Issue]:
        in_force: dict[str, Rules] = {}
        issues: list[Issue] = []
        for recorded in events:
            if recorded.tenant not in in_force:
                in_force[recorded.tenant] = await rules.of(recorded.tenant, within=_KNOWN_SECONDS)
            issues.extend(_issues(recorded, in_force[recorded.tenant]))
        return issues

    return Reaction(NAME, frozenset({"EvidenceRecorded", "EvidenceMapped", "EvidenceVoided"}), react)


def _issues(recorded: RecordedEvent, rules: Rules) -> list[Issue]:
    event, now = recorded.event, recorded.recorded_at
    evidence_id = recorded.stream.partition("/")[2]
    match event:
        case EvidenceRecorded() | EvidenceMapped():
            observation = observe(evidence_id, event.evidence, event.recorded_at)
            towards = event.competencies if isinstance(event, EvidenceRecorded) else event.added
            count = CountEvidence(observation, rules, now)
            learner = event.evidence.learner
            return [Issue(recorded, mastery, mastery_key(learner, competency), count) for competency in towards]
        case EvidenceVoided():
            withdraw = WithdrawEvidence(evidence_id, event.reason, rules, now)
            return [
                Issue(recorded, mastery, mastery_key(event.learner, competency), withdraw)
                for competency in event.competencies
            ]
        case _:
            raise TypeError(f"{NAME} was handed {recorded.type}")
