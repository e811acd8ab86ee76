"""What leaves pathing: frameworks in chunks, and every revision of a path with its whole published frontier."""

from atelier.pathing.v1 import events_pb2 as contract
from atelier_common.commit import RecordedEvent
from atelier_common.publisher import ContractEvent

from atelier_pathing.contracts import FRAMEWORK_LISTED, PATH_REVISED
from atelier_pathing.domain.framework import FrameworkChunkListed
from atelier_pathing.domain.path_events import FrontierStep, GateMet, PathRevised
from atelier_pathing.domain.registry import REGISTRY

TYPES = frozenset(REGISTRY.name_of(event) for event in (PathRevised, FrameworkChunkListed))
"""The stored types of which :func:`translate` lets anything leave."""
STATES = {
    "ready": contract.FRONTIER_STATE_READY,
    "probe": contract.FRONTIER_STATE_PROBE,
    "deferred": contract.FRONTIER_STATE_DEFERRED,
}
ROLES = {
    "engine": contract.AUTHOR_ROLE_ENGINE,
    "learner": contract.AUTHOR_ROLE_LEARNER,
    "coach": contract.AUTHOR_ROLE_COACH,
    "counselor": contract.AUTHOR_ROLE_COUNSELOR,
}
TAGS = {
    "approach": contract.REVISION_TAG_APPROACH,
    "pace": contract.REVISION_TAG_PACE,
    "student-voice": contract.REVISION_TAG_STUDENT_VOICE,
}
GATES = {
    "earned": contract.GATE_REASON_EARNED,
    "success-beyond": contract.GATE_REASON_DEPENDENT_SUCCESS,
    "credit": contract.GATE_REASON_TRANSFERRED_CREDIT,
    "waiver": contract.GATE_REASON_WAIVER,
}


def translate(recorded: RecordedEvent) -> ContractEvent | None:
    """The contract event that a stored event is to the neighbours; None for what stays inside."""
    match recorded.event:
        case PathRevised() as revised:
            return ContractEvent(PATH_REVISED, path_revised(revised), revised.learner_id)
        case FrameworkChunkListed() as listed:
            return ContractEvent(FRAMEWORK_LISTED, framework_listed(listed), listed.framework_id)
        case _:
            return None


def path_revised(event: PathRevised) -> contract.PathRevised:
    revised = contract.PathRevised(
        learner_id=event.learner_id,
        framework_id=event.framework_id,
        revision=event.revision,
        author=event.author,
        author_role=ROLES[event.author_role],
        tag=TAGS[event.tag],
        earned_count=event.earned_count,
        gates_met=[gate_met(gate) for gate in event.gates_met],
        revised_at_ms=event.at,
        evidence_ids=event.evidence_ids,
        earned_now=event.earned_now,
        no_longer_earned=event.no_longer_earned,
    )
    for rank, step in enumerate(event.frontier, start=1):
        write_step(step, rank, revised.frontier.add())
    return revised


def write_step(step: FrontierStep, rank: int, entry: contract.FrontierEntry) -> None:
    """Fill an empty entry where it stands in its message: a message that is handed over would be copied."""
    entry.competency_id = step.competency_id
    entry.subject = step.subject
    entry.state = STATES[step.state]
    entry.rank = rank
    entry.origin = ROLES[step.origin]
    if step.origin == "learner":
        entry.chosen_by_learner = True
    if step.deferred_until is not None:
        entry.deferred_until_ms = step.deferred_until
    if step.estimate is None or step.uncertainty is None:
        return
    entry.estimate = step.estimate
    entry.uncertainty = step.uncertainty
    entry.evidence_ids.extend(step.evidence_ids)
    entry.opportunities_without_progress = step.without_progress
    entry.last_failed_kind = step.failed_kind


def gate_met(gate: GateMet) -> contract.GateMet:
    return contract.GateMet(competency_id=gate.competency_id, reason=GATES[gate.how], waived_by=gate.by or None)


def framework_listed(event: FrameworkChunkListed) -> contract.FrameworkListed:
    return contract.FrameworkListed(
        framework_id=event.framework_id,
        package_digest=event.digest,
        chunk=event.chunk,
        chunks=event.chunks,
        title=event.title,
        competencies=[
            contract.Competency(
                competency_id=competency.competency_id,
                uri=competency.uri,
                code=competency.code,
                statement=competency.statement,
                subject=competency.subject,
            )
            for competency in event.competencies
        ],
        prerequisites=[
            contract.Prerequisite(from_id=edge.from_id, to_id=edge.to_id, essential=edge.essential)
            for edge in event.prerequisites
        ],
        subjects=list(dict.fromkeys(competency.subject for competency in event.competencies)),
    )
